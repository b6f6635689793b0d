//! mimalloc, through the build that the crate `mimalloc` uses.

use super::Allocator;
use crate::sys::mimalloc;

/// mimalloc, as the crate `mimalloc` builds it. Name it if it is the program's global allocator.
///
/// It does not say how much of its memory is free, so what the controller counts is its own trims, less what usage fell
/// after them. A purge collects what no thread owns; what another thread holds free, that thread gives back.
///
/// ```
/// use pool_controller::Controller;
/// use pool_controller::allocator::Mimalloc;
/// use std::sync::Arc;
///
/// let registry = pool_core::Registry::new();
/// let controller = Controller::builder().registry(&registry).allocator(Arc::new(Mimalloc)).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mimalloc;

impl Allocator for Mimalloc {
    fn name(&self) -> &'static str {
        "mimalloc"
    }

    fn kept_bytes(&self) -> Option<u64> {
        None
    }

    fn give_back(&self) -> bool {
        mimalloc::collect();
        true
    }
}

//! jemalloc, through the build that `tikv-jemallocator` uses.

use super::Allocator;
use crate::sys::jemalloc;

/// jemalloc, as the crate `tikv-jemallocator` builds it. Name it if it is the program's global allocator.
///
/// jemalloc lets dirty pages decay only while threads allocate from the same arena, unless its background threads run; a
/// pool that is trimmed and then left alone stays resident until somebody asks. A purge visits all arenas.
///
/// ```
/// use pool_controller::Controller;
/// use pool_controller::allocator::Jemalloc;
/// use std::sync::Arc;
///
/// let registry = pool_core::Registry::new();
/// let controller = Controller::builder().registry(&registry).allocator(Arc::new(Jemalloc)).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jemalloc;

impl Allocator for Jemalloc {
    fn name(&self) -> &'static str {
        "jemalloc"
    }

    /// Pages that are free and may be resident. Room in pages that are partly in use is not among them, nor what threads
    /// have cached: no purge gives those back.
    fn kept_bytes(&self) -> Option<u64> {
        jemalloc::unused_pages().map(jemalloc::UnusedPages::bytes)
    }

    fn give_back(&self) -> bool {
        jemalloc::purge()
    }
}

//! The allocator of the process: what it keeps of what was freed, and how it is asked to give that back.
//!
//! Memory that a pool drops goes to the allocator first, and usage falls when the allocator lets go of it. A controller
//! that knows which allocator that is counts what is merely kept ([`Allocator::kept_bytes`]) and asks for it
//! ([`Allocator::give_back`]); one that does not know sees only its own trims and what usage did after them.
//!
//! | | reading | giving back | needs |
//! | --- | --- | --- | --- |
//! | [`Glibc`] | free blocks, resident or not (`mallinfo2`) | `malloc_trim` | nothing; found by itself |
//! | `Jemalloc` | unused dirty pages of all arenas | `arena.<all>.purge` | the feature `jemalloc`, and to be named |
//! | `Mimalloc` | none | `mi_collect` | the feature `mimalloc`, and to be named |
//! | [`Unknown`] | none | nothing | |
//!
//! A feature only makes an adapter available. Which one speaks for the process is what
//! [`Builder::allocator`](crate::Builder::allocator) was told; unless it was told, a trial block says whether it is glibc.
//! Knows nothing of pools or pressure.

#[cfg(feature = "jemalloc")]
mod jemalloc;
#[cfg(feature = "mimalloc")]
mod mimalloc;

#[cfg(feature = "jemalloc")]
pub use jemalloc::Jemalloc;
#[cfg(feature = "mimalloc")]
pub use mimalloc::Mimalloc;

use crate::sys;
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

/// An allocator as a controller sees it. Implement it for one that has no adapter here.
///
/// ```
/// use pool_controller::Controller;
/// use pool_controller::allocator::Allocator;
/// use std::sync::Arc;
///
/// #[derive(Debug)]
/// struct Arenas;
///
/// impl Allocator for Arenas {
///     fn name(&self) -> &'static str {
///         "arenas"
///     }
///
///     fn kept_bytes(&self) -> Option<u64> {
///         None // it does not say
///     }
///
///     fn give_back(&self) -> bool {
///         true // asked here
///     }
/// }
///
/// let registry = pool_core::Registry::new();
/// let controller = Controller::builder().registry(&registry).allocator(Arc::new(Arenas)).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Allocator: fmt::Debug + Send + Sync {
    /// What it is called in [`MemoryStatus`](crate::MemoryStatus).
    fn name(&self) -> &'static str;

    /// Bytes that are free and that it keeps; `None` if it does not say, which is what a panic counts as. Runs on the
    /// control thread, some times a second at most and less often while it is slow.
    fn kept_bytes(&self) -> Option<u64>;

    /// Asks it to give free memory back to the kernel, now; `false` if nothing was asked, since there is no way to. A
    /// panic counts as a purge that gave nothing. May take long: it runs on a thread of its own.
    fn give_back(&self) -> bool;
}

/// glibc's `malloc`, which Rust programs on Linux use unless they say otherwise.
///
/// ```
/// use pool_controller::allocator::{Allocator, Glibc};
///
/// assert_eq!(Glibc.name(), "glibc");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glibc;

impl Allocator for Glibc {
    fn name(&self) -> &'static str {
        "glibc"
    }

    /// Free blocks, resident or not: a trim takes their pages and leaves the blocks.
    fn kept_bytes(&self) -> Option<u64> {
        sys::allocator_use().map(|heap| heap.retained_bytes)
    }

    fn give_back(&self) -> bool {
        sys::malloc_trim() != sys::Trimmed::Unsupported
    }
}

/// One of which nothing is known: no reading, and no purge.
///
/// ```
/// use pool_controller::allocator::{Allocator, Unknown};
///
/// assert_eq!((Unknown.kept_bytes(), Unknown.give_back()), (None, false));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unknown;

impl Allocator for Unknown {
    fn name(&self) -> &'static str {
        "unknown"
    }

    fn kept_bytes(&self) -> Option<u64> {
        None
    }

    fn give_back(&self) -> bool {
        false
    }
}

/// [`Glibc`] if it serves the allocations of this program, else [`Unknown`].
///
/// A block that is allocated as any other must show in glibc's own figures, and be gone from them when it is freed. Where
/// another allocator serves the program, glibc's figures are those of C code at most, and a purge of glibc would say
/// nothing about the rest. Costs address space for a moment (64 MiB, untouched) and fifteen readings at most.
///
/// ```
/// let allocator = pool_controller::allocator::detect();
/// assert!(["glibc", "unknown"].contains(&allocator.name()));
/// ```
#[must_use]
pub fn detect() -> Arc<dyn Allocator> {
    if is_served_by(|| sys::allocator_use().map(|heap| heap.allocated_bytes)) {
        Arc::new(Glibc)
    } else {
        Arc::new(Unknown)
    }
}

/// Larger than what others allocate or free between two readings, and than the 32 MiB up to which glibc learns from a
/// block that is freed: it would no longer map blocks of up to that size one by one, for the rest of the process, and keep
/// what is freed of them.
const TRIAL_BYTES: usize = 64 << 20;
/// Most of them count: in one, others may have freed, or allocated, as much.
const TRIALS: usize = 5;

/// Whether what this program allocates shows in `allocated_bytes`.
fn is_served_by(allocated_bytes: impl Fn() -> Option<u64>) -> bool {
    let shows = |_: &usize| {
        let before = allocated_bytes()?;
        let mut block = Vec::<u8>::new();
        block.try_reserve_exact(TRIAL_BYTES).ok()?;
        let during = allocated_bytes()?;
        drop(black_box(block));
        let less = during.checked_sub(before.max(allocated_bytes()?))?;
        (less >= TRIAL_BYTES as u64 / 2).then_some(())
    };
    (0..TRIALS).filter(|trial| shows(trial).is_some()).count() > TRIALS / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn whoever_shows_the_block_in_most_trials_serves_the_program() {
        // Two readings of three lie outside of a trial, the second of each three is during one.
        let served = |shown: &dyn Fn(usize) -> Option<u64>| {
            let readings = Cell::new(0);
            is_served_by(|| {
                let reading = readings.replace(readings.get() + 1);
                let during = if reading % 3 == 1 { shown(reading / 3)? } else { 0 };
                Some((1 << 30) + during)
            })
        };
        let block = TRIAL_BYTES as u64;
        assert!(served(&|_| Some(block)));
        assert!(served(&|trial| Some(if trial < 2 { 0 } else { block })), "others freed as much, twice");
        assert!(!served(&|_| Some(64 << 10)), "some other code of the process");
        assert!(!served(&|trial| Some(if trial < 2 { block } else { 0 })));
        assert!(!served(&|_| None));
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn this_test_is_served_by_glibc() {
        assert_eq!(detect().name(), "glibc");
        assert!(Glibc.kept_bytes().is_some() && Glibc.give_back());
    }
}

//! What happened through one slot, or outside all of them.
//!
//! Counters are cumulative and relaxed; a racing reader may see any past value of each. It knows nothing of who may
//! write: a slot's are its owner's alone.

use crate::stats::DropReason;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What happened through one slot. Cumulative; guarded, so that a visit reads them all at one moment.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Counters {
    pub(crate) gets: AtomicU64,
    pub(crate) kept: AtomicU64,
    pub(crate) refilled: AtomicU64,
    /// Those of the refills that came from the victim.
    pub(crate) revived: AtomicU64,
    /// Gets that were not allowed to reuse.
    pub(crate) bypassed: AtomicU64,
    pub(crate) created: AtomicU64,
    pub(crate) created_bytes: AtomicU64,
    /// Bytes by which objects were heavier at their return than before; wraps when they were lighter.
    pub(crate) grown_bytes: AtomicU64,
    pub(crate) dropped_bytes: AtomicU64,
    /// Whatever the reason. Down to here is what a controller reads at each tick: two lines of a slot.
    pub(crate) dropped_total: AtomicU64,
    pub(crate) dropped: [AtomicU64; DropReason::ALL.len()],
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            gets: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            refilled: AtomicU64::new(0),
            revived: AtomicU64::new(0),
            bypassed: AtomicU64::new(0),
            created: AtomicU64::new(0),
            created_bytes: AtomicU64::new(0),
            grown_bytes: AtomicU64::new(0),
            dropped_bytes: AtomicU64::new(0),
            dropped_total: AtomicU64::new(0),
            dropped: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Adds with a load and a store: for the one writer that a guarded counter has.
    #[inline(always)]
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
    }
}

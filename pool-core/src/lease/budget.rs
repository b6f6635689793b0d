//! How many records a pool may make.

use crate::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Records that may still be made; shared by all stripes of a pool. Below 0 only while somebody finds out that
/// there are not as many as wanted.
#[derive(Debug)]
pub(crate) struct Budget(AtomicI64);

/// Records that a pool makes at most.
pub(crate) const RECORDS_MAX: u32 = if cfg!(ebbpool_loom) { 3 } else { 1 << 16 };

impl Budget {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(i64::from(RECORDS_MAX)))
    }

    /// Up to `want` records; `None` if there are none. By one read-modify-write: a mere load could be of long ago.
    pub(super) fn take(&self, want: u32) -> Option<u32> {
        let left = self.0.fetch_sub(i64::from(want), Relaxed).clamp(0, i64::from(want));
        let taken = u32::try_from(left).unwrap_or(0);
        self.give(want - taken);
        (taken > 0).then_some(taken)
    }

    pub(super) fn give(&self, n: u32) {
        self.0.fetch_add(i64::from(n), Relaxed);
    }

    #[cfg(all(test, not(ebbpool_loom)))]
    pub(super) fn left(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

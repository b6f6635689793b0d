//! How much a magazine holds, and how much it may. Rules: see the slot's; who may call what is up to
//! [`cell`](super).

use super::Slot;
use crate::sync::MAGAZINE;
use crate::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release},
    fence,
};

#[repr(C)]
pub(super) struct Load {
    /// Objects in the magazine. Guarded.
    len: AtomicU32,
    /// Objects that the magazine may hold: this slot's part of the pool's capacity. Guarded.
    credit_objects: AtomicU32,
    /// Their bytes. Guarded.
    bytes: AtomicU64,
    /// Bytes that the magazine may hold. Guarded.
    credit_bytes: AtomicU64,
}

impl Load {
    pub(super) fn new() -> Self {
        Self {
            len: AtomicU32::new(0),
            credit_objects: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
            credit_bytes: AtomicU64::new(0),
        }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> u32 {
        self.len.load(Relaxed)
    }

    #[inline(always)]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// The entries below `len` are initialised (S4).
    #[inline(always)]
    pub(super) fn set_len(&self, len: u32) {
        self.len.store(len, Relaxed);
    }

    #[inline(always)]
    pub(super) fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Relaxed);
    }

    /// Nothing is there while entries change places: a fork copies memory at any moment, and in the child this thread
    /// does not go on.
    pub(super) fn empty(&self) {
        self.set_bytes(0);
        self.set_len(0);
        fence(Release); // the entries change later
    }

    /// So much is there, at last.
    pub(super) fn refill(&self, len: u32, bytes: u64) {
        self.bytes.store(bytes, Release);
        self.len.store(len, Release); // the entries have changed earlier
    }

    /// Whether one more object of that weight is within the credit, and so has a place (S4).
    #[inline(always)]
    pub(super) fn fits(&self, weight: u64) -> bool {
        self.len.load(Relaxed) < self.credit_objects.load(Relaxed)
            && self.bytes.load(Relaxed) + weight <= self.credit_bytes.load(Relaxed)
    }

    /// Never above the magazine (S4).
    fn set_credit(&self, objects: u32, bytes: u64) {
        self.credit_objects.store(objects.min(short(MAGAZINE)), Relaxed);
        self.credit_bytes.store(bytes, Relaxed);
    }
}

/// What everybody may do.
impl Slot {
    pub(crate) fn len(&self) -> usize {
        self.load.len() as usize
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.load.bytes()
    }

    /// Whether one more object of that weight is within the slot's credit.
    pub(crate) fn fits(&self, weight: u64) -> bool {
        self.load.fits(weight)
    }

    /// The slot's credit, objects and bytes.
    pub(crate) fn credit(&self) -> (u32, u64) {
        (self.load.credit_objects.load(Relaxed), self.load.credit_bytes.load(Relaxed))
    }

    /// Inside, or visiting.
    pub(crate) fn set_credit(&self, objects: u32, bytes: u64) {
        self.load.set_credit(objects, bytes);
    }
}

/// Magazines are short.
pub(super) fn short(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_fits_has_a_place() {
        let load = Load::new();
        load.set_credit(u32::MAX, 100);
        load.set_len(short(MAGAZINE) - 1);
        assert!(load.fits(100) && !load.fits(101));
        load.set_len(short(MAGAZINE));
        assert!(!load.fits(0));
    }
}

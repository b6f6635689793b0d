//! Credit: the part of a pool's capacity that nobody has yet.
//!
//! An idle object is held on one credit of an object and its weight in bytes. Credit is free (here), with a
//! slot (used or not), or with an object in the depot; the three together are the capacity, always. A lowered
//! capacity can make what is free negative: then nobody gets any until a drainer has taken enough back.

use crate::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Orderings are relaxed: the objects themselves travel through slots and locks that order them.
#[derive(Debug)]
pub(crate) struct Credit {
    objects: AtomicI64,
    bytes: AtomicI64,
}

impl Credit {
    pub(crate) fn new(objects: i64, bytes: i64) -> Self {
        Self { objects: AtomicI64::new(objects), bytes: AtomicI64::new(bytes) }
    }

    /// Takes both or nothing.
    pub(crate) fn take(&self, objects: i64, bytes: i64) -> bool {
        if !Self::take_one(&self.objects, objects) {
            return false;
        }
        if !Self::take_one(&self.bytes, bytes) {
            self.objects.fetch_add(objects, Relaxed);
            return false;
        }
        true
    }

    fn take_one(free: &AtomicI64, n: i64) -> bool {
        free.fetch_update(Relaxed, Relaxed, |f| (f >= n).then_some(f - n)).is_ok()
    }

    /// Gives back, or with negative numbers takes by force.
    pub(crate) fn give(&self, objects: i64, bytes: i64) {
        self.objects.fetch_add(objects, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// Free objects and bytes; negative after a cut.
    pub(crate) fn free(&self) -> (i64, i64) {
        (self.objects.load(Relaxed), self.bytes.load(Relaxed))
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn both_or_nothing() {
        let credit = Credit::new(2, 100);
        assert!(!credit.take(1, 101));
        assert!(!credit.take(3, 1));
        assert_eq!(credit.free(), (2, 100));
        assert!(credit.take(2, 100));
        assert!(!credit.take(1, 0));
        credit.give(-5, 0);
        credit.give(5, 0);
        assert!(!credit.take(1, 0));
        credit.give(1, 0);
        assert!(credit.take(1, 0));
    }
}

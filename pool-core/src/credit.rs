//! Credit: the part of a pool's capacity that nobody has yet.
//!
//! An idle object is held on one credit of an object and its weight in bytes. Credit is free (here), with a
//! slot (used or not), or with an object in the depot; the three together are the capacity, always. A lowered
//! capacity can make what is free negative: then nobody gets any until a drainer has taken enough back.

use crate::sync::MAGAZINE;
use crate::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Orderings are relaxed: the objects themselves travel through slots and locks that order them.
#[derive(Debug)]
pub(crate) struct Credit {
    objects: AtomicI64,
    bytes: AtomicI64,
    objects_max: AtomicI64,
    bytes_max: AtomicI64,
}

impl Credit {
    pub(crate) fn new(objects: i64, bytes: i64) -> Self {
        Self {
            objects: AtomicI64::new(objects),
            bytes: AtomicI64::new(bytes),
            objects_max: AtomicI64::new(objects),
            bytes_max: AtomicI64::new(bytes),
        }
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

    /// The whole capacity becomes this; what is free changes by the difference.
    pub(crate) fn resize(&self, objects: i64, bytes: i64) {
        let before = (self.objects_max.swap(objects, Relaxed), self.bytes_max.swap(bytes, Relaxed));
        self.give(objects - before.0, bytes - before.1);
    }

    /// Objects of `weight` that one thread may hold idle: a quarter of the capacity, so that what one thread
    /// returns and another gets finds its way through the depot before the capacity is used up by magazines.
    pub(crate) fn magazine(&self, weight: u64) -> usize {
        let by_bytes = self.bytes_max.load(Relaxed) / i64::try_from(weight.max(1)).unwrap_or(i64::MAX);
        let objects = self.objects_max.load(Relaxed).min(by_bytes) / 4;
        usize::try_from(objects).unwrap_or(0).clamp(1, MAGAZINE)
    }

    /// The whole capacity, objects and bytes.
    pub(crate) fn capacity(&self) -> (u64, u64) {
        let whole = |n: &AtomicI64| u64::try_from(n.load(Relaxed)).unwrap_or(0);
        (whole(&self.objects_max), whole(&self.bytes_max))
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
    fn a_magazine_is_a_quarter_of_the_capacity() {
        let credit = Credit::new(100, 1000);
        assert_eq!([1, 10, 50, 1000, u64::MAX].map(|w| credit.magazine(w)), [25, 25, 5, 1, 1]);
        credit.resize(100_000, 1 << 40);
        assert_eq!((credit.magazine(1), credit.free()), (MAGAZINE, (100_000, 1 << 40)));
    }

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

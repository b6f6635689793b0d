//! How long creates take: one in sixteen is timed.
//!
//! A create that suddenly takes milliseconds is how a lack of memory shows first: its pages have to be found. Two clock
//! readings for sixteen creates are less than a nanosecond for each get, whatever the reuse.

use crate::lifetimes::Lifetimes;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, PoisonError, try_lock};
use std::time::Duration;

/// One create in so many is timed.
const ONE_IN: u64 = 16;

pub(crate) struct Creates {
    /// Creates so far; lost updates are harmless, it only says when the next one is due. Relaxed: it orders nothing.
    begun: AtomicU64,
    /// Made with the first that is timed: most pools create few objects.
    times: Mutex<Option<Box<Lifetimes>>>,
    /// How many are in there; written under its lock. Relaxed: who finds another number reads the times under the lock.
    timed: AtomicU64,
}

impl Creates {
    pub(crate) fn new() -> Self {
        Self { begun: AtomicU64::new(0), times: Mutex::new(None), timed: AtomicU64::new(0) }
    }

    /// A create begins; whether it is to be timed.
    pub(crate) fn begins(&self) -> bool {
        let begun = self.begun.load(Relaxed) + 1;
        self.begun.store(begun, Relaxed);
        begun % ONE_IN == 0
    }

    /// Takes the time of one. Lost if somebody reads at this moment: a get does not wait.
    pub(crate) fn took(&self, time: Duration) {
        let Some(mut times) = try_lock(&self.times) else { return };
        times.get_or_insert_with(Box::default).add(time);
        self.timed.fetch_add(1, Relaxed);
    }

    /// How many were timed.
    pub(crate) fn timed(&self) -> u64 {
        self.timed.load(Relaxed)
    }

    pub(crate) fn times(&self) -> Lifetimes {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.as_deref().cloned().unwrap_or_default()
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use crate::Pool;
    use crate::sync::pretence::Pretence;
    use std::time::Duration;

    #[test]
    fn one_create_in_sixteen_is_timed() {
        let _pretence = Pretence::begin();
        let slow = || {
            Pretence::advance(Duration::from_millis(3));
            [0_u8; 64]
        };
        let pool = Pool::new("slow", slow);
        let lent: Vec<_> = (0..50).map(|_| pool.get()).collect();
        drop(lent);
        (0..1000).for_each(|_| drop(pool.get()));
        let creates = pool.stats().creates;
        assert_eq!(creates.total(), pool.stats().created / 16);
        let (from, below, _) = creates.buckets().next().unwrap();
        assert!(from <= Duration::from_millis(3) && Duration::from_millis(3) < below, "{from:?} {below:?}");
    }

    #[test]
    fn a_create_that_panics_is_no_sample() {
        let pool = Pool::new("bad", || -> u8 { panic!("on purpose") });
        for _ in 0..40 {
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.get())).is_err());
        }
        assert_eq!(pool.stats().creates.total(), 0);
    }
}

//! Ghosts: objects that were dropped for want of capacity, remembered as a number.
//!
//! A pool that could hold one more magazine would have kept them, the newest up to so many. A create while there are
//! any is a get that this magazine would have served: a *ghost hit*. Their rate is what more capacity is worth, and
//! it costs no memory to know. After the ghost lists of ARC (Megiddo and Modha, 2003), without the lists: objects of
//! a pool are alike, so their number is all that matters.

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Written by slow paths only, and an estimate: updates that cross may be lost. Relaxed, for it orders nothing.
pub(crate) struct Ghosts {
    now: AtomicU64,
    hits: AtomicU64,
}

impl Ghosts {
    pub(crate) fn new() -> Self {
        Self { now: AtomicU64::new(0), hits: AtomicU64::new(0) }
    }

    /// An object was dropped that `magazine` more places would have kept, if they were not full themselves.
    pub(crate) fn dropped(&self, magazine: usize) {
        let most = u64::try_from(magazine).unwrap_or(u64::MAX).max(1);
        self.now.store((self.now.load(Relaxed) + 1).min(most), Relaxed);
    }

    /// A get found nothing idle.
    pub(crate) fn created(&self) {
        let now = self.now.load(Relaxed);
        if now > 0 {
            self.now.store(now - 1, Relaxed);
            self.hits.fetch_add(1, Relaxed);
        }
    }

    /// Ghost hits so far.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Relaxed)
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;
    use crate::{Capacity, Pool};

    #[test]
    fn a_create_after_a_drop_for_want_of_room_is_a_ghost_hit() {
        let ghosts = Ghosts::new();
        ghosts.created();
        assert_eq!(ghosts.hits(), 0, "nothing had been dropped");
        (0..5).for_each(|_| ghosts.dropped(3));
        (0..5).for_each(|_| ghosts.created());
        assert_eq!(ghosts.hits(), 3, "one magazine would have kept three");
    }

    #[test]
    fn a_pool_counts_what_one_more_magazine_would_have_served() {
        let pool = Pool::builder("small")
            .capacity(Capacity::new(8, 1 << 20).unwrap())
            .build_with(|| [0_u8; 64])
            .unwrap();
        let burst = |n: usize| drop((0..n).map(|_| pool.get()).collect::<Vec<_>>());
        burst(8);
        assert_eq!(pool.stats().ghost_hits, 0);
        (0..10).for_each(|_| burst(10)); // two more than fit
        let stats = pool.stats();
        assert_eq!((stats.gets.created, stats.ghost_hits), (8 + 2 * 10, 2 * 9), "{stats:?}");
    }

    #[test]
    fn what_nobody_wanted_for_too_long_was_not_short_of_room() {
        let pool = Pool::new("aged", String::new);
        drop(pool.get());
        let now = std::time::Instant::now();
        let registry = crate::Registry::new();
        registry.register(pool.managed()).unwrap();
        (1..6).for_each(|n| drop(registry.cycle(now + crate::Eviction::DEFAULT.cycle() * n)));
        drop(pool.get());
        let stats = pool.stats();
        assert_eq!((stats.gets.created, stats.ghost_hits), (2, 0));
    }
}

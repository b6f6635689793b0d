//! Trims: what is idle above capacity goes, in slices.
//!
//! Depots first, which needs no fence; a pass over the magazines only if that was not enough. Drops are other
//! people's code: they run here in turns of at most half a millisecond a pool, with the thread given up between
//! them, and what is not done in time waits for the next tick. Knows no plan: capacities are set already.

use pool_core::{DropReason, Job, Managed, Registry};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One turn of drops.
const SLICE: Duration = Duration::from_micros(500);
/// A tenth of a tick: the loop must not be late because of drops.
const TICK_SHARE: Duration = Duration::from_millis(25);

/// Trims what is above capacity; returns the bytes that were condemned. `cut`: a capacity has just been lowered;
/// then a pass takes back the credit that slots have not used, or later returns would fill it.
pub(super) fn trim(registry: &Registry, pools: &[Arc<dyn Managed>], cut: bool) -> u64 {
    let mut bytes = 0;
    for pool in pools.iter().filter(|pool| is_over(pool.as_ref())) {
        bytes += pool.trim_depot(0, DropReason::Pressure).bytes;
    }
    if cut || pools.iter().any(|pool| is_over(pool.as_ref())) {
        let collected = registry.pass(Job::Reclaim { extra_bytes: 0 });
        bytes += collected.iter().map(|(_, collected)| collected.taken.bytes).sum::<u64>();
    }
    drop_for(registry, TICK_SHARE);
    bytes
}

/// Drops condemned objects for at most `time`, by slices. The first slice is done in any case: a thread that gets
/// the processor once a tick must not leave everything for the next one, and so for ever.
pub(super) fn drop_for(registry: &Registry, time: Duration) {
    let mut began = None;
    registry.drop_condemned(SLICE, || {
        let Some(began) = began else {
            began = Some(Instant::now());
            return false;
        };
        std::thread::yield_now();
        Instant::now() >= began + time
    });
}

fn is_over(pool: &dyn Managed) -> bool {
    let stats = pool.stats();
    stats.idle_bytes > stats.capacity_bytes || stats.idle_objects > stats.capacity_objects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePool;
    use pool_core::{Capacity, Change};

    fn registered(pools: &[Arc<FakePool>]) -> (Registry, Vec<Arc<dyn Managed>>) {
        let registry = Registry::new();
        for pool in pools {
            registry.register(Arc::clone(pool) as Arc<dyn Managed>).expect("distinct names");
        }
        let all = registry.pools();
        (registry, all)
    }

    fn cut(pool: &FakePool, bytes: u64) {
        let capacity = Capacity::new(FakePool::OBJECTS_MAX, bytes).expect("in range");
        pool.set_capacity(capacity, Change::policy("test"));
    }

    #[test]
    fn what_is_above_goes_first_from_the_depot_then_from_the_magazines() {
        let pool = FakePool::new("a");
        pool.set_stats(|stats| (stats.idle_bytes, stats.depot_objects, stats.idle_objects) = (1000, 6, 10));
        let (registry, pools) = registered(&[Arc::clone(&pool)]);
        cut(&pool, 500);
        assert_eq!(trim(&registry, &pools, false), 500);
        assert_eq!((pool.stats().idle_bytes, pool.passes()), (500, 0), "the depot was enough");
        cut(&pool, 0);
        assert_eq!(trim(&registry, &pools, false), 500);
        assert_eq!((pool.stats().idle_bytes, pool.passes()), (0, 1));
        assert_eq!(pool.stats().condemned_bytes, 0, "and all of it was dropped");
    }

    #[test]
    fn nothing_is_touched_when_nothing_is_above() {
        let pool = FakePool::new("a");
        pool.set_stats(|stats| stats.idle_bytes = 400);
        let (registry, pools) = registered(&[Arc::clone(&pool)]);
        cut(&pool, 400);
        assert_eq!((trim(&registry, &pools, false), pool.passes()), (0, 0));
    }

    #[test]
    fn a_cut_takes_unused_credit_back_though_nothing_is_above_yet() {
        let pool = FakePool::new("a");
        let (registry, pools) = registered(&[Arc::clone(&pool)]);
        cut(&pool, 400);
        assert_eq!((trim(&registry, &pools, true), pool.passes()), (0, 1));
    }

    #[test]
    fn slow_drops_are_sliced_and_left_for_the_next_tick() {
        let pool = FakePool::new("a");
        pool.set_stats(|stats| {
            (stats.idle_bytes, stats.idle_objects, stats.depot_objects) = (1000, 1000, 1000);
        });
        pool.set_drop_time(Duration::from_millis(1));
        let (registry, pools) = registered(&[Arc::clone(&pool)]);
        cut(&pool, 0);
        assert_eq!(trim(&registry, &pools, false), 1000);
        let left = pool.stats().condemned_objects;
        assert!(left > 0 && left < 1000, "{left} left");
        assert_eq!(pool.longest_slice(), SLICE);
        drop_for(&registry, Duration::ZERO);
        assert_eq!(
            pool.stats().condemned_objects,
            left - 1,
            "a tick without time drops a little all the same"
        );
    }
}

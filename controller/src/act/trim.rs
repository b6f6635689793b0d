//! Trims: what is idle above capacity goes, in slices; and the cycles that are due.
//!
//! Depots first, which needs no fence. Then one pass for everything that needs one, with one fence: pools whose cycle is
//! over age, which takes what is above capacity too; of the others, those whose capacity was cut give up what depots did
//! not have. Drops are other people's code: they run here in turns of at most half a millisecond a pool, with the thread
//! given up between them, and what is not done in time waits for the next tick. Knows no plan: capacities are set already.

use crate::decide::Plan;
use crate::seen::{SeenPool, SeenPools};
use pool_core::{DropReason, Job, Managed, Registry};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many pools may have a cycle together, whatever it is for all.
const CYCLES_AT_ONCE: usize = 256;
/// One turn of drops.
const SLICE: Duration = Duration::from_micros(500);
/// What making room in one pool may take at a time, on the thread of who waits for it.
const ROOM_TIME: Duration = Duration::from_millis(100);
/// A tenth of a tick: the loop must not be late because of drops.
const TICK_SHARE: Duration = Duration::from_millis(25);

/// Trims what is above capacity and lets pools age; returns the bytes that trims condemned. `cut`: the places of pools
/// whose capacity has just been lowered; there a pass takes back the credit that slots have not used, or later returns
/// would fill it.
///
/// Of the pools whose cycle is over, `cycles_max` have it now, and the others with the next ticks.
pub(super) fn trim(
    registry: &Registry,
    seen: &SeenPools,
    cut: &[usize],
    (now, cycles_max): (Instant, usize),
) -> u64 {
    let mut bytes = 0;
    let over = trim_depots(seen, cut, &mut bytes);
    let mut cycles = 0;
    let mut pressed = over.into_iter().map(|at| &seen.managed[at]).peekable();
    let job = |pool: &Arc<dyn Managed>| {
        // In the same order, but for those that have ended meanwhile.
        while pressed.next_if(|first| !Arc::ptr_eq(first, pool) && first.is_finished()).is_some() {}
        let is_pressed = pressed.next_if(|first| Arc::ptr_eq(first, pool)).is_some();
        if cycles < cycles_max && pool.cycle_is_due(now) {
            cycles += 1;
            return Some(Job::Cycle { now });
        }
        is_pressed.then_some(Job::Reclaim { extra_bytes: 0 })
    };
    registry.pass_over(job, |_, collected| {
        if collected.cycle.is_none() {
            bytes += collected.taken.bytes;
        }
    });
    drop_for(registry, TICK_SHARE);
    bytes
}

/// How many pools may have a cycle at this tick, which comes so long after the last one: as many as it takes if their
/// cycles are spread evenly, and a quarter more. Pools that were built together would else have theirs together, for
/// good. Nobody waits for more than one cycle, since by then all could have had theirs.
pub(super) fn cycles_max(seen: &SeenPools, plan: &Plan, since_last: Duration) -> usize {
    let tick_ms = since_last.as_secs_f64() * 1e3;
    let cycles = seen.iter().enumerate().map(|(at, pool)| {
        let planned = plan.pools.get(at).and_then(|planned| planned.cycle_ms).map(|ms| ms as f64);
        let cycle_ms = planned.unwrap_or_else(|| pool.held.eviction.value.cycle().as_secs_f64() * 1e3);
        (tick_ms / cycle_ms.max(1.0)).min(1.0)
    });
    let even: f64 = cycles.sum();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of pools")]
    let with_some_more = (even * 1.25).round() as usize;
    with_some_more.max(CYCLES_AT_ONCE)
}

/// The places of pools that need a pass, in order.
fn trim_depots(seen: &SeenPools, cut: &[usize], bytes: &mut u64) -> Vec<usize> {
    let mut cut = cut.iter().copied().peekable();
    let needs_pass = |(at, pool): (usize, &SeenPool)| {
        let is_cut = cut.next_if_eq(&at).is_some();
        // A capacity that was cut is not in the figures yet.
        let managed = &seen.managed[at];
        let figures = if is_cut { managed.figures() } else { pool.figures };
        if !figures.is_above_capacity() {
            return is_cut.then_some(at);
        }
        *bytes += managed.trim_depot(0, DropReason::Pressure).bytes;
        (is_cut || managed.figures().is_above_capacity()).then_some(at)
    };
    seen.iter().enumerate().filter_map(needs_pass).collect()
}

/// Drops condemned objects for at most `time`, by slices. The first slice is done in any case: a thread that gets
/// the processor once a tick must not leave everything for the next one, and so for ever.
pub(super) fn drop_for(registry: &Registry, time: Duration) {
    let mut times = None;
    registry.drop_condemned(SLICE, || {
        let now = Instant::now();
        let Some((began, yielded)) = times else {
            times = Some((now, now));
            return false;
        };
        if now >= yielded + SLICE {
            std::thread::yield_now();
            times = Some((began, Instant::now()));
        }
        now >= began + time
    });
}

/// Drops what a pool has no room for any more, but for what is in magazines; whether nothing is left to drop. Needs no pass.
pub(super) fn make_room(pool: &dyn Managed) -> bool {
    pool.trim_depot(0, DropReason::Pressure);
    let until = Instant::now() + ROOM_TIME;
    loop {
        if pool.drop_condemned(SLICE.min(pool.drop_slice())) {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{Inputs, PoolPlan, Reason};
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

    fn trimmed(registry: &Registry, pools: &[Arc<dyn Managed>], cut: &[usize]) -> u64 {
        trim(registry, &SeenPools::of(pools), cut, (Instant::now(), usize::MAX))
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
        assert_eq!(trimmed(&registry, &pools, &[]), 500);
        assert_eq!((pool.stats().idle_bytes, pool.passes()), (500, 0), "the depot was enough");
        cut(&pool, 0);
        assert_eq!(trimmed(&registry, &pools, &[]), 500);
        assert_eq!((pool.stats().idle_bytes, pool.passes()), (0, 1));
        assert_eq!(pool.stats().condemned_bytes, 0, "and all of it was dropped");
    }

    #[test]
    fn nothing_is_touched_when_nothing_is_above() {
        let pool = FakePool::new("a");
        pool.set_stats(|stats| stats.idle_bytes = 400);
        let (registry, pools) = registered(&[Arc::clone(&pool)]);
        cut(&pool, 400);
        assert_eq!((trimmed(&registry, &pools, &[]), pool.passes()), (0, 0));
    }

    #[test]
    fn a_cut_takes_unused_credit_back_though_nothing_is_above_yet() {
        let pool = FakePool::new("a");
        let (registry, pools) = registered(&[Arc::clone(&pool)]);
        cut(&pool, 400);
        assert_eq!((trimmed(&registry, &pools, &[0]), pool.passes()), (0, 1));
    }

    #[test]
    fn cycles_of_many_pools_are_spread_over_the_ticks_and_late_ticks_catch_up() {
        let fakes: Vec<_> = (0..4000).map(|n| FakePool::new(&n.to_string())).collect();
        let (_, pools) = registered(&fakes);
        let seen = SeenPools::of(&pools);
        let inputs = Inputs { pools: Vec::new(), ..Inputs::default() };
        let mut plan = Plan::unchanged(&inputs, Reason::Fixed);
        let most = |plan: &Plan, ms| cycles_max(&seen, plan, Duration::from_millis(ms));
        assert_eq!([0, 250, 1000, 60_000].map(|ms| most(&plan, ms)), [256, 256, 500, 5000], "10 s, as built");
        let faster = |n: usize| PoolPlan { cycle_ms: Some(500), ..PoolPlan::unchanged(n.to_string()) };
        plan.pools = (0..4000).map(faster).collect();
        assert_eq!(most(&plan, 250), 2500);
        assert_eq!(cycles_max(&SeenPools::default(), &plan, Duration::MAX), 256);
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
        assert_eq!(trimmed(&registry, &pools, &[]), 1000);
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

//! The watchdog: a plan is a lease of five seconds. If none comes, pools go to their safe capacity and keep serving.
//!
//! It needs nothing of the loop: a thread of its own, one number that a finished tick renews, no lock that a tick
//! holds. The grant is lifted, because nobody would refill it, and with the safe capacity there is next to nothing
//! to take back from. When the loop ticks again, it finds the lowered capacities and goes on from there. A
//! controller that is ticked by hand has no watchdog.

use super::held::Held;
use super::knobs::write_bytes;
use super::trim::drop_for;
use crate::decide::safe_bytes;
use pool_core::{DropReason, Registry};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a plan holds without the next one.
pub(crate) const LEASE: Duration = Duration::from_secs(5);
/// Drops that one fall to safe capacity may do itself.
const DROP_TIME: Duration = Duration::from_millis(100);

/// The lease, shared by the loop that renews it and the watchdog. Its fields are accounts of their own: a value
/// that is a moment old only shifts the five seconds by that moment.
#[derive(Debug)]
pub(crate) struct Lease {
    started: Instant,
    length: Duration,
    renewed_ms: AtomicU64,
    limit_bytes: AtomicU64,
    expired: AtomicBool,
}

impl Lease {
    /// A lease that holds for the first time from `started` on.
    pub(crate) fn new(started: Instant, length: Duration) -> Self {
        let (renewed_ms, limit_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { started, length, renewed_ms, limit_bytes, expired: AtomicBool::new(false) }
    }

    /// How often the watchdog looks: the lease ends this late at most.
    pub(crate) fn look_every(&self) -> Duration {
        self.length / 10
    }

    /// A tick has been completed.
    pub(crate) fn renew(&self, at: Duration, limit_bytes: Option<u64>) {
        self.renewed_ms.store(u64::try_from(at.as_millis()).unwrap_or(u64::MAX), Relaxed);
        if let Some(limit) = limit_bytes {
            self.limit_bytes.store(limit, Relaxed);
        }
        self.expired.store(false, Relaxed);
    }

    /// Time since the last completed tick.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        let at = now.saturating_duration_since(self.started);
        at.saturating_sub(Duration::from_millis(self.renewed_ms.load(Relaxed)))
    }

    /// Whether no tick was completed for too long.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.age(now) > self.length
    }

    fn last_limit_bytes(&self) -> Option<u64> {
        Some(self.limit_bytes.load(Relaxed)).filter(|bytes| *bytes > 0)
    }
}

/// One look: falls to safe capacity once when the lease is over. Returns whether it did.
pub(crate) fn look(lease: &Lease, registry: &Registry, now: Instant) -> bool {
    if !lease.is_over(now) || lease.expired.swap(true, Relaxed) {
        return false;
    }
    fall_back(registry, lease.last_limit_bytes(), "no plan for 5 s: safe capacity until the next one");
    true
}

/// Pools go to their safe capacity, and creates are not limited any more.
pub(crate) fn fall_back_at_end(lease: &Lease, registry: &Registry) {
    fall_back(registry, lease.last_limit_bytes(), "the controller has ended: safe capacity");
}

fn fall_back(registry: &Registry, last_limit_bytes: Option<u64>, reason: &str) {
    registry.grant().set(None);
    let pools = registry.list();
    let share = safe_bytes(last_limit_bytes) / u64::try_from(pools.len().max(1)).unwrap_or(1);
    for pool in pools.iter() {
        let held = Held::of(&pool.knobs());
        if !held.is_pinned() && held.capacity.bytes_max() > share {
            write_bytes(pool.as_ref(), &held, share, reason);
        }
    }
    // No pass: the loop may have died inside one. What idles in magazines beyond the capacity goes as threads use
    // them, or with the next pass.
    for pool in pools.iter() {
        pool.trim_depot(0, DropReason::Pressure);
    }
    drop_for(registry, DROP_TIME);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePool;
    use pool_core::{Capacity, Change, Managed};
    use std::sync::Arc;

    const MIB: u64 = 1 << 20;

    fn setup() -> (Registry, Arc<FakePool>, Arc<FakePool>) {
        let registry = Registry::new();
        let (a, b) = (FakePool::new("a"), FakePool::new("b"));
        for pool in [&a, &b] {
            registry.register(Arc::clone(pool) as Arc<dyn Managed>).expect("distinct names");
        }
        registry.grant().set(Some(0));
        (registry, a, b)
    }

    #[test]
    fn a_lease_that_is_not_renewed_makes_the_pools_safe_once() {
        let (registry, a, b) = setup();
        a.set_stats(|stats| (stats.idle_bytes, stats.idle_objects, stats.depot_objects) = (60 * MIB, 60, 60));
        let start = Instant::now();
        let lease = Lease::new(start, LEASE);
        lease.renew(Duration::from_secs(10), Some(200 * MIB));
        assert!(!look(&lease, &registry, start + Duration::from_secs(15)));
        assert_eq!(a.capacity().generation, 0);
        assert!(look(&lease, &registry, start + Duration::from_millis(15_001)));
        assert_eq!([a.capacity(), b.capacity()].map(|c| c.value.bytes_max()), [5 * MIB; 2]);
        assert_eq!((a.stats().idle_bytes, registry.grant().left()), (5 * MIB, None));
        assert!(!look(&lease, &registry, start + Duration::from_secs(20)), "once");
    }

    #[test]
    fn a_tick_that_comes_back_renews_and_the_next_silence_counts_anew() {
        let (registry, a, _) = setup();
        let start = Instant::now();
        let lease = Lease::new(start, LEASE);
        assert!(look(&lease, &registry, start + Duration::from_secs(6)));
        lease.renew(Duration::from_secs(7), None);
        assert!(!look(&lease, &registry, start + Duration::from_secs(12)));
        a.set_capacity(Capacity::UNBOUNDED, Change::policy("grown"));
        assert!(look(&lease, &registry, start + Duration::from_secs(13)));
        assert_eq!(a.capacity().value.bytes_max(), 4 * MIB, "8 MiB for two without a limit");
    }

    #[test]
    fn a_capacity_that_is_safe_already_and_one_set_by_hand_are_left_alone() {
        let (registry, a, b) = setup();
        let small = Capacity::new(1, MIB).expect("in range");
        a.set_capacity(small, Change::policy("small"));
        b.set_capacity(Capacity::UNBOUNDED, Change::operator("by hand"));
        let start = Instant::now();
        assert!(look(&Lease::new(start, LEASE), &registry, start + Duration::from_secs(9)));
        assert_eq!((a.capacity().value, b.capacity().value), (small, Capacity::UNBOUNDED));
    }
}

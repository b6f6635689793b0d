//! Cycles: surplus → victim → dropped, floors, ages, and what a report says.

use super::vecs;
use crate::{
    Capacity, Change, CycleReport, DropReason, Eviction, IdleAge, Job, Pool, Ratio, Registry, Sampling,
    Setting,
};
use std::time::{Duration, Instant};

const EXPIRED: usize = DropReason::Expired as usize;

struct Rig {
    registry: Registry,
    pool: Pool<Vec<u8>>,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        let registry = Registry::new();
        let pool = vecs(&registry, Capacity::UNBOUNDED);
        Self { registry, pool, now: Instant::now() }
    }

    /// So many objects become idle at once.
    fn idle(&self, n: usize) {
        drop((0..n).map(|_| self.pool.get()).collect::<Vec<_>>());
    }

    fn set(&self, setting: Setting) {
        assert!(self.pool.managed().set(setting, Change::operator("test")).in_force);
    }

    fn cycle(&mut self) -> CycleReport {
        self.now += Eviction::DEFAULT.cycle();
        let mut reports = self.registry.cycle(self.now);
        self.registry.drop_condemned(Duration::MAX, || false);
        assert_eq!(reports.len(), 1);
        let report = reports.remove(0).1;
        let stats = self.registry.pass(Job::Snapshot).remove(0).1.snapshot.unwrap();
        assert_eq!((stats.consistent, stats.imbalance, stats.duplicates), (true, 0, 0), "{stats:?}");
        assert_eq!((report.kept_objects, report.kept_bytes), (stats.idle_objects, stats.idle_bytes));
        assert_eq!(stats.cycles, report.cycle);
        report
    }
}

#[test]
fn surplus_has_one_cycle_to_be_wanted_and_is_then_dropped() {
    let mut rig = Rig::new();
    rig.idle(100);
    let first = rig.cycle();
    assert_eq!(
        (first.kept_objects, first.moved_objects, first.dropped_bytes),
        (100, 0, 0),
        "new, not surplus"
    );
    // Ten of them are used once more, all at a time.
    rig.idle(10);
    let second = rig.cycle();
    assert_eq!((second.kept_objects, second.moved_objects, second.dropped[EXPIRED]), (100, 90, 0));
    rig.idle(10);
    let third = rig.cycle();
    assert_eq!((third.kept_objects, third.moved_objects, third.dropped[EXPIRED]), (10, 0, 90));
    assert_eq!(third.dropped_bytes, 90 * 56);
    assert_eq!(rig.pool.stats().created, 100, "what was wanted was never dropped");
}

#[test]
fn a_victim_that_is_wanted_comes_back() {
    let mut rig = Rig::new();
    rig.idle(100);
    rig.cycle();
    let moved = rig.cycle().moved_objects;
    assert_eq!((moved, rig.pool.stats().victim_objects), (100, 100));
    rig.idle(100);
    let stats = rig.pool.stats();
    assert_eq!((stats.created, stats.victim_objects), (100, 0));
    assert!(stats.gets.victim > 0 && stats.gets.total() == 200, "{stats:?}");
    assert_eq!(rig.cycle().dropped, [0; DropReason::ALL.len()]);
}

#[test]
fn a_pool_that_nobody_uses_is_empty_after_three_cycles() {
    let mut rig = Rig::new();
    rig.idle(100);
    let left: Vec<_> = (0..3).map(|_| rig.cycle().kept_objects).collect();
    assert_eq!(left, [100, 100, 0]);
    assert_eq!(rig.pool.stats().dropped[EXPIRED], 100);
}

#[test]
fn cycles_leave_the_floor_and_age_takes_it() {
    let mut rig = Rig::new();
    rig.set(Setting::Capacity(Capacity::UNBOUNDED.with_floor(8).unwrap()));
    rig.set(Setting::Eviction(Eviction::DEFAULT.with_max_age_cycles(5).unwrap()));
    rig.idle(100);
    let left: Vec<_> = (0..7).map(|_| rig.cycle().kept_objects).collect();
    assert_eq!(left, [100, 100, 8, 8, 8, 0, 0]);
}

#[test]
fn a_time_to_live_takes_the_floor_too() {
    let mut rig = Rig::new();
    rig.set(Setting::Capacity(Capacity::UNBOUNDED.with_floor(8).unwrap()));
    let forever = Eviction::DEFAULT.with_max_age_cycles(1000).unwrap();
    let ttl = 3 * Eviction::DEFAULT.cycle();
    rig.set(Setting::Eviction(forever.with_idle_ttl(Some(ttl)).unwrap()));
    rig.idle(8);
    let left: Vec<_> = (0..6).map(|_| rig.cycle().kept_objects).collect();
    assert_eq!(left, [8, 8, 8, 8, 0, 0]);
}

#[test]
fn the_eviction_ratio_slows_the_ebb() {
    let mut rig = Rig::new();
    rig.set(Setting::Sampling(Sampling::DEFAULT.with_evict_ratio(Ratio::new(0.5).unwrap())));
    rig.idle(64);
    let moved: Vec<_> = (0..4).map(|_| rig.cycle().moved_objects).collect();
    assert_eq!(moved, [0, 32, 16, 8]);
    rig.set(Setting::Sampling(Sampling::DEFAULT.with_evict_ratio(Ratio::ZERO)));
    assert_eq!(rig.cycle().moved_objects, 0);
}

#[test]
fn what_lies_in_the_depot_ages_like_what_lies_in_magazines() {
    let mut rig = Rig::new();
    rig.idle(10);
    rig.registry.pass(Job::Reclaim { extra_bytes: 0 });
    assert_eq!(rig.pool.stats().depot_objects, 10);
    let moved: Vec<_> = (0..3).map(|_| rig.cycle().moved_objects).collect();
    assert_eq!(moved, [0, 10, 0]);
    assert_eq!(rig.pool.stats().idle_objects, 0);
}

#[test]
fn a_cycle_runs_when_its_time_has_come_and_not_before() {
    let rig = Rig::new();
    let due = rig.now + Duration::from_secs(11);
    assert_eq!(rig.registry.cycle(rig.now).len(), 0);
    assert_eq!(rig.registry.cycle(due).len(), 1);
    assert_eq!(rig.registry.cycle(due + Duration::from_secs(9)).len(), 0);
    rig.set(Setting::Eviction(Eviction::DEFAULT.with_cycle(Duration::from_secs(5)).unwrap()));
    assert_eq!(rig.registry.cycle(due + Duration::from_secs(9)).len(), 1);
}

#[test]
fn a_cycle_takes_what_is_above_a_lowered_capacity() {
    let mut rig = Rig::new();
    rig.idle(100);
    rig.cycle();
    rig.cycle();
    rig.set(Setting::Capacity(Capacity::new(30, 1 << 20).unwrap()));
    let report = rig.cycle();
    assert_eq!((report.kept_objects, report.dropped[EXPIRED]), (0, 100));
    rig.idle(30);
    rig.set(Setting::Capacity(Capacity::new(10, 1 << 20).unwrap()));
    let report = rig.cycle();
    assert_eq!((report.kept_objects, report.dropped[DropReason::Pressure as usize]), (10, 20));
}

#[test]
fn a_cycle_takes_what_is_above_a_lowered_capacity_from_magazines_too() {
    let mut rig = Rig::new();
    rig.idle(30);
    assert_eq!(rig.pool.stats().depot_objects, 0);
    rig.set(Setting::Capacity(Capacity::new(10, 1 << 20).unwrap()));
    let report = rig.cycle();
    assert_eq!((report.kept_objects, report.dropped[DropReason::Pressure as usize]), (10, 20));
}

#[test]
fn a_pool_that_closes_with_victims_drops_them() {
    let mut rig = Rig::new();
    rig.idle(100);
    rig.cycle();
    rig.cycle();
    let managed = rig.pool.managed();
    assert_eq!(managed.stats().victim_objects, 100);
    drop(rig.pool);
    let stats = managed.stats();
    assert_eq!((stats.idle_objects, stats.dropped[DropReason::Closed as usize]), (0, 100));
}

#[test]
fn ages_and_levels_tell_where_idle_objects_are() {
    let mut rig = Rig::new();
    let managed = rig.pool.managed();
    rig.idle(30);
    let slots = managed.slots();
    assert_eq!(slots.len(), 1);
    let slot = slots[0];
    assert_eq!((slot.idle_objects, slot.idle_bytes, slot.gets, slot.returns_kept), (30, 30 * 56, 30, 30));
    assert!(slot.credit_objects >= 30 && slot.low_objects == 0, "{slot:?}");
    assert_eq!(managed.idle_ages(), [IdleAge { cycles: 0, objects: 30 }]);
    rig.cycle();
    rig.idle(10);
    assert_eq!(managed.slots()[0].low_objects, 20);
    rig.cycle();
    assert_eq!(managed.idle_ages(), [IdleAge { cycles: 0, objects: 10 }, IdleAge { cycles: 1, objects: 20 }]);
    assert_eq!((managed.slots()[0].idle_objects, managed.slots()[0].credit_objects), (10, 10));
}

#[test]
fn evicted_objects_go_in_slices_of_the_knob() {
    struct Slow;
    impl crate::Recycle for Slow {
        fn recycle(&mut self, _: &crate::Retention) -> crate::Keep {
            crate::Keep::Yes
        }
    }
    impl Drop for Slow {
        fn drop(&mut self) {
            let began = Instant::now();
            while began.elapsed() < Duration::from_micros(100) {}
        }
    }
    let registry = Registry::new();
    let slice = Eviction::DEFAULT.with_slice(Duration::from_micros(250)).unwrap();
    let pool =
        Pool::builder("slow").registry(&registry).knob(Setting::Eviction(slice)).build_with(|| Slow).unwrap();
    drop((0..50).map(|_| pool.get()).collect::<Vec<_>>());
    registry.pass(Job::Reclaim { extra_bytes: u64::MAX });
    let mut left = vec![50];
    let over = || {
        left.push(pool.stats().condemned_objects);
        left.len() == 5
    };
    assert!(!registry.drop_condemned(Duration::MAX, over), "asked before each turn");
    // Each object takes 100 µs or, on a busy machine, longer: a turn of 250 µs drops three at most.
    let dropped: Vec<_> = left.windows(2).map(|w| w[0] - w[1]).collect();
    assert!(dropped[0] == 0 && dropped[1..].iter().all(|n| (1..=3).contains(n)), "{dropped:?}");
}

#[test]
fn leases_have_an_age_in_cycles_at_their_site() {
    let mut rig = Rig::new();
    let managed = rig.pool.managed();
    managed.set_lease_level(crate::LeaseLevel::All, Change::operator("test"));
    let old = [rig.pool.get(), rig.pool.get()];
    rig.cycle();
    let young = rig.pool.get();
    rig.cycle();
    let ages: Vec<_> = managed.lent_ages().iter().map(|a| (a.site.line(), a.cycles, a.leases)).collect();
    let line = line!();
    // One site with two leases in one line may have two columns.
    let of = |cycles| ages.iter().filter(|a| a.1 == cycles).map(|a| a.2).sum::<u64>();
    assert_eq!((of(1), of(2), ages.iter().map(|a| a.2).sum::<u64>()), (1, 2, 3), "{ages:?}");
    assert!(ages.iter().all(|a| a.0 < line));
    drop((old, young));
    assert_eq!(managed.lent_ages(), []);
}

//! Rounds and comparisons of pools whose figures are as told, at times that are as told.

use super::*;
use crate::fake::FakePool;
use pool_core::{Change, Gets, Managed, Pool, Priority, Registry, Setting};

struct Rig {
    registry: Registry,
    pool: pool_core::CanaryPool<Vec<u8>>,
    pools: [Arc<FakePool>; 2],
    canaries: Canaries,
    at: Duration,
}

impl Rig {
    fn new() -> Self {
        let registry = Registry::new();
        let builder = Pool::builder("a").registry(&registry);
        let pool = builder.build_canary_with(Vec::new, |canary| canary).expect("new names");
        pool.split().set(Share::percent(10.0).expect("a share"), Change::operator("test"));
        let pools = ["a", "a@canary"].map(FakePool::new);
        Self { registry, pool, pools, canaries: Canaries::default(), at: Duration::ZERO }
    }

    /// A round in which each side has so many more gets and misses.
    fn round_of(&mut self, length: Duration, stable: (u64, u64), canary: (u64, u64)) -> CanaryStatus {
        for (pool, (gets, missed)) in self.pools.iter().zip([stable, canary]) {
            pool.set_stats(|stats| {
                stats.gets = Gets {
                    hit: stats.gets.hit + gets - missed,
                    created: stats.gets.created + missed,
                    ..stats.gets
                };
                stats.created += missed;
                stats.idle_bytes = 5000;
            });
        }
        self.at += length;
        self.look()
    }

    /// One of five seconds.
    fn round(&mut self, stable: (u64, u64), canary: (u64, u64)) -> CanaryStatus {
        self.round_of(Duration::from_secs(5), stable, canary)
    }

    fn look(&mut self) -> CanaryStatus {
        let pools = self.pools.each_ref().map(|pool| Arc::clone(pool) as Arc<dyn Managed>);
        let seen = SeenPools::of(&pools);
        self.canaries.look(self.at, &self.registry.splits(), &seen).pop().expect("one canary")
    }
}

/// For tests of what shows one.
pub(crate) fn a_status() -> CanaryStatus {
    Rig::new().look()
}

#[test]
fn a_worse_canary_is_told_after_warming_up_and_a_minute() {
    let mut rig = Rig::new();
    let first = rig.look();
    assert_eq!(
        (first.verdict, first.share.percent, first.stable.hit_ratio),
        (CanaryVerdict::TooLittleData, 10.0, None)
    );
    for round in 1..=14 {
        let status = rig.round((900, 9), (100, 20));
        assert_eq!(status.verdict, CanaryVerdict::TooLittleData, "round {round}");
    }
    let status = rig.round((900, 9), (100, 20));
    assert_eq!((status.verdict, status.rounds), (CanaryVerdict::Worse, 12));
    assert_eq!((status.stable.gets, status.stable.hit_ratio), (12 * 900, Some(0.99)));
    assert_eq!((status.canary.gets, status.canary.create_ratio), (12 * 100, Some(0.2)));
    assert_eq!(status.canary.idle_bytes_per_get_s, Some(5000.0 / 20.0));
    let CanaryShare { author, reason, left_s, .. } = status.share;
    assert_eq!((author, reason.as_str(), left_s), ("operator", "test", None));
}

#[test]
fn another_share_or_knob_begins_anew_and_a_policys_does_not() {
    let mut rig = Rig::new();
    (0..20).for_each(|_| _ = rig.round((900, 9), (100, 1)));
    rig.pools[1].set_capacity(pool_core::Capacity::ZERO, Change::policy("tide"));
    assert_eq!(rig.round((900, 9), (100, 1)).verdict, CanaryVerdict::Equal);
    let heavy = Setting::Priority(Priority::new(7).expect("in range"));
    rig.pools[1].set(heavy, Change::operator("another"));
    assert_eq!(rig.round((900, 9), (100, 1)).rounds, 0);
    (0..20).for_each(|_| _ = rig.round((900, 9), (100, 1)));
    assert_eq!(rig.round((900, 9), (100, 1)).verdict, CanaryVerdict::Equal);
    rig.registry.splits()[0].set(Share::ALL, Change::operator("all"));
    assert_eq!(rig.round((900, 9), (100, 1)).rounds, 0);
}

#[test]
fn what_is_long_ago_is_forgotten_and_a_pool_that_begins_anew_is_another_one() {
    let mut rig = Rig::new();
    (0..30).for_each(|_| _ = rig.round((900, 9), (100, 90)));
    let status = (0..60).map(|_| rig.round((900, 9), (100, 1))).last().expect("some");
    assert_eq!((status.verdict, status.rounds), (CanaryVerdict::Equal, 60));
    rig.pools[1].set_stats(|stats| stats.gets = Gets::default());
    assert_eq!(rig.round((900, 9), (100, 1)).rounds, 0);
}

#[test]
fn a_pool_of_the_same_name_begins_anew_also_if_it_did_more() {
    let mut rig = Rig::new();
    rig.pools[1].set_stats(|stats| stats.created = 1000);
    (0..6).for_each(|_| _ = rig.round((900, 9), (100, 1)));
    // Fewer were made ahead, and more gets came.
    rig.pools[1].set_stats(|stats| stats.created = 10);
    assert_eq!(rig.round((900, 9), (100, 1)).rounds, 0);
    assert_eq!((0..4).map(|_| rig.round((900, 9), (100, 1)).rounds).last(), Some(1));
    let share = rig.registry.splits()[0].share().value;
    let another = Rig::new();
    another.registry.splits()[0].set(share, Change::operator("test"));
    (rig.registry, rig.pool) = (another.registry, another.pool);
    assert_eq!(rig.round((900, 9), (100, 1)).rounds, 0);
}

#[test]
fn rounds_have_their_own_length() {
    let mut rig = Rig::new();
    rig.look();
    let length = Duration::from_secs(8);
    let status = (0..7).map(|_| rig.round_of(length, (900, 9), (100, 1))).last().expect("some");
    assert_eq!((status.rounds, status.canary.gets), (4, 400));
    assert_eq!(status.canary.idle_bytes_per_get_s, Some(5000.0 / (100.0 / 8.0)), "{status:?}");
    // No more of 8 s are within five minutes.
    let status = (0..60).map(|_| rig.round_of(length, (900, 9), (100, 1))).last().expect("some");
    assert_eq!((status.rounds, status.canary.gets), (37, 3700));
}

#[test]
fn a_round_in_which_nobody_looked_for_long_speaks_for_nothing() {
    let mut rig = Rig::new();
    rig.look();
    (0..8).for_each(|_| _ = rig.round((900, 9), (100, 1)));
    let status = rig.round_of(Duration::from_secs(100), (900, 9), (400, 400));
    assert_eq!((status.rounds, status.evidence[0].against), (5, 0));
    // What was done meanwhile is part of the figures, over the time that it took.
    assert_eq!((status.canary.gets, status.canary.hit_ratio), (900, Some(495.0 / 900.0)));
    assert_eq!(status.canary.idle_bytes_per_get_s, Some(5000.0 / (900.0 / 125.0)));
    assert_eq!(rig.round((900, 9), (100, 1)).rounds, 6);
    let status = rig.round_of(Duration::from_secs(400), (900, 9), (400, 400));
    assert_eq!((status.rounds, status.canary.gets), (0, 0), "all of it is long ago");
}

#[test]
fn a_create_that_was_seen_before_its_get_is_no_less_than_a_miss() {
    let mut rig = Rig::new();
    rig.look();
    // The get was a hit as long as its create was all that had been counted.
    (0..3).for_each(|_| _ = rig.round((900, 9), (100, 1)));
    let status = rig.round((900, 9), (100, 101));
    assert_eq!((status.canary.gets, status.canary.hit_ratio), (100, Some(0.0)));
}

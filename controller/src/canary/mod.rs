//! Canaries of settings inside this process: what both pools of each did at the same time, and what follows.
//!
//! `compare` has the rule. Here the rounds are cut from the pools' cumulative figures, once a tick. A comparison begins
//! anew when what is compared is no more the same: another share, or a knob that an operator or a person has set. Policies
//! steer both pools all the time, under one rule, and begin nothing. Writes nothing.

mod compare;

pub use compare::{CanaryEvidence, CanaryVerdict};

use crate::creates::{self, Counts as Times};
use crate::overrides::seconds;
use compare::{Counts, Round, compare};
use pool_core::{DropReason, Knob, Knobs, Managed, PoolStats, Share, Split};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The length of a round.
const ROUND: Duration = Duration::from_secs(5);
/// Rounds that are looked back on: five minutes.
const ROUNDS_MAX: usize = 60;
/// Rounds that are left out first: a pool that has just been turned to holds nothing yet.
const WARM_UP: u32 = 3;

/// What is shown of one canary.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CanaryStatus {
    /// The stable pool, and the name of the whole.
    pub pool: String,
    /// The canary pool.
    pub canary_pool: String,
    /// The share of gets that use the canary, percent.
    pub percent: f64,
    /// Who set the share: `operator` or `person`.
    pub author: &'static str,
    /// Why.
    pub reason: String,
    /// For how many more seconds, rounded up; `null` if it does not end by itself.
    pub left_s: Option<u64>,
    /// How the canary does.
    pub verdict: CanaryVerdict,
    /// Rounds of five seconds that counted, of the last five minutes.
    pub rounds: usize,
    /// How these rounds spoke.
    pub evidence: Vec<CanaryEvidence>,
    /// The stable pool in all of these five minutes.
    pub stable: CanarySide,
    /// The canary at the same time.
    pub canary: CanarySide,
}

/// One of the two pools, since the comparison began but for at most five minutes. What is not known is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CanarySide {
    /// Gets.
    pub gets: u64,
    /// The share of them that reused an object.
    pub hit_ratio: Option<f64>,
    /// Creates by gets.
    pub create_ratio: Option<f64>,
    /// Objects that were dropped for lack of room or use, by gets.
    pub evict_ratio: Option<f64>,
    /// What a create took, 99th percentile of those that were timed, ms.
    pub create_p99_ms: Option<f64>,
    /// Idle bytes, the mean of the rounds, for each get a second.
    pub idle_bytes_per_get_s: Option<f64>,
    /// Objects that are lent now.
    pub lent_objects: u64,
    /// Bytes that are idle now.
    pub idle_bytes: u64,
    /// Bytes that may be idle now.
    pub capacity_bytes: u64,
    /// Objects that may be idle now.
    pub capacity_objects: u64,
}

/// The canaries of a registry.
#[derive(Debug, Default)]
pub(crate) struct Canaries(BTreeMap<String, Track>);

/// One of them.
#[derive(Debug)]
struct Track {
    /// It stays comparable to others that have its name later.
    split: Weak<Split>,
    what: What,
    /// Rounds that are still left out.
    warm_up: u32,
    begun: Duration,
    last: [Look; 2],
    rounds: VecDeque<(Round, [Look; 2])>,
}

/// What is compared: if it differs, earlier rounds say nothing.
#[derive(Clone, Debug, PartialEq)]
struct What {
    share: Share,
    set: Vec<u64>,
}

/// The cumulative figures of one pool at the beginning of a round.
#[derive(Clone, Debug)]
struct Look {
    gets: u64,
    missed: u64,
    created: u64,
    evicted: u64,
    idle_bytes: u64,
    creates: Times,
}

impl Canaries {
    /// Looks at the pools of each split, and says how it stands. Reads the figures of no other pool.
    pub(crate) fn look(
        &mut self,
        at: Duration,
        splits: &[Arc<Split>],
        pools: &[Arc<dyn Managed>],
    ) -> Vec<CanaryStatus> {
        self.0.retain(|name, _| splits.iter().any(|split| split.name() == name));
        if splits.is_empty() {
            return Vec::new();
        }
        let pools: HashMap<&str, &Arc<dyn Managed>> = pools.iter().map(|pool| (pool.name(), pool)).collect();
        let mut all = Vec::new();
        for split in splits {
            let Some(both) = pools.get(split.name()).zip(pools.get(split.canary_name())) else { continue };
            let share = split.share();
            let what = What {
                share: share.value,
                set: [set_by_hand(&both.0.knobs()), set_by_hand(&both.1.knobs())].concat(),
            };
            let (stable, canary) = (both.0.stats(), both.1.stats());
            let stats = [&stable, &canary];
            let track = self.0.entry(split.name().to_owned());
            let track = track.or_insert_with(|| Track::new(at, split, what.clone(), stats));
            if !track.is_of(split) || track.what != what || !track.see(at, stats) {
                *track = Track::new(at, split, what, stats);
            }
            all.push(track.status(split, &share, stats));
        }
        all
    }
}

/// A share as it was told: what the way to a ratio and back adds is far below the last of these digits.
pub(crate) fn percent(share: Share) -> f64 {
    (share.ratio().get() * 1e11).round() / 1e9
}

/// The generations of what is not left to policies.
fn set_by_hand(knobs: &Knobs) -> Vec<u64> {
    fn of<T>(knob: &Knob<T>) -> u64 {
        if knob.is_override() { knob.generation } else { 0 }
    }
    let Knobs { capacity, sampling, eviction, reuse, priority, .. } = knobs;
    vec![of(capacity), of(sampling), of(eviction), of(reuse), of(priority)]
}

impl Track {
    fn new(at: Duration, split: &Arc<Split>, what: What, stats: [&PoolStats; 2]) -> Self {
        let (split, last) = (Arc::downgrade(split), stats.map(Look::of));
        Self { split, what, warm_up: WARM_UP, begun: at, last, rounds: VecDeque::new() }
    }

    /// Whether it is of this split, and not of one that had its name before.
    fn is_of(&self, split: &Arc<Split>) -> bool {
        std::ptr::eq(self.split.as_ptr(), Arc::as_ptr(split))
    }

    /// Whether the pools are still the ones that they were: figures only rise.
    fn see(&mut self, at: Duration, stats: [&PoolStats; 2]) -> bool {
        if at < self.begun + ROUND {
            return true;
        }
        let now = stats.map(Look::of);
        let Some((stable, canary)) = now[0].since(&self.last[0]).zip(now[1].since(&self.last[1])) else {
            return false;
        };
        self.begun = at;
        let before = std::mem::replace(&mut self.last, now);
        if self.warm_up > 0 {
            self.warm_up -= 1;
            return true;
        }
        self.rounds.push_back((Round { stable, canary }, before));
        if self.rounds.len() > ROUNDS_MAX {
            self.rounds.pop_front();
        }
        true
    }

    fn status(&self, split: &Split, share: &Knob<Share>, stats: [&PoolStats; 2]) -> CanaryStatus {
        let rounds = self.rounds.iter().map(|(round, _)| *round).collect();
        let (verdict, rounds, evidence) = compare(&rounds);
        CanaryStatus {
            pool: split.name().to_owned(),
            canary_pool: split.canary_name().to_owned(),
            percent: percent(share.value),
            author: share.author.as_str(),
            reason: share.reason.clone(),
            left_s: share.expires_in.map(seconds),
            verdict,
            rounds,
            evidence,
            stable: self.side(0, stats[0]),
            canary: self.side(1, stats[1]),
        }
    }

    fn side(&self, at: usize, stats: &PoolStats) -> CanarySide {
        let now = CanarySide {
            lent_objects: stats.lent_objects,
            idle_bytes: stats.idle_bytes,
            capacity_bytes: stats.capacity_bytes,
            capacity_objects: stats.capacity_objects,
            ..CanarySide::default()
        };
        let Some((_, first)) = self.rounds.front() else { return now };
        let (first, last) = (&first[at], &self.last[at]);
        let gets = last.gets - first.gets;
        let by_gets = |n: u64| (gets > 0).then(|| n as f64 / gets as f64);
        let seconds = ROUND.as_secs_f64() * self.rounds.len() as f64;
        let idle: u64 = self.rounds.iter().map(|(_, before)| before[at].idle_bytes).sum();
        let idle_mean = idle as f64 / self.rounds.len() as f64;
        CanarySide {
            gets,
            hit_ratio: by_gets(gets - (last.missed - first.missed)),
            create_ratio: by_gets(last.created - first.created),
            evict_ratio: by_gets(last.evicted - first.evicted),
            create_p99_ms: creates::percentile_99(&first.creates, &last.creates).map(|ns| ns as f64 / 1e6),
            idle_bytes_per_get_s: (gets > 0).then(|| idle_mean / (gets as f64 / seconds)),
            ..now
        }
    }
}

impl Look {
    fn of(stats: &PoolStats) -> Self {
        let evicted = [DropReason::Full, DropReason::Oversize, DropReason::Pressure, DropReason::Expired];
        Self {
            gets: stats.gets.total(),
            missed: stats.gets.created + stats.gets.bypassed,
            created: stats.created,
            evicted: evicted.into_iter().map(|reason| stats.dropped[reason as usize]).sum(),
            idle_bytes: stats.idle_bytes,
            creates: creates::counts(&stats.creates),
        }
    }

    fn since(&self, before: &Self) -> Option<Counts> {
        // Objects that were made ahead of gets are among the created: they can be fewer where gets are more.
        self.created.checked_sub(before.created)?;
        Some(Counts {
            gets: self.gets.checked_sub(before.gets)?,
            missed: self.missed.checked_sub(before.missed)?,
            evicted: self.evicted.checked_sub(before.evicted)?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fake::FakePool;
    use pool_core::{Change, Gets, Managed, Pool, Priority, Registry, Setting};

    struct Rig {
        registry: Registry,
        pool: pool_core::CanaryPool<Vec<u8>>,
        pools: [Arc<FakePool>; 2],
        canaries: Canaries,
        rounds: u64,
    }

    impl Rig {
        fn new() -> Self {
            let registry = Registry::new();
            let builder = Pool::builder("a").registry(&registry);
            let pool = builder.build_canary_with(Vec::new, |canary| canary).expect("new names");
            pool.split().set(Share::percent(10.0).expect("a share"), Change::operator("test"));
            let pools = ["a", "a@canary"].map(FakePool::new);
            Self { registry, pool, pools, canaries: Canaries::default(), rounds: 0 }
        }

        /// A round in which each side has so many more gets and misses.
        fn round(&mut self, stable: (u64, u64), canary: (u64, u64)) -> CanaryStatus {
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
            self.rounds += 1;
            self.look(Duration::from_secs(5 * self.rounds))
        }

        fn look(&mut self, at: Duration) -> CanaryStatus {
            let pools: Vec<_> = self.pools.iter().map(|pool| Arc::clone(pool) as Arc<dyn Managed>).collect();
            self.canaries.look(at, &self.registry.splits(), &pools).pop().expect("one canary")
        }
    }

    /// For tests of what shows one.
    pub(crate) fn a_status() -> CanaryStatus {
        Rig::new().look(Duration::ZERO)
    }

    #[test]
    fn a_worse_canary_is_told_after_warming_up_and_a_minute() {
        let mut rig = Rig::new();
        let first = rig.look(Duration::ZERO);
        assert_eq!(
            (first.verdict, first.percent, first.stable.hit_ratio),
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
        assert_eq!((status.author, status.reason.as_str(), status.left_s), ("operator", "test", None));
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
}

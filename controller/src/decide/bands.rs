//! Bands: utilisation of the limit in three bands, each with a factor of sampling and an action.
//!
//! | utilisation | sampling | action |
//! | --- | --- | --- |
//! | below 65 % | 2 % × 1.0 | routine: half of the expired ones in the sample go |
//! | 65 to 80 % | 2 % × 1.5 | incremental: the same with a larger sample, a light eviction |
//! | above 80 % | 2 % × 3.0 | emergency on two channels: half of the expired ones, and half of the idle ones |
//!
//! Expired is what a cycle finds unwanted (its surplus); the least used of it goes first, since surplus is taken
//! where objects have lain longest. The idle channel is a capacity below what is idle now; it goes no further than
//! to the target, .75 of the limit unless someone sets another one. Each round, of a second, draws a new sample.
//! When the emergency is over, the capacity is what it was before: this law knows no other.

use super::reason::Reason;
use super::watch::{Watch, free_pools};
use super::{Inputs, Plan, Policy, PoolName};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The share of objects that a routine round looks at.
const SAMPLE_RATIO: f64 = 0.02;
/// The share of the expired ones in a sample that goes.
const DROPPED_OF_EXPIRED: f64 = 0.5;
/// Utilisation that an emergency brings back, thousandths of the limit.
const TARGET_PERMILLE: u64 = 750;
/// A round of sampling.
const ROUND: Duration = Duration::from_secs(1);

/// Where utilisation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// Below 65 % of the limit.
    Routine,
    /// 65 to 80 %, both ends included.
    Incremental,
    /// Above 80 %.
    Emergency,
}

impl Band {
    /// The band of a usage. A limit of 0 is an emergency as soon as anything is used.
    ///
    /// ```
    /// use pool_controller::decide::Band;
    /// assert_eq!([649, 650, 800, 801].map(|usage| Band::of(usage, 1000).factor()), [1.0, 1.5, 1.5, 3.0]);
    /// ```
    #[must_use]
    pub fn of(usage_bytes: u64, limit_bytes: u64) -> Self {
        let (usage, limit) = (u128::from(usage_bytes) * 1000, u128::from(limit_bytes));
        if usage < limit * 650 {
            Self::Routine
        } else if usage <= limit * 800 {
            Self::Incremental
        } else {
            Self::Emergency
        }
    }

    /// By how much the sample is larger than a routine one.
    #[must_use]
    pub const fn factor(self) -> f64 {
        match self {
            Self::Routine => 1.0,
            Self::Incremental => 1.5,
            Self::Emergency => 3.0,
        }
    }

    /// The share of objects that a round looks at.
    #[must_use]
    pub fn sample_ratio(self) -> f64 {
        SAMPLE_RATIO * self.factor()
    }

    /// The share of the expired objects that a round drops: half of those in the sample.
    #[must_use]
    pub fn evict_ratio(self) -> f64 {
        self.sample_ratio() * DROPPED_OF_EXPIRED
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Routine => "routine, sampling × 1.0",
            Self::Incremental => "incremental, sampling × 1.5, light eviction",
            Self::Emergency => "emergency, sampling × 3.0, expired and idle",
        })
    }
}

/// Graded eviction by bands of utilisation. See the [table](self::Band).
#[derive(Clone, Debug)]
pub struct Bands {
    watch: Watch,
    target_permille: u64,
    round_due: Duration,
    /// What pools could hold before an emergency lowered it.
    before: BTreeMap<PoolName, u64>,
}

impl Default for Bands {
    fn default() -> Self {
        let (watch, before) = (Watch::default(), BTreeMap::new());
        Self { watch, target_permille: TARGET_PERMILLE, round_due: Duration::ZERO, before }
    }
}

impl Bands {
    /// Sets the utilisation, thousandths of the limit, to which an emergency goes at most. More than 1000 is 1000.
    ///
    /// ```
    /// use pool_controller::decide::Bands;
    /// Bands::default().set_target_permille(700);
    /// ```
    pub fn set_target_permille(&mut self, permille: u64) {
        self.target_permille = permille.min(1000);
    }

    /// The second channel: a round's share of what is idle goes, down to the target.
    fn take_idle(&mut self, plan: &mut Plan, inputs: &Inputs, above_target_bytes: u64) {
        let idle: u64 = inputs.pools.iter().filter(|p| !p.pinned).map(|p| p.idle_bytes).sum();
        let share = Band::Emergency.evict_ratio().min(above_target_bytes as f64 / idle.max(1) as f64);
        for (planned, pool) in free_pools(plan, inputs) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a u64")]
            let dropped = (pool.idle_bytes as f64 * share).ceil() as u64;
            let kept = pool.idle_bytes.saturating_sub(dropped);
            self.before.entry(pool.name.clone()).or_insert(pool.capacity_bytes);
            planned.capacity_bytes = Some(kept.min(pool.capacity_bytes));
        }
    }

    fn give_back(&mut self, plan: &mut Plan, inputs: &Inputs) {
        let before = std::mem::take(&mut self.before);
        for (planned, pool) in free_pools(plan, inputs) {
            planned.capacity_bytes = before.get(&pool.name).copied();
        }
    }
}

impl Policy for Bands {
    fn name(&self) -> &'static str {
        "bands"
    }

    fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan {
        let (mut plan, view) = self.watch.look(now, inputs, Reason::LawHolds);
        let Some(view) = view else { return plan };
        let band = Band::of(view.usage_bytes, view.limit_bytes);
        plan.reasons.retain(|reason| *reason != Reason::LawHolds);
        plan.reasons.push(Reason::Band(band));
        for (planned, _) in free_pools(&mut plan, inputs) {
            planned.evict_ratio = Some(band.evict_ratio());
            planned.cycle_ms = Some(1000 * ROUND.as_secs());
        }
        if band != Band::Emergency {
            self.give_back(&mut plan, inputs);
        } else if now >= self.round_due {
            self.round_due = now + ROUND;
            let target = super::share_of(view.limit_bytes, self.target_permille);
            self.take_idle(&mut plan, inputs, view.usage_bytes.saturating_sub(target));
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::PoolInputs;

    fn inputs(usage: Option<u64>, idle: u64, capacity: u64) -> Inputs {
        let (idle_bytes, capacity_bytes) = (idle, capacity);
        let pool = PoolInputs { name: "a".into(), idle_bytes, capacity_bytes, ..PoolInputs::default() };
        Inputs { limit_bytes: Some(100_000), usage_bytes: usage, pools: vec![pool], ..Inputs::default() }
    }

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_factors_and_the_bounds_of_the_bands() {
        for (usage, band, factor, evict) in [
            (0, Band::Routine, 1.0, 0.01),
            (64_999, Band::Routine, 1.0, 0.01),
            (65_000, Band::Incremental, 1.5, 0.015),
            (80_000, Band::Incremental, 1.5, 0.015),
            (80_001, Band::Emergency, 3.0, 0.03),
            (100_000, Band::Emergency, 3.0, 0.03),
        ] {
            let found = Band::of(usage, 100_000);
            assert_eq!(found, band, "{usage}");
            assert!((found.factor() - factor).abs() < 1e-12 && (found.evict_ratio() - evict).abs() < 1e-12);
            assert!((found.sample_ratio() - 0.02 * factor).abs() < 1e-12);
        }
    }

    #[test]
    fn calm_bands_evict_of_the_expired_only() {
        for (usage, ratio) in [(20_000, 0.01), (70_000, 0.015)] {
            let plan = Bands::default().decide(s(0), &inputs(Some(usage), 10_000, 50_000));
            assert_eq!((plan.pools[0].evict_ratio, plan.pools[0].capacity_bytes), (Some(ratio), None));
            assert_eq!(
                (plan.pools[0].cycle_ms, plan.budget_bytes, plan.grant_bytes),
                (Some(1000), None, None)
            );
        }
    }

    #[test]
    fn a_round_goes_no_further_than_to_the_target() {
        let left = |bands: &mut Bands| {
            bands.decide(s(0), &inputs(Some(80_200), 40_000, 50_000)).pools[0].capacity_bytes
        };
        assert_eq!(left(&mut Bands::default()), Some(38_800), "3 % are not 5200 bytes yet");
        let mut bands = Bands::default();
        bands.set_target_permille(799);
        assert_eq!(left(&mut bands), Some(39_700));
    }

    #[test]
    fn an_emergency_takes_of_the_idle_ones_too_once_a_round_and_gives_the_capacity_back() {
        let mut bands = Bands::default();
        let plan = bands.decide(s(0), &inputs(Some(90_000), 10_000, 50_000));
        assert_eq!((plan.pools[0].evict_ratio, plan.pools[0].capacity_bytes), (Some(0.03), Some(9700)));
        let plan = bands.decide(Duration::from_millis(999), &inputs(Some(90_000), 9700, 9700));
        assert_eq!(plan.pools[0].capacity_bytes, None, "the same round");
        let plan = bands.decide(s(1), &inputs(Some(90_000), 9700, 9700));
        assert_eq!(plan.pools[0].capacity_bytes, Some(9409));
        let plan = bands.decide(s(2), &inputs(Some(80_000), 9409, 9409));
        assert_eq!(plan.pools[0].capacity_bytes, Some(50_000));
        let plan = bands.decide(s(3), &inputs(Some(80_000), 9409, 50_000));
        assert_eq!(plan.pools[0].capacity_bytes, None);
    }

    #[test]
    fn an_emergency_goes_to_the_target_and_no_further() {
        let kept = |target| {
            let mut bands = Bands::default();
            bands.set_target_permille(target);
            let plan = bands.decide(s(0), &inputs(Some(80_100), 10_000, 50_000));
            plan.pools[0].capacity_bytes
        };
        assert_eq!([kept(750), kept(800), kept(900)], [Some(9700), Some(9900), Some(10_000)]);
    }

    #[test]
    fn nothing_is_given_back_without_a_reading() {
        let mut bands = Bands::default();
        let _ = bands.decide(s(0), &inputs(Some(90_000), 10_000, 50_000));
        let plan = bands.decide(s(1), &inputs(None, 9700, 9700));
        assert_eq!((plan.pools[0].capacity_bytes, plan.pools[0].evict_ratio), (None, None));
        assert!(plan.reasons.iter().any(|r| r.label() == "signal_invalid"), "{:?}", plan.reasons);
    }
}

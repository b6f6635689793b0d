//! The knobs beside capacity: sampling, eviction, reuse. Written when a plan says something new of them.
//!
//! Plans are made from what the pool was built with; a knob that an operator or a person has
//! set is left alone. When observing, nothing is written. Knows no capacities.

use super::held::{Base, Held};
use crate::decide::{LeaseWish, PoolPlan};
use pool_core::{Author, Change, Eviction, KnobKind, LeaseLevel, Managed};
use pool_core::{Ratio, Reuse, Sampling, Setting};
use std::num::NonZeroU32;
use std::time::Duration;

/// One pool's knobs: what of them is ours (`None`: nothing), and what plans have said so far.
#[derive(Debug, Default)]
pub(super) struct Tuning {
    sampling: Option<Sampling>,
    eviction: Option<Eviction>,
    reuse: Option<Reuse>,
    thinner: Option<u32>,
    evict_ratio: Option<Ratio>,
    leases_raised: bool,
    /// What was wanted last, and the generation of the knobs then: while both are the same, there is nothing to do.
    done: Option<(Wish, u64)>,
}

impl Tuning {
    /// Writes what `plan` wants; whether anything changed, or would have.
    pub(super) fn apply(&mut self, pool: &dyn Managed, held: &Held, plan: &PoolPlan, enforce: bool) -> bool {
        let to_do = Some((Wish::of(plan), held.generation));
        if self.done == to_do {
            return false;
        }
        self.done = to_do;
        let mut writer = Writer { pool, enforce, changed: false };
        self.apply_sampling(&mut writer, held.sampling, plan);
        if let Some(eviction) = wanted_eviction(held.eviction.value, plan) {
            let setting = Setting::Eviction(eviction);
            writer.write(&mut self.eviction, held.eviction, setting, eviction, PRESSURE);
        }
        if let Some(reuse) = plan.reuse.and_then(|share| Ratio::new(share).ok()).map(Reuse) {
            writer.write(&mut self.reuse, held.reuse, Setting::Reuse(reuse), reuse, PRESSURE);
        }
        writer.changed
    }

    fn apply_sampling(&mut self, writer: &mut Writer<'_>, held: Base<Sampling>, plan: &PoolPlan) {
        let base = held.value;
        match plan.leases {
            // Leases that are off were switched off by someone who knows why.
            Some(LeaseWish::All) => self.leases_raised = base.leases() != LeaseLevel::Off,
            Some(LeaseWish::AsBefore) => self.leases_raised = false,
            None => {}
        }
        self.thinner = plan.sampling_thinner.or(self.thinner);
        self.evict_ratio = plan.evict_ratio.and_then(|ratio| Ratio::new(ratio).ok()).or(self.evict_ratio);
        let mut wanted = thinned(base, self.thinner.unwrap_or(1));
        wanted = wanted.with_evict_ratio(self.evict_ratio.unwrap_or(base.evict_ratio()));
        let reason = if self.leases_raised {
            wanted = wanted.with_leases(LeaseLevel::All);
            "a leak: every lease on record until its site is known"
        } else {
            PRESSURE
        };
        writer.write(&mut self.sampling, held, Setting::Sampling(wanted), wanted, reason);
    }
}

/// What a plan says of the knobs here.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Wish {
    evict_ratio: Option<f64>,
    reuse: Option<f64>,
    cycle_ms: Option<u64>,
    max_age_cycles: Option<u32>,
    slice_us: Option<u64>,
    sampling_thinner: Option<u32>,
    leases: Option<LeaseWish>,
}

impl Wish {
    fn of(plan: &PoolPlan) -> Self {
        let PoolPlan {
            evict_ratio, reuse, cycle_ms, max_age_cycles, slice_us, sampling_thinner, leases, ..
        } = *plan;
        Self { evict_ratio, reuse, cycle_ms, max_age_cycles, slice_us, sampling_thinner, leases }
    }
}

/// Writes settings of one pool.
struct Writer<'a> {
    pool: &'a dyn Managed,
    enforce: bool,
    changed: bool,
}

impl Writer<'_> {
    /// Writes `value`, unless it is there, or the knob is somebody else's. What the pool was built with is written by
    /// taking the policy's word back.
    fn write<T: Copy + PartialEq>(
        &mut self,
        ours: &mut Option<T>,
        base: Base<T>,
        setting: Setting,
        value: T,
        reason: &str,
    ) {
        let wanted = (value != base.value).then_some(value);
        if base.is_others || *ours == wanted {
            return;
        }
        *ours = wanted;
        self.changed = true;
        if self.enforce && wanted.is_some() {
            self.pool.set(setting, Change::policy(reason));
        } else if self.enforce {
            self.pool.withdraw(kind(&setting), Author::Policy);
        }
    }
}

const PRESSURE: &str = "pressure";

fn kind(setting: &Setting) -> KnobKind {
    match setting {
        Setting::Capacity(_) => KnobKind::Capacity,
        Setting::Sampling(_) => KnobKind::Sampling,
        Setting::Eviction(_) => KnobKind::Eviction,
        Setting::Reuse(_) => KnobKind::Reuse,
        Setting::Priority(_) => KnobKind::Priority,
    }
}

/// `n` times fewer leases and timings; what is off or complete stays so.
fn thinned(base: Sampling, n: u32) -> Sampling {
    let leases = match base.leases() {
        LeaseLevel::Sampled(one_in) => {
            LeaseLevel::Sampled(one_in.saturating_mul(NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN)))
        }
        other => other,
    };
    let timing = base.timing_one_in().saturating_mul(n.max(1)).min(Sampling::TIMING_ONE_IN_MAX);
    let sampling = base.with_leases(leases);
    sampling.with_timing_one_in(timing).unwrap_or(sampling)
}

/// A plan that is out of a knob's range leaves that part as it is.
fn wanted_eviction(base: Eviction, plan: &PoolPlan) -> Option<Eviction> {
    if (plan.cycle_ms, plan.max_age_cycles, plan.slice_us) == (None, None, None) {
        return None;
    }
    let cycle = plan.cycle_ms.and_then(|ms| base.with_cycle(Duration::from_millis(ms)).ok()).unwrap_or(base);
    let age = plan.max_age_cycles.and_then(|n| cycle.with_max_age_cycles(n).ok()).unwrap_or(cycle);
    Some(plan.slice_us.and_then(|us| age.with_slice(Duration::from_micros(us)).ok()).unwrap_or(age))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePool;

    fn held(pool: &FakePool) -> Held {
        Held::of(&pool.knobs())
    }

    fn plan() -> PoolPlan {
        PoolPlan::unchanged("a")
    }

    #[test]
    fn leases_go_up_and_back_to_what_they_were() {
        let (pool, mut tuning) = (FakePool::new("a"), Tuning::default());
        assert!(tuning.apply(
            &*pool,
            &held(&pool),
            &PoolPlan { leases: Some(LeaseWish::All), ..plan() },
            true
        ));
        assert_eq!(pool.lease_level(), LeaseLevel::All);
        assert!(tuning.apply(
            &*pool,
            &held(&pool),
            &PoolPlan { leases: Some(LeaseWish::AsBefore), ..plan() },
            true
        ));
        assert_eq!(pool.lease_level(), LeaseLevel::DEFAULT);
        assert!(!tuning.apply(
            &*pool,
            &held(&pool),
            &PoolPlan { leases: Some(LeaseWish::AsBefore), ..plan() },
            true
        ));
    }

    #[test]
    fn leases_that_are_off_stay_off_and_a_hand_in_between_wins() {
        let (pool, mut tuning) = (FakePool::new("a"), Tuning::default());
        let all = PoolPlan { leases: Some(LeaseWish::All), ..plan() };
        pool.set_lease_level(LeaseLevel::Off, Change::operator("by hand"));
        assert!(!tuning.apply(&*pool, &held(&pool), &all, true));
        assert_eq!(pool.lease_level(), LeaseLevel::Off);
        assert!(pool.withdraw(KnobKind::Sampling, Author::Operator));
        assert!(tuning.apply(&*pool, &held(&pool), &all, true));
        pool.set_lease_level(LeaseLevel::Off, Change::operator("by hand"));
        let _ = tuning.apply(
            &*pool,
            &held(&pool),
            &PoolPlan { leases: Some(LeaseWish::AsBefore), ..plan() },
            true,
        );
        assert_eq!(pool.lease_level(), LeaseLevel::Off);
    }

    #[test]
    fn samples_are_thinned_from_what_was_built_and_come_back() {
        let (pool, mut tuning) = (FakePool::new("a"), Tuning::default());
        let thin = |n| PoolPlan { sampling_thinner: Some(n), ..plan() };
        let one_in = |n| LeaseLevel::Sampled(NonZeroU32::new(n).unwrap());
        assert!(!tuning.apply(&*pool, &held(&pool), &thin(1), true), "as it was");
        assert!(tuning.apply(&*pool, &held(&pool), &thin(4), true));
        assert!(tuning.apply(&*pool, &held(&pool), &thin(16), true), "from the base, not from the last");
        let sampling = pool.knobs().sampling.value;
        assert_eq!((sampling.leases(), sampling.timing_one_in()), (one_in(2048), 16_384));
        assert!(
            !tuning.apply(&*pool, &held(&pool), &plan(), true),
            "a plan that says nothing changes nothing"
        );
        assert!(tuning.apply(&*pool, &held(&pool), &thin(1), true));
        assert_eq!(pool.knobs().sampling.value, Sampling::DEFAULT);
    }

    #[test]
    fn eviction_and_reuse_are_written_once_and_within_their_ranges() {
        let (pool, mut tuning) = (FakePool::new("a"), Tuning::default());
        let wanted = PoolPlan { cycle_ms: Some(2500), slice_us: Some(1), reuse: Some(0.5), ..plan() };
        assert!(tuning.apply(&*pool, &held(&pool), &wanted, true));
        let knobs = pool.knobs();
        assert_eq!(knobs.eviction.value.cycle(), Duration::from_millis(2500));
        assert_eq!(knobs.eviction.value.slice(), Eviction::DEFAULT.slice(), "1 µs is out of range");
        assert!((knobs.reuse.value.0.get() - 0.5).abs() < 1e-9);
        assert!(!tuning.apply(&*pool, &held(&pool), &wanted, true));
    }

    #[test]
    fn plans_go_from_what_stands_above_policies_and_from_what_was_built_when_that_is_gone() {
        let (pool, mut tuning) = (FakePool::new("a"), Tuning::default());
        let thin = PoolPlan { sampling_thinner: Some(2), ..plan() };
        assert!(tuning.apply(&*pool, &held(&pool), &thin, true));
        pool.set(Setting::Sampling(Sampling::DEFAULT.with_leases(LeaseLevel::All)), Change::operator("o"));
        assert_eq!(held(&pool).sampling.value.leases(), LeaseLevel::All);
        assert!(pool.withdraw(KnobKind::Sampling, Author::Operator));
        assert_eq!(held(&pool).sampling.value, Sampling::DEFAULT, "and not what the policy made of it");
    }

    #[test]
    fn observing_writes_nothing() {
        let (pool, mut tuning) = (FakePool::new("a"), Tuning::default());
        let wanted = PoolPlan { sampling_thinner: Some(8), leases: Some(LeaseWish::All), ..plan() };
        assert!(tuning.apply(&*pool, &held(&pool), &wanted, false));
        assert!(!tuning.apply(&*pool, &held(&pool), &wanted, false), "said once");
        assert_eq!(pool.knobs().generation, 0);
    }
}

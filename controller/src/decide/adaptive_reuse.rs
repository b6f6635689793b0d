//! Adaptive reuse: the share of gets that may reuse follows latency and allocation, compared every 10 s.
//!
//! | in the last 10 s against the 10 s before | the share |
//! | --- | --- |
//! | p95 of lateness rose by more than 15 % | − 0.05 |
//! | else allocated bytes per second fell by more than 20 % | + 0.10 |
//!
//! It begins at 0.7 and stays within 0.3 and 0.95. Where both hold, lateness has the word: what is in doubt does not
//! grow.

use super::reason::Reason;
use super::watch::{Watch, free_pools};
use super::{Inputs, Plan, Policy, PoolInputs, PoolName};
use std::collections::BTreeMap;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(10);
const START: f64 = 0.7;
const DOWN: f64 = 0.05;
const UP: f64 = 0.10;
const MIN: f64 = 0.3;
const MAX: f64 = 0.95;
/// A p95 above this many hundredths of the one before has risen,
const P95_PERCENT: u128 = 115;
/// and an allocation below this part of the one before has fallen.
const ALLOCATION_SHARE: f64 = 0.80;

/// Lets a share of gets create although something is idle, and moves that share. Capacities play no part.
#[derive(Clone, Debug)]
pub struct AdaptiveReuse {
    watch: Watch,
    reuse: f64,
    period: Option<Period>,
    p95_ns: Option<u64>,
    bytes_per_s: Option<f64>,
}

/// Where counters stood when a period began.
#[derive(Clone, Debug)]
struct Period {
    began: Duration,
    created: BTreeMap<PoolName, u64>,
    /// A reading was missing meanwhile.
    is_spoilt: bool,
}

impl Period {
    fn begin(now: Duration, inputs: &Inputs) -> Self {
        let created = inputs.pools.iter().map(|p| (p.name.clone(), p.created_total)).collect();
        Self { began: now, created, is_spoilt: false }
    }

    /// Bytes created per second since; `None` if a counter is another one's (another set of pools, one that fell).
    fn bytes_per_s(&self, now: Duration, inputs: &Inputs) -> Option<f64> {
        let seconds = now.saturating_sub(self.began).as_secs_f64();
        let of = |pool: &PoolInputs| {
            let created = pool.created_total.checked_sub(*self.created.get(&pool.name)?)?;
            Some(created as f64 * pool.expected_weight_bytes as f64)
        };
        let bytes: f64 = inputs.pools.iter().map(of).sum::<Option<f64>>()?;
        (self.created.len() == inputs.pools.len()).then(|| bytes / seconds)
    }
}

impl Default for AdaptiveReuse {
    fn default() -> Self {
        Self { watch: Watch::default(), reuse: START, period: None, p95_ns: None, bytes_per_s: None }
    }
}

impl AdaptiveReuse {
    /// The end of a period: compares it with the one before. What cannot be compared moves nothing, and what was
    /// read this time is what the next one is compared with.
    fn compare(&mut self, p95_ns: Option<u64>, bytes_per_s: Option<f64>) -> Reason {
        let p95 = std::mem::replace(&mut self.p95_ns, p95_ns).zip(p95_ns);
        let allocated = std::mem::replace(&mut self.bytes_per_s, bytes_per_s).zip(bytes_per_s);
        let before = self.reuse;
        if p95.is_some_and(|(then, now)| u128::from(now) * 100 > u128::from(then) * P95_PERCENT) {
            self.reuse = (before - DOWN).max(MIN);
        } else if p95.is_some() && allocated.is_some_and(|(then, now)| now < then * ALLOCATION_SHARE) {
            self.reuse = (before + UP).min(MAX);
        }
        Reason::Reuse { from: before, to: self.reuse }
    }
}

impl Policy for AdaptiveReuse {
    fn name(&self) -> &'static str {
        "adaptive-reuse"
    }

    fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan {
        let (mut plan, view) = self.watch.look(now, inputs, Reason::LawHolds);
        let p95_ns = inputs.pause.lag_p95_ns.filter(|_| !inputs.pause.cpu_is_taken);
        let period = self.period.get_or_insert_with(|| Period::begin(now, inputs));
        period.is_spoilt |= view.is_none();
        if now >= period.began + EVERY {
            let readable = !period.is_spoilt;
            let bytes_per_s = period.bytes_per_s(now, inputs).filter(|_| readable);
            self.period = Some(Period::begin(now, inputs));
            let reason = self.compare(p95_ns, bytes_per_s);
            plan.reasons.retain(|reason| *reason != Reason::LawHolds);
            plan.reasons.push(reason);
        }
        let reuse = self.reuse;
        free_pools(&mut plan, inputs).for_each(|(planned, _)| planned.reuse = Some(reuse));
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::PauseInputs;

    /// Runs periods of 10 s, each with its p95 and the objects of 100 bytes that were created in it.
    fn run(periods: &[(Option<u64>, u64)]) -> Vec<f64> {
        run_with(periods, |_| Some(50))
    }

    fn run_with(periods: &[(Option<u64>, u64)], usage: impl Fn(u64) -> Option<u64>) -> Vec<f64> {
        let mut law = AdaptiveReuse::default();
        let (mut created_total, mut seen) = (0, Vec::new());
        for (n, (lag_p95_ns, created)) in (0_u64..).zip(periods) {
            for tick in 0..40 {
                let pool = PoolInputs {
                    name: "a".into(),
                    created_total: created_total + created * tick / 40,
                    expected_weight_bytes: 100,
                    ..PoolInputs::default()
                };
                let pause = PauseInputs { lag_p95_ns: *lag_p95_ns, ..PauseInputs::default() };
                let (limit_bytes, usage_bytes) = (Some(100), usage(n));
                let inputs =
                    Inputs { limit_bytes, usage_bytes, pause, pools: vec![pool], ..Inputs::default() };
                let plan = law.decide(Duration::from_millis(n * 10_000 + tick * 250), &inputs);
                if tick == 0 {
                    seen.push((plan.pools[0].reuse.expect("always planned") * 1000.0).round() / 1000.0);
                }
            }
            created_total += created;
        }
        seen
    }

    #[test]
    fn it_begins_at_seven_tenths_and_compares_every_ten_seconds() {
        let calm = (Some(1000), 500);
        assert_eq!(run(&[calm; 4]), [0.7; 4]);
        // The p95 that a period ends with is the one that the next tick brings.
        assert_eq!(run(&[calm, calm, (Some(1151), 500), calm, calm]), [0.7, 0.7, 0.65, 0.65, 0.65]);
        assert_eq!(run(&[calm, calm, (Some(1150), 500), calm, calm]), [0.7; 5], "15 % and not more");
    }

    #[test]
    fn a_fall_of_allocation_by_more_than_a_fifth_raises_it() {
        let of = |created| (Some(1000), created);
        assert_eq!(run(&[of(500), of(500), of(399), of(399)]), [0.7, 0.7, 0.7, 0.8]);
        assert_eq!(run(&[of(500), of(500), of(400), of(400)]), [0.7; 4], "a fifth and not more");
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let later: Vec<_> = (0..12).map(|n| (Some(1000 * 2_u64.pow(n)), 500)).collect();
        assert!((run(&later)[11] - 0.3).abs() < 1e-9);
        let fewer: Vec<_> = (0..8).map(|n| (Some(1000), 100_000 >> n)).collect();
        assert!((run(&fewer)[7] - 0.95).abs() < 1e-9);
    }

    #[test]
    fn lateness_has_the_word_where_both_hold() {
        let seen = run(&[(Some(1000), 500), (Some(1000), 500), (Some(1000), 100), (Some(2000), 100)]);
        assert_eq!(seen, [0.7, 0.7, 0.7, 0.65]);
    }

    #[test]
    fn what_cannot_be_read_raises_nothing() {
        let fall = [(Some(1000), 500), (Some(1000), 500), (Some(1000), 100), (Some(1000), 100)];
        assert_eq!(run_with(&fall, |n| (n != 2).then_some(50)), [0.7; 4], "no usage");
        let fall = [(Some(1000), 500), (Some(1000), 500), (Some(1000), 100), (None, 100)];
        assert_eq!(run(&fall), [0.7; 4], "no p95");
    }

    #[test]
    fn a_counter_that_fell_is_no_fall_of_allocation() {
        let pool =
            |created_total| PoolInputs { created_total, expected_weight_bytes: 1, ..PoolInputs::default() };
        let at = |created| Inputs { pools: vec![pool(created)], ..Inputs::default() };
        let period = Period::begin(Duration::ZERO, &at(500));
        assert_eq!(period.bytes_per_s(EVERY, &at(600)), Some(10.0));
        assert_eq!(period.bytes_per_s(EVERY, &at(499)), None);
        let another = PoolInputs { name: "new".into(), ..PoolInputs::default() };
        let two = Inputs { pools: vec![pool(600), another], ..Inputs::default() };
        assert_eq!(period.bytes_per_s(EVERY, &two), None);
    }
}

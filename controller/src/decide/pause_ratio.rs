//! Pause-ratio: the more of the time is lost to pauses, the fewer objects each pool may hold.
//!
//! `objects = max(5000, 10000 · 0.95^(100 · ratio))`, where ratio is the share of the time for which timers were
//! overdue, 0 to 1: each per cent of it takes a twentieth, and 14 % and more leave 5000.

use super::reason::Reason;
use super::watch::{Watch, free_pools};
use super::{Inputs, Plan, Policy};
use std::time::Duration;

const OBJECTS: f64 = 10_000.0;
const OBJECTS_MIN: u64 = 5000;
const KEPT_PER_PERCENT: f64 = 0.95;

/// Sizes pools by the share of the time that pauses take. Bytes and the limit play no part in it, except that nothing
/// grows while they cannot be read.
#[derive(Clone, Debug, Default)]
pub struct PauseRatio {
    watch: Watch,
    objects: Option<u64>,
}

impl PauseRatio {
    /// Objects that a pool may hold at this share of lost time; `None` if it is no share (below 0, above 1, no number).
    ///
    /// ```
    /// use pool_controller::decide::PauseRatio;
    /// let objects = [0.0, 0.01, 0.10, 1.0].map(PauseRatio::objects);
    /// assert_eq!(objects, [Some(10_000), Some(9500), Some(5987), Some(5000)]);
    /// ```
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10,000")]
    pub fn objects(ratio: f64) -> Option<u64> {
        let law = |ratio: f64| (OBJECTS * KEPT_PER_PERCENT.powf(100.0 * ratio)) as u64;
        (0.0..=1.0).contains(&ratio).then(|| law(ratio).max(OBJECTS_MIN))
    }
}

impl Policy for PauseRatio {
    fn name(&self) -> &'static str {
        "pause-ratio"
    }

    fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan {
        let (mut plan, view) = self.watch.look(now, inputs, Reason::LawHolds);
        // Where others have the processor, lateness says nothing of our own pauses.
        let ratio = inputs.pause.lag_ratio.filter(|_| !inputs.pause.cpu_is_taken);
        let Some((ratio, by_law)) = ratio.and_then(|ratio| Some((ratio, Self::objects(ratio)?))) else {
            plan.reasons.push(Reason::NoReading);
            return plan;
        };
        let objects = match (self.objects, view) {
            (Some(before), None) => before.min(by_law),
            (None, None) => return plan,
            (_, Some(_)) => by_law,
        };
        self.objects = Some(objects);
        plan.reasons.retain(|reason| *reason != Reason::LawHolds);
        plan.reasons.push(Reason::PauseRatio { ratio, objects });
        for (planned, _) in free_pools(&mut plan, inputs) {
            planned.capacity_objects = Some(objects);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{PauseInputs, PoolInputs};

    fn decide(law: &mut PauseRatio, lag_ratio: Option<f64>, usage_bytes: Option<u64>) -> Plan {
        let pools = vec![PoolInputs { name: "a".into(), ..PoolInputs::default() }];
        let pause = PauseInputs { lag_ratio, ..PauseInputs::default() };
        let inputs = Inputs { limit_bytes: Some(100), usage_bytes, pause, pools, ..Inputs::default() };
        law.decide(Duration::ZERO, &inputs)
    }

    #[test]
    fn exact_values() {
        for (ratio, objects) in [
            (0.0, 10_000),
            (0.01, 9500),
            (0.02, 9025),
            (0.05, 7737),
            (0.13, 5133),
            (0.14, 5000),
            (0.5, 5000),
            (1.0, 5000),
        ] {
            assert_eq!(PauseRatio::objects(ratio), Some(objects), "{ratio}");
        }
    }

    #[test]
    fn a_ratio_is_a_share_and_not_per_cent() {
        // With a factor of 100 left out, 5 % would leave 9974.
        assert_eq!(
            decide(&mut PauseRatio::default(), Some(0.05), Some(9)).pools[0].capacity_objects,
            Some(7737)
        );
        for no_share in [-0.01, 1.01, 5.0, f64::NAN, f64::INFINITY] {
            assert_eq!(PauseRatio::objects(no_share), None);
        }
    }

    #[test]
    fn without_a_ratio_or_a_reading_nothing_grows() {
        let mut law = PauseRatio::default();
        assert_eq!(decide(&mut law, Some(0.0), None).pools[0].capacity_objects, None, "not even at first");
        assert_eq!(decide(&mut law, Some(0.10), Some(9)).pools[0].capacity_objects, Some(5987));
        assert_eq!(decide(&mut law, None, Some(9)).pools[0].capacity_objects, None);
        assert_eq!(decide(&mut law, Some(-0.2), Some(9)).pools[0].capacity_objects, None);
        assert_eq!(decide(&mut law, Some(0.0), None).pools[0].capacity_objects, Some(5987));
        assert_eq!(decide(&mut law, Some(0.12), None).pools[0].capacity_objects, Some(5403));
        assert_eq!(decide(&mut law, Some(0.0), Some(9)).pools[0].capacity_objects, Some(10_000));
    }

    #[test]
    fn lateness_for_want_of_a_processor_changes_nothing() {
        let pause = PauseInputs { lag_ratio: Some(0.9), cpu_is_taken: true, ..PauseInputs::default() };
        let pools = vec![PoolInputs::default()];
        let inputs =
            Inputs { limit_bytes: Some(100), usage_bytes: Some(9), pause, pools, ..Inputs::default() };
        let plan = PauseRatio::default().decide(Duration::ZERO, &inputs);
        assert_eq!(plan.pools[0].capacity_objects, None);
        assert_eq!(plan.reasons.last().map(Reason::label), Some("no_reading"));
    }
}

//! A line a decision: everything that it was made from, and what came out. Read again, the same policy says the same.
//!
//! Lines are JSON: they can be searched, cut and kept as they are. Knows no file.

use super::{Decider, Inputs, Plan, Policy};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// One decision.
///
/// ```
/// use pool_controller::decide::{Inputs, Journal, Policy, Replay, Tide, journal_line};
/// use std::time::Duration;
/// let inputs = Inputs { limit_bytes: Some(1 << 30), usage_bytes: Some(1 << 29), ..Inputs::default() };
/// let plan = Tide::default().decide(Duration::ZERO, &inputs);
/// let line = journal_line(Duration::ZERO, &inputs, &plan);
/// let mut replay = Replay::new(Box::<Tide>::default());
/// assert_eq!(replay.next(&Journal::parse(&line)?), Ok(()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Journal {
    /// The time of the decision, µs since the controller started.
    pub at_us: u64,
    /// What was known.
    pub inputs: Inputs,
    /// What was planned.
    plan: serde_json::Value,
}

/// A replay that came out otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Differs {
    /// What had been planned.
    pub then: serde_json::Value,
    /// What is planned now.
    pub now: serde_json::Value,
}

impl Journal {
    /// Reads one line.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }
}

/// Decides again what a journal says was decided.
pub struct Replay {
    decider: Decider,
}

impl Replay {
    /// By a policy that has not decided anything yet.
    #[must_use]
    pub fn new(policy: Box<dyn Policy>) -> Self {
        Self { decider: Decider::new(policy) }
    }

    /// The next decision; to be called with all lines of a journal, in order.
    ///
    /// # Errors
    /// If it is another one than then.
    pub fn next(&mut self, then: &Journal) -> Result<(), Differs> {
        let plan = self.decider.decide(Duration::from_micros(then.at_us), &then.inputs);
        let now = serde_json::to_value(&plan).unwrap_or_default();
        if now == then.plan { Ok(()) } else { Err(Differs { then: then.plan.clone(), now }) }
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("policy", &self.decider.policy_name()).finish_non_exhaustive()
    }
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "then {}, now {}", self.then, self.now)
    }
}

impl std::error::Error for Differs {}

/// The line of a decision, without a line end. Some 300 bytes and 200 a pool.
#[must_use]
pub fn journal_line(at: Duration, inputs: &Inputs, plan: &Plan) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        at_us: u64,
        inputs: &'a Inputs,
        plan: &'a Plan,
    }
    let at_us = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
    // Plain fields; what is no number in JSON (a share that is not a number) is written as null and is told by replay.
    serde_json::to_string(&Line { at_us, inputs, plan }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::tests_support::Random;
    use crate::decide::{PauseInputs, PoolInputs, Tide};

    fn some_inputs(random: &mut Random, tick: u64) -> Inputs {
        let share = |n: u64| n as f64 / 1e3;
        let mut pool = |name: &str| PoolInputs {
            name: name.into(),
            idle_bytes: random.up_to(40 << 20),
            gets_total: tick * 1000,
            lent_objects: tick,
            ghost_hits_total: tick * random.up_to(3),
            saved_ns: Some(share(random.up_to(1_000_000))),
            expected_weight_bytes: 4096,
            capacity_bytes: random.up_to(64 << 20),
            capacity_objects: 1 << 20,
            ..PoolInputs::default()
        };
        let pools = vec![pool("a"), pool("b")];
        Inputs {
            limit_bytes: Some(200 << 20),
            usage_bytes: (random.up_to(9) > 0).then(|| (100 << 20) + random.up_to(95 << 20)),
            rss_bytes: Some(150 << 20),
            psi_some_ratio: Some(share(random.up_to(300))),
            pause: PauseInputs { lag_p99_ns: Some(random.up_to(60_000_000)), ..PauseInputs::default() },
            pools,
            ..Inputs::default()
        }
    }

    #[test]
    fn a_journal_replays_to_the_same_plans_and_tells_another_policy() {
        let (mut random, mut tide) = (Random::new(4), Decider::new(Box::<Tide>::default()));
        let lines: Vec<String> = (0..400)
            .map(|tick| {
                let (at, inputs) = (Duration::from_millis(tick * 250), some_inputs(&mut random, tick));
                journal_line(at, &inputs, &tide.decide(at, &inputs))
            })
            .collect();
        assert!(lines.iter().all(|line| !line.contains('\n')));
        let differ = |lines: &[String], policy: Box<dyn Policy>| {
            let mut replay = Replay::new(policy);
            lines.iter().filter(|line| replay.next(&Journal::parse(line).unwrap()).is_err()).count()
        };
        assert_eq!(differ(&lines, Box::<Tide>::default()), 0);
        assert!(differ(&lines[1..], Box::<Tide>::default()) > 0, "a line is missing");
        assert!(differ(&lines, Box::<crate::decide::Fixed>::default()) > 300);
        let other = lines[3].replacen("\"usage_bytes\":1", "\"usage_bytes\":2", 1);
        assert_ne!(Journal::parse(&other).unwrap(), Journal::parse(&lines[3]).unwrap());
    }

    #[test]
    fn what_is_no_line_is_an_error_and_an_old_one_lacks_nothing() {
        assert!(Journal::parse("{\"at_us\": 1}").is_err());
        assert!(Journal::parse(r#"{"at_us": 1, "inputs": {"limit_bytes": 9}, "plan": null}"#).is_ok());
    }
}

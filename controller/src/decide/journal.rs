//! A line a decision: everything that it was made from, and what came out. Read again, the same policy says the same.
//!
//! Lines are JSON: they can be searched, cut and kept as they are. Knows no file.

use super::{Decider, Inputs, Plan, Policy, policy_by_name};
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
/// let line = journal_line(("tide", 0), Duration::ZERO, &inputs, &plan);
/// let mut replay = Replay::new(Box::<Tide>::default());
/// assert_eq!(replay.next(&Journal::parse(&line)?), Ok(()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Journal {
    /// The time of the decision, µs since the controller started.
    pub at_us: u64,
    /// Who decided.
    #[serde(default)]
    pub policy: String,
    /// Which one of that name: 0 is the one that the controller began with, and those that took its place are numbered as
    /// they began.
    #[serde(default)]
    pub instance: u64,
    /// What was known.
    pub inputs: Inputs,
    /// What was planned.
    plan: serde_json::Value,
}

/// A replay that came out otherwise.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Differs {
    /// Another plan was made.
    Plan {
        /// What had been planned.
        then: serde_json::Value,
        /// What is planned now.
        now: serde_json::Value,
    },
    /// From here on a policy decided that is not one of [`POLICIES`](super::POLICIES), nor the one of the replay.
    Policy(String),
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
    /// The policy that it began with, while another one has its turn.
    first: Option<Box<dyn Policy>>,
    /// Whose turn it is; `None` before the first line.
    instance: Option<u64>,
}

impl Replay {
    /// Begins with a policy that has not decided anything yet. Where the journal goes on with another one, the replay does
    /// too.
    #[must_use]
    pub fn new(policy: Box<dyn Policy>) -> Self {
        Self { decider: Decider::new(policy), first: None, instance: None }
    }

    /// The next decision; to be called with all lines of a journal, in order.
    ///
    /// # Errors
    /// If it is another one than then, or was made by a policy that is not known here.
    pub fn next(&mut self, then: &Journal) -> Result<(), Differs> {
        // The first line is for the policy that was asked for, whoever decided then.
        if self.instance.replace(then.instance).is_some_and(|before| before != then.instance) {
            self.take_turns(then)?;
        }
        let plan = self.decider.decide(Duration::from_micros(then.at_us), &then.inputs);
        let now = serde_json::to_value(&plan).unwrap_or_default();
        if now == then.plan { Ok(()) } else { Err(Differs::Plan { then: then.plan.clone(), now }) }
    }

    fn take_turns(&mut self, then: &Journal) -> Result<(), Differs> {
        if let Some(first) = self.first.take_if(|_| then.instance == 0) {
            self.decider.resume_policy(first);
            return Ok(());
        }
        let unknown = || Differs::Policy(then.policy.clone());
        let before = self.decider.set_policy(policy_by_name(&then.policy).ok_or_else(unknown)?);
        self.first.get_or_insert(before);
        Ok(())
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("policy", &self.decider.policy_name()).finish_non_exhaustive()
    }
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan { then, now } => write!(f, "then {then}, now {now}"),
            Self::Policy(name) => {
                write!(f, "{name:?} decided from here on, which is no policy that can be begun by name")
            }
        }
    }
}

impl std::error::Error for Differs {}

/// The line of a decision, without a line end. Some 300 bytes and 200 a pool. The policy is told by its name
/// and [which one of that name](Journal::instance) it was.
#[must_use]
pub fn journal_line((policy, instance): (&str, u64), at: Duration, inputs: &Inputs, plan: &Plan) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        at_us: u64,
        policy: &'a str,
        instance: u64,
        inputs: &'a Inputs,
        plan: &'a Plan,
    }
    let at_us = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
    // Plain fields; what is no number in JSON (a share that is not a number) is written as null and is told by replay.
    serde_json::to_string(&Line { at_us, policy, instance, inputs, plan }).unwrap_or_default()
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
                journal_line(("tide", 0), at, &inputs, &tide.decide(at, &inputs))
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
    fn policies_that_take_turns_are_replayed_and_one_that_is_unknown_is_told() {
        let (mut random, mut decider) = (Random::new(5), Decider::new(Box::<Tide>::default()));
        let mut before = None;
        let lines: Vec<String> = (0..400)
            .map(|tick| {
                match tick {
                    100 => before = Some(decider.set_policy(policy_by_name("bands").unwrap())),
                    200 => drop(decider.set_policy(Box::<Tide>::default())),
                    300 => decider.resume_policy(before.take().unwrap()),
                    _ => {}
                }
                let (at, inputs) = (Duration::from_millis(tick * 250), some_inputs(&mut random, tick));
                let plan = decider.decide(at, &inputs);
                journal_line(decider.who(), at, &inputs, &plan)
            })
            .collect();
        let mut replay = Replay::new(Box::<Tide>::default());
        for line in &lines {
            assert_eq!(replay.next(&Journal::parse(line).unwrap()), Ok(()));
        }
        let strange = lines[100].replacen("bands", "quarter", 1).replacen(":1,", ":7,", 1);
        assert_eq!(replay.next(&Journal::parse(&strange).unwrap()), Err(Differs::Policy("quarter".into())));
    }

    #[test]
    fn what_is_no_line_is_an_error_and_an_old_one_lacks_nothing() {
        assert!(Journal::parse("{\"at_us\": 1}").is_err());
        assert!(Journal::parse(r#"{"at_us": 1, "inputs": {"limit_bytes": 9}, "plan": null}"#).is_ok());
    }
}

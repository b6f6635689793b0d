//! A limit that falls while the service runs: how soon it is answered, and how soon usage is below the new one.
//!
//! It falls by three tenths, when pools have grown and both kinds of objects are there. What was seen and done
//! tick by tick comes from the file that outlives the service (`demo --postmortem`).

use crate::bench::demo::{self, Outcome, Trial};
use crate::bench::figures::{list, number};
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// Under this one pools grow,
pub(super) const FROM_MIB: u64 = 228;
/// until it falls, at the end of a turn of exports.
pub(super) const FALLS_AFTER_S: u64 = 56;
const SECONDS: u64 = 64;
/// Of the new limit, where usage has to be below.
const MARK: f64 = 0.9;

/// `runs` of each allocator, in rounds.
pub(super) fn measure(
    workspace: &Workspace,
    allocators: &[&'static str],
    runs: u64,
    at_once: usize,
) -> Result<Vec<Value>> {
    let trials: Vec<_> =
        (1..=runs).flat_map(|seed| allocators.iter().map(move |allocator| trial(allocator, seed))).collect();
    demo::each(&trials, at_once, |trial| {
        let (outcome, records) = trial.run_recorded(workspace, &fall())?;
        let answer = answer(&records, super::LIMIT_MIB << 20).with_context(|| trial.to_string())?;
        println!("   {trial}, falls to {} MiB: {answer}", super::LIMIT_MIB);
        Ok(json(trial, &outcome, &answer))
    })
}

fn trial(allocator: &'static str, seed: u64) -> Trial {
    Trial {
        allocator,
        load: "swap",
        pools: "adaptive",
        fixed_percent: 100,
        allocator_defaults: false,
        limit_mib: FROM_MIB,
        seconds: SECONDS,
        rps: super::RPS,
        seed,
    }
}

fn fall() -> String {
    format!("--limit-after={FALLS_AFTER_S}s={}MiB", super::LIMIT_MIB)
}

/// What the service did when its limit fell.
#[derive(Debug, PartialEq)]
struct Answer {
    /// Usage when it saw the new limit, as a share of it.
    share: f64,
    /// From the last tick that saw the old limit until the first with a smaller budget, ms.
    first_action_ms: f64,
    /// From there until the first tick after which usage stays below the mark, ms.
    below_ms: f64,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { share, first_action_ms, below_ms } = self;
        write!(
            f,
            "{share:.2} of it used, first action within {first_action_ms} ms, below {MARK} within {below_ms} ms"
        )
    }
}

/// From what was recorded at each tick.
fn answer(records: &Value, limit_bytes: u64) -> Result<Answer> {
    let records = list(records, "records")?;
    let is_new = |record: &Value| record["limit_bytes"].as_u64() == Some(limit_bytes);
    let fell = records.iter().position(is_new).context("the new limit was never seen")?;
    ensure!(fell > 0, "the old limit was never seen");
    let (before, after) = (&records[fell - 1], &records[fell..]);
    let ms = |record: &Value| Ok::<_, anyhow::Error>(number(record, "at_ms")? - number(before, "at_ms")?);
    let share = |record: &Value| Ok::<_, anyhow::Error>(number(record, "usage_bytes")? / limit_bytes as f64);
    let budget = number(before, "budget_bytes")?;
    let is_cut = |record: &&Value| record["budget_bytes"].as_f64().is_some_and(|bytes| bytes < budget);
    let cut = after.iter().find(is_cut).context("the budget was never cut")?;
    let mut below = Some(&after[0]);
    for (at, record) in after.iter().enumerate() {
        if share(record)? >= MARK {
            below = after.get(at + 1);
        }
    }
    let below = below.context("usage stayed above the mark")?;
    Ok(Answer { share: share(&after[0])?, first_action_ms: ms(cut)?, below_ms: ms(below)? })
}

fn json(trial: &Trial, outcome: &Outcome, answer: &Answer) -> Value {
    json!({
        "allocator": trial.allocator, "seed": trial.seed, "killed": outcome.is_killed,
        "completed_share": outcome.completed_share, "share": answer.share,
        "first_action_ms": answer.first_action_ms, "below_ms": answer.below_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at_ms: u64, limit: u64, usage: u64, budget: u64) -> Value {
        json!({"at_ms": at_ms, "limit_bytes": limit, "usage_bytes": usage, "budget_bytes": budget})
    }

    #[test]
    fn an_answer_is_timed_from_the_last_tick_that_could_not_know() {
        let ticks = |usages: [u64; 4]| {
            let [a, b, c, d] = usages;
            let records = [
                record(0, 228, 150, 90),
                record(250, 160, a, 90),
                record(500, 160, b, 40),
                record(750, 160, c, 40),
                record(1000, 160, d, 40),
            ];
            answer(&json!({"records": records}), 160)
        };
        let told = |share, first_action_ms, below_ms| Answer { share, first_action_ms, below_ms };
        assert_eq!(ticks([80, 80, 80, 80]).unwrap(), told(0.5, 500.0, 250.0));
        assert_eq!(ticks([160, 120, 150, 120]).unwrap(), told(1.0, 500.0, 1000.0));
        assert_eq!(ticks([160, 120, 120, 150]).unwrap_err().to_string(), "usage stayed above the mark");
    }

    #[test]
    fn a_run_that_shows_nothing_is_an_error() {
        let of = |records: &[Value]| answer(&json!({"records": records}), 160).unwrap_err().to_string();
        assert_eq!(of(&[record(0, 228, 1, 1)]), "the new limit was never seen");
        assert_eq!(of(&[record(0, 160, 1, 1)]), "the old limit was never seen");
        assert_eq!(of(&[record(0, 228, 1, 1), record(250, 160, 1, 1)]), "the budget was never cut");
    }
}

//! The matrix under a real limit: each shape of load, with each allocator, with the controller and without it.

mod document;
mod falls;

use super::demo::{self, ALLOCATORS, Outcome, Trial};
use crate::counts::Counts;
use crate::workspace::Workspace;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

pub(crate) use document::{DATA, DOCUMENT, document};

/// The matrix.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask bench limits                20 runs of each, about 45 minutes on two cores\n  \
    cargo xtask bench limits --runs 2 --load step --allocator glibc\n                                         \
    some of them; nothing is written\n  cargo xtask bench limits --falls        how a limit that falls is answered, alone: 8 minutes\n  \
    cargo xtask bench limits --report       the page again, from docs/limits.json"
)]
pub(crate) struct Options {
    /// Runs of each; with fewer than the default, no file is written
    #[arg(long, value_name = "N", default_value_t = RUNS, value_parser = clap::value_parser!(u64).range(1..=1000))]
    runs: u64,
    /// Runs beside each other; each takes about a quarter of a core
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    at_once: u64,
    /// This shape alone; writes no file
    #[arg(long, value_name = "NAME", value_parser = ["step", "swap", "ramp"])]
    load: Option<String>,
    /// This allocator alone; writes no file
    #[arg(long, value_name = "NAME", value_parser = ALLOCATORS)]
    allocator: Option<String>,
    /// The limit that falls alone, into the page that there is: minutes
    #[arg(long, conflicts_with_all = ["load", "allocator", "runs"])]
    falls: bool,
    /// Runs nothing and writes the page anew
    #[arg(long, conflicts_with_all = ["load", "allocator", "falls"])]
    report: bool,
}

/// What the target asks for.
const RUNS: u64 = 20;
/// Of these, one takes a minute.
const FALLS_RUNS: u64 = 5;
/// Requests per second: the demo's own rate.
const RPS: u64 = 400;
/// One limit for all: the most that is lent in any shape is less than three fifths of it, and what fixed pools keep of
/// both kinds of work is more than it.
const LIMIT_MIB: u64 = 160;
/// With the controller, and its twin without.
const POOLS: [&str; 2] = ["adaptive", "fixed"];
/// What adaptive pools must complete.
const COMPLETED_SHARE_MIN: f64 = 0.99;

/// Shapes, and how long a run has to be for what they show.
const LOADS: [(&str, u64); 3] = [("step", 12), ("swap", 16), ("ramp", 16)];

/// Whether it ran. A target that is missed is reported, and is no failure.
pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    if options.report {
        let data = super::read_json(&workspace.root.join(DATA))?;
        return write(workspace, &data).map(|()| true);
    }
    let at_once = usize::try_from(options.at_once)?;
    if options.falls {
        demo::build(workspace, &ALLOCATORS)?;
        let mut data = super::read_json(&workspace.root.join(DATA))?;
        data["falls"] = json!(falls::measure(workspace, &ALLOCATORS, FALLS_RUNS, at_once)?);
        return write(workspace, &data).map(|()| true);
    }
    let allocators: Vec<_> =
        ALLOCATORS.into_iter().filter(|a| is_chosen(options.allocator.as_ref(), a)).collect();
    demo::build(workspace, &allocators)?;
    let trials = trials(options.runs, &allocators, |load| is_chosen(options.load.as_ref(), load));
    let outcomes = demo::run_all(workspace, &trials, at_once)?;
    let mut data = data(options.runs, &trials, &outcomes);
    if options.is_whole() {
        data["falls"] = json!(falls::measure(workspace, &allocators, FALLS_RUNS, at_once)?);
        write(workspace, &data)?;
    }
    println!("\n{}", document::tables(&data)?);
    Ok(true)
}

impl Options {
    /// Whether it is what the page claims to show.
    fn is_whole(&self) -> bool {
        self.runs >= RUNS && self.load.is_none() && self.allocator.is_none()
    }
}

fn is_chosen(only: Option<&String>, name: &str) -> bool {
    only.is_none_or(|only| only == name)
}

/// Round by round, so that what else the machine does meets all of them; each round has a seed of its own.
fn trials(runs: u64, allocators: &[&'static str], wanted: impl Fn(&str) -> bool) -> Vec<Trial> {
    let mut trials = Vec::new();
    for seed in 1..=runs {
        for (load, seconds) in LOADS.into_iter().filter(|(load, _)| wanted(load)) {
            for allocator in allocators {
                for pools in POOLS {
                    let (limit_mib, rps) = (LIMIT_MIB, RPS);
                    trials.push(Trial {
                        allocator,
                        load,
                        pools,
                        fixed_percent: 100,
                        allocator_defaults: false,
                        limit_mib,
                        seconds,
                        rps,
                        seed,
                    });
                }
            }
        }
    }
    trials
}

fn data(runs: u64, trials: &[Trial], outcomes: &[Outcome]) -> Value {
    let runs_of: Vec<_> = trials.iter().zip(outcomes).map(|(trial, outcome)| outcome.json(trial)).collect();
    json!({"runs_each": runs, "rps": RPS, "limit_mib": LIMIT_MIB, "completed_share_min": COMPLETED_SHARE_MIN, "runs": runs_of})
}

fn write(workspace: &Workspace, data: &Value) -> Result<()> {
    super::write(workspace, (DATA, data), (DOCUMENT, document(data)?))
}

/// A sample for a suite: each shape once with the system's allocator. Adaptive pools live and complete their work, the
/// twin is killed. A run that only came too late, on a machine too busy for the load, proves nothing and is repeated.
pub(crate) fn sample(workspace: &Workspace) -> Result<Counts> {
    const TRIES: u32 = 3;
    demo::build(workspace, &ALLOCATORS[..1])?;
    let mut trials = trials(1, &ALLOCATORS[..1], |_| true);
    let mut counts = Counts::default();
    for tries_left in (0..TRIES).rev() {
        let outcomes = demo::run_all(workspace, &trials, 2)?;
        let mut again = Vec::new();
        for (trial, outcome) in trials.into_iter().zip(outcomes) {
            let judged = judge(&trial, &outcome);
            if judged.is_err() && outcome.is_late_only(COMPLETED_SHARE_MIN) && tries_left > 0 {
                again.push(trial);
                continue;
            }
            match judged {
                Ok(()) => counts += Counts::PASS,
                Err(why) => {
                    println!("   {trial}: {why}");
                    counts += Counts::FAIL;
                }
            }
        }
        trials = again;
    }
    Ok(counts)
}

/// Whether a run of the sample shows what the matrix claims.
fn judge(trial: &Trial, outcome: &Outcome) -> Result<(), String> {
    match (trial.pools, outcome.is_killed) {
        ("adaptive", true) => Err("adaptive pools were killed".into()),
        ("adaptive", false) if outcome.completed_share < COMPLETED_SHARE_MIN => Err(format!(
            "{:.2} % were completed, at least {:.0} % are expected",
            100.0 * outcome.completed_share,
            100.0 * COMPLETED_SHARE_MIN
        )),
        ("adaptive", false) | (_, true) => Ok(()),
        (_, false) => Err("the twin without a controller lived: the limit shows nothing".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::demo::tests::{outcome, trial};
    use super::*;

    #[test]
    fn every_round_has_each_of_them_once() {
        let trials = trials(RUNS, &ALLOCATORS, |_| true);
        assert_eq!(trials.len(), 20 * 3 * 3 * 2);
        let first = &trials[..18];
        assert!(first.iter().all(|trial| trial.seed == 1) && trials[18].seed == 2);
        for allocator in ALLOCATORS {
            assert_eq!(first.iter().filter(|t| t.allocator == allocator && t.pools == "fixed").count(), 3);
        }
    }

    #[test]
    fn part_of_it_is_not_written() {
        let options = |runs, load: Option<&str>, allocator: Option<&str>| {
            let (load, allocator) = (load.map(str::to_owned), allocator.map(str::to_owned));
            Options { runs, at_once: 2, load, allocator, falls: false, report: false }
        };
        assert!(options(RUNS, None, None).is_whole() && options(RUNS + 1, None, None).is_whole());
        assert!(!options(RUNS - 1, None, None).is_whole());
        assert!(
            !options(RUNS, Some("step"), None).is_whole() && !options(RUNS, None, Some("glibc")).is_whole()
        );
    }

    #[test]
    fn a_sample_fails_where_the_matrix_would_not_hold() {
        let alive = outcome();
        let dead = Outcome { is_killed: true, killed_after_s: Some(5.0), ..alive.clone() };
        let (fixed, adaptive) = (trial(), Trial { pools: "adaptive", ..trial() });
        assert_eq!((judge(&adaptive, &alive), judge(&fixed, &dead)), (Ok(()), Ok(())));
        let slow = Outcome { completed_share: 0.98, ..alive.clone() };
        assert!(judge(&adaptive, &dead).is_err() && judge(&fixed, &alive).is_err());
        assert_eq!(
            judge(&adaptive, &slow).unwrap_err(),
            "98.00 % were completed, at least 99 % are expected"
        );
    }
}

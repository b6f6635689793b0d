//! The contrast: the demo's service without pools, with fixed ones and with adaptive ones, beside each allocator.
//!
//! ```text
//!  fixed-best: a size of fixed pools, found in hindsight ─┐
//!  saturation: requests per second      ─┐ one at a time, │
//!  a fixed rate: p99, peak, mean         ├ in rounds      ├─► docs/contrast.json ──► docs/contrast.md
//!  the smallest limit that is survived  ─┘ some at once  ─┘
//! ```

mod document;
mod plan;
mod search;

use super::demo::{self, ALLOCATORS, Outcome, Trial};
use super::figures::{list, number, text};
use crate::counts::Counts;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use clap::Args;
use plan::{Plan, Way};
use search::{Search, Smallest};
use serde_json::{Value, json};

pub(crate) use document::{DATA, DOCUMENT, document};

/// The contrast.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask bench contrast            all of it, an hour and some minutes on two cores\n  \
    cargo xtask bench contrast --quick    one allocator, one round: whether it works; nothing is written\n  \
    cargo xtask bench contrast --allocator jemalloc\n                                        its rows alone, measured anew\n  \
    cargo xtask bench contrast --report   the page again, from docs/contrast.json"
)]
pub(crate) struct Options {
    /// A short run: whether it works, not who is faster; writes no file
    #[arg(long, conflicts_with = "report")]
    quick: bool,
    /// Runs beside each other while limits are searched; what is timed runs alone
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    at_once: u64,
    /// This allocator alone, into the page that there is: 25 minutes
    #[arg(long, value_name = "NAME", value_parser = ALLOCATORS, conflicts_with_all = ["quick", "report"])]
    allocator: Option<String>,
    /// Runs nothing and writes the page anew
    #[arg(long)]
    report: bool,
}

/// Whether it ran. A pool that does not win is reported, and is no failure.
pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    if options.report {
        let data = super::read_json(&workspace.root.join(DATA))?;
        return write(workspace, &data).map(|()| true);
    }
    let mut plan = if options.quick { Plan::quick() } else { Plan::full() };
    let mut known = None;
    if let Some(only) = &options.allocator {
        plan.allocators.retain(|allocator| allocator == only);
        known = Some(super::read_json(&workspace.root.join(DATA))?);
    }
    let measured = measure(workspace, &plan, usize::try_from(options.at_once)?)?;
    let data = match known {
        Some(known) => replaced(known, &measured)?,
        None => measured,
    };
    println!("\n{}", document::tables(&data)?);
    if !options.quick {
        write(workspace, &data)?;
    }
    Ok(true)
}

/// A sample for a suite: few runs, that a page can be made of what they say, and what must be so on a busy machine too.
pub(crate) fn sample(workspace: &Workspace) -> Result<Counts> {
    let data = measure(workspace, &Plan::sample(), 2)?;
    println!("\n{}", document::tables(&data)?);
    let wrong = wrong(&data)?;
    for what in &wrong {
        println!("   {what}");
    }
    Ok(if wrong.is_empty() { Counts::PASS } else { Counts::FAIL })
}

/// What no slowness explains: kills where there is ample room, and adaptive pools that die under every limit tried.
fn wrong(data: &Value) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for row in list(data, "rows")? {
        let (allocator, pools) = (text(row, "allocator")?, text(row, "pools")?);
        let killed = number(row, "killed")?;
        if killed > 0.0 {
            let ample_mib = number(data, "ample_mib")?;
            wrong.push(format!("{allocator} · {pools}: {killed} runs killed under {ample_mib} MiB"));
        }
        if pools == Way::Adaptive.name() && row["lives"]["mib"].is_null() {
            let most_mib = number(&row["lives"], "most_mib")?;
            wrong.push(format!("{allocator} · {pools}: killed under {most_mib} MiB"));
        }
    }
    Ok(wrong)
}

/// The figures that there are, with the rows that were measured anew in place of those that they repeat.
fn replaced(mut data: Value, measured: &Value) -> Result<Value> {
    let settings = |of: &Value| {
        let mut settings = of.clone();
        settings["rows"] = Value::Null;
        settings
    };
    if settings(&data) != settings(measured) {
        bail!("{DATA} was measured with other settings: all of it has to be measured anew");
    }
    for row in list(measured, "rows")? {
        let is_same =
            |known: &&mut Value| (&known["allocator"], &known["pools"]) == (&row["allocator"], &row["pools"]);
        let known = data["rows"].as_array_mut().and_then(|rows| rows.iter_mut().find(is_same));
        *known.with_context(|| format!("{DATA} has no row for {} · {}", row["allocator"], row["pools"]))? =
            row.clone();
    }
    Ok(data)
}

fn write(workspace: &Workspace, data: &Value) -> Result<()> {
    super::write(workspace, (DATA, data), (DOCUMENT, document(data)?))
}

/// A row of the page: one allocator, one way to get objects.
struct Row {
    allocator: &'static str,
    way: Way,
    fixed_percent: u32,
    saturated: Vec<Outcome>,
    paced: Vec<Outcome>,
    /// At which nobody is killed.
    lives: Option<Smallest>,
    /// At which next to everybody is served, too.
    serves: Option<Smallest>,
}

/// Of all requests, where a limit is said to serve.
const SERVED_SHARE_MIN: f64 = 0.99;

fn measure(workspace: &Workspace, plan: &Plan, at_once: usize) -> Result<Value> {
    demo::build(workspace, &plan.allocators)?;
    let mut rows = rows(workspace, plan, at_once)?;
    // What is timed has the machine to itself, and takes turns.
    for round in 1..=plan.rounds {
        println!("   round {round} of {}", plan.rounds);
        for row in &mut rows {
            row.saturated.push(timed(workspace, plan, row, &plan.saturated, round)?);
            row.paced.push(timed(workspace, plan, row, &plan.paced, round)?);
        }
    }
    println!("   the smallest limits");
    let limits = demo::each(&rows, at_once, |row| {
        let (lives, serves) = row.limits(workspace, plan)?;
        println!("   {} · {}: lives under {lives}, serves under {serves}", row.allocator, row.way.name());
        Ok((lives, serves))
    })?;
    for (row, (lives, serves)) in rows.iter_mut().zip(limits) {
        (row.lives, row.serves) = (Some(lives), Some(serves));
    }
    let (rps, ample_mib, hindsight_mib) = (plan::RPS, plan.ample_mib, plan.hindsight_mib);
    let (rounds, confirmed) = (plan.rounds, plan.search.confirm);
    let rows: Vec<_> = rows.iter().map(Row::json).collect();
    Ok(json!({"rounds": rounds, "confirmed": confirmed, "rps": rps, "ample_mib": ample_mib,
              "hindsight_mib": hindsight_mib, "served_share_min": SERVED_SHARE_MIN, "step_mib": plan.search.step_mib, "rows": rows}))
}

fn timed(workspace: &Workspace, plan: &Plan, row: &Row, run: &plan::Run, round: u64) -> Result<Outcome> {
    let trial = row.trial(run, plan.ample_mib, round);
    let outcome = trial.run(workspace)?;
    println!(
        "   {trial}: {:.0} requests/s, p99 {:.1} ms, mean {} MiB",
        outcome.completed_per_s,
        outcome.p99_ms,
        outcome.mean_bytes >> 20
    );
    Ok(outcome)
}

/// All rows, with the size of fixed pools that would have been best.
fn rows(workspace: &Workspace, plan: &Plan, at_once: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &allocator in &plan.allocators {
        for way in &plan.ways {
            let mut row = Row {
                allocator,
                way: *way,
                fixed_percent: 100,
                saturated: Vec::new(),
                paced: Vec::new(),
                lives: None,
                serves: None,
            };
            if *way == Way::FixedBest {
                row.fixed_percent = best_percent(workspace, plan, &row, at_once)?;
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The size with which fixed pools reuse most of those that live under the limit of the hindsight; the smallest, if none
/// does.
fn best_percent(workspace: &Workspace, plan: &Plan, row: &Row, at_once: usize) -> Result<u32> {
    let mut trials = Vec::new();
    for percent in plan::PERCENTS {
        for seed in 1..=plan.hindsight_runs {
            trials.push(Trial {
                fixed_percent: percent,
                ..row.trial(&plan.searched, plan.hindsight_mib, seed)
            });
        }
    }
    println!("   fixed-best with {}: sizes under {} MiB", row.allocator, plan.hindsight_mib);
    let outcomes = demo::run_all(workspace, &trials, at_once)?;
    let runs: Vec<_> = trials.iter().map(|trial| trial.fixed_percent).zip(outcomes).collect();
    Ok(plan::best_of(&runs))
}

impl Row {
    fn trial(&self, run: &plan::Run, limit_mib: u64, seed: u64) -> Trial {
        Trial {
            allocator: self.allocator,
            load: run.load,
            pools: self.way.pools(),
            fixed_percent: self.fixed_percent,
            allocator_defaults: self.way == Way::NoneAsItComes,
            limit_mib,
            seconds: run.seconds,
            rps: plan::RPS,
            seed,
        }
    }

    /// The smallest limit that kills nobody, and the smallest that also has next to all requests completed.
    fn limits(&self, workspace: &Workspace, plan: &Plan) -> Result<(Smallest, Smallest)> {
        let mut run = |limit_mib, seed| self.trial(&plan.searched, limit_mib, seed).run(workspace);
        let lives = search::smallest(&plan.search, |outcome| !outcome.is_killed, &mut run)?;
        if lives.limit_mib.is_none() || lives.completed_share_min >= SERVED_SHARE_MIN {
            return Ok((lives, lives));
        }
        let above = Search { least_mib: lives.limit_mib.unwrap_or(plan.search.least_mib), ..plan.search };
        let serves = |outcome: &Outcome| !outcome.is_killed && outcome.completed_share >= SERVED_SHARE_MIN;
        Ok((lives, search::smallest(&above, serves, &mut run)?))
    }

    fn json(&self) -> Value {
        let all = |of: &[Outcome], figure: fn(&Outcome) -> f64| of.iter().map(figure).collect::<Vec<_>>();
        let limit = |of: &Option<Smallest>| {
            of.as_ref().map(|s| json!({"mib": s.limit_mib, "completed_share": s.completed_share_min, "most_mib": s.most_mib}))
        };
        json!({
            "allocator": self.allocator,
            "pools": self.way.name(),
            "is_pool": self.way.is_pool(),
            "fixed_percent": (self.way == Way::FixedBest).then_some(self.fixed_percent),
            "requests_per_s": all(&self.saturated, |o| o.completed_per_s),
            "p99_ms": all(&self.paced, |o| o.p99_ms),
            "peak_bytes": all(&self.paced, |o| o.peak_bytes as f64),
            "mean_bytes": all(&self.paced, |o| o.mean_bytes as f64),
            "completed_share": all(&self.paced, |o| o.completed_share),
            "killed": self.saturated.iter().chain(&self.paced).filter(|o| o.is_killed).count(),
            "lives": limit(&self.lives),
            "serves": limit(&self.serves),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_fails_for_kills_that_no_slowness_explains() {
        let row = |pools: &str, killed: u64, lives: Option<u64>| {
            json!({"allocator": "glibc", "pools": pools, "killed": killed, "completed_share": [0.1],
                   "lives": {"mib": lives, "completed_share": 0.1, "most_mib": 192}})
        };
        let wrong = |rows: &[Value]| wrong(&json!({"ample_mib": 512, "rows": rows})).unwrap();
        let good = [row("none", 0, None), row("adaptive", 0, Some(192))];
        assert_eq!(wrong(&good), Vec::<String>::new(), "slow, and not wrong");
        assert_eq!(wrong(&[row("none", 1, None)]), ["glibc · none: 1 runs killed under 512 MiB"]);
        assert_eq!(wrong(&[row("adaptive", 0, None)]), ["glibc · adaptive: killed under 192 MiB"]);
    }

    #[test]
    fn rows_measured_anew_take_the_place_of_those_they_repeat() {
        let data = |rounds: u64, rows: &[(&str, u64)]| {
            let row = |(pools, killed): &(&str, u64)| json!({"allocator": "glibc", "pools": pools, "killed": killed});
            json!({"rounds": rounds, "rows": rows.iter().map(row).collect::<Vec<_>>()})
        };
        let known = data(3, &[("none", 1), ("adaptive", 2)]);
        let of = |measured: &Value| replaced(known.clone(), measured).map_err(|error| error.to_string());
        assert_eq!(of(&data(3, &[("adaptive", 7)])), Ok(data(3, &[("none", 1), ("adaptive", 7)])));
        assert!(of(&data(2, &[("adaptive", 7)])).unwrap_err().contains("other settings"));
        assert!(of(&data(3, &[("fixed", 7)])).unwrap_err().contains("no row"));
    }
}

//! `cargo xtask test`: chooses suites, announces them, sums up what they counted.

use crate::counts::Counts;
use crate::machine::{self, Missing};
use crate::suites::{Run, Suite};
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use clap::Args;
use std::time::{Duration, Instant};

/// Which suites, and whether to install what they need.
#[derive(Args)]
pub(crate) struct Options {
    /// Only the suites that answer within minutes: tidy, unit, features, loom with fewer preemptions
    #[arg(long)]
    quick: bool,
    /// First install what is missing on this machine (Debian, as root)
    #[arg(long)]
    install: bool,
    /// Leave a suite out; may be repeated
    #[arg(long, value_name = "SUITE")]
    without: Vec<Suite>,
}

/// What became of one suite.
struct Ended {
    suite: Suite,
    counts: Counts,
    took: Duration,
}

/// Runs the chosen suites; whether all passed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let chosen = choose(options.quick, &options.without)?;
    let missing = machine::missing(&chosen);
    let refusal = if options.install {
        machine::install(&missing).err().map(|error| format!("{error:#}"))
    } else {
        (!missing.is_empty()).then(|| advice(&missing))
    };
    let Some(refusal) = refusal else { return Ok(run_all(workspace, &chosen, options.quick)) };
    let failed = chosen.iter().filter(|suite| missing.iter().any(|m| m.suites.contains(suite))).count();
    println!("{refusal}\nnothing was run");
    println!("{}", Counts { failed: failed as u64, ..Counts::default() });
    Ok(false)
}

fn advice(missing: &[Missing]) -> String {
    missing.iter().map(Missing::advice).collect::<Vec<_>>().join("\n")
}

/// Runs one suite by itself; whether it passed.
pub(crate) fn run_one(workspace: &Workspace, suite: Suite, quick: bool) -> Result<bool> {
    ready(suite)?;
    Ok(run_all(workspace, &[suite], quick))
}

/// Fails if this machine lacks what the suite needs.
pub(crate) fn ready(suite: Suite) -> Result<()> {
    let missing = machine::missing(&[suite]);
    if !missing.is_empty() {
        bail!(advice(&missing));
    }
    Ok(())
}

fn choose(quick: bool, without: &[Suite]) -> Result<Vec<Suite>> {
    let wanted = |suite: &Suite| (!quick || suite.is_quick()) && !without.contains(suite);
    let chosen: Vec<_> = Suite::ALL.into_iter().filter(wanted).collect();
    if chosen.is_empty() {
        bail!("every suite is left out");
    }
    Ok(chosen)
}

/// The suites that are not in `chosen`.
fn left_out(chosen: &[Suite]) -> Vec<&'static str> {
    Suite::ALL.iter().filter(|suite| !chosen.contains(suite)).map(|suite| suite.name()).collect()
}

fn run_all(workspace: &Workspace, chosen: &[Suite], quick: bool) -> bool {
    let without = left_out(chosen);
    let run = Run { workspace, quick, without: without.join(",") };
    let mut ended = Vec::new();
    for (at, &suite) in chosen.iter().enumerate() {
        println!("== {} ({} of {}): {}", suite.name(), at + 1, chosen.len(), suite.about());
        ended.push(run_suite(suite, &run));
        let Ended { counts, took, .. } = &ended[at];
        println!("   {}: {counts} in {:.1} s\n", suite.name(), took.as_secs_f64());
    }
    if chosen.len() > 1 {
        println!("{}", table(&ended));
        if !without.is_empty() {
            println!("left out: {}", without.join(", "));
        }
    }
    let total = total(&ended);
    println!("{total}");
    total.ok()
}

fn run_suite(suite: Suite, run: &Run<'_>) -> Ended {
    let start = Instant::now();
    let mut counts = suite.run(run).unwrap_or_else(|error| {
        println!("   {error:#}");
        Counts::FAIL
    });
    if counts.passed + counts.failed == 0 {
        println!("   {} ran no test at all, which proves nothing", suite.name());
        counts += Counts::FAIL;
    }
    if let (false, Some(hint)) = (counts.ok(), suite.hint()) {
        println!("   {}: {hint}", suite.name());
    }
    Ended { suite, counts, took: start.elapsed() }
}

fn table(ended: &[Ended]) -> String {
    let rows = ended.iter().map(|e| {
        let verdict = if e.counts.ok() { "ok" } else { "FAILED" };
        format!("{:<12}{verdict:<8}{:>7.1} s  {}", e.suite.name(), e.took.as_secs_f64(), e.counts)
    });
    rows.collect::<Vec<_>>().join("\n")
}

fn total(ended: &[Ended]) -> Counts {
    ended.iter().fold(Counts::default(), |mut sum, one| {
        sum += one.counts;
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn suites_are_chosen_by_name() {
        let line =
            Line::try_parse_from(["test", "--without", "browser", "--without", "bench-smoke"]).unwrap();
        let chosen = choose(line.options.quick, &line.options.without).unwrap();
        assert_eq!(chosen.len(), Suite::ALL.len() - 2);
        assert_eq!(left_out(&chosen), ["browser", "bench-smoke"]);
    }

    #[test]
    fn a_typo_is_answered_with_the_name_that_was_meant() {
        let error = Line::try_parse_from(["test", "--without", "brwser"]).err().unwrap().to_string();
        assert!(
            error.contains("similar value exists: 'browser'") && error.contains("bench-smoke"),
            "{error}"
        );
    }

    #[test]
    fn quick_is_the_fast_suites_and_nothing_is_an_error() {
        let chosen = choose(true, &[Suite::Loom]).unwrap();
        assert_eq!(chosen, [Suite::Tidy, Suite::Unit, Suite::Features]);
        assert!(choose(false, &Suite::ALL).is_err());
    }

    #[test]
    fn one_failed_suite_fails_the_total() {
        let row = |suite, counts| Ended { suite, counts, took: Duration::ZERO };
        let good = Counts { passed: 7, failed: 0, skipped: 1 };
        let ended = [row(Suite::Unit, good), row(Suite::Deny, Counts::FAIL)];
        assert_eq!(total(&ended).to_string(), "7 passed, 1 failed, 1 skipped");
        assert!(!total(&ended).ok());
        assert!(table(&ended).contains("deny        FAILED"));
    }
}

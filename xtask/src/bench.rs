//! The benchmarks: run for their figures, briefly to see that they still work, and written up.
//!
//! ```text
//!  peers   ──► target/bench/peers.json   ─┐
//!  pays    ──► target/bench/pays.json    ─┼─► report ──► docs/performance.json ──► docs/performance.md
//!  control ──► target/bench/control.json ─┤
//!  cost    ──► target/bench/cost.json    ─┘
//!    └─► compared with pool-core/benches/cost/recorded.json
//!
//!  limits ──► demo (a binary for each allocator, runs under a real limit) ──► docs/limits.json ──► docs/limits.md
//!  contrast ──► the same, without pools too ────────────────────► docs/contrast.json ──► docs/contrast.md
//! ```

pub(crate) mod contrast;
mod cost;
mod demo;
mod document;
mod figures;
pub(crate) mod limits;
mod prose;
mod report;
mod seam;
mod smoke;

use crate::run::{Job, cargo};
use crate::suites::Suite;
use crate::test;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

pub(crate) use cost::check as cost;
pub(crate) use document::{DATA, DOCUMENT, document};
pub(crate) use report::PEERS;
pub(crate) use smoke::smoke;

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Compare pool-core with its peers and with what was promised; writes target/bench/peers.json
    Peers {
        /// A short run: whether it works, not how fast it is
        #[arg(long)]
        quick: bool,
        /// One row beside the limit, or one part; writes no file. An unknown name lists the known ones
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
    },
    /// Count instructions per pair under callgrind and compare them with the recorded figures
    Cost {
        /// Record what is counted now instead
        #[arg(long)]
        record: bool,
    },
    /// Hold what a pool says of its own worth against a direct comparison; writes target/bench/pays.json
    Pays,
    /// Measure ticks, slices of dropping and creates that take back; puts them into docs/performance.md
    Control,
    /// Write docs/performance.md from what the last full runs of peers, pays, control and cost measured
    Report,
    /// Run the demo under a real memory limit, with each load and allocator, and write docs/limits.md
    ///
    /// Adaptive pools, and beside them the same service with pools of a fixed size, 20 runs of each. As root, or in a user
    /// session of systemd.
    Limits(limits::Options),
    /// Compare the demo without pools, with fixed and with adaptive ones, by allocator, and write docs/contrast.md
    ///
    /// Requests per second, p99, memory, and the smallest real limit that each survives. As root, or in a user session of
    /// systemd.
    Contrast(contrast::Options),
    /// Run peers, pays, control and cost, and write the report: minutes, on a machine that has nothing else to do
    All,
}

/// Whether it ended well. A target of `peers` that is missed is reported, and is no failure.
pub(crate) fn run(workspace: &Workspace, command: &Command) -> Result<bool> {
    match command {
        Command::Peers { quick, only } => peers(*quick, only.as_deref()).passes(workspace),
        Command::Cost { record: false } => test::run_one(workspace, Suite::Cost, false),
        Command::Cost { record: true } => cost::record(workspace),
        Command::Pays => pays().passes(workspace),
        Command::Control => {
            let measured = control().passes(workspace)?;
            if measured {
                report::update_control(workspace)?;
            }
            Ok(measured)
        }
        Command::Report => report::write(workspace).map(|()| true),
        Command::Limits(options) => limits::run(workspace, options),
        Command::Contrast(options) => contrast::run(workspace, options),
        Command::All => {
            let measured = peers(false, None).passes(workspace)?
                && pays().passes(workspace)?
                && control().passes(workspace)?;
            let cost = test::run_one(workspace, Suite::Cost, false)?;
            if measured {
                report::write(workspace)?;
            }
            Ok(measured && cost)
        }
    }
}

/// A benchmark of a package, briefly or in full.
fn job(package: &str, bench: &str, quick: bool) -> Job {
    let job = cargo("bench").args(["-p", package, "--bench", bench]);
    if quick { job.args(["--", "--quick"]) } else { job }
}

fn peers(quick: bool, only: Option<&str>) -> Job {
    let mut job = job("pool-core", "peers", quick).limit(Duration::from_secs(3600));
    if let Some(name) = only {
        job = if quick { job } else { job.arg("--") };
        job = job.args(["--only", name]);
    }
    job
}

fn pays() -> Job {
    job("pool-core", "pays", false)
}

fn control() -> Job {
    job("pool-controller", "control", false)
}

/// Writes figures and the page that is made of them.
fn write(workspace: &Workspace, data: (&str, &Value), page: (&str, String)) -> Result<()> {
    for (path, text) in [(data.0, serde_json::to_string_pretty(data.1)? + "\n"), page] {
        std::fs::write(workspace.root.join(path), text)
            .with_context(|| format!("{path} cannot be written"))?;
        println!("written: {path}");
    }
    Ok(())
}

fn read_json(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_the_benchmark_come_after_two_dashes_once() {
        let shown = |quick, only| peers(quick, only).to_string();
        let base = "cargo bench -p pool-core --bench peers";
        assert_eq!(shown(false, None), base);
        assert_eq!(shown(true, None), format!("{base} -- --quick"));
        assert_eq!(shown(false, Some("ours")), format!("{base} -- --only ours"));
        assert_eq!(shown(true, Some("ours")), format!("{base} -- --quick --only ours"));
    }
}

//! Chaos runs against the demo: scenarios from files, the demo's service and load as the process under test.

mod progress;
mod target;

use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::units::exact_size;
use pool_chaos::broken::Broken;
use pool_chaos::runner::{self, Options, Report, Verdict};
use pool_chaos::scenario::Scenario;
use progress::Display;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use target::Demos;

/// What a chaos run is told.
#[derive(Clone, Debug)]
pub(crate) struct ChaosOptions {
    /// The scenario.
    pub(crate) file: PathBuf,
    /// The memory limit of the services; `None`: the usual one, within what the scenario requires.
    pub(crate) limit_bytes: Option<u64>,
    /// Nothing enforces the limit.
    pub(crate) simulated: bool,
    /// How long services run before checks begin.
    pub(crate) warm_up: Duration,
    /// Which builds.
    pub(crate) builds: Builds,
    /// Where the report goes as JSON.
    pub(crate) json: Option<JsonTo>,
}

/// Which builds of the service a scenario is run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builds {
    /// The one that ships.
    Shipping,
    /// One with a defect.
    Broken(Broken),
    /// The one that ships, which must pass, and every broken one that the scenario names, which must fail.
    All,
}

/// Where JSON goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JsonTo {
    /// To stdout, in place of the table.
    Stdout,
    /// To a file, beside the table.
    File(PathBuf),
}

/// The limit of the demo: its load needs about two thirds of it.
const LIMIT_BYTES: u64 = 192 << 20;

/// Runs a scenario; returns the exit status: 0 passed, 1 failed, 3 nothing is proven.
///
/// # Errors
/// [`Failure::Usage`] if the scenario is none or the services cannot start.
pub(crate) async fn run(options: ChaosOptions) -> Result<u8, Failure> {
    let mut interruption =
        Interruption::new().map_err(|e| Failure::usage(format!("cannot catch signals: {e}")))?;
    let scenario = Scenario::from_file(&options.file).map_err(Failure::usage)?;
    let limit_bytes = limit_bytes(&options, &scenario)?;
    check_json(&options)?;
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupt);
    tokio::spawn(async move {
        interruption.comes().await;
        flag.store(true, Relaxed);
        eprintln!("interrupted: disarming");
        // The services end with this process, and with them whatever is armed in them.
        interruption.comes().await;
        std::process::exit(3);
    });
    let mut demos = Demos::new(limit_bytes, options.simulated);
    let mut runs = Vec::new();
    for build in builds(options.builds, &scenario) {
        if interrupt.load(Relaxed) {
            break;
        }
        let mut display = Display::new(build);
        let run = Options {
            limit_bytes,
            warm_up: options.warm_up,
            route_timeout: runner::ROUTE_TIMEOUT,
            broken: build,
            interrupt: Arc::clone(&interrupt),
            progress: &mut |progress| display.show(progress),
        };
        let report = runner::run(&scenario, &mut demos, run).await;
        display.end();
        let report = report.map_err(Failure::usage)?;
        if options.json != Some(JsonTo::Stdout) {
            println!("{report}");
        }
        runs.push(report);
    }
    conclude(&options, &runs)
}

fn limit_bytes(options: &ChaosOptions, scenario: &Scenario) -> Result<u64, Failure> {
    let max = scenario.limit_max_bytes.unwrap_or(u64::MAX);
    let limit = options.limit_bytes.unwrap_or(LIMIT_BYTES.min(max));
    if limit > max {
        return Err(Failure::usage(format!(
            "--limit {}: the scenario requires a limit of at most {}",
            exact_size(limit),
            exact_size(max)
        )));
    }
    Ok(limit)
}

/// A report that cannot be written is an error now, not after minutes.
fn check_json(options: &ChaosOptions) -> Result<(), Failure> {
    let Some(JsonTo::File(path)) = &options.json else { return Ok(()) };
    std::fs::File::create(path)
        .map(drop)
        .map_err(|e| Failure::usage(format!("--json {}: cannot be written: {e}", path.display())))
}

fn builds(builds: Builds, scenario: &Scenario) -> Vec<Option<Broken>> {
    match builds {
        Builds::Shipping => vec![None],
        Builds::Broken(broken) => vec![Some(broken)],
        Builds::All => {
            std::iter::once(None).chain(scenario.must_fail_with.iter().copied().map(Some)).collect()
        }
    }
}

fn conclude(options: &ChaosOptions, runs: &[Report]) -> Result<u8, Failure> {
    let status = match options.builds {
        Builds::All => {
            let (status, lines) = as_they_must(runs);
            if options.json != Some(JsonTo::Stdout) {
                print!("{lines}");
            }
            status
        }
        Builds::Shipping | Builds::Broken(_) => runs.first().map_or(3, Report::exit_status),
    };
    let json = match (options.builds, runs) {
        (Builds::Shipping | Builds::Broken(_), [one]) => json!(one),
        _ => json!({"as_they_must": status == 0, "runs": runs}),
    };
    match &options.json {
        None => {}
        Some(JsonTo::Stdout) => println!("{json}"),
        Some(JsonTo::File(path)) => std::fs::write(path, format!("{json}\n"))
            .map_err(|e| Failure::run(format!("--json {}: cannot be written: {e}", path.display())))?,
    }
    Ok(status)
}

/// Whether the build that ships passed and every broken one failed, and a line for each.
fn as_they_must(runs: &[Report]) -> (u8, String) {
    let mut lines = String::new();
    let mut status = 0;
    for run in runs {
        let verdict = run.judgement.verdict;
        let (name, must, does) = match run.broken {
            None => ("as it ships", "pass", verdict == Verdict::Pass),
            Some(broken) => (broken.as_str(), "fail", verdict.is_failure()),
        };
        let mark = if does { "as it must" } else { "NOT AS IT MUST" };
        lines += &format!("  {name:26} must {must}: {:14} {mark}\n", verdict.as_str());
        if !does {
            let unproven = verdict == Verdict::Inconclusive;
            status = if unproven { status.max(3) } else { 1 };
        }
    }
    (status, lines)
}

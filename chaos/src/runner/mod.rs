//! Drives a target and its control run through a scenario, and judges what it saw.
//!
//! ```text
//! launch ─► warm up ─► hypothesis ─► method (fault on) ─► rollbacks ─► hypothesis ─► recovery ─► judge
//!           └──────────────── both processes are looked at every 500 ms ───────────────┘
//! ```
//! The control run has the same seed and no fault, and runs at the same time, so that both meet the same noise
//! of the machine. Rollbacks run whatever happened: a stop condition, an error, Ctrl-C. If the runner itself
//! dies, the faults end by their time-to-live. How a target is started is behind [`Launcher`].

mod arming;
mod checks;
mod http;
mod judge;
#[cfg(test)]
mod judge_tests;
mod look;
mod measure;
mod recovery;
mod report;
mod run;
mod sample;
mod target;

pub use checks::{CheckReport, CheckState};
pub use judge::{Judgement, Verdict, judge};
pub use report::{Report, Summary};
pub use sample::{
    GetsReading, MemoryReading, PoolReading, PoolsReading, Recording, Sample, SuspectReading, Trace,
};
pub use target::{Launcher, LiveTarget, LoadReading, Role, Target, TargetSpec};

use crate::broken::Broken;
use crate::scenario::Scenario;
use run::{Flow, Run};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How long a route may take, usually.
pub const ROUTE_TIMEOUT: Duration = Duration::from_secs(2);

/// How a run is done.
pub struct Options<'a> {
    /// The memory limit of the processes, bytes.
    pub limit_bytes: u64,
    /// How long they serve before checks begin.
    pub warm_up: Duration,
    /// How long a route may take at a look before its answer counts as missing; [`ROUTE_TIMEOUT`] unless there is
    /// a reason. Longer than the time between two looks: a slow answer is late, a hung one is none.
    pub route_timeout: Duration,
    /// The defect of the subject.
    pub broken: Option<Broken>,
    /// Set it to end the run early, with its rollbacks.
    pub interrupt: Arc<AtomicBool>,
    /// Told what is going on.
    pub progress: &'a mut dyn FnMut(&Progress<'_>),
}

/// What is going on.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A part of the run began.
    Phase(&'a str),
    /// A look was taken.
    Look(&'a Recording),
}

/// Runs a scenario.
///
/// # Errors
/// A process could not be started, or it is not what the scenario requires. No fault is armed then.
pub async fn run<'a>(
    scenario: &'a Scenario,
    launcher: &mut impl Launcher,
    options: Options<'a>,
) -> Result<Report, String> {
    let mut run = Run::begin(scenario, launcher, options).await?;
    let warm = run.warm_up().await;
    if warm.is_ok() && run.carry_out().await == Flow::Go {
        run.watch_recovery().await;
    }
    let report = warm.map(|()| run.report());
    run.end().await;
    report
}

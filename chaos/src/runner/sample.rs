//! One look at a process under test: what its admin routes and its load said.
//!
//! Only what checks need is taken; the routes may say more.

use super::target::LoadReading;
use crate::faults::FaultsStatus;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// One look. A part is `None` if it was not to be had.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Since the start of the run.
    pub at: Duration,
    /// `/v1/memory`.
    pub memory: Option<MemoryReading>,
    /// `/v1/pools?snapshot=stopped`, if the snapshot was consistent.
    pub pools: Option<BTreeMap<String, PoolReading>>,
    /// `/v1/faults`.
    pub faults: Option<FaultsStatus>,
    /// The load's counts.
    pub load: Option<LoadReading>,
}

/// All looks at one process, and its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// In order of time.
    pub samples: Vec<Sample>,
    /// When and how it died, if it did.
    pub death: Option<(Duration, String)>,
}

/// Both processes of a run, looked at at the same times, and when things were done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The process that got the fault.
    pub subject: Trace,
    /// The one that did not; `None` if there is none.
    pub control: Option<Trace>,
    /// When warming up ended: checks begin.
    pub steady_at: Duration,
    /// When the method began.
    pub armed_at: Option<Duration>,
    /// When the rollbacks ended.
    pub disarmed_at: Option<Duration>,
    /// Probes of the hypothesis that did not hold before the method, with what was found.
    pub unsteady_before: Vec<String>,
    /// The same after the rollbacks.
    pub unsteady_after: Vec<String>,
    /// Why the method could not be carried out.
    pub method_problem: Option<String>,
    /// Why the rollbacks could not be carried out.
    pub rollback_problem: Option<String>,
    /// Somebody ended the run.
    pub interrupted: bool,
}

/// What is read of `/v1/memory`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct MemoryReading {
    /// Whether usage and limit are to be believed.
    pub valid: bool,
    /// The limit, bytes.
    pub limit_bytes: Option<u64>,
    /// In use, bytes.
    pub usage_bytes: Option<u64>,
    /// Highest usage so far, bytes.
    pub peak_bytes: u64,
    /// Kills by the kernel.
    pub oom_kills: u64,
    /// Bytes that are lent.
    pub pools_lent_bytes: u64,
    /// Knobs that went back on themselves, cumulative.
    pub knob_reversals: u64,
}

/// What is read of `/v1/pools`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct PoolsReading {
    /// Whether all figures are from one moment.
    pub consistent: bool,
    /// By name.
    pub pools: BTreeMap<String, PoolReading>,
}

/// One pool.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct PoolReading {
    /// The ledger: 0, or objects are missing or too many.
    pub imbalance: i64,
    /// Objects found in two places.
    pub double_handout: u64,
    /// Idle bytes.
    pub idle_bytes: u64,
    /// Lent bytes.
    pub lent_bytes: u64,
    /// Idle bytes that it may hold.
    pub capacity_bytes: u64,
    /// Leases that are counted as lost.
    pub lost_estimate: u64,
    /// Gets by outcome.
    pub gets_total: GetsReading,
    /// Sites with leases that are out for too long.
    #[serde(default)]
    pub suspects: Vec<SuspectReading>,
}

/// Gets by outcome, cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct GetsReading {
    /// From the thread's own magazine.
    pub hit: u64,
    /// From the depot.
    pub refill: u64,
    /// Created.
    pub created: u64,
}

/// A suspected site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SuspectReading {
    /// `file:line:column`.
    pub site: String,
    /// Leases that are out for too long.
    pub count: u64,
}

impl Trace {
    /// The newest sample at or before `at`.
    pub(super) fn index_at(&self, at: Duration) -> Option<usize> {
        self.samples.partition_point(|sample| sample.at <= at).checked_sub(1)
    }
}

impl Recording {
    /// The index of the newest look.
    pub(super) fn newest(&self) -> Option<usize> {
        self.subject.samples.len().checked_sub(1)
    }

    /// The time of a look.
    pub(super) fn time(&self, index: usize) -> Duration {
        self.subject.samples[index].at
    }
}

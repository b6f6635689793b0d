//! What a controller publishes after each tick: plain figures, with the field names that the routes serve.

use crate::canary::CanaryStatus;
use crate::config::ConfigStatus;
use crate::decide::{Inputs, Plan, PoolName, Pressure, State};
use crate::overrides::Override;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One tick as seen from outside. Serialised, it is the event of the event stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Memory and decisions, as `GET /v1/memory` serves them.
    pub memory: MemoryStatus,
    /// The pools in short, in the order of their registration.
    pub pools: Vec<PoolBrief>,
    /// What the plan was made of, as `GET /v1/inputs` serves it.
    #[serde(skip)]
    pub inputs: Option<Inputs>,
    /// What people have set by hand, as `GET /v1/overrides` serves it.
    pub overrides: Vec<Override>,
    /// Pools that have a canary beside them, as `GET /v1/canaries` serves them.
    pub canaries: Vec<CanaryStatus>,
    /// The plan of this tick; `None` while nothing decides.
    #[serde(skip)]
    pub plan: Option<Plan>,
    /// Decisions by the label of their first reason, cumulative.
    #[serde(skip)]
    pub decisions_by_reason: BTreeMap<&'static str, u64>,
    /// The configuration in force, as `GET /healthz` serves it; `None` without one.
    #[serde(skip)]
    pub config: Option<Arc<ConfigStatus>>,
    /// How long this tick took.
    #[serde(skip)]
    pub tick_time: Duration,
}

impl Status {
    /// The pool of that name, which probably stands there: nobody has to search for each of thousands.
    pub(crate) fn brief(&self, at: usize, name: &str) -> Option<&PoolBrief> {
        let is_it = |brief: &&PoolBrief| brief.name == name;
        self.pools.get(at).filter(is_it).or_else(|| self.pools.iter().find(is_it))
    }
}

/// Memory and decisions. Bytes unless named otherwise; a figure that is not known is `null`, never 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryStatus {
    /// Milliseconds since the controller started.
    pub at_ms: u64,
    /// Ticks so far.
    pub tick: u64,
    /// `observe`, `enforce`, `frozen` or `off`.
    pub mode: &'static str,
    /// The policy's name.
    pub policy: &'static str,
    /// Where limit and usage are read: `cgroup-v1`, `cgroup-v2`, `hybrid`, `process`, `simulated`.
    pub source: &'static str,
    /// The allocator whose free memory is counted and asked for: `glibc`, `jemalloc`, `mimalloc`, `unknown`, or the name
    /// of one that the builder was given.
    pub allocator: &'static str,
    /// The limit that binds. Without a limit of its own, what this process could grow to on this machine.
    pub limit_bytes: Option<u64>,
    /// `real`: a group's limit; `simulated`: nothing is killed at it; `none`: the machine is the limit.
    pub limit_kind: &'static str,
    /// What counts against the limit, without clean page cache.
    pub usage_bytes: Option<u64>,
    /// Resident memory of this process.
    pub rss_bytes: Option<u64>,
    /// The highest usage that the controller or the kernel has seen, page cache included where the kernel counts.
    pub peak_bytes: u64,
    /// Processes of the group that were killed for memory since the controller started.
    pub oom_kills: u64,
    /// Whether limit and usage of this tick can be used.
    pub valid: bool,
    /// If not, why.
    pub invalid_reason: Option<String>,
    /// How near the limit usage is.
    pub state: State,
    /// The highest part of the pressure, 0 to 1.
    pub pressure: f64,
    /// The pressure by what it is made of.
    pub pressure_parts: Pressure,
    /// How late things were, and what they waited for.
    pub pause: PauseStatus,
    /// Whether what pools give up leaves the process.
    pub is_reclaimable: bool,
    /// Where states are entered.
    pub watermarks: Option<Watermarks>,
    /// Idle bytes that all pools together may hold; `null` if the policy sets no budget.
    pub budget_bytes: Option<u64>,
    /// What creates may still take, negative when they went on without; `null` without a grant.
    pub grant_bytes: Option<i64>,
    /// Creates that went on although the grant was used up and nothing idle was left.
    pub grant_exceeded_total: u64,
    /// Idle bytes taken back, by trims and by creates.
    pub reclaimed_bytes_total: u64,
    /// Idle in pools now.
    pub pools_idle_bytes: u64,
    /// Lent by pools now.
    pub pools_lent_bytes: u64,
    /// The most that was lent at a tick.
    pub lent_peak_bytes: u64,
    /// Usage that is in no pool.
    pub other_bytes: u64,
    /// Plans that changed something, or would have.
    pub decisions_total: u64,
    /// The last of them.
    pub last_decision: Option<Decision>,
    /// How often the most restless capacity has turned around.
    pub knob_reversals: u64,
}

/// Pauses of the last two seconds. A figure that is not known is `null`, never 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PauseStatus {
    /// By how much a timer was late, the 99th percentile, ms.
    pub lag_p99_ms: Option<f64>,
    /// What a create took, the 99th percentile of those that were timed, ms.
    pub create_p99_ms: Option<f64>,
    /// The share of the time in which some task waited for memory, 0 to 1.
    pub psi_some_ratio: Option<f64>,
    /// Whether that is of the own group; otherwise of the whole machine.
    pub psi_is_own: bool,
    /// Pages per second that had to be read before work could go on.
    pub major_faults_per_s: Option<f64>,
    /// Lags are the doing of others who use the processors, or of the group's share of them.
    pub cpu_is_taken: bool,
}

/// Usage at which each state is entered, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Watermarks {
    /// .85 of the limit.
    pub elevated: u64,
    /// .92 of the limit.
    pub high: u64,
    /// .96 of the limit.
    pub critical: u64,
}

/// A decision that changed something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Milliseconds since the controller started.
    pub at_ms: u64,
    /// The state it was made in.
    pub state: State,
    /// Why.
    pub reason: String,
}

/// A pool in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoolBrief {
    /// The name.
    pub name: PoolName,
    /// Idle bytes.
    pub idle_bytes: u64,
    /// Lent bytes.
    pub lent_bytes: u64,
    /// Idle bytes that it may hold.
    pub capacity_bytes: u64,
    /// The share of gets that reused an object, since the start; `null` before the first get.
    pub hit_ratio: Option<f64>,
    /// Leases that seem to be lost.
    pub lost_estimate: u64,
}

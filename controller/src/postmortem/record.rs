//! One record: what was seen and decided at a tick.

use crate::decide::{Plan, State};
use crate::status::Status;
use serde::{Deserialize, Serialize};

/// Pools that a record names: those that hold the most.
const POOLS_MAX: usize = 5;
/// The longest text of reasons.
const REASONS_CHARS_MAX: usize = 240;

/// What was seen and decided at one tick. Bytes unless named otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// Milliseconds since the controller started.
    pub at_ms: u64,
    /// The number of the tick.
    pub tick: u64,
    /// The mode.
    pub mode: String,
    /// The state.
    pub state: State,
    /// The limit that binds.
    pub limit_bytes: Option<u64>,
    /// What counts against it.
    pub usage_bytes: Option<u64>,
    /// Resident memory of the process.
    pub rss_bytes: Option<u64>,
    /// Why limit or usage could not be used; empty if they could.
    pub invalid: String,
    /// Of usage, waiting and lateness, 0 to 1.
    pub pressure: [f64; 3],
    /// What all pools together may hold idle.
    pub budget_bytes: Option<u64>,
    /// What creates may still take.
    pub grant_bytes: Option<i64>,
    /// Creates that went on without a grant, cumulative.
    pub grant_exceeded_total: u64,
    /// Idle in pools.
    pub idle_bytes: u64,
    /// Lent by pools.
    pub lent_bytes: u64,
    /// Processes of the group killed for memory, cumulative.
    pub oom_kills: u64,
    /// Which group binds.
    pub level: String,
    /// Why the plan was what it was.
    pub reasons: String,
    /// The pools that hold the most, the largest first.
    pub pools: Vec<PoolRecord>,
}

/// One pool of a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolRecord {
    /// The name.
    pub name: String,
    /// Idle bytes.
    pub idle_bytes: u64,
    /// Lent bytes.
    pub lent_bytes: u64,
    /// Idle bytes that it may hold.
    pub capacity_bytes: u64,
    /// Leases that seem to be lost.
    pub lost: u64,
}

impl Record {
    pub(crate) fn of(status: &Status, level: &str) -> Self {
        let memory = &status.memory;
        let parts = memory.pressure_parts;
        let mut pools: Vec<_> = status.pools.iter().collect();
        pools.sort_by_key(|pool| std::cmp::Reverse(pool.idle_bytes.saturating_add(pool.lent_bytes)));
        let pool = |pool: &&crate::status::PoolBrief| PoolRecord {
            name: pool.name.as_str().to_owned(),
            idle_bytes: pool.idle_bytes,
            lent_bytes: pool.lent_bytes,
            capacity_bytes: pool.capacity_bytes,
            lost: pool.lost_estimate,
        };
        Self {
            unix_ms: super::unix_ms(),
            at_ms: memory.at_ms,
            tick: memory.tick,
            mode: memory.mode.to_owned(),
            state: memory.state,
            limit_bytes: memory.limit_bytes,
            usage_bytes: memory.usage_bytes,
            rss_bytes: memory.rss_bytes,
            invalid: memory.invalid_reason.clone().unwrap_or_default(),
            pressure: [parts.memory, parts.psi, parts.pause],
            budget_bytes: memory.budget_bytes,
            grant_bytes: memory.grant_bytes,
            grant_exceeded_total: memory.grant_exceeded_total,
            idle_bytes: memory.pools_idle_bytes,
            lent_bytes: memory.pools_lent_bytes,
            oom_kills: memory.oom_kills,
            level: level.to_owned(),
            reasons: status.plan.as_ref().map(reasons).unwrap_or_default(),
            pools: pools.iter().take(POOLS_MAX).map(pool).collect(),
        }
    }

    /// Usage as a share of the limit.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let (usage, limit) = (self.usage_bytes? as f64, self.limit_bytes? as f64);
        (limit > 0.0).then(|| usage / limit)
    }
}

fn reasons(plan: &Plan) -> String {
    let text = plan.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    text.chars().take(REASONS_CHARS_MAX).collect()
}

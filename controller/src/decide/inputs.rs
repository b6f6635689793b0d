//! What a policy knows: plain numbers of one moment, which may be written down and read again.

use super::PoolName;
use serde::{Deserialize, Serialize};

/// What a policy knows: plain numbers of one moment. `None` is a reading that must not be used, never a zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inputs {
    /// The limit that binds, bytes.
    pub limit_bytes: Option<u64>,
    /// What counts against it, without clean page cache, bytes. Read at the same moment as the limit.
    pub usage_bytes: Option<u64>,
    /// Resident memory of this process, bytes.
    pub rss_bytes: Option<u64>,
    /// Which cgroup binds. When it changes, limit and usage jump to another pair.
    pub level: String,
    /// Processes that were killed for memory and reclaims that failed, cumulative.
    pub oom_total: u64,
    /// How often the group ran into its limit, cumulative.
    pub max_total: u64,
    /// What creates may still take, bytes; negative when they went on without. `None` without a grant.
    pub grant_left_bytes: Option<i64>,
    /// Bytes that are free and that the allocator of this process keeps, if it says; resident or not, as allocators differ
    /// in that.
    pub heap_free_bytes: Option<u64>,
    /// What was left of them when the allocator was last asked to give free memory back: blocks without pages.
    pub heap_clean_bytes: u64,
    /// Times that the allocator was asked.
    pub purges_total: u64,
    /// The share of the last two seconds in which some task of the group waited for memory, 0 to 1.
    pub psi_some_ratio: Option<f64>,
    /// How late things were in the last two seconds.
    pub pause: PauseInputs,
    /// One entry a pool, in the order of registration.
    pub pools: Vec<PoolInputs>,
}

/// Pauses: what work in this process waits for, apart from its own. All of the last two seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PauseInputs {
    /// By how much a timer was late, the 99th percentile, ns: of a thread of its own or of the service's runtime,
    /// whichever is worse.
    pub lag_p99_ns: Option<u64>,
    /// The same, the 95th percentile, ns.
    pub lag_p95_ns: Option<u64>,
    /// The share of the time for which timers were overdue, 0 to 1.
    pub lag_ratio: Option<f64>,
    /// What a create took, the 99th percentile of those that were timed, ns.
    pub create_p99_ns: Option<u64>,
    /// The processor was not ours to have: the group's share was throttled, or threads of this process waited for
    /// a processor that others used. Lags say nothing of memory then.
    pub cpu_is_taken: bool,
}

/// One pool at that moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolInputs {
    /// The name, unique.
    pub name: PoolName,
    /// Idle objects.
    pub idle_objects: u64,
    /// Their bytes.
    pub idle_bytes: u64,
    /// Lent objects.
    pub lent_objects: u64,
    /// Their bytes when they were lent.
    pub lent_bytes: u64,
    /// Gets, cumulative.
    pub gets_total: u64,
    /// Those of them for which an object was created, cumulative.
    pub created_total: u64,
    /// Creates that one more magazine of capacity would have saved, cumulative.
    pub ghost_hits_total: u64,
    /// What serving a get from the pool saves against a create, ns, if it was measured.
    pub saved_ns: Option<f64>,
    /// What an object weighs on the average, bytes.
    pub expected_weight_bytes: u64,
    /// Idle bytes that the pool may hold now.
    pub capacity_bytes: u64,
    /// Idle objects that the pool may hold: its owner's bound, which policies leave alone.
    pub capacity_objects: u64,
    /// The share of surplus objects that a cycle evicts, as the pool was built, 0 to 1.
    pub evict_ratio: f64,
    /// Time between two cycles as the pool was built, ms.
    pub cycle_ms: u64,
    /// The longest turn of dropping as the pool was built, µs.
    pub slice_us: u64,
    /// Bytes that the pool keeps before others get any.
    pub floor_bytes: u64,
    /// How much its demand counts, 1 to 10,000; 100 is usual.
    pub weight: u32,
    /// A person or an operator has set the capacity: policies plan around it.
    pub pinned: bool,
    /// Sites with leases that are out for too long.
    pub suspect_sites: u64,
}

/// A pool that holds nothing and was never used, with the knobs that pools are built with.
impl Default for PoolInputs {
    fn default() -> Self {
        Self {
            name: PoolName::default(),
            idle_objects: 0,
            idle_bytes: 0,
            lent_objects: 0,
            lent_bytes: 0,
            gets_total: 0,
            created_total: 0,
            ghost_hits_total: 0,
            saved_ns: None,
            expected_weight_bytes: 0,
            capacity_bytes: 0,
            capacity_objects: 0,
            evict_ratio: 1.0,
            cycle_ms: 10_000,
            slice_us: 1000,
            floor_bytes: 0,
            weight: 100,
            pinned: false,
            suspect_sites: 0,
        }
    }
}

//! What happens to a plant, whoever says so: a scenario, or what was recorded of a live service.

use super::demand::seconds;
use super::plant::Process;
use super::scenario::{Allocator, LIMIT_BYTES, PoolSpec, Readings, Scenario, Trouble, share, whole};
use pool_controller::decide::{Inputs, PauseInputs};
use std::fmt;

/// A process's pool as the plant finds it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Start {
    pub(super) name: String,
    /// What an object usually weighs, bytes.
    pub(super) weight: u64,
    /// What one weighs at least.
    pub(super) least_weight: u64,
    /// What a reuse saves, ns.
    pub(super) saved_ns: f64,
    /// Whether a controller knows that.
    pub(super) is_measured: bool,
    /// What it may hold before anybody decides, bytes.
    pub(super) capacity_bytes: u64,
    /// Objects that it may hold, whoever steers.
    pub(super) objects_max: u64,
    pub(super) idle: u64,
    pub(super) lent: u64,
    /// Idle objects that a get cannot reach, since they lie with other threads, in a pool with room for
    /// `out_of_reach_room` objects; in one with less room, as large a part of them.
    pub(super) out_of_reach: u64,
    pub(super) out_of_reach_room: u64,
    pub(super) floor_bytes: u64,
    /// How much its demand counts; 100 is usual.
    pub(super) priority: u32,
    pub(super) is_pinned: bool,
}

impl Start {
    /// A pool that holds nothing yet.
    pub(super) fn of(spec: &PoolSpec, capacity_bytes: u64) -> Self {
        Self {
            name: spec.name.to_owned(),
            weight: spec.weight_bytes,
            least_weight: spec.weight_bytes,
            saved_ns: spec.saved_ns,
            is_measured: true,
            capacity_bytes,
            objects_max: super::pool::OBJECTS_MAX,
            idle: 0,
            lent: 0,
            out_of_reach: 0,
            out_of_reach_room: 1,
            floor_bytes: 0,
            priority: 100,
            is_pinned: false,
        }
    }
}

/// All that happens to a plant, by step. Demand is apart: it is the same for all who want to be compared.
pub(super) trait World: fmt::Debug {
    /// Processes in the group, each with its pools and its controller.
    fn processes(&self) -> u32 {
        1
    }

    /// The pools of each process.
    fn starts(&self) -> Vec<Start>;

    /// Seconds at the start in which hits do not count yet.
    fn warm_up_s(&self) -> u32;

    /// What becomes of freed memory.
    fn allocator(&self) -> Allocator;

    /// The limit, bytes.
    fn limit_bytes(&self, step: usize) -> u64;

    /// A usage above this is killed, bytes.
    fn kills_above_bytes(&self, step: usize) -> u64;

    /// The highest limit, bytes.
    fn limit_max_bytes(&self) -> u64;

    /// Usage beside the pools of all processes and their allocators, without clean page cache, bytes. Less than nothing
    /// where what the pools count was not all resident.
    fn others_bytes(&self, step: usize) -> i64;

    /// Clean page cache, bytes; it gives way to anything.
    fn cache_bytes(&self, _step: usize) -> u64 {
        0
    }

    /// Lateness, and the share of the last two seconds in which something waited for memory, if tasks waited for the
    /// kernel's reclaim in a share `waited` of it.
    fn pauses(&self, step: usize, waited: f64) -> (PauseInputs, Option<f64>);

    /// What changes in a process by itself before a step: what objects weigh, what the allocator lets go.
    fn change(&self, _step: usize, _process: &mut Process) {}

    /// Takes away what could not be read.
    fn hide(&self, _step: usize, _inputs: &mut Inputs) {}

    /// What an object that is lent weighs, bytes.
    fn lent_weight(&self, step: usize, pool: usize) -> u64;

    /// When the disturbance begins and, if it does, ends, seconds.
    fn disturbance(&self) -> Option<(f64, Option<f64>)>;

    /// What is wrong with readings.
    fn readings(&self) -> Readings {
        Readings { noise: 0.0, delay_ms: 0, unmatched_ticks: 1, fault: None }
    }

    /// What is wrong with the controller.
    fn trouble(&self) -> Trouble {
        Trouble::None
    }
}

impl World for Scenario {
    fn processes(&self) -> u32 {
        self.processes
    }

    fn starts(&self) -> Vec<Start> {
        self.pools.iter().map(|spec| Start::of(spec, self.usual_capacity(spec))).collect()
    }

    fn warm_up_s(&self) -> u32 {
        self.warm_up_s
    }

    fn allocator(&self) -> Allocator {
        self.allocator
    }

    fn limit_bytes(&self, step: usize) -> u64 {
        Self::limit_bytes(self, seconds(step))
    }

    fn kills_above_bytes(&self, step: usize) -> u64 {
        World::limit_bytes(self, step).max(LIMIT_BYTES)
    }

    fn limit_max_bytes(&self) -> u64 {
        LIMIT_BYTES
    }

    fn others_bytes(&self, step: usize) -> i64 {
        i64::try_from(Self::others_bytes(self, seconds(step))).unwrap_or(i64::MAX)
    }

    fn cache_bytes(&self, step: usize) -> u64 {
        share(self.cache.at(seconds(step)))
    }

    /// Lateness by the scenario, and of tasks that wait for the kernel's reclaim: a tenth of a second at most.
    fn pauses(&self, step: usize, waited: f64) -> (PauseInputs, Option<f64>) {
        let lag_ms = self.lag_ms.at(seconds(step)) + 100.0 * waited;
        let ns = |ms: f64| Some(whole(ms * 1e6));
        let pause = PauseInputs {
            lag_p99_ns: ns(lag_ms),
            lag_p95_ns: ns(lag_ms * 0.6),
            lag_ratio: Some((lag_ms / 250.0).min(1.0)),
            create_p99_ns: ns(0.1 + lag_ms / 10.0),
            cpu_is_taken: false,
        };
        (pause, Some(waited))
    }

    fn lent_weight(&self, _step: usize, pool: usize) -> u64 {
        self.pools[pool].weight_bytes
    }

    fn disturbance(&self) -> Option<(f64, Option<f64>)> {
        self.disturbance
    }

    fn readings(&self) -> Readings {
        self.readings
    }

    fn trouble(&self) -> Trouble {
        self.controller
    }
}

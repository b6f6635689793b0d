//! What a policy wants: budget, grant, and of each pool the knobs that it moves.

use super::state::State;
use super::{Inputs, PoolName, Reason};
use serde::Serialize;

/// What a policy wants.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// How near the limit usage is.
    pub state: State,
    /// The same as numbers, by what they are made of.
    pub pressure: Pressure,
    /// Idle bytes that all pools together may hold. `None`: this policy sets no budget.
    pub budget_bytes: Option<u64>,
    /// Bytes that creates may take until the next plan. `None`: any number.
    pub grant_bytes: Option<u64>,
    /// One entry a pool of the inputs, in their order.
    pub pools: Vec<PoolPlan>,
    /// The allocator should give free memory back to the kernel.
    pub purge: bool,
    /// Whether what pools give up leaves the process. If not, taking more from them helps nobody, and only less work
    /// does.
    pub is_reclaimable: bool,
    /// Why; at least one, the most important first.
    pub reasons: Vec<Reason>,
}

impl Plan {
    /// A plan that leaves every knob as it is and grants without limit.
    #[must_use]
    pub fn unchanged(inputs: &Inputs, reason: Reason) -> Self {
        let pools = inputs.pools.iter().map(|pool| PoolPlan::unchanged(&pool.name)).collect();
        Self {
            state: State::Normal,
            pressure: Pressure::default(),
            is_reclaimable: true,
            budget_bytes: None,
            grant_bytes: None,
            pools,
            purge: false,
            reasons: vec![reason],
        }
    }
}

/// How near trouble is, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pressure {
    /// Of usage: 0 at .80 of the limit or below, 1 at .95 or above.
    pub memory: f64,
    /// Of waiting for memory: 1 when some task waited for a fifth of the time.
    pub psi: f64,
    /// Of lateness: 0 up to 5 ms, 1 at 50 ms.
    pub pause: f64,
}

impl Pressure {
    /// The highest of them.
    ///
    /// ```
    /// use pool_controller::decide::Pressure;
    /// assert_eq!(Pressure { memory: 0.25, psi: 0.5, pause: 0.0 }.highest(), 0.5);
    /// ```
    #[must_use]
    pub const fn highest(self) -> f64 {
        self.memory.max(self.psi).max(self.pause)
    }
}

/// What a plan wants of one pool. `None`: leave the knob alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PoolPlan {
    /// The pool's name.
    pub name: PoolName,
    /// Idle bytes that it may hold.
    pub capacity_bytes: Option<u64>,
    /// Idle objects that it may hold; never more than its owner allows.
    pub capacity_objects: Option<u64>,
    /// The share of surplus objects that a cycle evicts, 0 to 1.
    pub evict_ratio: Option<f64>,
    /// The share of gets that may reuse, 0 to 1.
    pub reuse: Option<f64>,
    /// Time between two cycles, ms.
    pub cycle_ms: Option<u64>,
    /// Cycles for which an object that nobody wants may stay.
    pub max_age_cycles: Option<u32>,
    /// The longest turn of dropping, µs.
    pub slice_us: Option<u64>,
    /// Records of leases and timings are to be so many times fewer than the pool was built with; 1: as many.
    pub sampling_thinner: Option<u32>,
    /// How many leases to record. Set by the leak watch, which has the last word.
    pub leases: Option<LeaseWish>,
    /// Leases that seem to be lost. Set by the leak watch.
    pub lost_estimate: u64,
}

impl PoolPlan {
    /// Leaves every knob of the pool alone.
    #[must_use]
    pub fn unchanged(name: impl Into<PoolName>) -> Self {
        // Not from the default, whose name would be made and thrown away: there is one of these a pool at each tick.
        Self {
            name: name.into(),
            capacity_bytes: None,
            capacity_objects: None,
            evict_ratio: None,
            reuse: None,
            cycle_ms: None,
            max_age_cycles: None,
            slice_us: None,
            sampling_thinner: None,
            leases: None,
            lost_estimate: 0,
        }
    }
}

/// How many leases to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseWish {
    /// All of them, to find a site.
    All,
    /// As many as before.
    AsBefore,
}

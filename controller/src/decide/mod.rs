//! Decide: numbers in, a plan with reasons out.
//!
//! Everything here is pure: no clock, no file, no pool, no thread. Time is a [`Duration`] since the start, and
//! the same sequence of inputs gives the same plans. A [`Policy`] turns [`Inputs`] into a [`Plan`]; beside every
//! policy runs the [leak watch](leak), which sets no capacity.
//!
//! ```text
//!  Inputs ─► signals ─► state ──────────────┐
//!              │                            ▼
//!              └─► others' peak ─► budget (tide) ─► split over pools ─► Plan ◄─ leak watch
//! ```

mod budget;
pub mod filters;
mod fixed;
pub mod leak;
#[cfg(test)]
mod plant_tests;
mod reason;
mod retained;
mod signals;
mod split;
pub mod state;
#[cfg(test)]
mod tests_support;
mod tide;
#[cfg(test)]
mod tide_tests;

pub use fixed::Fixed;
pub use reason::Reason;
pub use split::{Demand, Share, split};
pub use state::State;
pub use tide::Tide;

use serde::Serialize;
use std::time::Duration;

/// Turns what was seen into what to do.
///
/// It runs on the control thread four times a second, and up to a hundred times while creates find the grant
/// used up; it should take microseconds. A policy that panics loses its turn: after five seconds without a
/// plan the pools go to [their safe capacity](safe_bytes).
///
/// ```
/// use pool_controller::decide::{Inputs, Plan, Policy, Reason};
/// use std::time::Duration;
///
/// /// Gives every pool the same share of a quarter of the limit.
/// struct Quarter;
///
/// impl Policy for Quarter {
///     fn name(&self) -> &'static str {
///         "quarter"
///     }
///     fn decide(&mut self, _now: Duration, inputs: &Inputs) -> Plan {
///         let Some(limit) = inputs.limit_bytes else {
///             return Plan::unchanged(inputs, Reason::Other("no limit is known".into()));
///         };
///         let share = limit / 4 / (inputs.pools.len().max(1) as u64);
///         let mut plan = Plan::unchanged(inputs, Reason::Other("a quarter for the pools".into()));
///         plan.budget_bytes = Some(limit / 4);
///         for pool in &mut plan.pools {
///             pool.capacity_bytes = Some(share);
///         }
///         plan
///     }
/// }
///
/// let inputs = Inputs { limit_bytes: Some(400), pools: vec![Default::default()], ..Inputs::default() };
/// let plan = Quarter.decide(Duration::ZERO, &inputs);
/// assert_eq!(plan.pools[0].capacity_bytes, Some(100));
/// ```
pub trait Policy: Send {
    /// The name in status and logs.
    fn name(&self) -> &'static str;

    /// Decides. `now` is the time since the controller started and never falls.
    fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan;
}

/// What a policy knows: plain numbers of one moment. `None` is a reading that must not be used, never a zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
    /// Bytes in free blocks that the allocator of this process keeps, resident or not, if it says.
    pub heap_free_bytes: Option<u64>,
    /// What was left of them when the allocator was last asked to give free memory back: blocks without pages.
    pub heap_clean_bytes: u64,
    /// Times that the allocator was asked.
    pub purges_total: u64,
    /// One entry a pool, in the order of registration.
    pub pools: Vec<PoolInputs>,
}

/// One pool at that moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PoolInputs {
    /// The name, unique.
    pub name: String,
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
    /// What an object weighs on the average, bytes.
    pub expected_weight_bytes: u64,
    /// Idle bytes that the pool may hold now.
    pub capacity_bytes: u64,
    /// Idle objects that the pool may hold: its owner's bound, which policies leave alone.
    pub capacity_objects: u64,
    /// A person or an operator has set the capacity: policies plan around it.
    pub pinned: bool,
    /// Sites with leases that are out for too long.
    pub suspect_sites: u64,
}

/// What a policy wants.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// How near the limit usage is.
    pub state: State,
    /// The same as one number, 0 (at .80 of the limit or below) to 1 (at .95 or above).
    pub pressure: f64,
    /// Idle bytes that all pools together may hold. `None`: this policy sets no budget.
    pub budget_bytes: Option<u64>,
    /// Bytes that creates may take until the next plan. `None`: any number.
    pub grant_bytes: Option<u64>,
    /// One entry a pool of the inputs, in their order.
    pub pools: Vec<PoolPlan>,
    /// The allocator should give free memory back to the kernel.
    pub purge: bool,
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
            pressure: 0.0,
            budget_bytes: None,
            grant_bytes: None,
            pools,
            purge: false,
            reasons: vec![reason],
        }
    }
}

/// What a plan wants of one pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PoolPlan {
    /// The pool's name.
    pub name: String,
    /// Idle bytes that it may hold. `None`: leave the knob alone.
    pub capacity_bytes: Option<u64>,
    /// How many leases to record. `None`: leave the knob alone. Set by the leak watch.
    pub leases: Option<LeaseWish>,
    /// Leases that seem to be lost. Set by the leak watch.
    pub lost_estimate: u64,
}

impl PoolPlan {
    /// Leaves every knob of the pool alone.
    #[must_use]
    pub fn unchanged(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
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

/// A policy with the leak watch beside it.
pub(crate) struct Decider {
    policy: Box<dyn Policy>,
    leaks: leak::LeakWatch,
}

impl Decider {
    pub(crate) fn new(policy: Box<dyn Policy>) -> Self {
        Self { policy, leaks: leak::LeakWatch::default() }
    }

    pub(crate) fn policy_name(&self) -> &'static str {
        self.policy.name()
    }

    pub(crate) fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan {
        let mut plan = self.policy.decide(now, inputs);
        self.leaks.amend(now, inputs, &mut plan);
        plan
    }
}

/// What all pools together may hold when nothing is known for sure: 5 % of the last limit that was known, or
/// 8 MiB if there never was one. Pools keep serving with it.
#[must_use]
pub fn safe_bytes(last_limit_bytes: Option<u64>) -> u64 {
    const WITHOUT_LIMIT_BYTES: u64 = 8 << 20;
    last_limit_bytes.map_or(WITHOUT_LIMIT_BYTES, |limit| limit / 20)
}

/// `permille` thousandths of `bytes`, rounded down.
pub(crate) fn share_of(bytes: u64, permille: u64) -> u64 {
    u64::try_from(u128::from(bytes) * u128::from(permille) / 1000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_thousandths() {
        assert_eq!([share_of(1000, 850), share_of(u64::MAX, 1000), share_of(999, 1)], [850, u64::MAX, 0]);
    }

    #[test]
    fn the_safe_capacity_is_a_twentieth_of_the_limit() {
        assert_eq!((safe_bytes(Some(200 << 20)), safe_bytes(None)), (10 << 20, 8 << 20));
    }
}

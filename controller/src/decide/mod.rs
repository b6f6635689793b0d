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

mod adaptive_reuse;
mod arbiter;
mod bands;
mod budget;
pub mod filters;
mod fixed;
mod inputs;
mod journal;
pub mod leak;
mod names;
mod others;
mod pause_ratio;
mod per_pool;
mod plan;
#[cfg(test)]
mod plant_tests;
mod pool_name;
mod pressure;
#[cfg(test)]
mod pressure_tests;
mod reason;
mod reclaimable;
mod retained;
mod signals;
mod split;
pub mod state;
#[cfg(test)]
mod tests_support;
mod tide;
#[cfg(test)]
mod tide_laws_tests;
#[cfg(test)]
mod tide_tests;
mod trim;
mod two_cycle;
mod watch;
mod worth;

pub use adaptive_reuse::AdaptiveReuse;
pub use bands::{Band, Bands};
pub use fixed::Fixed;
pub use inputs::{Inputs, PauseInputs, PoolInputs};
pub use journal::{Differs, Journal, Replay, journal_line};
pub use names::{POLICIES, policy_by_name};
pub use pause_ratio::PauseRatio;
pub(crate) use per_pool::PerPool;
pub use plan::{LeaseWish, Plan, PoolPlan, Pressure};
pub use pool_name::PoolName;
pub use reason::Reason;
pub use split::{Claim, Demand, split};
pub use state::State;
pub use tide::Tide;
pub use two_cycle::TwoCycle;

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

/// A policy with the leak watch beside it.
pub(crate) struct Decider {
    policy: Box<dyn Policy>,
    /// Which one decides, and how many have begun after the first: [`Journal::instance`].
    instance: u64,
    begun: u64,
    leaks: leak::LeakWatch,
}

impl Decider {
    pub(crate) fn new(policy: Box<dyn Policy>) -> Self {
        Self { policy, instance: 0, begun: 0, leaks: leak::LeakWatch::default() }
    }

    /// Another policy begins to decide; returns the one before.
    pub(crate) fn set_policy(&mut self, policy: Box<dyn Policy>) -> Box<dyn Policy> {
        self.begun += 1;
        self.instance = self.begun;
        std::mem::replace(&mut self.policy, policy)
    }

    /// The first one goes on.
    pub(crate) fn resume_policy(&mut self, first: Box<dyn Policy>) {
        self.instance = 0;
        self.policy = first;
    }

    /// The policy's name, and which one of that name it is.
    pub(crate) fn who(&self) -> (&'static str, u64) {
        (self.policy_name(), self.instance)
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

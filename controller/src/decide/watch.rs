//! What policies report that do not decide by it: the state and the pressure, and whether the readings are good.

use super::pressure::pressure;
use super::reason::Reason;
use super::signals::{Signals, View};
use super::{Inputs, Plan, PoolInputs, PoolPlan};
use std::time::Duration;

/// Follows the signals beside a law of another kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    signals: Signals,
}

impl Watch {
    /// A plan that leaves every knob alone, with state and pressure, and the view if this tick's pair of limit and
    /// usage is good. `reason` comes after a change of state.
    pub(super) fn look(&mut self, now: Duration, inputs: &Inputs, reason: Reason) -> (Plan, Option<View>) {
        let mut plan = Plan::unchanged(inputs, reason);
        let Some(view) = self.signals.look(now, inputs) else { return (plan, None) };
        plan.state = view.state;
        plan.pressure = pressure(&view, inputs);
        plan.reasons.splice(0..0, view.transition.map(Reason::State));
        if let Some(since) = view.missing_for {
            plan.reasons.push(Reason::SignalInvalid { since });
            return (plan, None);
        }
        (plan, Some(view))
    }
}

/// The pools that are a policy's to steer, each with what was seen of it, in the order of the inputs.
pub(super) fn free_pools<'a>(
    plan: &'a mut Plan,
    inputs: &'a Inputs,
) -> impl Iterator<Item = (&'a mut PoolPlan, &'a PoolInputs)> {
    plan.pools.iter_mut().zip(&inputs.pools).filter(|(_, pool)| !pool.pinned)
}

//! Fixed: watches and changes nothing, whatever happens. For comparison, and for pools that a person sizes.

use super::pressure::pressure;
use super::reason::Reason;
use super::signals::Signals;
use super::{Inputs, Plan, Policy};
use std::time::Duration;

/// Leaves every capacity as it is and grants without limit; reports the state all the same.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    signals: Signals,
}

impl Policy for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan {
        let mut plan = Plan::unchanged(inputs, Reason::Fixed);
        if let Some(view) = self.signals.look(now, inputs) {
            plan.state = view.state;
            plan.pressure = pressure(&view, inputs);
            plan.reasons.splice(0..0, view.transition.map(Reason::State));
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{PoolInputs, State};

    #[test]
    fn it_reports_the_state_and_touches_nothing() {
        let pools = vec![PoolInputs { name: "a".into(), capacity_bytes: 90, ..PoolInputs::default() }];
        let inputs = Inputs { limit_bytes: Some(100), usage_bytes: Some(99), pools, ..Inputs::default() };
        let plan = Fixed::default().decide(Duration::ZERO, &inputs);
        assert_eq!((plan.state, plan.purge), (State::Critical, false));
        assert_eq!((plan.budget_bytes, plan.grant_bytes, plan.pools[0].capacity_bytes), (None, None, None));
        let labels: Vec<_> = plan.reasons.iter().map(Reason::label).collect();
        assert_eq!(labels, ["state", "fixed"]);
    }
}

//! Fixed: capacities that a person has chosen, whatever happens. For comparison, and for pools that a person sizes.

use super::reason::Reason;
use super::watch::{Watch, free_pools};
use super::{Inputs, Plan, Policy};
use std::collections::BTreeMap;
use std::time::Duration;

/// Leaves every capacity as it is, or sets those that it was given, and grants without limit; reports the state all
/// the same.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    watch: Watch,
    capacities: BTreeMap<String, u64>,
}

impl Fixed {
    /// Sets each pool that is named to so many bytes, for good. Others are left alone.
    ///
    /// ```
    /// use pool_controller::decide::{Fixed, Inputs, Policy, PoolInputs};
    /// let pool = PoolInputs { name: "bodies".into(), capacity_bytes: 900, ..PoolInputs::default() };
    /// let inputs = Inputs { pools: vec![pool], ..Inputs::default() };
    /// let plan = Fixed::at([("bodies".to_owned(), 400)]).decide(std::time::Duration::ZERO, &inputs);
    /// assert_eq!(plan.pools[0].capacity_bytes, Some(400));
    /// ```
    #[must_use]
    pub fn at(capacities: impl IntoIterator<Item = (String, u64)>) -> Self {
        Self { watch: Watch::default(), capacities: capacities.into_iter().collect() }
    }
}

impl Policy for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan {
        let (mut plan, view) = self.watch.look(now, inputs, Reason::Fixed);
        for (planned, pool) in free_pools(&mut plan, inputs) {
            let wanted = self.capacities.get(pool.name.as_str()).copied();
            // Without a reading there is no telling whether there is room for more.
            planned.capacity_bytes = wanted.filter(|bytes| view.is_some() || *bytes <= pool.capacity_bytes);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{PoolInputs, State};

    fn inputs(usage_bytes: Option<u64>, pinned: bool) -> Inputs {
        let pool = PoolInputs { name: "a".into(), capacity_bytes: 90, pinned, ..PoolInputs::default() };
        Inputs { limit_bytes: Some(100), usage_bytes, pools: vec![pool], ..Inputs::default() }
    }

    #[test]
    fn it_reports_the_state_and_touches_nothing() {
        let plan = Fixed::default().decide(Duration::ZERO, &inputs(Some(99), false));
        assert_eq!((plan.state, plan.purge), (State::Critical, false));
        assert_eq!((plan.budget_bytes, plan.grant_bytes, plan.pools[0].capacity_bytes), (None, None, None));
        let labels: Vec<_> = plan.reasons.iter().map(Reason::label).collect();
        assert_eq!(labels, ["state", "fixed"]);
    }

    #[test]
    fn it_sets_what_it_was_given_and_raises_nothing_without_a_reading() {
        let at = |bytes, usage_bytes, pinned| {
            let mut fixed = Fixed::at([("a".to_owned(), bytes)]);
            fixed.decide(Duration::ZERO, &inputs(usage_bytes, pinned)).pools[0].capacity_bytes
        };
        assert_eq!([at(400, Some(9), false), at(40, Some(9), false)], [Some(400), Some(40)]);
        assert_eq!([at(400, None, false), at(40, None, false)], [None, Some(40)]);
        assert_eq!(at(40, Some(9), true), None, "a pinned pool is somebody else's");
    }
}

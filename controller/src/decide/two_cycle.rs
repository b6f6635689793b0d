//! Two-cycle: what no get wanted for two cycles goes, as in Go's `sync.Pool`.
//!
//! There a collection moves what is pooled to the victim cache and drops what was left there. Here a cycle does so
//! with what it finds unwanted. The law knows no limit: it has neither budget nor grant.

use super::reason::Reason;
use super::watch::{Watch, free_pools};
use super::{Inputs, Plan, Policy};
use std::time::Duration;

/// Cycles that something unwanted lives through.
const MAX_AGE_CYCLES: u32 = 2;

/// Drops by age alone: all surplus goes to the victim at a cycle and leaves at the next one. The time between two
/// cycles is the pools' own.
#[derive(Clone, Debug, Default)]
pub struct TwoCycle {
    watch: Watch,
}

impl Policy for TwoCycle {
    fn name(&self) -> &'static str {
        "two-cycle"
    }

    fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan {
        let (mut plan, _) = self.watch.look(now, inputs, Reason::LawHolds);
        for (planned, _) in free_pools(&mut plan, inputs) {
            planned.max_age_cycles = Some(MAX_AGE_CYCLES);
            planned.evict_ratio = Some(1.0);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::PoolInputs;

    #[test]
    fn it_sets_the_age_and_nothing_that_can_grow() {
        let pools = vec![
            PoolInputs { name: "a".into(), capacity_bytes: 9, ..PoolInputs::default() },
            PoolInputs { name: "b".into(), pinned: true, ..PoolInputs::default() },
        ];
        for usage_bytes in [Some(99), None] {
            let inputs =
                Inputs { limit_bytes: Some(100), usage_bytes, pools: pools.clone(), ..Inputs::default() };
            let plan = TwoCycle::default().decide(Duration::ZERO, &inputs);
            let pool = &plan.pools[0];
            assert_eq!((pool.max_age_cycles, pool.evict_ratio), (Some(2), Some(1.0)));
            assert_eq!((pool.capacity_bytes, pool.capacity_objects, pool.reuse), (None, None, None));
            assert_eq!((plan.budget_bytes, plan.grant_bytes), (None, None));
            assert_eq!(plan.pools[1], crate::decide::PoolPlan::unchanged("b"));
            assert!(!plan.reasons.is_empty());
        }
    }
}

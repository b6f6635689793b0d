//! A policy that books what leaked as the pool's own: as idle bytes that are there to be used, in the pool's
//! share of the budget.
//!
//! Pools that count lost objects against their size do this. The books balance, the total looks right, and the
//! pool starves: what is lost fills its share, and what still works is dropped on return.

use pool_controller::decide::leak::LeakWatch;
use pool_controller::decide::{Inputs, Plan, Policy, PoolName, Reason};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) struct LeakedAsBudget {
    inner: Box<dyn Policy>,
    watch: LeakWatch,
    /// What was taken off each pool's capacity with the last plan.
    booked_bytes: BTreeMap<PoolName, u64>,
}

impl LeakedAsBudget {
    pub(super) fn new(inner: Box<dyn Policy>) -> Self {
        Self { inner, watch: LeakWatch::default(), booked_bytes: BTreeMap::new() }
    }

    /// Leaked bytes by pool, in the order of the inputs.
    fn leaked_bytes(&mut self, now: Duration, inputs: &Inputs) -> Vec<u64> {
        let mut seen = Plan::unchanged(inputs, Reason::Other(String::new()));
        self.watch.amend(now, inputs, &mut seen);
        let leaked = inputs.pools.iter().zip(&seen.pools);
        leaked
            .map(|(pool, plan)| (plan.lost_estimate * pool.expected_weight_bytes).min(pool.lent_bytes))
            .collect()
    }
}

impl Policy for LeakedAsBudget {
    fn name(&self) -> &'static str {
        "leaked-counted-as-budget"
    }

    fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan {
        let leaked_bytes = self.leaked_bytes(now, inputs);
        let mut believed = inputs.clone();
        for (pool, leaked) in believed.pools.iter_mut().zip(&leaked_bytes) {
            pool.idle_bytes += leaked;
            pool.lent_bytes -= leaked;
            // The policy meets the capacity that it planned.
            pool.capacity_bytes += self.booked_bytes.get(&pool.name).copied().unwrap_or(0);
        }
        let mut plan = self.inner.decide(now, &believed);
        self.booked_bytes.clear();
        for (pool, leaked) in plan.pools.iter_mut().zip(leaked_bytes) {
            if let Some(capacity) = &mut pool.capacity_bytes {
                let booked = leaked.min(*capacity);
                *capacity -= booked;
                self.booked_bytes.insert(pool.name.clone(), booked);
            }
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pool_controller::decide::PoolInputs;

    /// Gives every pool 1000 bytes, and keeps what it was told.
    struct Thousand(std::sync::Arc<std::sync::Mutex<Inputs>>);

    impl Policy for Thousand {
        fn name(&self) -> &'static str {
            "thousand"
        }
        fn decide(&mut self, _now: Duration, inputs: &Inputs) -> Plan {
            *self.0.lock().unwrap() = inputs.clone();
            let mut plan = Plan::unchanged(inputs, Reason::Other("test".into()));
            plan.pools[0].capacity_bytes = Some(1000);
            plan
        }
    }

    #[test]
    fn what_leaks_fills_the_share_of_the_pool() {
        let told = std::sync::Arc::default();
        let mut policy = LeakedAsBudget::new(Box::new(Thousand(std::sync::Arc::clone(&told))));
        let mut capacity_bytes = 1000;
        let mut capacities = Vec::new();
        // 2 leases of 10 bytes are lost a second, for a minute.
        for tick in 0..240 {
            let lent_objects = 5 + tick / 2;
            let pool = PoolInputs {
                name: "a".into(),
                lent_objects,
                lent_bytes: lent_objects * 10,
                expected_weight_bytes: 10,
                gets_total: tick * 100,
                capacity_bytes,
                ..PoolInputs::default()
            };
            let inputs = Inputs { pools: vec![pool], ..Inputs::default() };
            let plan = policy.decide(Duration::from_millis(tick * 250), &inputs);
            capacity_bytes = plan.pools[0].capacity_bytes.unwrap();
            capacities.push(capacity_bytes);
            let told = told.lock().unwrap();
            assert_eq!(told.pools[0].idle_bytes + told.pools[0].lent_bytes, lent_objects * 10);
            assert_eq!(told.pools[0].capacity_bytes, 1000, "the policy meets its own plan");
        }
        assert_eq!(capacities[0], 1000);
        assert!(*capacities.last().unwrap() < 100, "{capacities:?}");
    }
}

//! Demand: how many gets and returns fall into each step. It is open-loop and knows no policy: whoever steers, the
//! same gets come at the same steps and are held for the same time, so that runs and the optimum can be compared.

use super::random::Random;
use super::scenario::{Scenario, whole};

/// A step of virtual time, ms.
pub(super) const STEP_MS: u64 = 5;

/// Gets and returns of one pool, by step. In a step, gets come first: what is returned can serve the next step's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) gets: Vec<u32>,
    pub(super) returns: Vec<u32>,
}

/// Demand of all pools of a scenario: the first process's, then the second's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) steps: usize,
    pub(super) pools: Vec<Trace>,
}

impl Demand {
    /// Draws it. The same seed and pools give the same demand.
    pub(super) fn of(scenario: &Scenario, seed: u64) -> Self {
        let steps = usize::try_from(u64::from(scenario.seconds) * 1000 / STEP_MS).unwrap_or(usize::MAX);
        let part = 1.0 / f64::from(scenario.processes);
        let specs = (0..scenario.processes).flat_map(|_| scenario.pools);
        let pools = (0_u64..).zip(specs).map(|(stream, spec)| {
            let mut random = Random::new(seed, stream);
            let mut trace = Trace { gets: Vec::with_capacity(steps), returns: vec![0; steps] };
            let per_step = part * STEP_MS as f64 / f64::from(spec.hold_ms);
            for step in 0..steps {
                let gets = random.arrivals(per_step * spec.in_flight.at(seconds(step)));
                trace.gets.push(gets);
                for _ in 0..gets {
                    let held_ms = f64::from(spec.hold_ms) * (0.5 + random.unit());
                    let held = usize::try_from(whole(held_ms / STEP_MS as f64)).unwrap_or(0).max(1);
                    if let Some(returns) = trace.returns.get_mut(step + held) {
                        *returns += 1;
                    }
                }
            }
            trace
        });
        Self { steps, pools: pools.collect() }
    }
}

/// The moment at which a step begins.
pub(super) fn seconds(step: usize) -> f64 {
    ms(step) as f64 / 1000.0
}

/// The same, ms.
pub(super) fn ms(step: usize) -> u64 {
    step as u64 * STEP_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::scenario_by_name;

    #[test]
    fn as_many_are_held_as_the_scenario_says_and_the_same_seed_repeats() {
        let scenario = scenario_by_name("steady").unwrap();
        let demand = Demand::of(scenario, 1);
        assert_eq!(demand, Demand::of(scenario, 1));
        assert_ne!(demand, Demand::of(scenario, 2));
        for (trace, spec) in demand.pools.iter().zip(scenario.pools) {
            let (mut held, mut sum) = (0_i64, 0.0);
            for step in 0..demand.steps {
                held += i64::from(trace.gets[step]) - i64::from(trace.returns[step]);
                assert!(held >= 0);
                sum += held as f64;
            }
            let mean = sum / demand.steps as f64;
            let expected = spec.in_flight.at(0.0);
            assert!((mean / expected - 1.0).abs() < 0.05, "{}: {mean} of {expected}", spec.name);
        }
    }

    #[test]
    fn processes_share_the_demand() {
        let (one, two) = (scenario_by_name("step").unwrap(), scenario_by_name("two-processes").unwrap());
        let gets = |s| Demand::of(s, 1).pools.iter().flat_map(|p| p.gets.clone()).map(u64::from).sum::<u64>();
        assert_eq!(Demand::of(two, 1).pools.len(), 4);
        assert!((gets(two) as f64 / gets(one) as f64 - 1.0).abs() < 0.02);
    }
}

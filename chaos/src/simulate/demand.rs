//! Demand: how many gets and returns fall into each step. It is open-loop and knows no policy: whoever steers, the
//! same gets come at the same steps and are held for the same time, so that runs and the optimum can be compared.

use super::random::Random;
use super::scenario::{Scenario, whole};

/// A step of virtual time, ms: usage is looked at and controllers may tick after each.
pub(super) const STEP_MS: u64 = 5;
/// Slots in a step. A slot is a millisecond; gets and returns of different slots do not wait for each other.
pub(super) const SLOTS: usize = 5;

/// Gets and returns of one pool, by slot. In a slot, gets come first: what is returned can serve the next one's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) gets: Vec<u32>,
    pub(super) returns: Vec<u32>,
    /// Gets of a slot that come before the first of its returns, where not all of them do. 0: all.
    pub(super) together: u32,
    /// Objects that are idle, and lent, before the first slot.
    pub(super) at_start: (u64, u64),
}

impl Trace {
    /// Gets and returns of a slot come in so many rounds, in each of which gets come first.
    pub(super) fn rounds(&self, slot: usize) -> u32 {
        let gets = self.gets[slot];
        if self.together == 0 { 1 } else { gets.div_ceil(self.together).max(1) }
    }

    /// Every round: its slot, gets and returns.
    pub(super) fn all_rounds(&self) -> impl Iterator<Item = (usize, u64, u64)> {
        (0..self.gets.len()).flat_map(|slot| (0..self.rounds(slot)).map(move |round| (slot, round))).map(
            |(slot, round)| {
                let (gets, returns) = self.round(slot, round);
                (slot, gets, returns)
            },
        )
    }

    /// Gets and returns of a round.
    pub(super) fn round(&self, slot: usize, round: u32) -> (u64, u64) {
        let (gets, returns, rounds) = (self.gets[slot], self.returns[slot], self.rounds(slot));
        if round >= rounds {
            return (0, 0);
        }
        if rounds == 1 {
            return (u64::from(gets), u64::from(returns));
        }
        let part =
            |all: u32, first: u32| all.saturating_sub(first.saturating_mul(self.together)).min(self.together);
        let rest = returns.saturating_sub(round.saturating_mul(self.together));
        let returned = if round + 1 == rounds { rest } else { part(returns, round) };
        (u64::from(part(gets, round)), u64::from(returned))
    }
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
            let slots = steps * SLOTS;
            let mut trace =
                Trace { gets: Vec::with_capacity(slots), returns: vec![0; slots], ..Trace::default() };
            let per_slot = part * SLOT_MS / f64::from(spec.hold_ms);
            for slot in 0..slots {
                let gets = random.arrivals(per_slot * spec.in_flight.at(slot as f64 * SLOT_MS / 1000.0));
                trace.gets.push(gets);
                for _ in 0..gets {
                    let held_ms = f64::from(spec.hold_ms) * (0.5 + random.unit());
                    let held = usize::try_from(whole(held_ms / SLOT_MS)).unwrap_or(0).max(1);
                    if let Some(returns) = trace.returns.get_mut(slot + held) {
                        *returns += 1;
                    }
                }
            }
            trace
        });
        Self { steps, pools: pools.collect() }
    }
}

const SLOT_MS: f64 = STEP_MS as f64 / SLOTS as f64;

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
            for (gets, returns) in trace.gets.iter().zip(&trace.returns) {
                held += i64::from(*gets) - i64::from(*returns);
                assert!(held >= 0);
                sum += held as f64;
            }
            let mean = sum / trace.gets.len() as f64;
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

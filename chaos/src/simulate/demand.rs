//! Demand: how many gets and returns fall into each step. It is open-loop and knows no policy: whoever steers, the
//! same gets come at the same steps and are held for the same time, so that runs and the optimum can be compared.

use super::random::Random;
use super::scenario::{Scenario, whole};
use std::ops::Range;

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

/// A part of a slot: gets, then returns; and so many times more the same, by which nothing changes any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) gets: u64,
    pub(super) returns: u64,
    pub(super) again: u64,
}

/// Full rounds of a slot that stand for themselves. From the second one on, what came back is what the next gets take, and
/// nothing changes but the counts (in the plant, see `Pool::repeat`). However many there are, the rest is one step.
const FULL_ROUNDS: u64 = 2;

impl Trace {
    /// Gets and returns of a slot come in so many rounds, in each of which gets come first.
    #[inline]
    pub(super) fn rounds(&self, slot: usize) -> u64 {
        if self.is_one_round(slot) { 1 } else { self.several_rounds(slot) }
    }

    /// Gets and returns of a round; of one that the slot does not have, none.
    #[inline]
    pub(super) fn round(&self, slot: usize, round: u64) -> Round {
        if round == 0 && self.is_one_round(slot) {
            Round { gets: self.gets[slot].into(), returns: self.returns[slot].into(), again: 0 }
        } else if round < self.rounds(slot) {
            self.round_of_several(slot, round)
        } else {
            Round::default()
        }
    }

    fn several_rounds(&self, slot: usize) -> u64 {
        let (together, full) = self.full_rounds(slot);
        let gets = u64::from(self.gets[slot]) - full * together;
        full.min(FULL_ROUNDS) + gets.div_ceil(together)
    }

    fn round_of_several(&self, slot: usize, round: u64) -> Round {
        let (together, full) = self.full_rounds(slot);
        let alone = full.min(FULL_ROUNDS);
        if round < alone {
            let again = if round + 1 == FULL_ROUNDS { full - FULL_ROUNDS } else { 0 };
            return Round { gets: together, returns: together, again };
        }
        let left = |all: u32| u64::from(all).saturating_sub((full + round - alone) * together);
        let (gets, returns) = (left(self.gets[slot]), left(self.returns[slot]));
        // The last one has all returns that are left.
        let returns = if round + 1 == self.rounds(slot) { returns } else { returns.min(together) };
        Round { gets: gets.min(together), returns, again: 0 }
    }

    /// Every round of these slots, and its slot.
    #[inline]
    pub(super) fn each_round(&self, slots: Range<usize>, mut see: impl FnMut(usize, Round)) {
        for slot in slots {
            for round in 0..self.rounds(slot) {
                see(slot, self.round(slot, round));
            }
        }
    }

    /// Most slots are: what is asked first.
    #[inline]
    fn is_one_round(&self, slot: usize) -> bool {
        self.together == 0 || self.gets[slot] <= self.together
    }

    /// Of a slot with several rounds, how many gets come at once, and how many rounds before its last one have as many gets
    /// and returns.
    fn full_rounds(&self, slot: usize) -> (u64, u64) {
        let (gets, returns) = (u64::from(self.gets[slot]), u64::from(self.returns[slot]));
        let together = u64::from(self.together);
        (together, (gets.div_ceil(together) - 1).min(returns / together))
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
pub(super) mod tests {
    use super::*;
    use crate::simulate::scenario_by_name;

    /// Slots with many rounds, and some with few.
    pub(in crate::simulate) fn busy_trace(random: &mut Random) -> Trace {
        let together = u32::try_from(1 + random.up_to(5)).unwrap();
        let mut trace = Trace { together, at_start: (random.up_to(9), 0), ..Trace::default() };
        let mut lent = 0;
        for _ in 0..12 {
            let most = 6 * random.up_to(8);
            let gets = random.up_to(most);
            let returns = (lent + gets).saturating_sub(random.up_to(u64::from(together)));
            lent = lent + gets - returns;
            trace.gets.push(u32::try_from(gets).unwrap());
            trace.returns.push(u32::try_from(returns).unwrap());
        }
        trace
    }

    /// The same with each round in a slot of its own, and how many of these a slot has become.
    pub(in crate::simulate) fn one_by_one(trace: &Trace) -> (Trace, usize) {
        let together = trace.together;
        let each = trace.gets.iter().map(|gets| gets.div_ceil(together).max(1)).max().unwrap();
        let mut apart = Trace { at_start: trace.at_start, ..Trace::default() };
        for (gets, returns) in trace.gets.iter().zip(&trace.returns) {
            let last = gets.div_ceil(together).max(1) - 1;
            for round in 0..each {
                let left = |all: u32| all.saturating_sub(round.saturating_mul(together));
                apart.gets.push(left(*gets).min(together));
                apart.returns.push(match round {
                    n if n < last => left(*returns).min(together),
                    n if n == last => left(*returns),
                    _ => 0,
                });
            }
        }
        (apart, usize::try_from(each).unwrap())
    }

    #[test]
    fn rounds_that_come_again_are_the_rounds_one_by_one() {
        let mut random = Random::new(3, 3);
        for _ in 0..300 {
            let trace = busy_trace(&mut random);
            let (apart, each) = one_by_one(&trace);
            for slot in 0..trace.gets.len() {
                let rounds = (0..trace.rounds(slot)).map(|n| trace.round(slot, n));
                let mut rounds: Vec<_> = rounds
                    .flat_map(|round| (0..=round.again).map(move |_| (round.gets, round.returns)))
                    .collect();
                rounds.resize(each, (0, 0));
                let expected = (slot * each..(slot + 1) * each)
                    .map(|n| (u64::from(apart.gets[n]), u64::from(apart.returns[n])));
                assert!(rounds.into_iter().eq(expected), "{trace:?}, slot {slot}");
                assert_eq!(trace.round(slot, trace.rounds(slot)), Round::default());
            }
        }
    }

    #[test]
    fn many_gets_are_few_rounds() {
        let fast = Trace { gets: vec![u32::MAX], returns: vec![u32::MAX], together: 1, ..Trace::default() };
        assert_eq!(fast.rounds(0), 3);
    }

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

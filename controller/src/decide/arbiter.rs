//! One budget over many pools.
//!
//! Floors first, then by the square root of demand ([`split`]); from there, bytes move to where they are worth more:
//! 2 % of the budget every 10 s, but a quarter of what the giver has at most, from the pool to which its last byte is worth
//! least to the one to which another is worth most, if the one is worth a quarter more than the other. Capacities that
//! others set are planned around.
//! When usage is high and the budget shrinks, what is worth least goes first. Knows nothing of limits and usage.

use super::split::{Claim, Demand, split};
use super::state::State;
use super::worth::Worths;
use super::{Inputs, PerPool, PoolInputs};
use std::time::Duration;

/// Shares that would move by less than one in this stay where they are.
const REBALANCE_ONE_IN: u64 = 32;
/// A move, as a share of the budget,
const MOVE: f64 = 0.02;
/// and of what the giver has above its floor: what is little of a large budget may be all of a small pool.
const MOVE_OWN: f64 = 0.25;
/// Who has less than this share of the budget above its floor gives nothing: it would be crumbs.
const CRUMBS: f64 = 0.00125;
/// Of what two pools are worth, before anything moves between them.
const RATIO_MIN: f64 = 1.25;
/// What all moves together may take from or give to a pool, as a share of the budget.
const MOVED_MAX: f64 = 0.6;

/// Remembers what it gave to whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Arbiter {
    demand: Demand,
    worths: Worths,
    pools: PerPool<Given>,
    claims: Vec<Claim>,
    moves_now: bool,
}

/// What it gave to one pool.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    /// Share of the budget that has moved to it; these sum to 0 while the pools are the same.
    moved: f64,
    /// `None`: nothing yet, or its capacity is not ours to set.
    planned: Option<u64>,
}

/// How to divide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) budget_bytes: u64,
    pub(super) state: State,
    /// No pool may get more than it has.
    pub(super) frozen: bool,
}

impl Arbiter {
    /// Takes the counters of a tick.
    pub(super) fn follow(&mut self, now: Duration, pools: &[PoolInputs]) {
        let gone = self.pools.align(pools.iter().map(|pool| &pool.name), |_| Given::default());
        if gone.iter().any(|given| given.moved != 0.0) {
            // With them has gone what the others gave or got.
            self.pools.values_mut().iter_mut().for_each(|given| given.moved = 0.0);
        }
        self.claims = self.demand.update(now, pools);
        self.moves_now = self.worths.update(now, pools) && self.shift(pools);
    }

    /// What the pools may claim before demand counts, bytes.
    pub(super) fn floors_bytes(&self) -> u64 {
        self.claims.iter().map(|claim| claim.floor_bytes).sum()
    }

    /// What someone else has taken from the capacities that were planned: the watchdog, or a hand.
    pub(super) fn taken_away(&self, inputs: &Inputs) -> u64 {
        let missing =
            |(p, given): (&PoolInputs, &Given)| Some(given.planned?.saturating_sub(p.capacity_bytes));
        let pools = inputs.pools.iter().zip(self.pools.values());
        pools.filter(|(p, _)| !p.pinned).filter_map(missing).sum()
    }

    /// The capacity of each pool, `None` for those that are not ours to set, and whether any of them moves.
    pub(super) fn divide(&mut self, inputs: &Inputs, terms: Terms) -> (Vec<Option<u64>>, bool) {
        let pinned: u64 = inputs.pools.iter().filter(|p| p.pinned).map(|p| p.capacity_bytes).sum();
        let budget = terms.budget_bytes.saturating_sub(pinned);
        for (_, given) in inputs.pools.iter().zip(self.pools.values_mut()).filter(|(p, _)| p.pinned) {
            given.planned = None;
        }
        let free: Vec<usize> = (0..inputs.pools.len()).filter(|at| !inputs.pools[*at].pinned).collect();
        let claims: Vec<Claim> = free.iter().map(|at| self.claims[*at]).collect();
        let planned: Vec<Option<u64>> = free.iter().map(|at| self.pools.values()[*at].planned).collect();
        let all_planned: Option<Vec<u64>> = planned.iter().copied().collect();
        let sum = sum(planned.iter().flatten());
        let given = match all_planned {
            Some(planned) if terms.state >= State::High && sum > budget => {
                self.shed(sum - budget, planned, &free, &claims)
            }
            Some(planned) if terms.frozen => {
                planned.into_iter().map(|bytes| part(bytes, budget, sum.max(budget))).collect()
            }
            _ => self.with_moves(budget, &free, &claims),
        };
        let near = |now: u64, then: u64| now.abs_diff(then) <= then / REBALANCE_ONE_IN;
        let stays = !self.moves_now
            && sum <= budget
            && planned.iter().zip(&given).all(|(then, now)| then.is_some_and(|then| near(*now, then)));
        if !stays {
            for (at, bytes) in free.iter().zip(given) {
                self.pools.values_mut()[*at].planned = Some(bytes);
            }
        }
        (self.pools.values().iter().map(|given| given.planned).collect(), !stays)
    }

    /// Moves a share of the budget to where it is worth more; whether it did.
    fn shift(&mut self, pools: &[PoolInputs]) -> bool {
        let marginal = |at: usize| self.worths.of(at).marginal;
        let moved = |at: usize| self.pools.values()[at].moved;
        let ours = || (0..pools.len()).filter(|at| !pools[*at].pinned);
        let by_worth = |a: &usize, b: &usize| marginal(*a).total_cmp(&marginal(*b));
        let budget = ours().map(|at| pools[at].capacity_bytes as f64).sum::<f64>();
        let above = |at: usize| pools[at].capacity_bytes.saturating_sub(self.claims[at].floor_bytes) as f64;
        let can_give = |at: &usize| above(*at) > CRUMBS * budget && moved(*at) - MOVE >= -MOVED_MAX;
        let by_worth_and_size = |a: &usize, b: &usize| by_worth(a, b).then(above(*b).total_cmp(&above(*a)));
        let can_take = |at: &usize| {
            pools[*at].capacity_bytes < self.claims[*at].ceiling_bytes && moved(*at) + MOVE <= MOVED_MAX
        };
        let worst = ours().filter(can_give).min_by(by_worth_and_size);
        let best = ours().filter(can_take).max_by(by_worth);
        let (Some(worst), Some(best)) = (worst, best) else { return false };
        if marginal(best) <= 0.0 || marginal(best) <= marginal(worst) * RATIO_MIN {
            return false;
        }
        let step = MOVE.min(MOVE_OWN * above(worst) / budget);
        let given = self.pools.values_mut();
        given[worst].moved -= step;
        given[best].moved += step;
        true
    }

    /// By demand, and what has moved since.
    fn with_moves(&self, budget: u64, free: &[usize], claims: &[Claim]) -> Vec<u64> {
        let by_demand = split(budget, claims);
        // What is below its floor already stays so: there is not enough for all floors.
        let least: Vec<u64> =
            claims.iter().zip(&by_demand).map(|(s, given)| s.floor_bytes.min(*given)).collect();
        let mut given = by_demand;
        for (((at, claim), least), given) in free.iter().zip(claims).zip(&least).zip(&mut given) {
            let moved = self.pools.values()[*at].moved * budget as f64;
            *given = clamped(*given as f64 + moved, *least, claim.ceiling_bytes.max(*least));
        }
        let floors = sum(&least);
        if sum(&given) > budget {
            let above = sum(&given) - floors;
            let fitted = |(given, least): (&u64, &u64)| least + part(given - least, budget - floors, above);
            given = given.iter().zip(&least).map(fitted).collect();
        }
        given
    }

    /// Takes `over` bytes of what is planned, first from where they are worth least.
    fn shed(&self, mut over: u64, planned: Vec<u64>, free: &[usize], claims: &[Claim]) -> Vec<u64> {
        let mut given = planned;
        let mut order: Vec<usize> = (0..free.len()).collect();
        let mean = |at: &usize| self.worths.of(free[*at]).mean;
        order.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
        for floor_too in [false, true] {
            for &at in &order {
                let least = if floor_too { 0 } else { claims[at].floor_bytes };
                let taken = given[at].saturating_sub(least).min(over);
                given[at] -= taken;
                over -= taken;
            }
        }
        given
    }
}

fn sum<'a>(bytes: impl IntoIterator<Item = &'a u64>) -> u64 {
    bytes.into_iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
}

/// `bytes · of / whole`, rounded down.
fn part(bytes: u64, of: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(bytes) * u128::from(of) / u128::from(whole.max(1))).unwrap_or(0)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a u64's range")]
fn clamped(bytes: f64, least: u64, most: u64) -> u64 {
    (bytes.max(0.0) as u64).clamp(least, most)
}

#[cfg(test)]
#[path = "arbiter_tests.rs"]
mod tests;

//! One budget over many pools.
//!
//! Floors first, then by the square root of demand ([`split`]); from there, bytes move to where they are worth more:
//! 2 % of the budget every 10 s from the pool to which its last byte is worth least to the one to which another is
//! worth most, if the one is worth a quarter more than the other. Capacities that others set are planned around.
//! When usage is high and the budget shrinks, what is worth least goes first. Knows nothing of limits and usage.

use super::split::{Demand, Share, split};
use super::state::State;
use super::worth::Worths;
use super::{Inputs, PoolInputs};
use std::collections::BTreeMap;
use std::time::Duration;

/// Shares that would move by less than one in this stay where they are.
const REBALANCE_ONE_IN: u64 = 32;
/// A move, as a share of the budget.
const MOVE: f64 = 0.02;
/// Of what two pools are worth, before anything moves between them.
const RATIO_MIN: f64 = 1.25;
/// What all moves together may take from or give to a pool, as a share of the budget.
const MOVED_MAX: f64 = 0.6;

/// Remembers what it gave to whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Arbiter {
    demand: Demand,
    worths: Worths,
    /// Shares of the budget that have moved; they sum to 0 while the pools are the same.
    moved: BTreeMap<String, f64>,
    planned: BTreeMap<String, u64>,
    shares: Vec<Share>,
    moves_now: bool,
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
        self.shares = self.demand.update(now, pools);
        self.moves_now = self.worths.update(now, pools) && self.shift(pools);
    }

    /// What the pools may claim before demand counts, bytes.
    pub(super) fn floors_bytes(&self) -> u64 {
        self.shares.iter().map(|share| share.floor_bytes).sum()
    }

    /// What someone else has taken from the capacities that were planned: the watchdog, or a hand.
    pub(super) fn taken_away(&self, inputs: &Inputs) -> u64 {
        let missing = |p: &PoolInputs| self.planned.get(&p.name).map(|b| b.saturating_sub(p.capacity_bytes));
        inputs.pools.iter().filter(|p| !p.pinned).filter_map(missing).sum()
    }

    /// The capacity of each pool, `None` for those that are not ours to set, and whether any of them moves.
    pub(super) fn divide(&mut self, inputs: &Inputs, terms: Terms) -> (Vec<Option<u64>>, bool) {
        let pinned: u64 = inputs.pools.iter().filter(|p| p.pinned).map(|p| p.capacity_bytes).sum();
        let budget = terms.budget_bytes.saturating_sub(pinned);
        let (free, shares): (Vec<&PoolInputs>, Vec<Share>) =
            inputs.pools.iter().zip(self.shares.iter().copied()).filter(|(p, _)| !p.pinned).unzip();
        if self.planned.len() != free.len() || free.iter().any(|p| !self.planned.contains_key(&p.name)) {
            let known = std::mem::take(&mut self.planned);
            let keep = |p: &&PoolInputs| Some((p.name.clone(), *known.get(&p.name)?));
            self.planned = free.iter().filter_map(keep).collect();
        }
        let all_planned = free.len() == self.planned.len();
        let sum = sum(self.planned.values());
        let given = if all_planned && terms.state >= State::High && sum > budget {
            self.shed(sum - budget, &free, &shares)
        } else if all_planned && terms.frozen {
            self.scaled_to(budget, &free)
        } else {
            self.with_moves(budget, &free, &shares)
        };
        let near = |now: u64, then: u64| now.abs_diff(then) <= then / REBALANCE_ONE_IN;
        let before = |pool: &PoolInputs| self.planned.get(&pool.name).copied();
        let stays = !self.moves_now
            && sum <= budget
            && free.iter().zip(&given).all(|(p, g)| before(p).is_some_and(|b| near(*g, b)));
        if !stays {
            self.planned = free.iter().zip(given).map(|(p, g)| (p.name.clone(), g)).collect();
        }
        (inputs.pools.iter().map(|p| self.planned.get(&p.name).copied()).collect(), !stays)
    }

    /// Moves a share of the budget to where it is worth more; whether it did.
    fn shift(&mut self, pools: &[PoolInputs]) -> bool {
        if self.moved.len() > pools.len() {
            self.moved.clear(); // pools have gone, and with them what the others gave or got
        }
        let marginal = |pool: &PoolInputs| self.worths.of(&pool.name).marginal;
        let moved = |pool: &PoolInputs| self.moved.get(&pool.name).copied().unwrap_or(0.0);
        let ours = || pools.iter().zip(&self.shares).filter(|(pool, _)| !pool.pinned);
        let by_worth = |a: &&PoolInputs, b: &&PoolInputs| marginal(a).total_cmp(&marginal(b));
        let can_give = |pool: &PoolInputs, share: &Share| {
            pool.capacity_bytes > share.floor_bytes && moved(pool) - MOVE >= -MOVED_MAX
        };
        let can_take = |pool: &PoolInputs, share: &Share| {
            pool.capacity_bytes < share.ceiling_bytes && moved(pool) + MOVE <= MOVED_MAX
        };
        let worst =
            ours().filter(|(pool, share)| can_give(pool, share)).map(|(pool, _)| pool).min_by(by_worth);
        let best =
            ours().filter(|(pool, share)| can_take(pool, share)).map(|(pool, _)| pool).max_by(by_worth);
        let (Some(worst), Some(best)) = (worst, best) else { return false };
        if marginal(best) <= 0.0 || marginal(best) <= marginal(worst) * RATIO_MIN {
            return false;
        }
        let (worst, best) = (worst.name.clone(), best.name.clone());
        *self.moved.entry(worst).or_default() -= MOVE;
        *self.moved.entry(best).or_default() += MOVE;
        true
    }

    /// By demand, and what has moved since.
    fn with_moves(&self, budget: u64, free: &[&PoolInputs], shares: &[Share]) -> Vec<u64> {
        let by_demand = split(budget, shares);
        // What is below its floor already stays so: there is not enough for all floors.
        let least: Vec<u64> =
            shares.iter().zip(&by_demand).map(|(s, given)| s.floor_bytes.min(*given)).collect();
        let mut given = by_demand;
        for (((pool, share), least), given) in free.iter().zip(shares).zip(&least).zip(&mut given) {
            let moved = self.moved.get(&pool.name).copied().unwrap_or(0.0) * budget as f64;
            *given = clamped(*given as f64 + moved, *least, share.ceiling_bytes.max(*least));
        }
        let floors = sum(&least);
        if sum(&given) > budget {
            let above = sum(&given) - floors;
            let fitted = |(given, least): (&u64, &u64)| least + part(given - least, budget - floors, above);
            given = given.iter().zip(&least).map(fitted).collect();
        }
        given
    }

    /// Takes `over` bytes, first from where they are worth least.
    fn shed(&self, mut over: u64, free: &[&PoolInputs], shares: &[Share]) -> Vec<u64> {
        let mut given: Vec<u64> = free.iter().map(|pool| self.planned[&pool.name]).collect();
        let mut order: Vec<usize> = (0..free.len()).collect();
        let mean = |at: &usize| self.worths.of(&free[*at].name).mean;
        order.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
        for floor_too in [false, true] {
            for &at in &order {
                let least = if floor_too { 0 } else { shares[at].floor_bytes };
                let taken = given[at].saturating_sub(least).min(over);
                given[at] -= taken;
                over -= taken;
            }
        }
        given
    }

    /// The old shares, each cut by the same part if they do not fit any more.
    fn scaled_to(&self, budget: u64, free: &[&PoolInputs]) -> Vec<u64> {
        let sum = sum(self.planned.values());
        free.iter().map(|p| part(self.planned[&p.name], budget, sum.max(budget))).collect()
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

//! Tide, the default policy: feed-forward first.
//!
//! ```text
//! others = usage − Σ idle − what pools freed and the allocator still holds
//! budget ≤ 0.80 · limit − the highest of others in the last 6 s        (down at once)
//! budget → 0.80 · limit − the highest of others in the last 60 s       (up by ≤ 2 % of the limit per second)
//!          (in the last 12 s, if that is half as much again)
//! grant  = 0.88 · limit − usage
//! ```
//!
//! What is lent belongs to others, and so does what a leak holds: it makes the budget smaller and is never part
//! of it. Bands of usage that set capacities oscillate, because capacity moves usage; here capacity follows what
//! the pools do *not* own, and what they hold idle cancels out.
//!
//! The windows: demands that swap every few seconds leave a peak once per swap, and peaks of noise differ. With
//! one window of 6 s the budget would grow in each calm phase and be cut in each busy one; so growth looks back
//! further than the cut, unless there is so much room that something must be over.
//!
//! The mark of the grant: creates alone must not enter high (.92). What lies between .88 and .92 is what they
//! have charged and not touched yet, and what others take, until the next tick looks. .88 is also where high is
//! left, so a full grant does not keep a state up.

use super::budget::{Budget, GROW_PERMILLE_PER_S, PATIENCE, Room};
use super::filters::{Median3, PeakHold};
use super::reason::Reason;
use super::retained::{Matched, Retained};
use super::signals::{Signals, View};
use super::split::{Demand, Share, split};
use super::state::State;
use super::{Inputs, Plan, Policy, PoolInputs, PoolPlan, Pressure, safe_bytes, share_of};
use std::collections::BTreeMap;
use std::time::Duration;

/// The share of the limit that pools and others together may fill, thousandths.
const FILL_PERMILLE: u64 = 800;
/// The share of the limit up to which creates are granted, thousandths.
const GRANT_PERMILLE: u64 = 880;
/// Budgets below this share of the limit may grow without proof of use, thousandths: a pool that may hold
/// nothing cannot show that it would use more.
const PROOF_FROM_PERMILLE: u64 = 20;
/// A purge is worth its cost from this share of the limit on, thousandths.
const PURGE_PERMILLE: u64 = 50;
/// Peaks that cut.
const CUT_WINDOW: Duration = Duration::from_secs(6);
/// Peaks that catching up respects.
const CATCH_UP_WINDOW: Duration = Duration::from_secs(12);
/// Peaks that growth respects.
const GROW_WINDOW: Duration = Duration::from_secs(60);
/// Time without a good reading after which the budget decays.
const DECAY_AFTER: Duration = Duration::from_secs(3);
/// Shares that would move by less than one in this stay where they are.
const REBALANCE_ONE_IN: u64 = 32;

/// The default policy: all pools together may hold idle 0.80 of the limit, minus the peak of what they do not own.
/// That shrinks at once and grows by at most 2 % of the limit per second, with evidence; creates are granted
/// headroom up to 0.88 of the limit. Entering critical halves the budget once.
#[derive(Clone, Debug)]
pub struct Tide {
    signals: Signals,
    others: Median3,
    cut_peak: PeakHold,
    catch_up_peak: PeakHold,
    grow_peak: PeakHold,
    idle_peak: PeakHold,
    retained: Retained,
    demand: Demand,
    budget: Budget,
    planned: BTreeMap<String, u64>,
}

impl Default for Tide {
    fn default() -> Self {
        Self {
            signals: Signals::default(),
            others: Median3::default(),
            cut_peak: PeakHold::new(CUT_WINDOW),
            catch_up_peak: PeakHold::new(CATCH_UP_WINDOW),
            grow_peak: PeakHold::new(GROW_WINDOW),
            idle_peak: PeakHold::new(CUT_WINDOW),
            retained: Retained::default(),
            demand: Demand::default(),
            budget: Budget::default(),
            planned: BTreeMap::new(),
        }
    }
}

impl Policy for Tide {
    fn name(&self) -> &'static str {
        "tide"
    }

    fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan {
        let shares = self.demand.update(now, &inputs.pools);
        let mut reasons: Vec<Reason> = self.budget.lower_by(self.taken_away(inputs)).into_iter().collect();
        let Some(view) = self.signals.look(now, inputs) else {
            self.budget.since_last(now);
            self.budget.hold_at(safe_bytes(None));
            reasons.insert(0, Reason::NoLimit);
            let (pools, _) = self.pools(inputs, &shares, true);
            let budget_bytes = Some(self.budget.bytes());
            return Plan { budget_bytes, pools, reasons, ..Plan::unchanged(inputs, Reason::NoLimit) };
        };
        if view.jumped {
            self.forget_levels();
        }
        reasons.extend(view.transition.map(Reason::State));
        if let (Some(from_bytes), to_bytes) = (view.limit_before_bytes, view.limit_bytes) {
            reasons.push(Reason::LimitChanged { from_bytes, to_bytes });
        }
        let retained_bytes = self.move_budget(now, &view, inputs, &shares, &mut reasons);
        let (pools, moved) = self.pools(inputs, &shares, view.missing_for.is_some());
        if moved && !reasons.iter().any(moves_budget) {
            reasons.push(Reason::Rebalanced);
        }
        if reasons.is_empty() {
            reasons.push(Reason::Steady);
        }
        let dirty = retained_bytes >= share_of(view.limit_bytes, PURGE_PERMILLE);
        Plan {
            state: view.state,
            pressure: Pressure { memory: view.pressure(), ..Pressure::default() },
            budget_bytes: Some(self.budget.bytes()),
            grant_bytes: Some(grant_bytes(&view, inputs)),
            is_reclaimable: true,
            pools,
            purge: dirty || view.state >= State::High,
            reasons,
        }
    }
}

impl Tide {
    /// After something else has given back much of the memory that it had, the budget grows from this long after on:
    /// what it was afraid of has to be out of the windows, and stay away for a moment.
    pub const GROWS_AFTER: Duration = CATCH_UP_WINDOW.checked_add(PATIENCE).unwrap();
    /// How fast it grows then at most, thousandths of the limit per second.
    pub const GROWTH_PERMILLE_PER_S: u64 = GROW_PERMILLE_PER_S;

    /// Moves the budget and returns what the allocator still holds of what pools have freed.
    fn move_budget(
        &mut self,
        now: Duration,
        view: &View,
        inputs: &Inputs,
        shares: &[Share],
        reasons: &mut Vec<Reason>,
    ) -> u64 {
        let sum = |of: fn(&PoolInputs) -> u64| inputs.pools.iter().map(of).sum::<u64>();
        let (idle, lent) = (sum(|p| p.idle_bytes), sum(|p| p.lent_bytes));
        let limit_bytes = view.limit_bytes;
        if view.transition.is_some_and(|t| t.to == State::Critical) {
            reasons.push(self.budget.halve());
        }
        if let Some(since) = view.missing_for {
            self.retained.interrupt();
            self.budget.freeze();
            // What stands in may tighten the budget, and does not enter the peaks.
            let others = view.usage_bytes.saturating_sub(idle);
            let target = share_of(limit_bytes, FILL_PERMILLE).saturating_sub(others);
            reasons.push(Reason::SignalInvalid { since });
            reasons.extend(self.budget.shrink(target, others));
            if since > DECAY_AFTER {
                let safe = safe_bytes(self.signals.last_limit_bytes());
                reasons.push(self.budget.decay(now, safe));
            } else {
                self.budget.since_last(now);
            }
            return 0;
        }
        let retained = self.retained.update(Matched {
            usage: view.usage_bytes,
            idle,
            lent,
            heap_free: inputs.heap_free_bytes,
            heap_clean: inputs.heap_clean_bytes,
            purges: inputs.purges_total,
        });
        let others = self.others.push(view.usage_bytes.saturating_sub(idle).saturating_sub(retained));
        let cut_peak = self.cut_peak.push(now, others);
        let idle_peak = self.idle_peak.push(now, idle);
        let room_beside = |peak| share_of(limit_bytes, FILL_PERMILLE).saturating_sub(peak);
        let cut = room_beside(cut_peak);
        reasons.extend(self.budget.start(limit_bytes, idle, cut));
        reasons.extend(self.budget.shrink(cut, cut_peak));
        let floors: u64 = shares.iter().map(|s| s.floor_bytes).sum();
        let needs_no_proof = self.budget.bytes() < floors + share_of(limit_bytes, PROOF_FROM_PERMILLE);
        let room = Room {
            limit_bytes,
            target_bytes: room_beside(self.grow_peak.push(now, others)),
            catch_up_bytes: room_beside(self.catch_up_peak.push(now, others)),
            window_full: self.cut_peak.is_full(now),
            state: view.state,
            used: needs_no_proof || idle_peak > self.budget.bytes() / 2,
            slope: view.slope,
        };
        reasons.extend(self.budget.grow(now, &room));
        retained
    }

    /// The pools' shares of the budget, and whether any of them moves. `frozen`: none
    /// moves up.
    fn pools(&mut self, inputs: &Inputs, shares: &[Share], frozen: bool) -> (Vec<PoolPlan>, bool) {
        let pinned: u64 = inputs.pools.iter().filter(|p| p.pinned).map(|p| p.capacity_bytes).sum();
        let budget = self.budget.bytes().saturating_sub(pinned);
        let (free, shares): (Vec<&PoolInputs>, Vec<Share>) =
            inputs.pools.iter().zip(shares.iter().copied()).filter(|(p, _)| !p.pinned).unzip();
        self.planned.retain(|name, _| free.iter().any(|p| p.name == *name));
        let given = if frozen && free.iter().all(|p| self.planned.contains_key(&p.name)) {
            self.scaled_to(budget, &free)
        } else {
            split(budget, &shares)
        };
        let near = |now: u64, then: u64| now.abs_diff(then) <= then / REBALANCE_ONE_IN;
        let fits = self.planned.values().sum::<u64>() <= budget;
        let before = |pool: &PoolInputs| self.planned.get(&pool.name).copied();
        let stays = fits && free.iter().zip(&given).all(|(p, g)| before(p).is_some_and(|b| near(*g, b)));
        if !stays {
            self.planned = free.iter().zip(given).map(|(p, g)| (p.name.clone(), g)).collect();
        }
        let plan = |pool: &PoolInputs| PoolPlan {
            capacity_bytes: self.planned.get(&pool.name).copied(),
            ..PoolPlan::unchanged(&pool.name)
        };
        (inputs.pools.iter().map(plan).collect(), !stays)
    }

    /// The old shares, each cut by the same part if they do not fit any more.
    fn scaled_to(&self, budget: u64, free: &[&PoolInputs]) -> Vec<u64> {
        let sum: u128 = self.planned.values().map(|b| u128::from(*b)).sum();
        let part = |bytes: u64| u128::from(bytes) * u128::from(budget) / sum.max(u128::from(budget)).max(1);
        free.iter().map(|p| u64::try_from(part(self.planned[&p.name])).unwrap_or(0)).collect()
    }

    /// What someone else has taken from the capacities that this policy planned: the watchdog, or a hand.
    fn taken_away(&self, inputs: &Inputs) -> u64 {
        let missing = |p: &PoolInputs| self.planned.get(&p.name).map(|b| b.saturating_sub(p.capacity_bytes));
        inputs.pools.iter().filter(|p| !p.pinned).filter_map(missing).sum()
    }

    /// Another group binds: peaks of the old one say nothing.
    fn forget_levels(&mut self) {
        self.others = Median3::default();
        self.cut_peak.clear();
        self.catch_up_peak.clear();
        self.grow_peak.clear();
        self.retained.interrupt();
        self.budget.freeze();
    }
}

/// What creates may take until the next tick. Without a reading, no more than is left of the last grant.
fn grant_bytes(view: &View, inputs: &Inputs) -> u64 {
    let headroom = share_of(view.limit_bytes, GRANT_PERMILLE).saturating_sub(view.usage_bytes);
    match (view.missing_for, inputs.grant_left_bytes) {
        (Some(_), Some(left)) => headroom.min(u64::try_from(left).unwrap_or(0)),
        _ => headroom,
    }
}

fn moves_budget(reason: &Reason) -> bool {
    use Reason::{Decaying, Grew, Halved, Lowered, Shrank, Started};
    matches!(
        reason,
        Started { .. } | Shrank { .. } | Grew { .. } | Halved { .. } | Decaying { .. } | Lowered { .. }
    )
}

//! Tide, the default policy: feed-forward first.
//!
//! ```text
//! others = usage − Σ idle − Σ lent − what pools freed and the allocator still holds
//! room   = 0.82 · limit − the peak of others − the mean of Σ lent − trim
//! budget ≤ room by the highest of the last 6 s                         (down at once)
//! budget → room by the highest of the last 30 s                        (up by ≤ 2 % of the limit per second)
//!          (of the last 12 s, if that is half as much again)
//! grant  = 0.88 · limit − usage, or this process's share of it
//! ```
//!
//! What a leak holds is lent and makes the budget smaller; it is never part of it. Bands of usage that set capacities
//! oscillate, because capacity moves usage; here capacity follows what the pools do *not* own, and what they hold idle
//! cancels out.
//!
//! The windows: others that come and go leave a peak each time, and peaks of noise differ. With one window of 6 s the
//! budget would grow in each calm phase and be cut in each busy one; so growth looks back further than the cut, unless
//! there is so much room that something must be over.
//!
//! The marks: what pools may fill ends below elevated (.85), so that a full budget alone raises no state. Creates alone
//! must not enter high (.92). What lies between .88 and .92 is what they have charged and not touched yet, and what
//! others take, until the next tick looks. .88 is also where high is left, so a full grant does not keep a state up.
//! All of these figures are what came out best in `docs/control.md`.

use super::arbiter::{Arbiter, Terms};
use super::budget::{Budget, GROW_PERMILLE_PER_S, PATIENCE, Room};
use super::others::{CATCH_UP_WINDOW, Others, Peaks, idle_bytes};
use super::pressure::{Turner, pressure};
use super::reason::Reason;
use super::reclaimable::Reclaimable;
use super::signals::{Signals, View};
use super::state::State;
use super::trim::{Trim, Waits};
use super::{Inputs, Plan, Policy, PoolPlan, Pressure, safe_bytes, share_of};
use std::time::Duration;

/// The share of the limit that pools and others together may fill, thousandths.
const FILL_PERMILLE: u64 = 820;
/// The share of the limit up to which creates are granted, thousandths.
const GRANT_PERMILLE: u64 = 880;
/// Budgets below this share of the limit may grow without proof of use, thousandths: a pool that may hold
/// nothing cannot show that it would use more.
const PROOF_FROM_PERMILLE: u64 = 20;
/// A purge is worth its cost from this share of the limit on, thousandths.
const PURGE_PERMILLE: u64 = 50;
/// Time without a good reading after which the budget decays, and at which it has reached its safe value: a tick before
/// the five seconds that a plan holds.
const DECAY_AFTER: Duration = Duration::from_secs(3);
const SAFE_AFTER: Duration = Duration::from_millis(4500);
/// Resident memory of this process from which on, as a share of usage, it is alone in its group, thousandths: the rest is
/// the kernel's, for it.
const ALONE_PERMILLE: u64 = 800;
/// The default policy: all pools together may hold idle 0.82 of the limit, minus the peak of what they do not own and
/// what they lend on the average.
/// That shrinks at once and grows by at most 2 % of the limit per second, with evidence; creates are granted
/// headroom up to 0.88 of the limit. Entering critical halves the budget once.
#[derive(Clone, Debug, Default)]
pub struct Tide {
    signals: Signals,
    others: Others,
    trim: Trim,
    reclaimable: Reclaimable,
    budget: Budget,
    arbiter: Arbiter,
    turner: Turner,
}

impl Policy for Tide {
    fn name(&self) -> &'static str {
        "tide"
    }

    fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan {
        self.arbiter.follow(now, &inputs.pools);
        let taken_away = self.arbiter.taken_away(inputs);
        let mut reasons: Vec<Reason> = self.budget.lower_by(taken_away).into_iter().collect();
        let Some(view) = self.signals.look(now, inputs) else {
            return self.without_limit(now, inputs, reasons);
        };
        if view.jumped {
            self.forget_levels();
        }
        reasons.extend(view.transition.map(Reason::State));
        if let (Some(from_bytes), to_bytes) = (view.limit_before_bytes, view.limit_bytes) {
            reasons.push(Reason::LimitChanged { from_bytes, to_bytes });
        }
        let pressure = pressure(&view, inputs);
        if self.turner.follow(now, pressure) {
            reasons.push(Reason::Turned(pressure));
        }
        if view.transition.is_some_and(|t| t.to == State::Critical) {
            reasons.push(self.budget.halve());
        }
        let kept = match view.missing_for {
            Some(since) => self.hold_budget(now, &view, inputs, since, &mut reasons),
            None => self.move_budget(now, &view, inputs, pressure, &mut reasons),
        };
        let pools = self.pools(inputs, &view, &mut reasons);
        if reasons.is_empty() {
            reasons.push(Reason::Steady);
        }
        let dirty = kept.bytes >= share_of(view.limit_bytes, PURGE_PERMILLE);
        Plan {
            state: view.state,
            pressure,
            budget_bytes: Some(self.budget.bytes()),
            grant_bytes: Some(grant_bytes(&view, inputs)),
            pools,
            purge: dirty || view.state >= State::High,
            is_reclaimable: kept.is_reclaimable,
            reasons,
        }
    }
}

/// What the allocator keeps of what pools have freed.
struct Kept {
    bytes: u64,
    is_reclaimable: bool,
}

impl Tide {
    /// After something else has given back much of the memory that it had, the budget grows from this long after on:
    /// what it was afraid of has to be out of the windows, and stay away for a moment.
    pub const GROWS_AFTER: Duration = CATCH_UP_WINDOW.checked_add(PATIENCE).unwrap();
    /// How fast it grows then at most, thousandths of the limit per second.
    pub const GROWTH_PERMILLE_PER_S: u64 = GROW_PERMILLE_PER_S;

    fn without_limit(&mut self, now: Duration, inputs: &Inputs, mut reasons: Vec<Reason>) -> Plan {
        self.budget.since_last(now);
        self.budget.hold_at(safe_bytes(None));
        reasons.insert(0, Reason::NoLimit);
        let (capacities, _) = self.divide(inputs, State::Normal, true);
        let mut plan = Plan { reasons, ..Plan::unchanged(inputs, Reason::NoLimit) };
        plan.budget_bytes = Some(self.budget.bytes());
        for (pool, capacity_bytes) in plan.pools.iter_mut().zip(capacities) {
            pool.capacity_bytes = capacity_bytes;
        }
        plan
    }

    /// No good reading: nothing grows, and after a while the budget goes to its safe value.
    fn hold_budget(
        &mut self,
        now: Duration,
        view: &View,
        inputs: &Inputs,
        since: Duration,
        reasons: &mut Vec<Reason>,
    ) -> Kept {
        self.others.interrupt();
        self.budget.freeze();
        // What stands in may tighten the budget, and does not enter the peaks.
        let others = view.usage_bytes.saturating_sub(idle_bytes(inputs));
        let target = share_of(view.limit_bytes, FILL_PERMILLE).saturating_sub(others);
        reasons.push(Reason::SignalInvalid { since });
        reasons.extend(self.budget.shrink(target, others));
        if since > DECAY_AFTER {
            let safe = safe_bytes(self.signals.last_limit_bytes());
            reasons.push(self.budget.decay(now, safe, SAFE_AFTER.saturating_sub(since)));
        } else {
            self.budget.since_last(now);
        }
        Kept { bytes: 0, is_reclaimable: true }
    }

    /// Down at once, up slowly and with evidence.
    fn move_budget(
        &mut self,
        now: Duration,
        view: &View,
        inputs: &Inputs,
        pressure: Pressure,
        reasons: &mut Vec<Reason>,
    ) -> Kept {
        let peaks = self.others.update(now, view, inputs);
        let limit_bytes = view.limit_bytes;
        let room_beside = |peak| share_of(limit_bytes, FILL_PERMILLE).saturating_sub(peak);
        let trim = self.trim.update(
            now,
            &Waits {
                limit_bytes,
                psi: pressure.psi,
                events_total: inputs.max_total.saturating_add(inputs.oom_total),
                is_high: view.state >= State::High,
                room_bytes: room_beside(peaks.cut),
            },
        );
        let is_reclaimable = self.reclaimable.update(now, limit_bytes, peaks.retained, inputs.purges_total);
        let cut = room_beside(peaks.cut).saturating_sub(trim);
        reasons.extend(self.budget.start(limit_bytes, peaks.idle_now, cut));
        if is_reclaimable {
            reasons.extend(self.budget.shrink(cut, peaks.cut));
        } else {
            reasons.push(Reason::NotReclaimable { retained_bytes: peaks.retained });
        }
        let room = self.room(view, pressure, &peaks, trim);
        reasons.extend(self.budget.grow(now, &room));
        Kept { bytes: peaks.retained, is_reclaimable }
    }

    fn room(&self, view: &View, pressure: Pressure, peaks: &Peaks, trim: u64) -> Room {
        let limit_bytes = view.limit_bytes;
        let beside = |peak| share_of(limit_bytes, FILL_PERMILLE).saturating_sub(peak).saturating_sub(trim);
        let unproven = self.arbiter.floors_bytes().saturating_add(share_of(limit_bytes, PROOF_FROM_PERMILLE));
        Room {
            limit_bytes,
            target_bytes: beside(peaks.grow),
            catch_up_bytes: beside(peaks.catch_up),
            window_full: peaks.window_full,
            state: view.state,
            used: self.budget.bytes() < unproven || peaks.idle > self.budget.bytes() / 2,
            work_waits: pressure.forbids_growth(),
            slope: view.slope,
        }
    }

    fn divide(&mut self, inputs: &Inputs, state: State, frozen: bool) -> (Vec<Option<u64>>, bool) {
        let budget_bytes = self.budget.bytes();
        self.arbiter.divide(inputs, Terms { budget_bytes, state, frozen })
    }

    /// The pools' shares of the budget, and what pressure turns.
    fn pools(&mut self, inputs: &Inputs, view: &View, reasons: &mut Vec<Reason>) -> Vec<PoolPlan> {
        let (capacities, moved) = self.divide(inputs, view.state, view.missing_for.is_some());
        if moved && !reasons.iter().any(moves_budget) {
            reasons.push(Reason::Rebalanced);
        }
        let planned = |(pool, capacity_bytes)| PoolPlan { capacity_bytes, ..self.turner.plan(pool) };
        inputs.pools.iter().zip(capacities).map(planned).collect()
    }

    /// Another group binds: levels of the old one say nothing.
    fn forget_levels(&mut self) {
        self.others.forget_levels();
        self.reclaimable.clear();
        self.budget.freeze();
    }
}

/// What creates may take until the next tick. Without a reading, no more than is left of the last grant.
fn grant_bytes(view: &View, inputs: &Inputs) -> u64 {
    let headroom = share_of(view.limit_bytes, GRANT_PERMILLE).saturating_sub(view.usage_bytes);
    let headroom = share_of(headroom, own_permille(view, inputs));
    match (view.missing_for, inputs.grant_left_bytes) {
        (Some(_), Some(left)) => headroom.min(u64::try_from(left).unwrap_or(0)),
        _ => headroom,
    }
}

/// This process's share of what is left: several controlled processes in one group must not spend the same headroom
/// each, so they share it by what each already has.
fn own_permille(view: &View, inputs: &Inputs) -> u64 {
    let Some(rss) = inputs.rss_bytes else { return 1000 };
    let permille = u128::from(rss) * 1000 / u128::from(view.usage_bytes.max(1));
    u64::try_from(permille).ok().filter(|permille| *permille < ALONE_PERMILLE).unwrap_or(1000)
}

fn moves_budget(reason: &Reason) -> bool {
    use Reason::{Decaying, Grew, Halved, Lowered, Shrank, Started};
    matches!(
        reason,
        Started { .. } | Shrank { .. } | Grew { .. } | Halved { .. } | Decaying { .. } | Lowered { .. }
    )
}

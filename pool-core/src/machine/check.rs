//! What must hold whatever went on: at every yield point, and more when nobody is at work.

use super::look::Look;
use super::ticket::{Ledger, Place};
use super::{InHand, Machine};
use crate::shared::signed;
use crate::{DropReason, Figures, LeaseLevel, PoolStats};

impl Machine {
    /// Where nobody is in the middle of moving an object but those that `in_hand` counts.
    pub(super) fn check_anywhere(&self, look: &Look, in_hand: InHand) {
        let ledger = self.ledger.lock();
        let mut wrong = wrong_places(look, &ledger, in_hand);
        drop(ledger);
        let (objects, bytes) = self.keeper.shared().account.credit.capacity();
        let capacity = (signed(objects), signed(bytes));
        if look.all_credit != capacity {
            wrong.push(format!("credit is {:?}, and capacity {capacity:?}", look.all_credit));
        }
        for (at, slot) in look.slots.iter().enumerate() {
            let held = (u32::try_from(slot.ids.len()).unwrap_or(u32::MAX), slot.bytes);
            if held.0 > slot.credit.0 || held.1 > slot.credit.1 {
                wrong.push(format!("slot {at} holds {held:?} on a credit of {:?}", slot.credit));
            }
            if slot.low > slot.ids.len() {
                wrong.push(format!(
                    "slot {at} holds {} objects and never had fewer than {}",
                    held.0, slot.low
                ));
            }
            if slot.stopped && !look.marked {
                wrong.push(format!("slot {at} is stopped and nobody drains"));
            }
        }
        self.ledger.violations(wrong);
    }

    /// When every thread is outside and nothing is in anybody's hands.
    pub(super) fn check_at_rest(&self) {
        let now = crate::sync::clock::now();
        let expected = self.model.borrow().knobs.in_force(now);
        let knobs = self.managed.knobs(); // puts in force what the time has changed
        let read = super::knobs::InForce {
            capacity: knobs.capacity.value,
            sampling: knobs.sampling.value,
            eviction: knobs.eviction.value,
            reuse: knobs.reuse.value,
        };
        if read != expected {
            self.ledger.violation(format!("the knobs say {read:?}, and should {expected:?}"));
        }
        let applied = self.keeper.shared().account.credit.capacity();
        if applied != (u64::from(expected.capacity.objects_max()), expected.capacity.bytes_max()) {
            self.ledger.violation(format!("{applied:?} is in force, not {:?}", expected.capacity));
        }
        let look = self.look();
        self.check_anywhere(&look, InHand::default());
        self.check_counts(&self.managed.stats(), &look);
        self.check_ages(&look);
        let interruptions = self.reached.get().interruptions;
        let mut model = self.model.borrow_mut();
        model.in_force = expected;
        let disturbed = std::mem::replace(&mut model.interruptions_at_rest, interruptions) != interruptions;
        let idle = (look.idle_objects(), look.idle_bytes);
        let now = Rest { generation: knobs.generation, capacity: applied, free: look.free, ceiling: idle };
        let wrong = model.rest.follow(now, disturbed);
        drop(model);
        self.ledger.violations(wrong);
    }

    /// A pool that closed while nobody was inside holds nothing.
    pub(super) fn check_closed(&self) {
        if !self.is_closed() || self.model.borrow().closed_busy {
            return;
        }
        let ledger = self.ledger.lock();
        let left = ledger.objects.iter().filter(|o| o.place == Place::InPool).count();
        drop(ledger);
        if left > 0 {
            self.ledger.violation(format!("{left} objects live on in a closed pool"));
        }
    }

    fn check_counts(&self, stats: &PoolStats, look: &Look) {
        let ledger = self.ledger.lock();
        let model = self.model.borrow();
        let count = |place| ledger.objects.iter().filter(|o| o.place == place).count() as u64;
        let reason = |r: DropReason| stats.returns_dropped[r as usize];
        let dropped_by_returns: u64 = stats.returns_dropped.iter().sum();
        let pairs = [
            ("created", stats.created, ledger.objects.len() as u64),
            ("gets", stats.gets.total(), model.gets),
            ("gets that created", stats.gets.created + stats.gets.bypassed, model.gets_created),
            ("lent", stats.lent_objects, count(Place::Lent)),
            ("returns", stats.returns_kept + dropped_by_returns, model.returns),
            ("idle", stats.idle_objects, look.idle_objects()),
            ("idle bytes", stats.idle_bytes, look.idle_bytes),
            ("in the depot", stats.depot_objects, look.depot.len() as u64),
            ("in the victim", stats.victim_objects, look.victim.len() as u64),
            ("condemned", stats.condemned_objects, look.condemned.len() as u64),
            ("condemned bytes", stats.condemned_bytes, look.condemned_bytes),
            (
                "dropped",
                stats.dropped.iter().sum::<u64>(),
                count(Place::Dropped) + look.condemned.len() as u64,
            ),
            ("dropped as tainted", reason(DropReason::Tainted), model.tainted + ledger.recycle_panics),
            ("dropped as refused", reason(DropReason::Refused), ledger.recycled_refused),
            ("dropped as oversize", reason(DropReason::Oversize), ledger.recycled_oversize),
            ("dropped as contended", reason(DropReason::Contended), 0),
            ("returned to a closed pool", reason(DropReason::Closed), 0),
            ("cycles", stats.cycles, model.cycles),
        ];
        let figures = Figures::of(stats, &self.managed.knobs());
        let mut wrong: Vec<_> = pairs
            .iter()
            .filter(|(_, said, counted)| said != counted)
            .map(|(what, said, counted)| format!("{what}: the pool says {said}, the model {counted}"))
            .collect();
        if figures != self.managed.figures() {
            wrong.push(format!("{figures:?}, but at a tick {:?}", self.managed.figures()));
        }
        if stats.imbalance != 0 {
            wrong.push(format!("imbalance {}", stats.imbalance));
        }
        if count(Place::Lent) == 0 && stats.lent_bytes != 0 {
            wrong.push(format!("nothing is lent, and it weighs {}", stats.lent_bytes));
        }
        if !model.was_cut && ledger.objects.len() <= FEW && reason(DropReason::Full) > 0 {
            wrong.push("full within the capacity as built".to_owned());
        }
        let (known, unknown) = model.open_leases;
        if !(known..=known + unknown).contains(&stats.leases_recorded) {
            wrong.push(format!(
                "{} leases on record, not {known} to {}",
                stats.leases_recorded,
                known + unknown
            ));
        }
        drop((ledger, model));
        self.ledger.violations(wrong);
    }

    /// What nobody has got for so many whole cycles is gone: one until a cycle sees it lie still, one more if a pass
    /// or an overflow brought it to the depot meanwhile, then the knob's age.
    fn check_ages(&self, look: &Look) {
        let ledger = self.ledger.lock();
        let model = self.model.borrow();
        let bound = u64::from(model.oldest_allowed) + 2;
        let old = |id: &usize| {
            let since = ledger.objects[*id].returned_at.max(model.quiet_since);
            model.cycles.saturating_sub(since) > bound
        };
        let found: Vec<_> = look.idle().filter(old).collect();
        let quiet_since = model.quiet_since;
        drop((ledger, model));
        if !found.is_empty() {
            self.ledger
                .violation(format!("{found:?} are idle and were not wanted since cycle {quiet_since}"));
        }
    }
}

/// The accounts when every thread was outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    /// Of the knobs.
    pub(super) generation: u64,
    pub(super) capacity: (u64, u64),
    /// Free credit, objects and bytes.
    pub(super) free: (i64, i64),
    /// What was idle at the last cut.
    pub(super) ceiling: (u64, u64),
}

impl Rest {
    /// Only a cut takes more than is free, and after a cut nothing is added to what is above it. `now.ceiling` is what
    /// is idle now; what it was at a cut in the middle of an operation nobody knows.
    fn follow(&mut self, mut now: Self, disturbed: bool) -> Option<String> {
        let (before, idle) = (*self, now.ceiling);
        let turned = now.generation != before.generation;
        if turned && disturbed {
            now.ceiling = (u64::MAX, u64::MAX);
        } else if now.capacity.0 >= before.capacity.0 && now.capacity.1 >= before.capacity.1 {
            now.ceiling = before.ceiling;
        }
        *self = now;
        let sank = now.free.0 < before.free.0.min(0) || now.free.1 < before.free.1.min(0);
        let grew = idle.0 > now.capacity.0.max(now.ceiling.0) || idle.1 > now.capacity.1.max(now.ceiling.1);
        (!turned && sank || grew).then(|| format!("{idle:?} are idle, and {before:?} became {now:?}"))
    }
}

/// Objects of any size that fit into the capacity as built, whatever slots have taken ahead.
const FEW: usize = 300;

/// Every object that the ledger has in the pool is in one place of it, and no other is.
fn wrong_places(look: &Look, ledger: &Ledger, in_hand: InHand) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = vec![0_u32; ledger.objects.len()];
    for id in look.idle().chain(look.condemned.iter().copied()) {
        match seen.get_mut(id) {
            Some(times) => *times += 1,
            None => wrong.push(format!("something of weight-id {id} is idle")),
        }
    }
    let mut missing = 0;
    for (id, (object, times)) in ledger.objects.iter().zip(seen).enumerate() {
        match (object.place, times) {
            (Place::InPool, 1)
            | (Place::Returning, 0 | 1)
            | (Place::Lent | Place::Dropped | Place::Born, 0) => {}
            (Place::InPool, 0) => missing += 1,
            (place, times) => {
                wrong.push(format!("object {id} is {place:?} and in {times} places of the pool"));
            }
        }
    }
    if missing > in_hand.gets {
        wrong.push(format!("{missing} objects are nowhere, and {} gets are under way", in_hand.gets));
    }
    wrong
}

/// Whether every lease begun now is on record, none is, or it cannot be told.
pub(super) fn is_recorded(level: LeaseLevel) -> Option<bool> {
    match level {
        LeaseLevel::Off => Some(false),
        LeaseLevel::All => Some(true),
        LeaseLevel::Sampled(_) => None,
    }
}

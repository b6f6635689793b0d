//! The slow half of a get: from the magazine after all, from the depot, and how it is counted.

use crate::entry::Entry;
use crate::events::Due;
use crate::node::NodePtr;
use crate::shared::{Shared, home, signed};
use crate::slot::Within;
use crate::sync::atomic::Ordering::Relaxed;

impl Shared {
    /// What the next get is to do, and an idle object for it, if it may have one and there is one.
    pub(crate) fn get_idle(&self) -> (Option<NodePtr>, Due) {
        let entry = self.enter();
        let mut due = self.due(&entry);
        if due.trial.is_some() && !self.has_headroom() {
            due.trial = None; // no memory is to be had for an experiment
        }
        if due.timed().is_some() {
            due.started_ns = self.age_ns();
        }
        let node = if due.may_reuse() { self.take_idle(&entry) } else { None };
        match (&node, &entry.slot) {
            (Some(_), _) => entry.add(&entry.counters().gets, 1),
            (None, Some(slot)) => slot.go_create(),
            (None, None) => {}
        }
        (node, due)
    }

    /// An idle object for a get that does not create, and so takes part in no experiment: whatever is due, it reuses,
    /// and only goes on record.
    pub(crate) fn try_get_idle(&self) -> Option<(NodePtr, Due)> {
        let entry = self.enter();
        let node = self.take_idle(&entry)?;
        let record = self.due(&entry).record;
        entry.add(&entry.counters().gets, 1);
        Some((node, Due { record, ..Due::default() }))
    }

    fn due(&self, entry: &Entry<'_>) -> Due {
        match &entry.slot {
            Some(slot) => slot.due(&self.rates),
            None => self.rates.due_outside(entry.counters().gets.load(Relaxed)),
        }
    }

    fn take_idle(&self, entry: &Entry<'_>) -> Option<NodePtr> {
        match &entry.slot {
            Some(slot) => slot.pop().or_else(|| self.refill(entry, slot)),
            None => self.take_one(entry),
        }
    }

    /// Counts a get that was served by a new object.
    pub(crate) fn count_created(&self, weight: u64, due: Due) {
        let entry = self.enter();
        let counters = entry.counters();
        entry.add(&counters.created, 1);
        entry.add(&counters.created_bytes, weight);
        if due.may_reuse() {
            self.account.ghosts.created();
        } else {
            entry.add(&counters.bypassed, 1);
        }
        entry.add(&counters.gets, 1);
        if let Some(slot) = &entry.slot {
            slot.came_back();
        }
    }

    /// Half a magazine from the depot, or else some objects from the victim, into an empty slot. What credit the
    /// slot had and did not use it gives up first: a thread that only gets does not hold what threads that return
    /// could use.
    fn refill(&self, entry: &Entry<'_>, slot: &Within<'_>) -> Option<NodePtr> {
        let (objects, bytes) = slot.credit();
        self.account.credit.give(i64::from(objects), signed(bytes));
        slot.set_credit(0, 0);
        let half = (self.account.credit.magazine(self.expected_weight()) / 2).max(1);
        let taken = self.take_shared(entry, half, |node| slot.push(node));
        // They bring the credit that they were held on.
        slot.set_credit(u32::try_from(taken).unwrap_or(0), slot.bytes());
        slot.pop()
    }

    fn take_one(&self, entry: &Entry<'_>) -> Option<NodePtr> {
        let mut one = None;
        self.take_shared(entry, 1, |node| one = Some(node));
        let one: NodePtr = one?;
        self.account.credit.give(1, signed(one.weight()));
        Some(one)
    }

    fn take_shared(&self, entry: &Entry<'_>, max: usize, mut each: impl FnMut(NodePtr)) -> usize {
        let taken = self.depot.take(home(), max, &mut each);
        if taken > 0 {
            entry.add(&entry.counters().refilled, 1);
            return taken;
        }
        // A few at a time: what is taken counts as wanted.
        let revived = self.victim.take(max.div_ceil(REVIVED_ONE_IN), &mut each);
        if revived > 0 {
            entry.add(&entry.counters().refilled, 1);
            entry.add(&entry.counters().revived, 1);
        }
        revived
    }
}

/// A refill from the victim is this much smaller than one from the depot.
const REVIVED_ONE_IN: usize = 8;

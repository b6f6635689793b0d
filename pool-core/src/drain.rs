//! Removing from outside the owners: mark and collect, trims, reclaim. What is taken is condemned, and dropped
//! later, outside every lock.

use crate::counters::Counters;
use crate::fence::{self, Fenced};
use crate::managed::{Collected, Job, Taken};
use crate::node::NodePtr;
use crate::shared::{Shared, signed};
use crate::slot::{Slot, attention};
use crate::stats::DropReason;
use crate::sync::atomic::Ordering::{Relaxed, SeqCst};
use crate::sync::{PoisonError, try_lock};
use std::cell::Cell;

impl Shared {
    pub(crate) fn mark(&self) {
        let mut drainer = self.drainer.lock().unwrap_or_else(PoisonError::into_inner);
        drainer.marked = Some(self.mark_slots());
    }

    /// Drainer lock held.
    pub(crate) fn mark_slots(&self) -> (u64, usize) {
        let slots = self.table.with_slots(|slots| {
            let n = slots.len();
            slots.for_each(|slot| slot.set(attention::STOP));
            n
        });
        (fence::epoch(), slots)
    }

    pub(crate) fn collect(&self, fenced: &Fenced, job: Job) -> Collected {
        let mut drainer = self.drainer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut collected = Collected::default();
        // Not ours to collect: somebody else did it, or marked again after our fence and will.
        let ours = |(epoch, _): &(u64, usize)| !fenced.is_complete() || fenced.covers(*epoch);
        let Some((_, marked)) = drainer.marked.filter(ours) else {
            collected.busy_slots = self.table.with_slots(|slots| slots.len()) as u64;
            collected.snapshot = (job == Job::Snapshot).then(|| self.stats());
            return collected;
        };
        match job {
            Job::Snapshot if fenced.is_complete() => {
                let (stats, busy) = self.snapshot(marked);
                collected = Collected { busy_slots: busy, snapshot: Some(stats), ..collected };
                self.release(marked);
            }
            Job::Snapshot => {
                self.release(marked);
                collected.snapshot = Some(self.stats());
                collected.busy_slots = marked as u64;
            }
            Job::Reclaim { extra_bytes } => {
                collected.busy_slots = self.empty_slots(marked, fenced.is_complete());
                collected.taken = self.condemn(extra_bytes, DropReason::Pressure);
            }
            Job::Cycle { now } => {
                let report = self.cycle(marked, fenced.is_complete(), now);
                collected.busy_slots = report.busy_slots;
                collected.taken = report.taken();
                collected.cycle = Some(report);
            }
        }
        drainer.marked = None;
        collected
    }

    fn release(&self, marked: usize) {
        self.table.with_slots(|slots| slots.take(marked).for_each(|slot| slot.unset(attention::STOP)));
    }

    /// Visits the first `marked` slots and lets them go; returns how many were busy. Nothing is visited unless
    /// `fenced`.
    pub(crate) fn visit_slots(&self, marked: usize, fenced: bool, mut each: impl FnMut(&Slot)) -> u64 {
        self.table.with_slots(|slots| {
            let mut busy = 0;
            for slot in slots.take(marked) {
                if fenced && slot.visit() {
                    each(slot);
                } else {
                    busy += 1;
                }
                slot.unset(attention::STOP);
            }
            busy
        })
    }

    /// Moves what is in magazines to the depot and frees all unused credit; returns how many slots were busy.
    pub(crate) fn empty_slots(&self, marked: usize, fenced: bool) -> u64 {
        let mut nodes = Vec::with_capacity(64);
        let busy = self.visit_slots(marked, fenced, |slot| self.take_all(slot, &mut nodes));
        self.depot.put_spread(&nodes);
        busy
    }

    /// Takes a visited slot's magazine and frees the credit that it did not use.
    pub(crate) fn take_all(&self, slot: &Slot, into: &mut Vec<NodePtr>) {
        let before = into.len();
        let (objects, bytes) = slot.take_all(into);
        let taken = &into[before..];
        let held: u64 = taken.iter().map(|n| n.weight()).sum();
        let unused = (i64::from(objects) - signed(taken.len() as u64), signed(bytes) - signed(held));
        self.account.credit.give(unused.0, unused.1);
    }

    /// Whether more is idle, or set aside for it, than a capacity that was cut allows.
    pub(crate) fn is_above_capacity(&self) -> bool {
        let (objects, bytes) = self.account.credit.free();
        objects < 0 || bytes < 0
    }

    /// Condemns what is above capacity and `extra_bytes` more, coldest first: the victim, then the depot;
    /// everything in a closed pool. Drainer lock held.
    pub(crate) fn condemn(&self, extra_bytes: u64, reason: DropReason) -> Taken {
        let closed = self.is_closed();
        let mut condemned = Condemned::new(self, if closed { DropReason::Closed } else { reason });
        let extra = Cell::new(0_u64);
        let enough = || !closed && !self.is_above_capacity() && extra.get() >= extra_bytes;
        let mut take = |node: NodePtr| {
            if !self.is_above_capacity() {
                extra.set(extra.get() + node.weight());
            }
            condemned.push(node);
        };
        self.victim.take_oldest(|_| enough(), &mut take);
        self.depot.take_oldest(enough, &mut take);
        condemned.finish()
    }

    /// Drainer lock held.
    pub(crate) fn count_trimmed(&self, node: NodePtr, reason: DropReason) {
        if reason == DropReason::Pressure {
            self.account.ghosts.dropped(self.account.credit.magazine(node.weight()));
        }
        Counters::add(&self.trimmed.objects[reason as usize], 1);
        Counters::add(&self.trimmed.bytes, node.weight());
    }

    pub(crate) fn trim_depot(&self, extra_bytes: u64, reason: DropReason) -> Taken {
        match try_lock(&self.drainer) {
            Some(_drainer) => self.condemn(extra_bytes, reason),
            None => Taken::default(),
        }
    }

    /// For a create without headroom: takes idle objects of at least `bytes` if there are that many, from the
    /// depot and, if that is not enough, from the slots. Gives up when another drainer is at work.
    pub(crate) fn reclaim(&self, bytes: u64) -> Taken {
        let Some(mut drainer) = try_lock(&self.drainer) else { return Taken::default() };
        let mut taken = self.condemn(bytes, DropReason::Pressure);
        if taken.bytes < bytes && drainer.marked.is_none() {
            let marked = self.mark_slots();
            drainer.marked = Some(marked);
            let fenced = fence::heavy();
            self.empty_slots(marked.1, fenced.is_complete());
            drainer.marked = None;
            taken += self.condemn(bytes - taken.bytes, DropReason::Pressure);
        }
        taken
    }

    pub(crate) fn is_finished(&self) -> bool {
        // A pool that was closed by hand may have handles, and they may lend.
        if !self.is_closed() || self.account.handles.load(SeqCst) > 0 {
            return false;
        }
        // With the drainer lock, or a drainer may have in its hands what is counted nowhere.
        let Some(_drainer) = try_lock(&self.drainer) else { return false };
        let stats = self.stats();
        stats.idle_objects + stats.lent_objects + stats.condemned_objects == 0
    }
}

/// Idle objects on their way to being dropped: their credit is free at once, their memory when they are dropped.
pub(crate) struct Condemned<'a> {
    shared: &'a Shared,
    reason: DropReason,
    nodes: Vec<NodePtr>,
    taken: Taken,
}

impl<'a> Condemned<'a> {
    /// Drainer lock held, until [`finish`](Self::finish).
    pub(crate) fn new(shared: &'a Shared, reason: DropReason) -> Self {
        Self { shared, reason, nodes: Vec::new(), taken: Taken::default() }
    }

    pub(crate) fn push(&mut self, node: NodePtr) {
        self.shared.account.credit.give(1, signed(node.weight()));
        self.shared.count_trimmed(node, self.reason);
        self.taken += Taken { objects: 1, bytes: node.weight() };
        self.nodes.push(node);
    }

    pub(crate) fn finish(self) -> Taken {
        let mut condemned = self.shared.condemned.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.trimmed.pending_bytes.fetch_add(self.taken.bytes, Relaxed);
        condemned.extend(self.nodes);
        self.taken
    }
}

//! Removing from outside the owners: mark and collect, trims, reclaim. What is taken is condemned, and dropped
//! later, outside every lock.

use crate::counters::Counters;
use crate::drainer::Drainer;
use crate::fence::{self, Fenced};
use crate::managed::{Collected, Job, Taken};
use crate::node::NodePtr;
use crate::shared::{Shared, signed};
use crate::slot::{Slot, Visit};
use crate::stats::DropReason;
use crate::sync::PoisonError;
use crate::sync::atomic::Ordering::Relaxed;
use std::cell::Cell;

impl Shared {
    pub(crate) fn mark(&self) {
        self.table.drainer().mark();
    }

    pub(crate) fn collect(&self, fenced: &Fenced, job: Job) -> Collected {
        let mut drainer = self.table.drainer();
        let mut collected = Collected::default();
        // Not ours to collect: somebody else did it, or marked again after our fence and will.
        let ours = |epoch: u64| !fenced.is_complete() || fenced.covers(epoch);
        if !drainer.marked_at().is_some_and(ours) {
            collected.busy_slots = self.table.with_slots(|slots| slots.len()) as u64;
            collected.snapshot = (job == Job::Snapshot).then(|| self.stats());
            return collected;
        }
        match job {
            Job::Snapshot if fenced.is_complete() => {
                let (stats, busy) = self.snapshot(&mut drainer, fenced);
                collected = Collected { busy_slots: busy, snapshot: Some(stats), ..collected };
                release(&mut drainer);
            }
            Job::Snapshot => {
                collected.busy_slots = release(&mut drainer);
                collected.snapshot = Some(self.stats());
            }
            Job::Reclaim { extra_bytes } => {
                collected.busy_slots = self.empty_slots(&mut drainer, fenced);
                collected.taken = self.condemn(extra_bytes, DropReason::Pressure);
            }
            Job::Cycle { now } => {
                let report = self.cycle(&mut drainer, fenced, now);
                collected.busy_slots = report.busy_slots;
                collected.taken = report.taken();
                collected.cycle = Some(report);
            }
        }
        collected
    }

    /// Moves what is in magazines to the depot and frees all unused credit; returns how many slots were busy.
    pub(crate) fn empty_slots(&self, drainer: &mut Drainer<'_>, fenced: &Fenced) -> u64 {
        let mut nodes = Vec::with_capacity(64);
        let busy = drainer.visit(fenced, |slot| self.take_all(slot, &mut nodes));
        self.depot.put_spread(nodes);
        busy
    }

    /// Takes a visited slot's magazine and frees the credit that it did not use.
    pub(crate) fn take_all(&self, slot: &mut Visit<'_>, into: &mut Vec<NodePtr>) {
        let before = into.len();
        let (objects, bytes) = slot.take_all(into);
        let taken = &into[before..];
        let held: u64 = taken.iter().map(NodePtr::weight).sum();
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
    pub(crate) fn count_trimmed(&self, node: &NodePtr, reason: DropReason) {
        if reason == DropReason::Pressure {
            self.account.ghosts.dropped(self.account.credit.magazine(node.weight()));
        }
        Counters::add(&self.trimmed.objects[reason as usize], 1);
        Counters::add(&self.watched.trimmed_bytes, node.weight());
    }

    pub(crate) fn trim_depot(&self, extra_bytes: u64, reason: DropReason) -> Taken {
        // A create that takes back asks one pool after the other: most have nothing, and a look costs less than a lock.
        if self.depot.level_of_late().0 + self.victim.level_of_late().0 == 0 {
            return Taken::default();
        }
        match self.table.try_drainer() {
            Some(_drainer) => self.condemn(extra_bytes, reason),
            None => Taken::default(),
        }
    }

    /// For a create without headroom: takes idle objects of at least `bytes` if there are that many, from the
    /// depot and, if that is not enough, from the slots. Gives up when another drainer is at work.
    pub(crate) fn reclaim(&self, bytes: u64) -> Taken {
        let Some(mut drainer) = self.table.try_drainer() else { return Taken::default() };
        let mut taken = self.condemn(bytes, DropReason::Pressure);
        // Where slots hold nothing, a fence would be for nothing.
        if taken.bytes < bytes && drainer.marked_at().is_none() && self.slots_hold_any() {
            drainer.mark();
            self.empty_slots(&mut drainer, &fence::heavy());
            taken += self.condemn(bytes - taken.bytes, DropReason::Pressure);
        }
        taken
    }

    /// A racing read: what comes to a slot at this moment is not seen.
    fn slots_hold_any(&self) -> bool {
        self.table.with_slots(|slots| slots.map(Slot::len).sum::<usize>() > 0)
    }

    pub(crate) fn is_finished(&self) -> bool {
        // A pool that was closed by hand may have handles, and they may lend.
        if !self.is_closed() || self.account.counts.handles() > 0 {
            return false;
        }
        // With the drainer lock, or a drainer may have in its hands what is counted nowhere.
        let Some(_drainer) = self.table.try_drainer() else { return false };
        let stats = self.stats();
        stats.idle_objects + stats.lent_objects + stats.condemned_objects == 0
    }
}

/// Lets the marked slots go unvisited; returns how many they are.
fn release(drainer: &mut Drainer<'_>) -> u64 {
    drainer.visit(&Fenced::refused(), |_| {})
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
        self.shared.count_trimmed(&node, self.reason);
        self.taken += Taken { objects: 1, bytes: node.weight() };
        self.nodes.push(node);
    }

    pub(crate) fn finish(self) -> Taken {
        let mut condemned = self.shared.condemned.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.trimmed.pending_bytes.fetch_add(self.taken.bytes, Relaxed);
        self.shared.watched.pending_objects.fetch_add(self.taken.objects, Relaxed);
        condemned.extend(self.nodes);
        self.taken
    }
}

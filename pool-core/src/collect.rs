//! Reading and removing from outside the owners: statistics, mark and collect, trims, condemned objects.
//!
//! [`Keeper`] is a pool as its registry holds it: it keeps the memory, but is no handle.

use crate::close::destroy_all;
use crate::fence::{self, Fenced};
use crate::inside::Inside;
use crate::knobs::{Author, Capacity, Knob, LeaseLevel};
use crate::managed::{Collected, Job, Managed, Taken};
use crate::node::NodePtr;
use crate::recycle::Recycler;
use crate::shared::{Shared, signed};
use crate::slot::{Counters, Slot, attention};
use crate::stats::{DropReason, Gets, PoolStats, Suspect};
use crate::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use crate::sync::{PoisonError, clock, try_lock};
use std::ptr::NonNull;
use std::time::Duration;

impl Shared {
    /// Racing statistics.
    pub(crate) fn stats(&self) -> PoolStats {
        let mut total = Totals::default();
        let (idle, slots) = self.table.with_slots(|slots| {
            let n = slots.len() as u64;
            let mut idle = (0, 0);
            for slot in slots {
                idle = (idle.0 + slot.len() as u64, idle.1 + slot.bytes());
                total.add(&slot.counters);
            }
            (idle, n)
        });
        total.add(&self.outside.counters);
        self.sum(&total, idle, self.depot.level(), slots)
    }

    /// Puts counters and levels together that the caller has read.
    fn sum(&self, total: &Totals, in_slots: (u64, u64), in_depot: (u64, u64), slots: u64) -> PoolStats {
        let capacity = self.capacity.lock().unwrap_or_else(PoisonError::into_inner).value;
        let (recorded, missed) = self.leases.counts();
        let returned: u64 = total.kept + total.dropped.iter().sum::<u64>();
        let mut dropped = total.dropped;
        for (sum, trimmed) in dropped.iter_mut().zip(&self.trimmed.objects) {
            *sum += trimmed.load(Relaxed);
        }
        let idle_objects = in_slots.0 + in_depot.0;
        let idle_bytes = in_slots.1 + in_depot.1;
        let known = total
            .created_bytes
            .wrapping_add(total.grown_bytes)
            .wrapping_sub(total.dropped_bytes)
            .wrapping_sub(self.trimmed.bytes.load(Relaxed));
        let lent_bytes = known.wrapping_sub(idle_bytes);
        let lent_objects = total.gets.saturating_sub(returned);
        let balance = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        PoolStats {
            name: self.name.to_string(),
            consistent: false,
            gets: Gets {
                hit: total.gets.saturating_sub(total.refilled + total.created),
                refill: total.refilled,
                created: total.created,
            },
            returns_kept: total.kept,
            returns_dropped: total.dropped,
            created: total.created,
            dropped,
            idle_objects,
            idle_bytes,
            depot_objects: in_depot.0,
            lent_objects,
            // A racing read may see an object in two levels at once; it then has fewer bytes than none.
            lent_bytes: if signed(lent_bytes) > i64::MAX / 4 { 0 } else { lent_bytes },
            condemned_objects: self.condemned.lock().unwrap_or_else(PoisonError::into_inner).len() as u64,
            condemned_bytes: self.trimmed.pending_bytes.load(Relaxed),
            capacity_objects: u64::from(capacity.objects_max()),
            capacity_bytes: capacity.bytes_max(),
            expected_weight: self.expected_weight(),
            slots,
            imbalance: balance(total.created)
                - balance(dropped.iter().sum())
                - balance(idle_objects)
                - (balance(total.gets) - balance(returned)),
            duplicates: 0,
            leases_recorded: recorded,
            leases_missed: missed,
        }
    }

    /// Statistics of one moment: the first `marked` slots are stopped, the drainer lock is held. Consistent if
    /// every slot could be visited and nobody was outside meanwhile.
    fn snapshot(&self, marked: usize) -> (PoolStats, u64) {
        let mut idle = Vec::new();
        let begun = self.outside.begun.load(SeqCst);
        let quiet = self.outside.ended.load(SeqCst) == begun;
        let (mut stats, busy, slots) = self.depot.while_locked(|in_depot| {
            let mut busy = 0;
            let mut bytes = 0;
            let mut total = Totals::default();
            let slots = self.table.with_slots(|slots| {
                let n = slots.len();
                for slot in slots.take(marked) {
                    if slot.visit() {
                        slot.peek_all(&mut idle);
                        bytes += slot.bytes();
                    } else {
                        busy += 1;
                    }
                    total.add(&slot.counters);
                }
                n
            });
            total.add(&self.outside.counters);
            let in_slots = (idle.len() as u64, bytes);
            idle.extend(in_depot);
            let depot_objects = idle.len() as u64 - in_slots.0;
            let depot_bytes = idle[idle.len() - usize::try_from(depot_objects).unwrap_or(0)..]
                .iter()
                .map(|n| n.weight())
                .sum();
            (self.sum(&total, in_slots, (depot_objects, depot_bytes), slots as u64), busy, slots)
        });
        stats.consistent = busy == 0 && quiet && slots == marked && self.outside.begun.load(SeqCst) == begun;
        let found = idle.len();
        idle.sort_unstable();
        idle.dedup();
        stats.duplicates = (found - idle.len()) as u64;
        (stats, busy)
    }

    fn mark(&self) {
        let mut drainer = self.drainer.lock().unwrap_or_else(PoisonError::into_inner);
        drainer.marked = Some(self.mark_slots());
    }

    /// Drainer lock held.
    fn mark_slots(&self) -> (u64, usize) {
        let slots = self.table.with_slots(|slots| {
            let n = slots.len();
            slots.for_each(|slot| slot.set(attention::STOP));
            n
        });
        (fence::epoch(), slots)
    }

    fn collect(&self, fenced: &Fenced, job: Job) -> Collected {
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
        }
        drainer.marked = None;
        collected
    }

    fn release(&self, marked: usize) {
        self.table.with_slots(|slots| slots.take(marked).for_each(|slot| slot.unset(attention::STOP)));
    }

    /// Moves what is in magazines to the depot and frees all unused credit; returns how many slots were busy.
    fn empty_slots(&self, marked: usize, fenced: bool) -> u64 {
        let mut nodes = Vec::with_capacity(64);
        let mut busy = 0;
        let take = |slot: &Slot, nodes: &mut Vec<NodePtr>| {
            let before = nodes.len();
            let (objects, bytes) = slot.take_all(nodes);
            let held: u64 = nodes[before..].iter().map(|n| n.weight()).sum();
            self.credit.give(
                i64::from(objects) - signed((nodes.len() - before) as u64),
                signed(bytes) - signed(held),
            );
        };
        self.table.with_slots(|slots| {
            for slot in slots.take(marked) {
                if fenced && slot.visit() {
                    take(slot, &mut nodes);
                } else {
                    busy += 1;
                }
                slot.unset(attention::STOP);
            }
        });
        self.depot.put_spread(&nodes);
        busy
    }

    /// Condemns what the depot holds above capacity and `extra_bytes` more; everything in a closed pool.
    /// Drainer lock held.
    fn condemn(&self, extra_bytes: u64, mut reason: DropReason) -> Taken {
        let closed = self.closed.load(SeqCst);
        if closed {
            reason = DropReason::Closed;
        }
        let mut taken = Taken::default();
        let mut nodes = Vec::new();
        let extra = std::cell::Cell::new(0_u64);
        self.depot.take_oldest(
            || {
                let (objects, bytes) = self.credit.free();
                !closed && objects >= 0 && bytes >= 0 && extra.get() >= extra_bytes
            },
            |node| {
                let (objects, bytes) = self.credit.free();
                if objects >= 0 && bytes >= 0 {
                    extra.set(extra.get() + node.weight());
                }
                self.credit.give(1, signed(node.weight()));
                nodes.push(node);
            },
        );
        for &node in &nodes {
            taken += Taken { objects: 1, bytes: node.weight() };
            self.count_trimmed(node, reason);
        }
        let mut condemned = self.condemned.lock().unwrap_or_else(PoisonError::into_inner);
        self.trimmed.pending_bytes.fetch_add(taken.bytes, Relaxed);
        condemned.extend(nodes);
        drop(condemned);
        taken
    }

    /// Drainer lock held.
    pub(crate) fn count_trimmed(&self, node: NodePtr, reason: DropReason) {
        Counters::add(&self.trimmed.objects[reason as usize], 1);
        Counters::add(&self.trimmed.bytes, node.weight());
    }

    fn trim_depot(&self, extra_bytes: u64, reason: DropReason) -> Taken {
        match try_lock(&self.drainer) {
            Some(_drainer) => self.condemn(extra_bytes, reason),
            None => Taken::default(),
        }
    }

    /// For a create without headroom: takes idle objects of at least `bytes` if there are that many, from the
    /// depot and, if that is not enough, from the slots. Gives up when another drainer is at work.
    fn reclaim(&self, bytes: u64) -> Taken {
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

    fn set_capacity(&self, new: Capacity, author: Author, reason: &str) -> u64 {
        let mut knob = self.capacity.lock().unwrap_or_else(PoisonError::into_inner);
        self.credit.resize(i64::from(new.objects_max()), signed(new.bytes_max()));
        *knob = Knob { value: new, generation: knob.generation + 1, author, reason: reason.to_owned() };
        knob.generation
    }

    fn is_finished(&self) -> bool {
        // With the drainer lock, or a drainer may have in its hands what is counted nowhere.
        let Some(_drainer) = self.closed.load(SeqCst).then(|| try_lock(&self.drainer)).flatten() else {
            return false;
        };
        let stats = self.stats();
        stats.idle_objects + stats.lent_objects + stats.condemned_objects == 0
    }
}

#[derive(Default)]
struct Totals {
    gets: u64,
    kept: u64,
    refilled: u64,
    created: u64,
    created_bytes: u64,
    grown_bytes: u64,
    dropped: [u64; DropReason::ALL.len()],
    dropped_bytes: u64,
}

impl Totals {
    fn add(&mut self, c: &Counters) {
        // Returns before gets: a racing sum may then count a lease as lent that has ended, never the reverse.
        // Acquire pairs with the release of operations outside (see `Entry::add`).
        self.kept = self.kept.wrapping_add(c.kept.load(Acquire));
        for (sum, n) in self.dropped.iter_mut().zip(&c.dropped) {
            *sum += n.load(Acquire);
        }
        self.dropped_bytes = self.dropped_bytes.wrapping_add(c.dropped_bytes.load(Acquire));
        self.created = self.created.wrapping_add(c.created.load(Acquire));
        self.created_bytes = self.created_bytes.wrapping_add(c.created_bytes.load(Acquire));
        self.grown_bytes = self.grown_bytes.wrapping_add(c.grown_bytes.load(Acquire));
        self.refilled = self.refilled.wrapping_add(c.refilled.load(Acquire));
        self.gets = self.gets.wrapping_add(c.gets.load(Acquire));
    }
}

/// A pool without a handle: keeps its memory and does what a registry asks.
pub(crate) struct Keeper<T, R: Recycler<T>>(NonNull<Inside<T, R>>);

// SAFETY: as for `Pool`; a pool of values that are not `Send` cannot be built.
unsafe impl<T, R: Recycler<T>> Send for Keeper<T, R> {}
// SAFETY: as above.
unsafe impl<T, R: Recycler<T>> Sync for Keeper<T, R> {}

impl<T, R: Recycler<T>> Keeper<T, R> {
    /// # Safety
    /// I2.
    pub(crate) unsafe fn new(inside: NonNull<Inside<T, R>>) -> Self {
        // SAFETY: I2; the new count is this keeper's.
        unsafe { Inside::acquire(inside) };
        Self(inside)
    }

    pub(crate) fn shared(&self) -> &Shared {
        // SAFETY: I2.
        unsafe { &self.0.as_ref().shared }
    }

    /// Lets the registry forget a pool that has finished.
    pub(crate) fn forgotten(self) {
        #[cfg(not(ebbpool_loom))]
        if let Some(registry) = self.shared().registry() {
            registry.forget_finished();
        }
        drop(self);
    }
}

impl<T, R: Recycler<T>> Drop for Keeper<T, R> {
    fn drop(&mut self) {
        // SAFETY: this keeper's count.
        unsafe { Inside::release(self.0) };
    }
}

impl<T: 'static, R: Recycler<T>> Managed for Keeper<T, R> {
    fn name(&self) -> &str {
        &self.shared().name
    }

    fn stats(&self) -> PoolStats {
        self.shared().stats()
    }

    fn capacity(&self) -> Knob<Capacity> {
        self.shared().capacity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_capacity(&self, capacity: Capacity, author: Author, reason: &str) -> u64 {
        self.shared().set_capacity(capacity, author, reason)
    }

    fn lease_level(&self) -> LeaseLevel {
        self.shared().lease_level()
    }

    fn set_lease_level(&self, level: LeaseLevel) {
        self.shared().set_lease_level(level);
    }

    fn suspects(&self, older_than: Duration) -> Vec<Suspect> {
        self.shared().leases.suspects(older_than)
    }

    fn trim_depot(&self, extra_bytes: u64, reason: DropReason) -> Taken {
        self.shared().trim_depot(extra_bytes, reason)
    }

    fn reclaim(&self, bytes: u64) -> Taken {
        self.shared().reclaim(bytes)
    }

    fn mark(&self) {
        self.shared().mark();
    }

    fn collect(&self, fenced: &Fenced, job: Job) -> Collected {
        self.shared().collect(fenced, job)
    }

    fn drop_condemned(&self, budget: Duration) -> bool {
        let shared = self.shared();
        let until = clock::now().checked_add(budget);
        loop {
            let mut condemned = shared.condemned.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(node) = condemned.pop_front() else { return true };
            let last = condemned.is_empty();
            shared.trimmed.pending_bytes.fetch_sub(node.weight(), Relaxed);
            drop(condemned);
            // A panicking drop must not end the pass that drops other pools' objects; the value is gone.
            // SAFETY: N1: popped above, made by this inside.
            let _panic = unsafe { destroy_all(self.0, vec![node]) };
            if last || until.is_some_and(|until| clock::now() >= until) {
                return last;
            }
        }
    }

    fn is_finished(&self) -> bool {
        self.shared().is_finished()
    }

    #[cfg(feature = "failpoints")]
    fn set_faults_armed(&self, armed: bool) {
        self.shared().set_faults_armed(armed);
    }
}

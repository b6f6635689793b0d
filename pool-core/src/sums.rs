//! Statistics: per-slot counters and levels put together, racing or of one moment.

use crate::counters::Counters;
use crate::drainer::Drainer;
use crate::fence::Fenced;
use crate::figures::Figures;
use crate::notes::Seen;
use crate::shared::{Shared, signed};
use crate::stats::{DropReason, Gets, PoolStats};
use crate::sync::PoisonError;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};

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
        self.sum(&total, idle, self.depot.level(), self.victim.level(), slots)
    }

    /// The same without what would have to be allocated, copied at length or locked: but beyond 64 ids slots are looked
    /// up under the table's lock, and once when an override has ended, knobs under theirs.
    pub(crate) fn figures(&self) -> Figures {
        let (mut total, mut in_slots) = (Lean::default(), (0, 0));
        self.table.each_slot_of_late(|slot| {
            in_slots = (in_slots.0 + slot.len() as u64, in_slots.1 + slot.bytes());
            total.add(&slot.counters);
        });
        if self.outside.begun.load(Relaxed) > 0 {
            total.add(&self.outside.counters);
        }
        let (in_depot, in_victim) = (self.depot.level_of_late(), self.victim.level_of_late());
        let (capacity_objects, capacity_bytes) = self.account.credit.capacity();
        let idle_bytes = in_slots.1 + in_depot.1 + in_victim.1;
        Figures {
            gets: total.by_outcome(),
            ghost_hits: self.account.ghosts.hits(),
            idle_objects: in_slots.0 + in_depot.0 + in_victim.0,
            idle_bytes,
            lent_objects: total.lent(),
            lent_bytes: self.lent_bytes(total.flow_bytes, idle_bytes),
            capacity_objects,
            capacity_bytes,
            expected_weight: self.expected_weight(),
            leases_timed: self.trials.timed(),
            creates_timed: self.account.creates.timed(),
            knobs_generation: self.knobs_generation(),
        }
    }

    /// `flow_bytes`: what came into being in the hands of users, less what they dropped.
    fn lent_bytes(&self, flow_bytes: u64, idle_bytes: u64) -> u64 {
        let known = flow_bytes
            .wrapping_add(self.watched.prefilled_bytes.load(Relaxed))
            .wrapping_sub(self.watched.trimmed_bytes.load(Relaxed));
        let lent = known.wrapping_sub(idle_bytes);
        // A racing read may see an object in two levels at once; it then has fewer bytes than none.
        if signed(lent) > i64::MAX / 4 { 0 } else { lent }
    }

    /// Objects lent now, racing. Of a closed pool no slot of which is busy it is never too low.
    pub(crate) fn lent(&self) -> u64 {
        let mut total = Lean::default();
        self.table.with_slots(|slots| slots.for_each(|slot| total.add(&slot.counters)));
        total.add(&self.outside.counters);
        total.lent()
    }

    /// Puts counters and levels together that the caller has read.
    fn sum(
        &self,
        Totals { lean: total, dropped: returns_dropped }: &Totals,
        in_slots: Amount,
        in_depot: Amount,
        in_victim: Amount,
        slots: u64,
    ) -> PoolStats {
        let (capacity_objects, capacity_bytes) = self.account.credit.capacity();
        let (recorded, missed) = self.leases.counts();
        let (arms, lifetimes) = self.trials.summary(total.gets);
        let prefilled = self.prefilled.objects.load(Relaxed);
        let created = total.created + prefilled;
        let mut dropped = *returns_dropped;
        for (sum, trimmed) in dropped.iter_mut().zip(&self.trimmed.objects) {
            *sum += trimmed.load(Relaxed);
        }
        let idle_objects = in_slots.0 + in_depot.0 + in_victim.0;
        let idle_bytes = in_slots.1 + in_depot.1 + in_victim.1;
        let balance = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        PoolStats {
            name: self.name.to_string(),
            consistent: false,
            gets: total.by_outcome(),
            ghost_hits: self.account.ghosts.hits(),
            returns_kept: total.kept,
            returns_dropped: *returns_dropped,
            created,
            prefilled,
            dropped,
            idle_objects,
            idle_bytes,
            depot_objects: in_depot.0,
            victim_objects: in_victim.0,
            victim_bytes: in_victim.1,
            cycles: self.cycles.count.load(Relaxed),
            lent_objects: total.lent(),
            lent_bytes: self.lent_bytes(total.flow_bytes, idle_bytes),
            condemned_objects: self.condemned.lock().unwrap_or_else(PoisonError::into_inner).len() as u64,
            condemned_bytes: self.trimmed.pending_bytes.load(Relaxed),
            capacity_objects,
            capacity_bytes,
            expected_weight: self.expected_weight(),
            slots,
            imbalance: balance(created)
                - balance(dropped.iter().sum())
                - balance(idle_objects)
                - (balance(total.gets) - balance(total.kept + total.dropped)),
            duplicates: 0,
            arms,
            lifetimes,
            creates: self.account.creates.times(),
            leases_recorded: recorded,
            leases_missed: missed,
        }
    }

    /// Statistics of one moment: the slots that `drainer` marked are stopped. Consistent if every slot could be
    /// visited and nobody was outside meanwhile.
    pub(crate) fn snapshot(&self, drainer: &mut Drainer<'_>, fenced: &Fenced) -> (PoolStats, u64) {
        let mut idle = Vec::new();
        let begun = self.outside.begun.load(SeqCst);
        let quiet = self.outside.ended.load(SeqCst) == begun;
        let (mut stats, busy, all_marked) = self.depot.while_locked(|in_depot| {
            let mut busy = 0;
            let mut bytes = 0;
            let mut total = Totals::default();
            let mut looked = 0;
            let slots = drainer.look(fenced, |slot, visit| {
                looked += 1;
                if let Some(visit) = visit {
                    visit.peek_all(&mut idle);
                    bytes += slot.bytes();
                } else {
                    busy += 1;
                }
                total.add(&slot.counters);
            });
            total.add(&self.outside.counters);
            let in_slots = (idle.len() as u64, bytes);
            let in_depot = append(&mut idle, in_depot);
            let in_victim = self.victim.while_locked(|in_victim| append(&mut idle, in_victim));
            (self.sum(&total, in_slots, in_depot, in_victim, slots as u64), busy, slots == looked)
        });
        stats.consistent = busy == 0 && quiet && all_marked && self.outside.begun.load(SeqCst) == begun;
        let found = idle.len();
        idle.sort_unstable();
        idle.dedup_by_key(|seen| seen.address);
        stats.duplicates = (found - idle.len()) as u64;
        (stats, busy)
    }
}

/// Adds `more` to `all` and says how much that was.
fn append(all: &mut Vec<Seen>, more: &mut dyn Iterator<Item = Seen>) -> Amount {
    let before = all.len();
    all.extend(more);
    let added = &all[before..];
    (added.len() as u64, added.iter().map(|node| node.weight).sum())
}

/// Objects and bytes.
type Amount = (u64, u64);

/// Counters of slots, and of what went on outside them.
#[derive(Default)]
struct Totals {
    lean: Lean,
    dropped: [u64; DropReason::ALL.len()],
}

/// The part of it that is read all the time.
#[derive(Default)]
struct Lean {
    gets: u64,
    kept: u64,
    dropped: u64,
    refilled: u64,
    revived: u64,
    bypassed: u64,
    created: u64,
    /// Bytes that were created and grown, less what was dropped.
    flow_bytes: u64,
}

impl Totals {
    fn add(&mut self, c: &Counters) {
        // Before the rest, and for its reasons.
        for (sum, n) in self.dropped.iter_mut().zip(&c.dropped) {
            *sum += n.load(Acquire);
        }
        self.lean.add(c);
    }
}

impl Lean {
    fn add(&mut self, c: &Counters) {
        // Returns before gets: a racing sum may then count a lease as lent that has ended, never the reverse.
        // Acquire pairs with the release of operations outside (see `Entry::add`).
        self.kept += c.kept.load(Acquire);
        self.dropped += c.dropped_total.load(Acquire);
        let flow = self.flow_bytes.wrapping_sub(c.dropped_bytes.load(Acquire));
        let flow = flow.wrapping_add(c.created_bytes.load(Acquire));
        self.flow_bytes = flow.wrapping_add(c.grown_bytes.load(Acquire));
        self.created += c.created.load(Acquire);
        self.revived += c.revived.load(Acquire);
        self.bypassed += c.bypassed.load(Acquire);
        self.refilled += c.refilled.load(Acquire);
        self.gets += c.gets.load(Acquire);
    }

    fn lent(&self) -> u64 {
        self.gets.saturating_sub(self.kept + self.dropped)
    }

    fn by_outcome(&self) -> Gets {
        Gets {
            hit: self.gets.saturating_sub(self.refilled + self.created),
            refill: self.refilled.saturating_sub(self.revived),
            victim: self.revived,
            created: self.created.saturating_sub(self.bypassed),
            bypassed: self.bypassed,
        }
    }
}

//! The part of a pool that needs no type: slots, depot, credit, counters, and the slow halves of get and return.
//!
//! It knows values only as nodes that weigh something. No user code (create, recycle, drop) runs while an owner
//! is inside its slot or a lock is held.

use crate::credit::Credit;
use crate::depot::{Depot, Refused};
use crate::knobs::{Author, Capacity, Knob, LeaseLevel};
use crate::lease::Leases;
use crate::node::NodePtr;
use crate::slot::{Counters, Slot, attention};
use crate::stats::DropReason;
use crate::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, Release, SeqCst},
};
use crate::sync::{Mutex, STRIPES, chance};
use crate::table::Table;
use crate::thread_id;
use std::collections::VecDeque;

pub(crate) struct Shared {
    pub(crate) table: Table,
    /// Rule I1.
    pub(crate) refs: AtomicUsize,
    pub(crate) handles: AtomicUsize,
    pub(crate) closed: AtomicBool,
    /// `LeaseLevel` as a number: 0 off, 1 all, n one in n.
    record_one_in: AtomicU32,
    #[cfg(feature = "failpoints")]
    faults: AtomicBool,
    pub(crate) depot: Depot,
    pub(crate) credit: Credit,
    pub(crate) outside: Outside,
    pub(crate) leases: Leases,
    /// What a return weighs, smoothed over the last eight changes.
    expected_weight: AtomicU64,
    /// The most that a new object weighed.
    born_weight: AtomicU64,
    pub(crate) drainer: Mutex<Drainer>,
    pub(crate) trimmed: Trimmed,
    pub(crate) condemned: Mutex<VecDeque<NodePtr>>,
    pub(crate) capacity: Mutex<Knob<Capacity>>,
    pub(crate) name: Box<str>,
    #[cfg(not(ebbpool_loom))]
    pub(crate) registry: Option<crate::registry::WeakRegistry>,
}

/// Who drains, one at a time: holding this lock is part of rule S2.
#[derive(Debug, Default)]
pub(crate) struct Drainer {
    /// The fence epoch read after marking and how many slots were marked; `None` when no slot is.
    pub(crate) marked: Option<(u64, usize)>,
}

/// Gets and returns that did not go through a slot: threads without an id, and owners that met a drainer.
pub(crate) struct Outside {
    pub(crate) begun: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) counters: Counters,
}

/// Idle objects that drainers condemned; written under the drainer lock.
pub(crate) struct Trimmed {
    pub(crate) objects: [AtomicU64; DropReason::ALL.len()],
    pub(crate) bytes: AtomicU64,
    /// Bytes condemned and not dropped yet.
    pub(crate) pending_bytes: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        name: &str,
        capacity: Capacity,
        level: LeaseLevel,
        #[cfg(not(ebbpool_loom))] registry: Option<crate::registry::WeakRegistry>,
    ) -> Self {
        let (objects, bytes) = (i64::from(capacity.objects_max()), signed(capacity.bytes_max()));
        let knob =
            Knob { value: capacity, generation: 0, author: Author::Operator, reason: "as built".into() };
        Self {
            table: Table::new(),
            refs: AtomicUsize::new(1),
            handles: AtomicUsize::new(1),
            closed: AtomicBool::new(false),
            record_one_in: AtomicU32::new(one_in(level)),
            #[cfg(feature = "failpoints")]
            faults: AtomicBool::new(false),
            depot: Depot::new(),
            credit: Credit::new(objects, bytes),
            outside: Outside {
                begun: AtomicU64::new(0),
                ended: AtomicU64::new(0),
                counters: Counters::new(),
            },
            leases: Leases::new(),
            expected_weight: AtomicU64::new(0),
            born_weight: AtomicU64::new(0),
            drainer: Mutex::new(Drainer::default()),
            trimmed: Trimmed {
                objects: std::array::from_fn(|_| AtomicU64::new(0)),
                bytes: AtomicU64::new(0),
                pending_bytes: AtomicU64::new(0),
            },
            condemned: Mutex::new(VecDeque::new()),
            capacity: Mutex::new(knob),
            name: name.into(),
            #[cfg(not(ebbpool_loom))]
            registry,
        }
    }

    // ---- get ----

    /// An idle object for a get that the fast path could not serve, and whether its lease is to be recorded.
    pub(crate) fn get_idle(&self) -> Option<(NodePtr, bool)> {
        let entry = self.enter();
        let node = match entry.slot {
            Some(slot) => slot.pop().or_else(|| self.refill(&entry, slot)),
            None => self.take_one(&entry),
        }?;
        let record = self.count_get(&entry);
        Some((node, record))
    }

    /// Counts a get that was served by a new object; whether its lease is to be recorded.
    pub(crate) fn count_created(&self, weight: u64) -> bool {
        let entry = self.enter();
        entry.add(&entry.counters().created, 1);
        entry.add(&entry.counters().created_bytes, weight);
        self.count_get(&entry)
    }

    fn count_get(&self, entry: &Entry<'_>) -> bool {
        let record = if let Some(slot) = entry.slot {
            slot.sample(&self.record_one_in)
        } else {
            let one_in = u64::from(self.record_one_in.load(Relaxed));
            one_in != 0 && entry.counters().gets.load(Relaxed) % one_in == 0
        };
        entry.add(&entry.counters().gets, 1);
        record
    }

    /// Half a magazine from the depot into an empty slot. What credit the slot had and did not use it gives up
    /// first: a thread that only gets does not hold what threads that return could use.
    fn refill(&self, entry: &Entry<'_>, slot: &Slot) -> Option<NodePtr> {
        let (objects, bytes) = slot.credit();
        self.credit.give(i64::from(objects), signed(bytes));
        slot.set_credit(0, 0);
        let mut batch = Vec::new();
        let half = (self.credit.magazine(self.expected_weight()) / 2).max(1);
        self.depot.take(home(), half, &mut batch);
        let node = batch.pop()?;
        let batch_bytes: u64 = batch.iter().map(|n| n.weight()).sum();
        let objects = u32::try_from(batch.len() + 1).unwrap_or(u32::MAX);
        slot.set_credit(objects, batch_bytes + node.weight());
        for &n in &batch {
            slot.push(n, n.weight());
        }
        entry.add(&entry.counters().refilled, 1);
        Some(node)
    }

    fn take_one(&self, entry: &Entry<'_>) -> Option<NodePtr> {
        let mut one = Vec::new();
        self.depot.take(home(), 1, &mut one);
        let node = one.pop()?;
        self.credit.give(1, signed(node.weight()));
        entry.add(&entry.counters().refilled, 1);
        Some(node)
    }

    // ---- return ----

    /// Takes an object back that the fast path could not. `verdict` says whether it is fit. Returns the node
    /// if it is to be destroyed. The caller holds a reference count (I3) and wrote `weight` into the node.
    pub(crate) fn take_back(
        &self,
        node: NodePtr,
        weight_before: u64,
        weight: u64,
        verdict: Result<(), DropReason>,
    ) -> Option<NodePtr> {
        if weight != weight_before {
            self.expect_weight(weight);
        }
        let entry = self.enter();
        let counters = entry.counters();
        entry.add(&counters.grown_bytes, weight.wrapping_sub(weight_before));
        match verdict.and_then(|()| self.admit(&entry, node, weight)) {
            Ok(()) => {
                entry.add(&counters.kept, 1);
                None
            }
            Err(reason) => {
                entry.add(&counters.dropped[reason as usize], 1);
                entry.add(&counters.dropped_bytes, weight);
                Some(node)
            }
        }
    }

    /// Finds a place for an object, and credit to hold it there.
    fn admit(&self, entry: &Entry<'_>, node: NodePtr, weight: u64) -> Result<(), DropReason> {
        let Some(slot) = entry.slot else {
            return self.admit_to_depot(node, weight);
        };
        if slot.len() >= self.credit.magazine(weight) {
            self.overflow(slot, weight)?;
        } else if !slot.fits(weight) && !self.raise_credit(slot, weight) {
            // Nothing is free. Other threads may be in want of what this one has too much of.
            self.send_half(slot)?;
            return Err(DropReason::Full);
        }
        slot.push(node, weight);
        Ok(())
    }

    /// Makes room in a full magazine: half of it goes to the depot on its own credit, and the newcomer needs one.
    fn overflow(&self, slot: &Slot, weight: u64) -> Result<(), DropReason> {
        let credit = self.credit.take(1, signed(weight));
        let sent = self.send_half(slot);
        if !credit {
            return Err(DropReason::Full);
        }
        if sent.is_err() {
            self.credit.give(1, signed(weight));
            return sent;
        }
        let (objects, bytes) = slot.credit();
        slot.set_credit(objects + 1, bytes + weight);
        Ok(())
    }

    /// Sends the older half of the magazine to the depot, with its credit.
    fn send_half(&self, slot: &Slot) -> Result<(), DropReason> {
        let mut batch = Vec::new();
        slot.take_oldest(slot.len() / 2, &mut batch);
        let sent = u32::try_from(batch.len()).unwrap_or(0);
        let sent_bytes: u64 = batch.iter().map(|n| n.weight()).sum();
        if batch.is_empty() {
            return Ok(());
        }
        let result = self.depot.put(home(), &mut batch);
        if let Err(refused) = result {
            for &n in &batch {
                slot.push(n, n.weight());
            }
            return Err(reason(refused));
        }
        let (objects, bytes) = slot.credit();
        slot.set_credit(objects - sent, bytes - sent_bytes);
        Ok(())
    }

    /// Gets the slot credit for one more object of `weight`, and with luck for some more after it.
    fn raise_credit(&self, slot: &Slot, weight: u64) -> bool {
        let (objects, bytes) = slot.credit();
        let (len, held) = (u32::try_from(slot.len()).unwrap_or(u32::MAX), slot.bytes());
        let need_objects = (len + 1).saturating_sub(objects);
        let need_bytes = (held + weight).saturating_sub(bytes);
        let (free_objects, free_bytes) = self.credit.free();
        // A quarter of what is free at most, so that one slot does not take everything.
        let most = u32::try_from(self.credit.magazine(weight)).unwrap_or(u32::MAX);
        let room = most.saturating_sub(objects);
        let ahead = u32::try_from(free_objects / 4).unwrap_or(0).min(AHEAD_MAX);
        let more_objects = ahead.min(room).max(need_objects);
        let more_bytes = u64::from(AHEAD_MAX)
            .saturating_mul(weight)
            .min(u64::try_from(free_bytes / 4).unwrap_or(0))
            .max(need_bytes);
        for (o, b) in [(more_objects, more_bytes), (need_objects, need_bytes)] {
            if self.credit.take(i64::from(o), signed(b)) {
                slot.set_credit(objects + o, bytes + b);
                return true;
            }
        }
        false
    }

    fn admit_to_depot(&self, node: NodePtr, weight: u64) -> Result<(), DropReason> {
        if !self.credit.take(1, signed(weight)) {
            return Err(DropReason::Full);
        }
        self.depot.put(home(), &mut vec![node]).map_err(|refused| {
            self.credit.give(1, signed(weight));
            reason(refused)
        })
    }

    // ---- both ----

    /// Goes inside this thread's slot, or counts itself among those outside.
    fn enter(&self) -> Entry<'_> {
        let slot = self.own_slot().filter(|slot| slot.enter());
        if slot.is_none() {
            self.outside.begun.fetch_add(1, SeqCst);
        }
        Entry { shared: self, slot }
    }

    fn own_slot(&self) -> Option<&Slot> {
        let id = thread_id::assign()?;
        if let Some(slot) = self.table.find(id) {
            return Some(slot);
        }
        self.table.get_or_insert(id, || {
            // Under the table's lock, so a slot is either made after this was set or found by who sets it.
            let mut bits = 0;
            if self.closed.load(SeqCst) {
                bits |= attention::CLOSED;
            }
            #[cfg(feature = "failpoints")]
            if self.faults.load(SeqCst) {
                bits |= attention::FAULTS;
            }
            Slot::new(bits, chance::seed())
        })
    }

    /// What an object is expected to weigh at its return, bytes; 0 before the first.
    pub(crate) fn expected_weight(&self) -> u64 {
        self.expected_weight.load(Relaxed)
    }

    /// The most that a new object weighed, bytes.
    #[inline(always)]
    pub(crate) fn born_weight(&self) -> u64 {
        self.born_weight.load(Relaxed)
    }

    /// Takes note of what a new object weighs. It is the first thing known of a pool's objects; later it says
    /// nothing of what they weigh at their return: a buffer is born small.
    pub(crate) fn note_birth(&self, weight: u64) {
        if self.expected_weight.load(Relaxed) == 0 {
            self.expected_weight.store(weight, Relaxed);
        }
        if weight > self.born_weight.load(Relaxed) {
            self.born_weight.store(weight, Relaxed);
        }
    }

    /// Lost updates are harmless: it is an estimate.
    fn expect_weight(&self, weight: u64) {
        let old = self.expected_weight.load(Relaxed);
        let new = if old == 0 { weight } else { old - old / 8 + weight / 8 };
        self.expected_weight.store(new, Relaxed);
    }

    pub(crate) fn lease_level(&self) -> LeaseLevel {
        match std::num::NonZeroU32::new(self.record_one_in.load(Relaxed)) {
            None => LeaseLevel::Off,
            Some(n) if n.get() == 1 => LeaseLevel::All,
            Some(n) => LeaseLevel::Sampled(n),
        }
    }

    pub(crate) fn set_lease_level(&self, level: LeaseLevel) {
        self.table.with_slots(|slots| {
            self.record_one_in.store(one_in(level), SeqCst);
            slots.for_each(|slot| slot.set(attention::RESAMPLE));
        });
    }

    #[cfg(feature = "failpoints")]
    pub(crate) fn faults_armed(&self) -> bool {
        self.faults.load(Relaxed)
    }

    #[cfg(feature = "failpoints")]
    pub(crate) fn set_faults_armed(&self, armed: bool) {
        self.table.with_slots(|slots| {
            self.faults.store(armed, SeqCst);
            slots.for_each(|slot| {
                if armed {
                    slot.set(attention::FAULTS);
                } else {
                    slot.unset(attention::FAULTS);
                }
            });
        });
    }
}

/// An owner inside its slot, or an operation outside any; ends when it is dropped.
struct Entry<'a> {
    shared: &'a Shared,
    slot: Option<&'a Slot>,
}

impl Entry<'_> {
    fn counters(&self) -> &Counters {
        self.slot.map_or(&self.shared.outside.counters, |slot| &slot.counters)
    }

    fn add(&self, counter: &AtomicU64, n: u64) {
        match self.slot {
            Some(_) => Counters::add(counter, n),
            None => {
                // Pairs with the acquire in `Totals::add`: who reads this sum knows that the operation has begun.
                counter.fetch_add(n, Release);
            }
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        match self.slot {
            Some(slot) => slot.leave(),
            None => {
                self.shared.outside.ended.fetch_add(1, SeqCst);
            }
        }
    }
}

/// Credit that a slot takes at once, in objects.
const AHEAD_MAX: u32 = 16;

fn home() -> usize {
    thread_id::current() as usize % STRIPES
}

fn reason(refused: Refused) -> DropReason {
    match refused {
        Refused::Closed => DropReason::Closed,
        Refused::Contended => DropReason::Contended,
    }
}

fn one_in(level: LeaseLevel) -> u32 {
    match level {
        LeaseLevel::Off => 0,
        LeaseLevel::All => 1,
        LeaseLevel::Sampled(n) => n.get(),
    }
}

/// Weights and capacities are far below 2^63; what a user's `weight` may claim beyond that counts as 2^62.
pub(crate) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX / 2).min(i64::MAX / 2)
}

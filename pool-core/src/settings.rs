//! A pool's knobs: how a change comes into force.

use crate::knobs::{Applied, Author, Capacity, Change, Eviction, KnobKind, KnobSet, Knobs, Setting};
use crate::knobs::{LeaseLevel, Priority, Reuse, Sampling};
use crate::shared::{Shared, signed};
use crate::slot::attention;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use crate::sync::clock::{self, Instant};
use crate::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Knobs with their layers, and what of them is in force in the pool.
#[derive(Debug)]
pub(crate) struct Settings {
    state: Mutex<State>,
    /// [`Priority`] in one word, for creates of other pools: the weight, and above it whether it is pinned.
    priority: AtomicU32,
}

/// What is asked at each tick, to be read without the lock. Written under it. Relaxed: each word stands for itself, and
/// who finds another generation reads the knobs under the lock.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Shown {
    generation: AtomicU64,
    /// The pool's age when the first layer expires, ns; `u64::MAX`: none will.
    expires_ns: AtomicU64,
    /// Of the eviction in force, ns.
    cycle_ns: AtomicU64,
    slice_ns: AtomicU64,
}

impl Shown {
    pub(crate) fn new(generation: u64, expires_ns: u64, eviction: Eviction) -> Self {
        let word = || AtomicU64::new(0);
        let shown = Self { generation: word(), expires_ns: word(), cycle_ns: word(), slice_ns: word() };
        shown.show(generation, expires_ns, eviction);
        shown
    }

    fn show(&self, generation: u64, expires_ns: u64, eviction: Eviction) {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let (cycle, slice) = (ns(eviction.cycle()), ns(eviction.slice()));
        let words = [
            (&self.cycle_ns, cycle),
            (&self.slice_ns, slice),
            (&self.expires_ns, expires_ns),
            (&self.generation, generation),
        ];
        for (word, value) in words {
            word.store(value, Relaxed);
        }
    }
}

#[derive(Debug)]
struct State {
    set: KnobSet,
    /// `None` if it is not known: the next change puts everything in force.
    in_force: Option<Values>,
    /// How many want all leases on record, whatever the knob says.
    all_leases_wanted: u32,
}

/// All knobs of one moment without who set them and why: numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) capacity: Capacity,
    pub(crate) sampling: Sampling,
    pub(crate) eviction: Eviction,
    reuse: Reuse,
    priority: Priority,
}

impl Values {
    fn of(knobs: &Knobs) -> Self {
        Self {
            capacity: knobs.capacity.value,
            sampling: knobs.sampling.value,
            eviction: knobs.eviction.value,
            reuse: knobs.reuse.value,
            priority: knobs.priority.value,
        }
    }
}

const PINNED: u32 = 1 << 31;

impl Settings {
    pub(crate) fn new(mut set: KnobSet) -> Self {
        let in_force = Values::of(&set.read(clock::now()));
        let priority = AtomicU32::new(word(in_force.priority));
        let state = State { set, in_force: Some(in_force), all_leases_wanted: 0 };
        Self { state: Mutex::new(state), priority }
    }

    /// The weight; `None` if the pool is pinned.
    pub(crate) fn weight(&self) -> Option<u32> {
        let word = self.priority.load(Relaxed);
        (word & PINNED == 0).then_some(word)
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
impl Settings {
    /// Keeps everybody from the knobs.
    pub(crate) fn while_locked(&self, f: impl FnOnce()) {
        let _state = self.state.try_lock().unwrap();
        f();
    }
}

fn word(priority: Priority) -> u32 {
    priority.weight() | if priority.is_pinned() { PINNED } else { 0 }
}

impl Shared {
    /// All knobs of one moment. What has expired by now ends here.
    pub(crate) fn knobs(&self) -> Knobs {
        self.change(|_, _| ()).1
    }

    /// The values of this moment.
    pub(crate) fn in_force(&self) -> Values {
        self.knobs_generation(); // what has expired by now has ended
        let mut state = self.settings.state.lock_or(|| self.lost()).unwrap_or_else(PoisonError::into_inner);
        state.in_force.unwrap_or_else(|| Values::of(&state.set.read(clock::now())))
    }

    /// [`Knobs::generation`] of this moment.
    pub(crate) fn knobs_generation(&self) -> u64 {
        let shown = &self.watched.shown;
        let expires_ns = shown.expires_ns.load(Relaxed);
        if expires_ns != u64::MAX && self.age_ns() >= expires_ns {
            return self.knobs().generation;
        }
        shown.generation.load(Relaxed)
    }

    /// The time between two cycles.
    pub(crate) fn cycle_time(&self) -> Duration {
        self.knobs_generation();
        Duration::from_nanos(self.watched.shown.cycle_ns.load(Relaxed))
    }

    /// The longest turn of dropping.
    pub(crate) fn drop_slice(&self) -> Duration {
        self.knobs_generation();
        Duration::from_nanos(self.watched.shown.slice_ns.load(Relaxed))
    }

    pub(crate) fn set(&self, setting: Setting, change: Change) -> Applied {
        self.change(|state, now| state.set.set(setting, change, now)).0
    }

    pub(crate) fn withdraw(&self, knob: KnobKind, author: Author) -> bool {
        self.change(|state, _| state.set.withdraw(knob, author)).0
    }

    /// Each `true` needs its `false`: as long as one is missing, all leases are recorded.
    pub(crate) fn record_all_leases(&self, on: bool) {
        self.change(|state, _| {
            let wanted = state.all_leases_wanted;
            state.all_leases_wanted = if on { wanted + 1 } else { wanted.saturating_sub(1) };
        });
    }

    fn change<O>(&self, f: impl FnOnce(&mut State, Instant) -> O) -> (O, Knobs) {
        let now = clock::now();
        let mut state = self.settings.state.lock_or(|| self.lost()).unwrap_or_else(PoisonError::into_inner);
        let output = f(&mut state, now);
        let knobs = state.set.read(now);
        let (before, mut after) = (state.in_force, Values::of(&knobs));
        if state.all_leases_wanted > 0 {
            after.sampling = after.sampling.with_leases(LeaseLevel::All);
        }
        if before != Some(after) {
            state.in_force = Some(after);
            self.put_in_force(before, after);
        }
        let expires_ns = state.set.next_expiry().map_or(u64::MAX, |at| self.age_at_ns(at));
        self.watched.shown.show(knobs.generation, expires_ns, after.eviction);
        (output, knobs)
    }

    /// What the knobs are after a fork in which they were lost: the capacity in force, which the credit knows, and the
    /// defaults of everything else.
    fn lost(&self) -> State {
        let (objects, bytes) = self.account.credit.capacity();
        let objects = u32::try_from(objects).unwrap_or(Capacity::OBJECTS_LIMIT);
        let capacity = Capacity::new(objects, bytes).unwrap_or(Capacity::ZERO);
        State { set: KnobSet::new(capacity), in_force: None, all_leases_wanted: 0 }
    }

    /// Under the lock of the knobs, so that changes come into force in their order.
    fn put_in_force(&self, before: Option<Values>, after: Values) {
        let mut bits = 0;
        if before.is_none_or(|before| before.capacity != after.capacity) {
            let (objects, bytes) = (after.capacity.objects_max(), after.capacity.bytes_max());
            let (objects_before, bytes_before) = self.account.credit.capacity();
            self.account.credit.resize(i64::from(objects), signed(bytes));
            if u64::from(objects) < objects_before || bytes < bytes_before {
                bits |= attention::RECREDIT;
            }
        }
        if before.is_none_or(|before| (before.sampling, before.reuse) != (after.sampling, after.reuse)) {
            bits |= attention::REDRAW;
        }
        self.settings.priority.store(word(after.priority), Relaxed);
        if bits != 0 {
            // Under the table's lock: a slot is made after the new rates or found here.
            self.table.with_slots(|slots| {
                self.rates.set(after.sampling, after.reuse);
                slots.for_each(|slot| slot.set(bits));
            });
        }
    }
}

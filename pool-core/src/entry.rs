//! An operation on a pool: inside this thread's slot, or counted among those outside any.

use crate::counters::Counters;
use crate::shared::{Shared, signed};
use crate::slot::{Own, Slot, Within, attention};
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{Release, SeqCst},
};
use crate::sync::{chance, yield_inside};
use crate::thread_id;

/// An owner inside its slot, or an operation outside any; ends when it is dropped.
pub(crate) struct Entry<'a> {
    shared: &'a Shared,
    /// Left when this is dropped.
    pub(crate) slot: Option<Within<'a>>,
}

impl Entry<'_> {
    pub(crate) fn counters(&self) -> &Counters {
        self.slot.as_ref().map_or(&self.shared.outside.counters, |slot| &slot.counters)
    }

    pub(crate) fn add(&self, counter: &AtomicU64, n: u64) {
        match &self.slot {
            Some(_) => Counters::add(counter, n),
            None => {
                // Pairs with the acquire in `Lean::add`: who reads this sum knows that the operation has begun.
                counter.fetch_add(n, Release);
            }
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if self.slot.is_none() {
            yield_inside();
            self.shared.outside.ended.fetch_add(1, SeqCst);
        }
    }
}

impl Shared {
    /// Goes inside this thread's slot, or counts itself among those outside.
    pub(crate) fn enter(&self) -> Entry<'_> {
        let slot = self.own_slot().and_then(Own::enter);
        let Some(slot) = slot else { return self.enter_outside() };
        let (objects, bytes) = slot.give_up_unused();
        if (objects, bytes) != (0, 0) {
            self.account.credit.give(i64::from(objects), signed(bytes));
        }
        Entry { shared: self, slot: Some(slot) }
    }

    /// Counts itself among those outside: no snapshot is consistent until the entry is dropped.
    pub(crate) fn enter_outside(&self) -> Entry<'_> {
        self.outside.begun.fetch_add(1, SeqCst);
        Entry { shared: self, slot: None }
    }

    fn own_slot(&self) -> Option<Own<'_>> {
        if let Some(own) = self.table.own() {
            return Some(own);
        }
        let id = thread_id::assign()?;
        self.table.get_or_insert(id, || {
            // Under the table's lock, so a slot is either made after this was set or found by who sets it.
            let mut bits = 0;
            if self.is_closed() {
                bits |= attention::CLOSED;
            }
            #[cfg(feature = "failpoints")]
            if self.faults.load(SeqCst) {
                bits |= attention::FAULTS;
            }
            Slot::new(id, bits, chance::seed())
        })?;
        self.table.own()
    }
}

//! A pool's slots by thread id.
//!
//! Reading takes two loads and no lock. The array grows by replacement; replaced arrays and slots live as
//! long as the table, so a reader may use what it found as long as the table lives.
//!
//! Rules for the `unsafe` here: **T1** `first` points to at least `len` entries: a longer array is published
//! before its length. **T2** arrays and slots are freed only by the table's own drop.
#![allow(unsafe_code)]

mod list;

use crate::drainer::Marks;
use crate::shared::Shared;
use crate::slot::{Own, Slot};
use crate::sync::atomic::{
    AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::sync::{Mutex, try_lock};
use crate::thread_id;
use std::mem::offset_of;
use std::ops::Deref;
use std::ptr;

pub(crate) struct Table {
    len: AtomicUsize,
    first: AtomicPtr<AtomicPtr<Slot>>,
    owned: Mutex<Owned>,
    /// Who drains, one at a time: holding this lock is part of rule S2.
    pub(crate) marks: Marks,
}

#[derive(Default)]
struct Owned {
    /// To be freed.
    arrays: Vec<(*mut AtomicPtr<Slot>, usize)>,
    slots: Vec<Kept>,
}

/// A slot that lives as long as its table.
struct Kept(*mut Slot);

impl Deref for Kept {
    type Target = Slot;
    fn deref(&self) -> &Slot {
        // SAFETY: T2.
        unsafe { &*self.0 }
    }
}

// SAFETY: T2: the pointers are to allocations that this table owns; they are freed by whoever drops it.
unsafe impl Send for Owned {}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            len: AtomicUsize::new(0),
            first: AtomicPtr::new(ptr::null_mut()),
            owned: Mutex::new(Owned::default()),
            marks: Marks::new(),
        }
    }

    /// The id's slot, or null. An `id` beyond all ids gives null.
    #[inline(always)]
    pub(crate) fn get(&self, id: u32) -> *const Slot {
        // Acquire pairs with the release of `len` in `grow`: the array belonging to this length, or a longer one,
        // is what the next load finds (T1).
        if id as usize >= self.len.load(Acquire) {
            return ptr::null();
        }
        // Acquire of its own, paired with the release of `first` in `grow`: it may be a longer array than the one
        // that belongs to `len`, whose entries nothing else orders.
        let first = self.first.load(Acquire);
        // SAFETY: T1, T2. Acquire pairs with the release in `get_or_insert`: the slot is initialised.
        unsafe { (*first.add(id as usize)).load(Acquire) }
    }

    /// The id's slot, if it has one here.
    #[inline(always)]
    pub(crate) fn find(&self, id: u32) -> Option<&Slot> {
        // SAFETY: T2: slots live as long as the table.
        unsafe { self.get(id).as_ref() }
    }

    /// This thread's slot, if it has one here.
    #[inline(always)]
    pub(crate) fn own(&self) -> Option<Own<'_>> {
        // SAFETY: S1: found by this thread's id.
        self.find(thread_id::current()).map(|slot| unsafe { Own::new(slot) })
    }

    /// The id's slot, made by `make` if there is none. `None` if the table is busy: the data path never waits.
    pub(crate) fn get_or_insert(&self, id: u32, make: impl FnOnce() -> Slot) -> Option<&Slot> {
        let mut owned = try_lock(&self.owned)?;
        let id = id as usize;
        if id >= self.len.load(Relaxed) {
            self.grow(&mut owned, id + 1);
        }
        // SAFETY: T1, T2.
        let entry = unsafe { &*self.first.load(Relaxed).add(id) };
        let mut slot = entry.load(Relaxed);
        if slot.is_null() {
            // N4: the table is the inside's, which begins with its `Shared`.
            let pool = ptr::from_ref(self).addr().wrapping_sub(offset_of!(Shared, table));
            slot = Box::into_raw(Box::new(make().part_of(pool)));
            owned.slots.push(Kept(slot));
            entry.store(slot, Release);
        }
        // SAFETY: T2.
        Some(unsafe { &*slot })
    }

    fn grow(&self, owned: &mut Owned, at_least: usize) {
        let len = at_least.next_power_of_two().max(LEN_MIN);
        let mut slots = self.published();
        slots.resize(len, ptr::null_mut());
        let array: Box<[AtomicPtr<Slot>]> = slots.into_iter().map(AtomicPtr::new).collect();
        let first = Box::into_raw(array).cast::<AtomicPtr<Slot>>();
        owned.arrays.push((first, len));
        self.first.store(first, Release);
        self.len.store(len, Release);
    }

    /// The entries of the array in use. The lock is held.
    fn published(&self) -> Vec<*mut Slot> {
        let len = self.len.load(Acquire);
        let first = self.first.load(Acquire);
        // SAFETY: T1, T2.
        (0..len).map(|i| unsafe { (*first.add(i)).load(Acquire) }).collect()
    }
}

/// Entries of the first array.
const LEN_MIN: usize = if cfg!(ebbpool_loom) { 2 } else { 8 };

impl Drop for Table {
    fn drop(&mut self) {
        let owned = std::mem::take(&mut *self.owned());
        for slot in owned.slots {
            // SAFETY: T2: from `Box::into_raw`, freed once.
            drop(unsafe { Box::from_raw(slot.0) });
        }
        for (first, len) in owned.arrays {
            // SAFETY: T2: from `Box::into_raw` of a slice of this length, freed once.
            drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(first, len)) });
        }
    }
}

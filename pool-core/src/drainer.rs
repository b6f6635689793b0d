//! The drainer of a pool: who may mark its slots and visit them. Rules: S1–S5 in `slot`.
//!
//! A mark is of use to its drainer alone, and only with a fence that began after it: neither can be had elsewhere.
#![allow(unsafe_code)]

mod mark;

use self::mark::Mark;
pub(crate) use self::mark::Marks;
use crate::fence::Fenced;
use crate::slot::{Slot, Visit};
use crate::sync::MutexGuard;
use crate::table::Table;

/// The drainer lock of a pool, held.
pub(crate) struct Drainer<'a> {
    table: &'a Table,
    /// `None` when no slot is.
    marked: MutexGuard<'a, Option<Mark>>,
}

/// Slots that are closed for good.
pub(crate) struct Shut<'a> {
    table: &'a Table,
    mark: Mark,
}

impl Mark {
    /// Shows each slot that has this mark, with a visit if that may be. Returns how many slots there are in all.
    ///
    /// # Safety
    /// S2: the caller has the drainer lock of `table`, and the mark is one of its slots: STOP, if it was not released,
    /// or CLOSED.
    unsafe fn look(
        &self,
        table: &Table,
        fenced: &Fenced,
        mut each: impl FnMut(&Slot, Option<Visit<'_>>),
    ) -> usize {
        let proof = fenced.covers(self.epoch);
        table.with_slots(|slots| {
            let n = slots.len();
            for slot in slots.take(self.slots) {
                // SAFETY: S2: by the contract, and the fence began after the mark.
                each(slot, if proof { unsafe { slot.visit() } } else { None });
            }
            n
        })
    }
}

impl Drainer<'_> {
    /// Visits the marked slots and lets them go; returns how many were busy. Nothing is visited unless the fence is
    /// proof.
    pub(crate) fn visit(&mut self, fenced: &Fenced, mut each: impl FnMut(&mut Visit<'_>)) -> u64 {
        let mut busy = 0;
        let Some(mark) = self.marked.take() else { return busy };
        let visit = |slot: &Slot, visit: Option<Visit<'_>>| {
            visit.map_or_else(|| busy += 1, |mut visit| each(&mut visit));
            // SAFETY: S2: the visit is over.
            unsafe { slot.let_go() };
        };
        // SAFETY: S2: ours is the lock, and the mark.
        unsafe { mark.look(self.table, fenced, visit) };
        busy
    }

    /// Looks at the marked slots and leaves them marked. Returns how many slots there are in all.
    pub(crate) fn look(&mut self, fenced: &Fenced, each: impl FnMut(&Slot, Option<Visit<'_>>)) -> usize {
        let Some(mark) = self.marked.as_ref() else { return usize::MAX };
        // SAFETY: S2: ours is the lock, and the mark.
        unsafe { mark.look(self.table, fenced, each) }
    }

    /// Visits closed slots; returns how many were busy.
    pub(crate) fn visit_shut(
        &mut self,
        shut: &Shut<'_>,
        fenced: &Fenced,
        mut each: impl FnMut(&mut Visit<'_>),
    ) -> u64 {
        assert!(std::ptr::eq(self.table, shut.table), "S2: the slots of another pool");
        let mut busy = 0;
        let visit = |_: &Slot, visit: Option<Visit<'_>>| {
            visit.map_or_else(|| busy += 1, |mut visit| each(&mut visit));
        };
        // SAFETY: S2: ours is the lock, and the mark is CLOSED.
        unsafe { shut.mark.look(self.table, fenced, visit) };
        busy
    }
}

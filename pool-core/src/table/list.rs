//! All slots of a table, one after the other.

use super::{Kept, Owned, Table};
use crate::slot::Slot;
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::{MutexGuard, PoisonError, try_lock};
use std::ops::Deref;

/// Where there are more ids than this, the list of slots is the shorter way, although it has a lock.
const LOOKED_UP_MAX: u32 = 64;

impl Table {
    /// More than there are slots, by a factor of two at most if ids are dense.
    pub(crate) fn slots_about(&self) -> usize {
        self.len.load(Relaxed).max(1)
    }

    /// Like [`with_slots`](Self::with_slots), but gives up if someone else is at the table.
    pub(crate) fn try_each_slot(&self, f: impl FnMut(&Slot)) {
        if let Some(owned) = try_lock(&self.owned) {
            owned.slots.iter().map(Deref::deref).for_each(f);
        }
    }

    /// All slots there are, under the lock that new ones are made under: what `f` does to them and what it
    /// reads before is in force for later ones too.
    pub(crate) fn with_slots<O>(&self, f: impl FnOnce(&mut dyn ExactSizeIterator<Item = &Slot>) -> O) -> O {
        let owned = self.owned();
        f(&mut owned.slots.iter().map(Deref::deref))
    }

    /// Shows the slots without the lock: one that is made at this moment may be missed.
    pub(crate) fn each_slot_of_late(&self, f: impl FnMut(&Slot)) {
        let len = u32::try_from(self.slots_about()).unwrap_or(u32::MAX);
        if len > LOOKED_UP_MAX {
            return self.with_slots(|slots| slots.for_each(f));
        }
        (0..len).filter_map(|id| self.find(id)).for_each(f);
    }

    /// What there is, locked. If the lock is lost in a fork: the slots that can be found, which is what is to be freed
    /// then; the arrays are left.
    pub(super) fn owned(&self) -> MutexGuard<'_, Owned> {
        let anew = || Owned {
            arrays: Vec::new(),
            slots: self.published().into_iter().filter(|slot| !slot.is_null()).map(Kept).collect(),
        };
        self.owned.lock_or(anew).unwrap_or_else(PoisonError::into_inner)
    }
}

//! Marks of slots, and the drainer lock. What may be done with both is up to [`drainer`](super).

use super::{Drainer, Shut};
use crate::fence;
use crate::slot::attention;
use crate::sync::{Mutex, PoisonError, notice_fork, try_lock};
use crate::table::Table;

/// How many slots were marked, the first ones of the table, and the fence epoch after that.
pub(super) struct Mark {
    pub(super) epoch: u64,
    pub(super) slots: usize,
}

/// The mark of a pool, `None` when no slot has one, and the drainer lock.
pub(crate) struct Marks(pub(super) Mutex<Option<Mark>>);

impl Marks {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(None))
    }
}

impl Mark {
    /// `first` runs under the lock that new slots are made under.
    pub(super) fn set(table: &Table, first: impl FnOnce(), bit: u32) -> Self {
        let slots = table.with_slots(|slots| {
            first();
            let n = slots.len();
            slots.for_each(|slot| slot.set(bit));
            n
        });
        Self { epoch: fence::epoch(), slots }
    }
}

impl Table {
    /// Waits for whoever drains.
    pub(crate) fn drainer(&self) -> Drainer<'_> {
        notice_fork(); // S2: a lock that seems to be of another process is replaced after a while, held or not
        Drainer { table: self, marked: self.marks.0.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    pub(crate) fn try_drainer(&self) -> Option<Drainer<'_>> {
        notice_fork(); // as above
        Some(Drainer { table: self, marked: try_lock(&self.marks.0)? })
    }

    /// Closes all slots there are. `first` runs under the lock that new ones are made under.
    pub(crate) fn shut(&self, first: impl FnOnce()) -> Shut<'_> {
        Shut { table: self, mark: Mark::set(self, first, attention::CLOSED) }
    }
}

impl Drainer<'_> {
    /// Asks the owners of all slots to keep out. To be followed by a heavy fence.
    pub(crate) fn mark(&mut self) {
        *self.marked = Some(Mark::set(self.table, || {}, attention::STOP));
    }

    /// The fence epoch after the mark, if there is one.
    pub(crate) fn marked_at(&self) -> Option<u64> {
        self.marked.as_ref().map(|mark| mark.epoch)
    }
}

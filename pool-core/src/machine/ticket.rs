//! What the pool under test lends: values with an identity, and the ledger in which each says what becomes of it.

use super::Marker;
use crate::sync::yield_inside;
use crate::{Keep, Recycle, Retention};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A value's weight is so many units and its identity: idle objects can be told apart from outside.
pub(super) const UNIT: usize = 4096;

/// Where a value is, as the model knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Made by `create`, on its way to the one who asked.
    Born,
    Lent,
    /// Its guard is being dropped.
    Returning,
    /// Given back and not dropped: idle, or condemned.
    InPool,
    Dropped,
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) place: Place,
    /// Cycles that had run when it last came back.
    pub(super) returned_at: u64,
}

/// What happened to the values, written by the values.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By identity.
    pub(super) objects: Vec<Object>,
    /// What must not happen and did.
    pub(super) violations: Vec<String>,
    /// The next create panics.
    pub(super) create_panics: bool,
    /// Units that a new value holds.
    pub(super) born_units: usize,
    pub(super) recycled_oversize: u64,
    pub(super) recycled_refused: u64,
    pub(super) recycle_panics: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct SharedLedger(Arc<Mutex<Ledger>>);

impl SharedLedger {
    pub(super) fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn violation(&self, what: impl Into<String>) {
        self.lock().violations.push(what.into());
    }

    pub(super) fn violations(&self, what: impl IntoIterator<Item = String>) {
        self.lock().violations.extend(what);
    }

    /// The pool's create.
    pub(super) fn create(&self) -> Ticket {
        yield_inside();
        let mut ledger = self.lock();
        if std::mem::take(&mut ledger.create_panics) {
            drop(ledger);
            resume_unwind(Box::new(Marker));
        }
        let id = ledger.objects.len();
        ledger.objects.push(Object { place: Place::Born, returned_at: 0 });
        let units = ledger.born_units;
        drop(ledger);
        Ticket { id, units, used_units: 0, clean: true, next: Next::default(), ledger: self.clone() }
    }

    /// Moves an object from one of these places; returns where it was.
    pub(super) fn pass(&self, id: usize, from: &[Place], to: Place) -> Place {
        let mut ledger = self.lock();
        let before = std::mem::replace(&mut ledger.objects[id].place, to);
        if !from.contains(&before) {
            ledger.violations.push(format!("object {id} became {to:?} and was {before:?}, not {from:?}"));
        }
        before
    }
}

/// What a value does when its turn comes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Next {
    pub(super) refuse: bool,
    pub(super) recycle_panics: bool,
    pub(super) drop_panics: bool,
}

#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) id: usize,
    pub(super) units: usize,
    pub(super) used_units: usize,
    /// Recycled and not used since.
    pub(super) clean: bool,
    pub(super) next: Next,
    ledger: SharedLedger,
}

impl Recycle for Ticket {
    fn recycle(&mut self, retention: &Retention) -> Keep {
        yield_inside();
        self.clean = true;
        let mut ledger = self.ledger.lock();
        let place = ledger.objects[self.id].place;
        if place != Place::Returning {
            ledger.violations.push(format!("object {} is recycled while {place:?}", self.id));
        }
        if std::mem::take(&mut self.next.recycle_panics) {
            ledger.recycle_panics += 1;
            drop(ledger);
            resume_unwind(Box::new(Marker));
        }
        let refuse = std::mem::take(&mut self.next.refuse);
        let keep = if refuse { Keep::Refused } else { retention.judge(self.used_units * UNIT, self.held()) };
        match keep {
            Keep::Yes => {}
            Keep::Oversize => ledger.recycled_oversize += 1,
            Keep::Refused => ledger.recycled_refused += 1,
        }
        self.used_units = 0;
        keep
    }

    fn weight(&self) -> usize {
        self.held() + self.id
    }
}

impl Ticket {
    fn held(&self) -> usize {
        self.units * UNIT
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.ledger.pass(self.id, &[Place::InPool, Place::Returning], Place::Dropped);
        yield_inside();
        if self.next.drop_panics && !std::thread::panicking() {
            resume_unwind(Box::new(Marker));
        }
    }
}

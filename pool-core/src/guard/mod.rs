//! The guard: a lent object, returned when it is dropped. `leave` is for one that is not to come back, `mapped` for
//! a guard of a part of it.

mod leave;
mod mapped;
mod part;

pub use self::mapped::MappedPooled;
use crate::close::{destroy, destroy_quietly, drop_panic};
use crate::events::{Arm, Due};
use crate::inside::Counted;
use crate::lease::LeaseId;
use crate::node::{Lent, Owned};
use crate::notes::{Notes, Special, Started};
use crate::recycle::{ByTrait, Keep, Recycler};
use crate::retention::Retention;
use crate::risk::at_risk;
use crate::shared::WEIGHT_MAX;
use crate::stats::DropReason;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A lent object. Dropping it returns it, on any thread, also after the pool's last handle is gone.
///
/// One pointer wide and `'static`; holding it costs no reference count. One that is dropped while its thread panics
/// is not lent again, unless the pool [keeps on panic](crate::PoolBuilder::keep_on_panic). What a guard can do beside
/// lending its value is a function of the type, `Pooled::discard(guard)`, so that it hides no method of the value.
///
/// A guard is invariant in `T`: what goes into a value comes out of the pool again, so a guard of `&'static str`
/// must not pass for one of a shorter life.
///
/// ```compile_fail
/// use pool_core::{Keep, Pooled, Recycle, Retention};
/// struct Line<'a>(&'a str);
/// impl Recycle for Line<'_> {
///     fn recycle(&mut self, _: &Retention) -> Keep { Keep::Yes }
/// }
/// fn shorten<'a>(guard: Pooled<Line<'static>>, _: &'a str) -> Pooled<Line<'a>> { guard }
/// ```
#[must_use = "a lent object that is not used was lent for nothing"]
pub struct Pooled<T, R: Recycler<T> = ByTrait> {
    lent: Lent<T, R>,
    invariant: PhantomData<fn(T) -> T>,
}

impl<T, R: Recycler<T>> Pooled<T, R> {
    #[inline(always)]
    pub(crate) fn new(node: Owned<T, R>) -> Self {
        Self { lent: Lent(node), invariant: PhantomData }
    }

    /// The lease is on record, if there is one.
    pub(crate) fn record(&mut self, lease: Option<LeaseId>) {
        if lease.is_some() {
            let notes = self.notes_mut();
            notes.lease = lease;
            notes.special = Special::Recorded;
        }
    }

    /// What the return must see to: that the get was not allowed to reuse, or that the lease is timed.
    pub(crate) fn note(&mut self, due: Due) {
        let special = match due.timed() {
            Some(Arm::Pooled) => Special::TimedPooled,
            Some(Arm::Fresh) => Special::TimedFresh,
            None if due.may_reuse() => return,
            None => Special::Bypassed,
        };
        let notes = self.notes_mut();
        notes.special = special;
        notes.started = Started::at(due.started_ns);
    }

    /// The lease will not return, if a fault says so.
    #[cfg(feature = "failpoints")]
    pub(crate) fn lose(&mut self, fault: Option<crate::fault::MissingPut>) {
        self.notes_mut().special = match fault {
            None => return,
            Some(crate::fault::MissingPut::Dropped) => Special::LostDropped,
            Some(crate::fault::MissingPut::Kept) => Special::LostKept,
        };
    }

    fn notes_mut(&mut self) -> &mut Notes {
        self.lent.0.view().2
    }
}

impl<T, R: Recycler<T>> Deref for Pooled<T, R> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        self.lent.0.value()
    }
}

impl<T, R: Recycler<T>> DerefMut for Pooled<T, R> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        self.lent.0.view().1
    }
}

impl<T, R: Recycler<T>> AsRef<T> for Pooled<T, R> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: fmt::Debug, R: Recycler<T>> fmt::Debug for Pooled<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The end of a lease: its guard was dropped.
#[inline(always)]
pub(crate) fn come_home<T, R: Recycler<T>>(node: Owned<T, R>) {
    if node.notes().special != Special::Nothing || std::thread::panicking() {
        return return_special(node);
    }
    give_back(node);
}

/// Recycles the value and returns it: into this thread's slot, if it is fit and weighs what it did.
#[inline(always)]
fn give_back<T, R: Recycler<T>>(node: Owned<T, R>) {
    let born_bytes = node.inside().shared.born_weight();
    let retention = Retention::new(node.notes().strikes, born_bytes);
    let (mut node, (keep, weight)) = at_risk(node, tainted, |node| {
        let (inside, value, _) = node.view();
        let keep = inside.recycler.recycle(value, &retention);
        (keep, inside.weigh(value))
    });
    let notes = node.view().2;
    notes.strikes = retention.strikes();
    if keep == Keep::Yes && weight == notes.weight {
        match node.give_fast(weight) {
            None => return, // S5: the pool may be gone
            Some(back) => node = back,
        }
    }
    let verdict = match keep {
        Keep::Yes => Ok(()),
        Keep::Oversize => Err(DropReason::Oversize),
        Keep::Refused => Err(DropReason::Refused),
    };
    return_slow(node, weight, verdict);
}

/// Drops the value as tainted: its `recycle` or `weight` panicked.
fn tainted<T, R: Recycler<T>>(node: Owned<T, R>) {
    let weight = node.notes().weight;
    return_slow(node, weight, Err(DropReason::Tainted));
}

#[cold]
fn return_slow<T, R: Recycler<T>>(node: Owned<T, R>, weight: u64, verdict: Result<(), DropReason>) {
    // The count is held until the node has gone.
    if let (_hold, Some(node)) = book(node, weight, verdict) {
        if !std::thread::panicking() {
            return destroy(node);
        }
        // A panic of the value's drop in the middle of another would abort.
        if let Some(panic) = destroy_quietly(node) {
            drop_panic(panic);
        }
    }
}

/// Puts a return into the books: the object is idle afterwards, or it is in no level any more and the caller's.
fn book<T, R: Recycler<T>>(
    mut node: Owned<T, R>,
    weight: u64,
    verdict: Result<(), DropReason>,
) -> (Counted<T, R>, Option<Owned<T, R>>) {
    let hold = node.hold(); // I3
    let weight = weight.min(WEIGHT_MAX);
    let before = std::mem::replace(&mut node.view().2.weight, weight);
    hold.shared.charge_growth(before, weight);
    let node = hold.shared.take_back(node.erase(), before, weight, verdict);
    let node = node.map(|node| Owned::claim(node, &hold));
    (hold, node)
}

/// A return that is more than a return: a lease on record, one that is timed, a fault, a panic under way.
#[cold]
fn return_special<T, R: Recycler<T>>(mut node: Owned<T, R>) {
    #[cfg(feature = "failpoints")]
    match node.notes().special {
        Special::LostKept => return, // node and value leak
        Special::LostDropped => {
            // Its count is kept for ever, as if it were held.
            let (inside, node) = node.split();
            std::mem::forget(inside);
            return drop(node);
        }
        _ => {}
    }
    let special = end_lease(&mut node);
    if !std::thread::panicking() {
        return return_as(special, node);
    }
    if !node.inside().keep_on_panic {
        // What its user left behind half done must not reach the next one.
        return tainted(node);
    }
    // A panic of `recycle` in the middle of another would abort. It taints the value on its way here.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| return_as(special, node))) {
        drop_panic(panic);
    }
}

/// The lease is over, and off the record if it was on it; returns what its return was to see to.
fn end_lease<T, R: Recycler<T>>(node: &mut Owned<T, R>) -> Special {
    let lease = node.view().2.lease.take();
    if let Some(lease) = lease {
        node.inside().shared.leases.end(lease);
    }
    std::mem::replace(&mut node.view().2.special, Special::Nothing)
}

fn return_as<T, R: Recycler<T>>(special: Special, node: Owned<T, R>) {
    match special {
        Special::Bypassed => {
            let weight = node.notes().weight;
            return_slow(node, weight, Err(DropReason::Bypassed));
        }
        Special::TimedPooled => return_timed(node, Arm::Pooled),
        Special::TimedFresh => return_timed(node, Arm::Fresh),
        _ => give_back(node),
    }
}

/// A return whose lease is timed, to its end.
fn return_timed<T, R: Recycler<T>>(node: Owned<T, R>, arm: Arm) {
    let (started, weight) = (node.notes().started, node.notes().weight);
    let hold = node.hold(); // I3
    match arm {
        Arm::Pooled => give_back(node),
        Arm::Fresh => return_slow(node, weight, Err(DropReason::Bypassed)),
    }
    let shared = &hold.shared;
    shared.trials.add(arm, started.elapsed(shared.age_ns()));
}

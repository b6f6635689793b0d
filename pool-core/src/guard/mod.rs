//! The guard: a lent object, returned when it is dropped. `leave` is for one that is not to come back, `mapped` for
//! a guard of a part of it.

mod leave;
mod mapped;

pub use self::mapped::MappedPooled;
use crate::close::{destroy_quietly, drop_panic};
use crate::events::{Arm, Due};
use crate::inside::{Inside, WEIGHT_MAX};
use crate::lease::LeaseId;
use crate::node::{Node, NodePtr, Special, Started};
use crate::recycle::{ByTrait, Keep, Recycler};
use crate::retention::Retention;
use crate::shared::Shared;
use crate::slot::Slot;
use crate::stats::DropReason;
use crate::thread_id;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

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
    node: NonNull<Node<T, R>>,
    invariant: PhantomData<fn(T) -> T>,
}

// SAFETY: N1: the guard owns its node; a value that may move between threads may do so inside its guard.
unsafe impl<T: Send, R: Recycler<T>> Send for Pooled<T, R> {}
// SAFETY: a shared guard gives out `&T` only.
unsafe impl<T: Sync, R: Recycler<T>> Sync for Pooled<T, R> {}

impl<T, R: Recycler<T>> Pooled<T, R> {
    /// # Safety
    /// N1: the caller owns `node` and gives it away; it was made for `T` and `R`.
    #[inline(always)]
    pub(crate) unsafe fn new(node: NodePtr) -> Self {
        // SAFETY: by the contract.
        Self { node: unsafe { node.typed() }, invariant: PhantomData }
    }

    /// The lease is on record, if there is one.
    pub(crate) fn record(&self, lease: Option<LeaseId>) {
        if lease.is_some() {
            // SAFETY: N1; nobody else has the guard yet.
            unsafe {
                let header = &raw mut (*self.node.as_ptr()).header;
                (*header).lease = lease;
                (*header).special = Special::Recorded;
            }
        }
    }

    /// What the return must see to: that the get was not allowed to reuse, or that the lease is timed.
    pub(crate) fn note(&self, due: Due) {
        let special = match due.timed() {
            Some(Arm::Pooled) => Special::TimedPooled,
            Some(Arm::Fresh) => Special::TimedFresh,
            None if due.may_reuse() => return,
            None => Special::Bypassed,
        };
        // SAFETY: N1; nobody else has the guard yet.
        let header = unsafe { &mut (*self.node.as_ptr()).header };
        header.special = special;
        header.started = Started::at(due.started_ns);
    }

    /// The lease will not return, if a fault says so.
    #[cfg(feature = "failpoints")]
    pub(crate) fn lose(&self, fault: Option<crate::fault::MissingPut>) {
        let special = match fault {
            None => return,
            Some(crate::fault::MissingPut::Dropped) => Special::LostDropped,
            Some(crate::fault::MissingPut::Kept) => Special::LostKept,
        };
        // SAFETY: N1; nobody else has the guard yet.
        unsafe { (*self.node.as_ptr()).header.special = special };
    }
}

impl<T, R: Recycler<T>> Deref for Pooled<T, R> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: N1.
        unsafe { &(*self.node.as_ptr()).value }
    }
}

impl<T, R: Recycler<T>> DerefMut for Pooled<T, R> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: N1.
        unsafe { &mut (*self.node.as_ptr()).value }
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

impl<T, R: Recycler<T>> Drop for Pooled<T, R> {
    #[inline]
    fn drop(&mut self) {
        let node = self.node;
        // SAFETY: N1: the guard owned the node and is going; from here the local does.
        unsafe {
            if (*node.as_ptr()).header.special != Special::Nothing || std::thread::panicking() {
                return return_special(node);
            }
            give_back(node);
        }
    }
}

/// Recycles the value and returns it: into this thread's slot, if it is fit and weighs what it did.
///
/// # Safety
/// N1: the caller owns `node` and gives it away.
#[inline(always)]
unsafe fn give_back<T, R: Recycler<T>>(node: NonNull<Node<T, R>>) {
    // SAFETY: N1. I2: the node keeps the inside alive until it is given away, which is the last thing that each
    // branch does.
    unsafe {
        let header = &raw mut (*node.as_ptr()).header;
        let inside = (*header).inside.cast::<Inside<T, R>>();
        let on_panic = Tainted(node);
        let born_bytes = (*inside.as_ptr()).shared.born_weight();
        let retention = Retention::new((*header).strikes, born_bytes);
        let value = &mut (*node.as_ptr()).value;
        let keep = (*inside.as_ptr()).recycler.recycle(value, &retention);
        let weight = Inside::<T, R>::weigh(&(*inside.as_ptr()).recycler, value);
        std::mem::forget(on_panic);
        (*header).strikes = retention.strikes();
        if keep == Keep::Yes && weight == (*header).weight {
            let slot: *const Slot = (*inside.as_ptr()).shared.table.get(thread_id::current());
            if !slot.is_null() && Slot::return_fast(slot, NodePtr::from_typed(node), weight) {
                return; // S5: the pool may be gone
            }
        }
        let verdict = match keep {
            Keep::Yes => Ok(()),
            Keep::Oversize => Err(DropReason::Oversize),
            Keep::Refused => Err(DropReason::Refused),
        };
        return_slow(node, weight, verdict);
    }
}

/// Drops the value as tainted when its `recycle` or `weight` panics.
struct Tainted<T, R: Recycler<T>>(NonNull<Node<T, R>>);

impl<T, R: Recycler<T>> Drop for Tainted<T, R> {
    #[cold]
    fn drop(&mut self) {
        // SAFETY: N1: only dropped while the guard's drop unwinds, which then does nothing more.
        unsafe {
            let weight = (*self.0.as_ptr()).header.weight;
            return_slow(self.0, weight, Err(DropReason::Tainted));
        }
    }
}

/// A count on the inside, given back also when dropping a value panics.
struct Hold<T, R>(NonNull<Inside<T, R>>);

impl<T, R> Hold<T, R> {
    /// # Safety
    /// I2.
    unsafe fn of(inside: NonNull<Inside<T, R>>) -> Self {
        // SAFETY: by the contract.
        unsafe { Inside::acquire(inside) };
        Self(inside)
    }

    fn shared(&self) -> &Shared {
        // SAFETY: I2 by the count.
        unsafe { &self.0.as_ref().shared }
    }
}

impl<T, R> Drop for Hold<T, R> {
    fn drop(&mut self) {
        // SAFETY: the count taken above.
        unsafe { Inside::release(self.0) };
    }
}

/// # Safety
/// N1: the caller owns `node` and gives it away.
#[cold]
unsafe fn return_slow<T, R: Recycler<T>>(
    node: NonNull<Node<T, R>>,
    weight: u64,
    verdict: Result<(), DropReason>,
) {
    // SAFETY: N1.
    unsafe {
        if let (hold, Some(node)) = book(node, weight, verdict) {
            if !std::thread::panicking() {
                return Inside::destroy(hold.0, node);
            }
            // A panic of the value's drop in the middle of another would abort.
            if let Some(panic) = destroy_quietly(hold.0, node) {
                drop_panic(panic);
            }
        }
    }
}

/// Puts a return into the books: the object is idle afterwards, or it is in no level any more and the caller's.
///
/// # Safety
/// N1: the caller owns `node` and gives it away.
unsafe fn book<T, R: Recycler<T>>(
    node: NonNull<Node<T, R>>,
    weight: u64,
    verdict: Result<(), DropReason>,
) -> (Hold<T, R>, Option<NodePtr>) {
    // SAFETY: N1; I3: a count of our own before the node is given away.
    unsafe {
        let header = &raw mut (*node.as_ptr()).header;
        let hold = Hold::<T, R>::of((*header).inside.cast());
        let weight = weight.min(WEIGHT_MAX);
        let before = std::mem::replace(&mut (*header).weight, weight);
        hold.shared().charge_growth(before, weight);
        let node = hold.shared().take_back(NodePtr::from_typed(node), before, weight, verdict);
        (hold, node)
    }
}

/// A return that is more than a return: a lease on record, one that is timed, a fault, a panic under way.
///
/// # Safety
/// N1: the caller owns `node` and gives it away.
#[cold]
unsafe fn return_special<T, R: Recycler<T>>(node: NonNull<Node<T, R>>) {
    // SAFETY: N1.
    unsafe {
        let header = &raw mut (*node.as_ptr()).header;
        #[cfg(feature = "failpoints")]
        match (*header).special {
            Special::LostKept => return,
            Special::LostDropped => return std::mem::ManuallyDrop::drop(&mut (*node.as_ptr()).value),
            _ => {}
        }
        let special = end_lease(node);
        if !std::thread::panicking() {
            return return_as(special, node);
        }
        let inside = (*header).inside.cast::<Inside<T, R>>();
        if !(*inside.as_ptr()).keep_on_panic {
            // What its user left behind half done must not reach the next one.
            let weight = (*header).weight;
            return return_slow(node, weight, Err(DropReason::Tainted));
        }
        // A panic of `recycle` in the middle of another would abort. It taints the value on its way here.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| return_as(special, node))) {
            drop_panic(panic);
        }
    }
}

/// The lease is over, and off the record if it was on it; returns what its return was to see to.
///
/// # Safety
/// N1.
unsafe fn end_lease<T, R: Recycler<T>>(node: NonNull<Node<T, R>>) -> Special {
    // SAFETY: N1. I2: the node keeps the inside alive.
    unsafe {
        let header = &raw mut (*node.as_ptr()).header;
        if let Some(lease) = (*header).lease.take() {
            let inside = (*header).inside.cast::<Inside<T, R>>();
            (*inside.as_ptr()).shared.leases.end(lease);
        }
        std::mem::replace(&mut (*header).special, Special::Nothing)
    }
}

/// # Safety
/// N1: the caller owns `node` and gives it away.
unsafe fn return_as<T, R: Recycler<T>>(special: Special, node: NonNull<Node<T, R>>) {
    // SAFETY: N1.
    unsafe {
        match special {
            Special::Bypassed => {
                return_slow(node, (*node.as_ptr()).header.weight, Err(DropReason::Bypassed));
            }
            Special::TimedPooled => return_timed(node, Arm::Pooled),
            Special::TimedFresh => return_timed(node, Arm::Fresh),
            _ => give_back(node),
        }
    }
}

/// A return whose lease is timed, to its end.
///
/// # Safety
/// N1: the caller owns `node` and gives it away.
unsafe fn return_timed<T, R: Recycler<T>>(node: NonNull<Node<T, R>>, arm: Arm) {
    // SAFETY: N1; I3: a count of our own before the node is given away.
    unsafe {
        let header = &raw mut (*node.as_ptr()).header;
        let (started, weight) = ((*header).started, (*header).weight);
        let hold = Hold::<T, R>::of((*header).inside.cast());
        match arm {
            Arm::Pooled => give_back(node),
            Arm::Fresh => return_slow(node, weight, Err(DropReason::Bypassed)),
        }
        let shared = hold.shared();
        shared.trials.add(arm, started.elapsed(shared.age_ns()));
    }
}

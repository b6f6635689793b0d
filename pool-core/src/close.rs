//! The end of a pool: its last handle closes it and drops what is idle.
//!
//! This breaks the cycle between the inside and its idle nodes, each of which keeps it alive. A slot whose
//! owner is inside its fast path at this very moment cannot be visited, and nobody waits for it: such a pool
//! goes on a list that every later close, build and thread exit sweeps (its registry's passes reach it too).

use crate::fence;
use crate::inside::Inside;
use crate::keeper::Keeper;
use crate::managed::{Job, Managed};
use crate::node::NodePtr;
use crate::recycle::Recycler;
use crate::slot::attention;
use crate::stats::DropReason;
use crate::sync::atomic::{
    AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use crate::sync::{Mutex, PoisonError, try_lock};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::time::Duration;

/// The last handle is gone: closes the pool and gives up the handles' count. A panic of a value's drop goes on to the
/// caller after all values have been dropped.
///
/// # Safety
/// The caller gives up the handles' count (I1).
pub(crate) unsafe fn close<T: 'static, R: Recycler<T>>(inside: NonNull<Inside<T, R>>) {
    // SAFETY: I2: the handles' count, until `release` below.
    let keeper = unsafe { Keeper::new(inside) };
    let emptied = empty(&keeper);
    // SAFETY: the handles' count; the keeper has one of its own.
    unsafe { Inside::release(inside) };
    if emptied.busy_slots > 0 {
        leave_unfinished(keeper);
    } else {
        keeper.forgotten();
    }
    sweep_unfinished();
    rethrow(emptied.panic);
}

/// What closing a pool found.
pub(crate) struct Emptied {
    pub(crate) objects: u64,
    /// Slots whose owner was inside, or which no fence allowed to visit.
    pub(crate) busy_slots: u64,
    /// The first panic of a value's drop.
    pub(crate) panic: Option<Box<dyn Any + Send>>,
}

/// Keeps nothing from now on, and drops what is idle.
pub(crate) fn empty<T: 'static, R: Recycler<T>>(keeper: &Keeper<T, R>) -> Emptied {
    let shared = keeper.shared();
    shared.table.with_slots(|slots| {
        shared.closed.store(true, SeqCst);
        slots.for_each(|slot| slot.set(attention::CLOSED));
    });
    let mut nodes = Vec::new();
    let mut busy_slots = 0;
    let fenced = fence::heavy();
    {
        let drainer = shared.drainer.lock().unwrap_or_else(PoisonError::into_inner);
        shared.depot.close(&mut nodes);
        shared.victim.take_oldest(|_| false, |node| nodes.push(node));
        shared.table.with_slots(|slots| {
            for slot in slots {
                // S2, with CLOSED for the mark: it was set before the fence and is never cleared.
                if fenced.is_complete() && slot.visit() {
                    slot.take_all(&mut nodes);
                } else {
                    busy_slots += 1;
                }
            }
        });
        for node in &nodes {
            shared.count_trimmed(*node, DropReason::Closed);
        }
        drop(drainer);
    }
    let objects = nodes.len() as u64;
    {
        let mut condemned = shared.condemned.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = condemned.iter().map(|node| node.weight()).sum();
        shared.trimmed.pending_bytes.fetch_sub(bytes, Relaxed);
        nodes.extend(condemned.drain(..));
    }
    // SAFETY: N1: taken above, and made by this pool.
    let panic = unsafe { destroy_all(keeper.inside(), nodes) };
    Emptied { objects, busy_slots, panic }
}

/// Leaves a pool some of whose slots were busy to later sweeps.
pub(crate) fn leave_unfinished<T: 'static, R: Recycler<T>>(keeper: Keeper<T, R>) {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(keeper));
    UNFINISHED_COUNT.fetch_add(1, SeqCst);
}

/// Drops every node; returns the first panic of a value's drop.
///
/// # Safety
/// The caller owns the nodes (N1), which `inside` made.
pub(crate) unsafe fn destroy_all<T, R: Recycler<T>>(
    inside: NonNull<Inside<T, R>>,
    nodes: Vec<NodePtr>,
) -> Option<Box<dyn Any + Send>> {
    let mut first = None;
    for node in nodes {
        // SAFETY: by the contract.
        let panic = unsafe { destroy_quietly(inside, node) };
        if first.is_none() {
            first = panic;
        } else if let Some(panic) = panic {
            drop_panic(panic);
        }
    }
    first
}

/// Drops a node; returns the panic of its value's drop.
///
/// # Safety
/// The caller owns the node (N1), which `inside` made.
pub(crate) unsafe fn destroy_quietly<T, R: Recycler<T>>(
    inside: NonNull<Inside<T, R>>,
    node: NodePtr,
) -> Option<Box<dyn Any + Send>> {
    // SAFETY: by the contract. Unwind safety: the value is gone either way, and nothing else is touched.
    catch_unwind(AssertUnwindSafe(|| unsafe { Inside::destroy(inside, node) })).err()
}

/// Lets a panic that was caught go on, unless there is one under way.
pub(crate) fn rethrow(panic: Option<Box<dyn Any + Send>>) {
    match panic {
        Some(panic) if std::thread::panicking() => drop_panic(panic),
        Some(panic) => resume_unwind(panic),
        None => {}
    }
}

/// Drops what a panic carried. If that panics in turn, what it carries stays for ever.
pub(crate) fn drop_panic(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// Drops what earlier closes had to leave behind. One relaxed load when there is nothing.
pub(crate) fn sweep_unfinished() {
    if UNFINISHED_COUNT.load(Relaxed) == 0 {
        return;
    }
    let Some(mut unfinished) = try_lock(&UNFINISHED) else { return };
    let keepers = std::mem::take(&mut *unfinished);
    drop(unfinished); // values are dropped below, and their drops may close other pools
    // One fence for all of them.
    for keeper in &keepers {
        keeper.mark();
    }
    let fenced = fence::heavy();
    let mut rest = Vec::new();
    for keeper in keepers {
        let busy = keeper.collect(&fenced, Job::Reclaim { extra_bytes: 0 }).busy_slots;
        keeper.drop_condemned(Duration::MAX);
        if busy > 0 {
            rest.push(keeper);
        } else {
            UNFINISHED_COUNT.fetch_sub(1, SeqCst);
        }
    }
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).append(&mut rest);
}

#[cfg(not(ebbpool_loom))]
static UNFINISHED: Mutex<Vec<Box<dyn Managed>>> = Mutex::new(Vec::new());
#[cfg(not(ebbpool_loom))]
static UNFINISHED_COUNT: AtomicUsize = AtomicUsize::new(0);

#[cfg(ebbpool_loom)]
loom::lazy_static! {
    static ref UNFINISHED: Mutex<Vec<Box<dyn Managed>>> = Mutex::new(Vec::new());
    static ref UNFINISHED_COUNT: AtomicUsize = AtomicUsize::new(0);
}

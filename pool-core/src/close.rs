//! The end of a pool: its last handle closes it and drops what is idle.
//!
//! This breaks the cycle between the inside and its idle nodes, each of which keeps it alive. A slot whose
//! owner is inside its fast path at this very moment cannot be visited, and nobody waits for it: such a pool
//! goes on a list that every later close, build and thread exit sweeps (its registry's passes reach it too).

use crate::fence;
use crate::inside::Counted;
use crate::keeper::Keeper;
use crate::managed::{Job, Managed};
use crate::node::{NodePtr, Owned};
use crate::recycle::Recycler;
use crate::stats::DropReason;
use crate::sync::atomic::{
    AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use crate::sync::{Mutex, PoisonError, try_lock};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// The last handle is gone: closes the pool and gives up the handles' count. A panic of a value's drop goes on to the
/// caller after all values have been dropped.
pub(crate) fn close<T: Send + 'static, R: Recycler<T>>(handles: Counted<T, R>) {
    let keeper = Keeper::new(handles.clone());
    let emptied = empty(&keeper);
    drop(handles);
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
pub(crate) fn empty<T: Send + 'static, R: Recycler<T>>(keeper: &Keeper<T, R>) -> Emptied {
    let shared = keeper.shared();
    let shut = shared.table.shut(|| shared.closed.store(true, SeqCst));
    let mut nodes = Vec::new();
    let fenced = fence::heavy();
    let busy_slots = {
        let mut drainer = shared.table.drainer();
        shared.depot.close(&mut nodes);
        shared.victim.take_oldest(|_| false, |node| nodes.push(node));
        let busy_slots = drainer.visit_shut(&shut, &fenced, |slot| {
            slot.take_all(&mut nodes);
        });
        for node in &nodes {
            shared.count_trimmed(node, DropReason::Closed);
        }
        busy_slots
    };
    let objects = nodes.len() as u64;
    {
        let mut condemned = shared.condemned.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = condemned.iter().map(NodePtr::weight).sum();
        shared.trimmed.pending_bytes.fetch_sub(bytes, Relaxed);
        shared.watched.pending_objects.fetch_sub(condemned.len() as u64, Relaxed);
        nodes.extend(condemned.drain(..));
    }
    let panic = destroy_all(keeper.inside(), nodes);
    Emptied { objects, busy_slots, panic }
}

/// Leaves a pool some of whose slots were busy to later sweeps.
pub(crate) fn leave_unfinished<T: Send + 'static, R: Recycler<T>>(keeper: Keeper<T, R>) {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(keeper));
    UNFINISHED_COUNT.fetch_add(1, SeqCst);
}

/// Drops every node; returns the first panic of a value's drop.
pub(crate) fn destroy_all<T, R: Recycler<T>>(
    inside: &Counted<T, R>,
    nodes: Vec<NodePtr>,
) -> Option<Box<dyn Any + Send>> {
    let mut first = None;
    for node in nodes {
        let panic = destroy_quietly(Owned::claim(node, inside));
        if first.is_none() {
            first = panic;
        } else if let Some(panic) = panic {
            drop_panic(panic);
        }
    }
    first
}

/// Drops a node; returns the panic of its value's drop.
pub(crate) fn destroy_quietly<T, R: Recycler<T>>(node: Owned<T, R>) -> Option<Box<dyn Any + Send>> {
    // Unwind safety: the value is gone either way, and nothing else is touched.
    catch_unwind(AssertUnwindSafe(|| destroy(node))).err()
}

/// Drops a node and its count on the inside; a panic of the value's drop goes on to the caller.
pub(crate) fn destroy<T, R: Recycler<T>>(node: Owned<T, R>) {
    /// Also when dropping the value panics: its memory and its count are gone either way.
    struct Release<T, R>(Counted<T, R>, u64);
    impl<T, R> Drop for Release<T, R> {
        fn drop(&mut self) {
            self.0.shared.credit_grant(self.1);
        }
    }
    let weight = node.notes().weight;
    let (inside, node) = node.split();
    let _release = Release(inside, weight);
    drop(node);
}

/// Lets a panic that was caught go on, unless there is one under way.
pub(crate) fn rethrow(panic: Option<Box<dyn Any + Send>>) {
    match panic {
        Some(panic) if std::thread::panicking() => drop_panic(panic),
        Some(panic) => resume_unwind(panic),
        None => {}
    }
}

/// Drops what may panic: in the middle of another panic that would abort, and goes no further.
pub(crate) fn drop_calmly<T>(value: T) {
    if !std::thread::panicking() {
        return drop(value);
    }
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        drop_panic(panic);
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

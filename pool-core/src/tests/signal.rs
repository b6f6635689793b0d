//! A signal that comes while its thread is inside its slot, and a handler that uses the same pool.

use super::sys::{on_signal, raise};
use super::{balanced, buffers};
use crate::sync::test_hook;
use crate::{Change, Job, LeaseLevel, Pool, Registry, Sampling, Setting};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

type Handled = Box<dyn Fn()>;

thread_local!(static ON_SIGNAL: RefCell<Option<Handled>> = const { RefCell::new(None) });

extern "C" fn handle(_: i32) {
    ON_SIGNAL.with(|f| f.borrow().as_ref().unwrap()());
}

/// Interrupts this thread at the next point at which it is inside its slot.
fn at_the_next_entry(handler: impl Fn() + 'static) {
    on_signal(libc::SIGURG, handle).unwrap();
    ON_SIGNAL.with(|f| *f.borrow_mut() = Some(Box::new(handler)));
    test_hook::set(|| raise(libc::SIGURG));
}

/// A pool whose magazine here and whose depot have objects, and whose next gets and returns take the fast path.
fn warm(registry: &Registry) -> Pool<Vec<u8>> {
    let pool = buffers(registry);
    let quiet = Sampling::DEFAULT.with_leases(LeaseLevel::Off).with_timing_one_in(0).unwrap();
    let _ = pool.managed().set(Setting::Sampling(quiet), Change::operator("nothing but fast paths"));
    drop((0..100).map(|_| pool.get()).collect::<Vec<_>>());
    assert!(pool.stats().depot_objects > 0);
    pool
}

#[test]
fn a_handler_inside_a_get_or_a_return_goes_to_the_depot() {
    let registry = Registry::new();
    let pool = warm(&registry);
    let inner = pool.clone();
    let work = move || {
        let begun = inner.keeper().shared().outside.begun.load(SeqCst);
        let guards = (inner.get(), inner.try_get().unwrap(), inner.get_with(Vec::new));
        drop(guards);
        assert!(inner.keeper().shared().outside.begun.load(SeqCst) >= begun + 6, "not through the slot");
        let _ = (inner.stats(), inner.prefill(2), inner.retain(|_| true));
    };
    at_the_next_entry(work.clone());
    let guard = pool.get();
    assert!(!test_hook::is_set(), "the get was interrupted inside");
    at_the_next_entry(work);
    drop(guard);
    assert!(!test_hook::is_set(), "the return was interrupted inside");
    let stats = balanced(&registry);
    assert_eq!((stats.lent_objects, stats.gets.created), (0, 100));
    // The slot serves again: nobody was left inside.
    let hits = stats.gets.hit;
    for _ in 0..10 {
        drop((pool.get(), pool.get()));
    }
    assert_eq!(balanced(&registry).gets.hit - hits, 20);
    ON_SIGNAL.with(|f| f.borrow_mut().take()); // its handle of the pool
}

#[test]
fn a_handler_that_empties_and_closes_the_pool_leaves_the_interrupted_get_its_object() {
    let registry = Registry::new();
    let pool = warm(&registry);
    let (inner, passes) = (pool.clone(), registry.clone());
    at_the_next_entry(move || {
        // The slot is busy, and its owner is this very thread: who waited for it would never come back.
        let collected = passes.pass(Job::Reclaim { extra_bytes: u64::MAX }).remove(0).1;
        assert_eq!(collected.busy_slots, 1);
        passes.drop_condemned(std::time::Duration::MAX, || false);
        assert_eq!(inner.close(std::time::Duration::ZERO).busy_slots, 1);
    });
    let mut guard = pool.get();
    guard.extend_from_slice(b"mine");
    assert_eq!((pool.lent(), &guard[..]), (1, &b"mine"[..]));
    drop(guard);
    ON_SIGNAL.with(|f| f.borrow_mut().take());
    assert!(pool.close(std::time::Duration::MAX).all_came_home());
    assert_eq!(balanced(&registry).idle_objects, 0);
}

static INTERRUPTED: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: i32) {
    INTERRUPTED.fetch_add(1, SeqCst);
}

#[test]
fn a_handler_without_pools_changes_nothing() {
    let registry = Registry::new();
    let pool = warm(&registry);
    on_signal(libc::SIGWINCH, count).unwrap();
    test_hook::set(|| raise(libc::SIGWINCH));
    drop(pool.get());
    assert_eq!(INTERRUPTED.load(SeqCst), 1);
    assert_eq!(balanced(&registry).gets.total(), 101);
}

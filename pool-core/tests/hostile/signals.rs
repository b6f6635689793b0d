//! Signals in the middle of whatever a thread does with a pool.
//!
//! The handlers here use pools, which only their own tests should: to create or to free a value is to call the
//! allocator, which a handler must not. The tests inside the crate interrupt at a chosen point; here it is anywhere.

use super::sys::{Target, on_signal};
use super::{Ticket, lend, recorded, snapshot, tickets};
use pool_core::{Capacity, Change, LeaseLevel, Pool, Registry};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;

static INTERRUPTIONS: AtomicU64 = AtomicU64::new(0);
static POOL: OnceLock<Pool<Ticket>> = OnceLock::new();
static LENT_IN_HANDLER: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: libc::c_int) {
    INTERRUPTIONS.fetch_add(1, SeqCst);
}

extern "C" fn lend_and_return(_: libc::c_int) {
    if let Some(ticket) = POOL.get().and_then(Pool::try_get) {
        // A ticket that is lent already is in two hands. A panic would leave the handler: it ends the process.
        assert!(!ticket.lent.swap(true, SeqCst), "one object in two hands");
        drop(ticket);
        LENT_IN_HANDLER.fetch_add(1, SeqCst);
    }
}

/// Interrupts a thread that runs `work` until the handler has run `times` times.
fn storm(signal: i32, counter: &AtomicU64, times: u64, work: impl FnMut() + Send) {
    let mut work = work;
    let over = AtomicBool::new(false);
    let (started, has_started) = channel();
    thread::scope(|scope| {
        let over = &over;
        let worker = scope.spawn(move || {
            started.send(Target::this_thread()).unwrap();
            while !over.load(SeqCst) {
                work();
            }
        });
        let target = has_started.recv().unwrap();
        let until = counter.load(SeqCst) + times;
        while counter.load(SeqCst) < until && !worker.is_finished() {
            target.interrupt(signal);
            thread::yield_now();
        }
        over.store(true, SeqCst);
        worker.join().unwrap();
    });
}

#[test]
fn a_handler_that_uses_no_pool_changes_nothing() {
    on_signal(libc::SIGUSR1, count).unwrap();
    let registry = Registry::new();
    let pool = tickets(&registry);
    let mut held = Vec::new();
    storm(libc::SIGUSR1, &INTERRUPTIONS, 1000, || {
        for i in 0..100 {
            held.push(lend(&pool));
            if i % 7 == 0 {
                held.truncate(i / 2);
            }
        }
        held.clear();
        registry.pass(pool_core::Job::Reclaim { extra_bytes: 1000 });
        registry.drop_condemned(std::time::Duration::MAX, || false);
    });
    drop(held);
    let stats = snapshot(&registry);
    assert!(stats.consistent);
    assert_eq!((stats.imbalance, stats.duplicates, stats.lent_objects), (0, 0, 0));
}

/// The worker stays on the fast path, and so never inside the allocator; the handler meets it at any instruction.
#[test]
fn a_handler_that_uses_the_pool_it_interrupts_corrupts_nothing() {
    on_signal(libc::SIGUSR2, lend_and_return).unwrap();
    let registry = Registry::new();
    let pool = POOL.get_or_init(|| {
        Pool::builder("interrupted")
            .registry(&registry)
            .knob(recorded(LeaseLevel::Off))
            .capacity(Capacity::new(1000, 1 << 30).unwrap())
            .build_with(Ticket::default)
            .unwrap()
    });
    // Objects in the depot, for handlers that are refused by the slot; the worker fills its magazine below.
    thread::scope(|scope| {
        scope.spawn(|| drop((0..200).map(|_| lend(pool)).collect::<Vec<_>>()));
    });
    let mut warm = false;
    storm(libc::SIGUSR2, &LENT_IN_HANDLER, 3000, || {
        if !std::mem::replace(&mut warm, true) {
            drop((0..10).map(|_| lend(pool)).collect::<Vec<_>>());
        }
        for _ in 0..1000 {
            let (_a, _b) = (lend(pool), lend(pool));
        }
    });
    let stats = snapshot(&registry);
    assert!(stats.consistent, "{stats:?}");
    assert_eq!((stats.imbalance, stats.duplicates, stats.lent_objects), (0, 0, 0), "{stats:?}");
    let _ = pool.managed().set_capacity(Capacity::ZERO, Change::operator("the end"));
}

//! Guards, gets and handles at the end of a process, when statics are all that is left.

use super::recorded;
use super::sys::{at_exit, mode, passes_alone, rerun, say};
use pool_core::{LeaseLevel, Pool, Pooled};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

static POOL: OnceLock<Pool<Vec<u8>>> = OnceLock::new();
static LAST: Mutex<Option<Pool<Vec<u8>>>> = Mutex::new(None);
static HELD: Mutex<Vec<Pooled<Vec<u8>>>> = Mutex::new(Vec::new());
static WORKING: AtomicBool = AtomicBool::new(false);

const DONE: &str = "the handler at exit has come to its end";

extern "C" fn use_pools_at_exit() {
    let pool = POOL.get().unwrap();
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    held.truncate(3);
    held.push(pool.get());
    drop(std::mem::take(&mut *held));
    drop((0..200).map(|_| pool.get()).collect::<Vec<_>>());
    let _ = (pool.stats(), pool.try_get().is_some(), pool.prefill(3), pool.retain(|_| false));
    drop(LAST.lock().unwrap_or_else(PoisonError::into_inner).take());
    let fresh = Pool::new("built at exit", String::new);
    drop(fresh.get());
    let closed = pool.close(Duration::ZERO);
    // What the other thread holds at this moment is its own.
    if WORKING.load(SeqCst) || closed.lent_objects == 0 {
        say(DONE);
    }
}

fn prepare() {
    let build = || {
        Pool::builder("static")
            .knob(recorded(LeaseLevel::All))
            .build_with(|| Vec::with_capacity(100))
            .unwrap()
    };
    let pool = POOL.get_or_init(build);
    *LAST.lock().unwrap() = Some(build());
    *HELD.lock().unwrap() = (0..10).map(|_| pool.get()).collect();
    at_exit(use_pools_at_exit);
}

#[test]
fn statics_and_handlers_at_exit_use_pools() {
    match mode().as_deref() {
        None => {
            let said = passes_alone("exits::statics_and_handlers_at_exit_use_pools", "returns");
            assert!(said.contains(DONE), "{said}");
            let output = rerun("exits::statics_and_handlers_at_exit_use_pools", "exits");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains(DONE), "{}: {said}", output.status);
        }
        // The main thread runs the handler, after its thread-locals have gone.
        Some("returns") => prepare(),
        // This thread runs the handler, with its thread-locals, while another is at work.
        Some(_) => {
            prepare();
            let pool = POOL.get().unwrap();
            thread::spawn(|| {
                loop {
                    drop((0..100).map(|_| pool.get()).collect::<Vec<_>>());
                    WORKING.store(true, SeqCst);
                }
            });
            while !WORKING.load(SeqCst) {
                thread::yield_now();
            }
            std::process::exit(0);
        }
    }
}

thread_local! {
    static EARLY: RefCell<Option<Pooled<Vec<u8>>>> = const { RefCell::new(None) };
    static LATE: RefCell<Option<AtThreadExit>> = const { RefCell::new(None) };
}

/// Uses a pool when its thread ends, and gives up its handle.
struct AtThreadExit(Option<Pool<Vec<u8>>>);

impl Drop for AtThreadExit {
    fn drop(&mut self) {
        let Some(pool) = self.0.take() else { return };
        let held = (pool.get(), pool.try_get());
        let _ = (pool.stats(), pool.prefill(2), pool.lent());
        drop(held);
    }
}

/// Threads whose thread-locals go before and after the one that holds the id.
fn on_a_thread(early_first: bool, pool: &Pool<Vec<u8>>) {
    let pool = pool.clone();
    thread::spawn(move || {
        let touch = || {
            EARLY.with(|early| drop(early.borrow_mut().take()));
            LATE.with(|late| drop(late.borrow_mut().take()));
        };
        if early_first {
            touch();
        }
        let guard = pool.get(); // the id is taken, and its thread-local registered
        EARLY.with(|early| *early.borrow_mut() = Some(guard));
        LATE.with(|late| *late.borrow_mut() = Some(AtThreadExit(Some(pool))));
    })
    .join()
    .unwrap();
}

#[test]
fn thread_locals_that_go_before_or_after_the_id_come_home() {
    let mut in_depot = Vec::new();
    for early_first in [false, true] {
        let pool = Pool::new("thread-locals", || Vec::with_capacity(100));
        on_a_thread(early_first, &pool);
        let stats = pool.stats();
        assert_eq!((stats.lent_objects, stats.imbalance), (0, 0), "{stats:?}");
        assert_eq!(stats.idle_objects, stats.created, "{stats:?}");
        in_depot.push(stats.depot_objects == stats.idle_objects);
    }
    // One order went through the slot, the other found no id any more: both are covered.
    in_depot.sort_unstable();
    assert_eq!(in_depot, [false, true]);
}

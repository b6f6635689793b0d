//! Last handles that go where nobody expects it: before guards, inside user code, and while threads end.

use super::within;
use pool_core::{Keep, Pool, Pooled, Recycle, Retention};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

/// Holds what it is given until it is recycled, or weighed, or dropped.
struct Holder {
    until_recycled: Option<Pool<Holder>>,
    until_dropped: Option<Pool<Holder>>,
    alive: Option<Arc<AtomicU64>>,
}

impl Recycle for Holder {
    fn recycle(&mut self, _: &Retention) -> Keep {
        self.until_recycled = None;
        Keep::Yes
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Some(alive) = &self.alive {
            alive.fetch_sub(1, SeqCst);
        }
    }
}

fn holders() -> (Arc<AtomicU64>, Pool<Holder>) {
    let alive = Arc::new(AtomicU64::new(0));
    let in_create = Arc::clone(&alive);
    let pool = Pool::new("holders", move || {
        in_create.fetch_add(1, SeqCst);
        Holder { until_recycled: None, until_dropped: None, alive: Some(Arc::clone(&in_create)) }
    });
    (alive, pool)
}

#[test]
fn guards_outlive_the_last_handle_on_every_path() {
    let (alive, pool) = holders();
    let mut guards: Vec<_> = (0..200).map(|_| pool.get()).collect();
    drop(pool);
    assert_eq!(alive.load(SeqCst), 200);
    drop(guards.pop());
    Pooled::discard(guards.pop().unwrap());
    drop(Pooled::into_inner(guards.pop().unwrap()));
    let part = Pooled::map(guards.pop().unwrap(), |holder| &mut holder.alive);
    assert_eq!(alive.load(SeqCst), 197);
    let in_a_panic = guards.pop().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _guard = in_a_panic;
        panic!("as told");
    }));
    assert!(panicked.is_err());
    thread::spawn(move || drop(part)).join().unwrap();
    drop(guards);
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn the_last_handle_goes_while_a_value_is_recycled() {
    within(60, "recycled", || {
        let (alive, pool) = holders();
        drop((0..100).map(|_| pool.get()).collect::<Vec<_>>());
        let mut guard = pool.get();
        guard.until_recycled = Some(pool);
        assert_eq!(alive.load(SeqCst), 100);
        drop(guard); // its own return finds the pool closed by its own recycle
        assert_eq!(alive.load(SeqCst), 0);
    });
}

#[test]
fn the_last_handle_goes_while_a_value_is_dropped() {
    within(60, "dropped", || {
        let (alive, pool) = holders();
        drop((0..100).map(|_| pool.get()).collect::<Vec<_>>());
        let mut guard = pool.get();
        guard.until_dropped = Some(pool);
        Pooled::discard(guard);
        assert_eq!(alive.load(SeqCst), 0);
    });
}

#[test]
fn the_last_handle_goes_while_a_create_runs() {
    within(60, "create", || {
        let (alive, inner) = holders();
        drop((0..10).map(|_| inner.get()).collect::<Vec<_>>());
        let last = std::sync::Mutex::new(Some(inner));
        let outer = Pool::new("outer", move || {
            drop(last.lock().unwrap().take()); // closes the other pool, in the middle of this one's get
            String::new()
        });
        drop(outer.get());
        assert_eq!((alive.load(SeqCst), outer.stats().idle_objects), (0, 1));
    });
}

#[test]
fn the_last_handle_of_another_pool_goes_with_a_create_closure() {
    within(60, "closure", || {
        let (alive, inner) = holders();
        drop((0..10).map(|_| inner.get()).collect::<Vec<_>>());
        let outer = Pool::new("outer", move || inner.get().alive.is_some().to_string());
        let guard = outer.get();
        drop(outer);
        assert_eq!(alive.load(SeqCst), 10);
        drop(guard); // frees the outer pool, and with it the closure and the inner one's last handle
        assert_eq!(alive.load(SeqCst), 0);
    });
}

#[test]
fn chains_of_pools_whose_values_hold_the_next_pool_come_down() {
    within(60, "chain", || {
        let (alive, mut pool) = holders();
        for _ in 0..50 {
            let (next_alive, next) = holders();
            // The value lives in the next pool and holds this one.
            next.get().until_dropped = Some(pool);
            assert_eq!(next_alive.load(SeqCst), 1);
            pool = next;
        }
        drop(pool);
        assert_eq!(alive.load(SeqCst), 0);
    });
}

#[test]
fn handles_and_guards_that_go_at_once_free_everything() {
    within(120, "race", || {
        for _ in 0..500 {
            let (alive, pool) = holders();
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let pool = pool.clone();
                    thread::spawn(move || {
                        let guards = (pool.get(), pool.get());
                        drop(pool);
                        drop(guards);
                    })
                })
                .collect();
            drop(pool);
            for thread in threads {
                thread.join().unwrap();
            }
            // What a busy slot made the last close leave is swept here, or by a thread of another test at this moment.
            while alive.load(SeqCst) > 0 {
                drop(Pool::new("sweep", String::new));
            }
        }
    });
}

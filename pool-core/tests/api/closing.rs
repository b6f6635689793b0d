//! Closing by hand: what is dropped, who is waited for, who is named.

use super::{Census, Value, balanced, dropped, panics, until};
use pool_core::{DropReason, Job, Keep, Pool, Pooled, Recycle, Registry, Retention};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

#[test]
fn a_closed_pool_keeps_nothing_and_serves_on() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let handle = pool.clone();
    drop((0..100).map(|_| pool.get()).collect::<Vec<_>>());
    let closed = pool.close(Duration::ZERO);
    assert_eq!((closed.dropped_objects, closed.lent_objects, census.alive()), (100, 0, 0));
    assert!(closed.all_came_home() && handle.is_closed());
    drop((handle.get(), handle.get()));
    thread::scope(|scope| {
        scope.spawn(|| drop(handle.get()));
    });
    assert!(handle.try_get().is_none());
    let stats = balanced(&registry);
    assert_eq!((stats.idle_objects, stats.lent_objects, stats.created), (0, 0, 103));
    assert_eq!(dropped(&stats, DropReason::Closed), 103);
    assert_eq!(handle.close(Duration::ZERO).dropped_objects, 0, "twice is once");
    assert_eq!(registry.pools().len(), 1, "its handles may lend still");
    drop((pool, handle));
    registry.pass(Job::Snapshot);
    assert_eq!(registry.pools().len(), 0);
}

#[test]
fn pools_that_end_while_they_lend_do_not_pile_up_where_nobody_makes_passes() {
    let registry = Registry::new();
    let pool = |name: &str| Pool::builder(name).registry(&registry).build_with(String::new).unwrap();
    let stay: Vec<_> = (0..100).map(|n| pool(&format!("stays.{n}"))).collect();
    for n in 0..2000 {
        let pool = pool(&format!("conn.{n}"));
        let guard = pool.get();
        drop(pool);
        drop(guard);
        let registered = registry.list().len();
        assert!(registered <= 2 * (stay.len() + 1), "{registered} after {n}");
    }
    let names: Vec<_> = registry.list().iter().map(|pool| pool.name().to_owned()).collect();
    assert!(stay.iter().all(|pool| names.iter().any(|name| name == pool.name())), "{names:?}");
}

#[test]
fn it_comes_back_as_soon_as_the_last_object_is_home() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let guards: Vec<_> = (0..5).map(|_| pool.get()).collect();
    thread::scope(|scope| {
        // With no end of the grace: if it misses the last return it never comes back.
        let closer = scope.spawn(|| pool.close(Duration::MAX));
        until("the pool is closed", || pool.is_closed());
        assert!(!closer.is_finished());
        for (i, guard) in guards.into_iter().enumerate() {
            assert_eq!(pool.lent(), 5 - i as u64);
            scope.spawn(move || drop(guard)).join().unwrap();
        }
        let report = closer.join().unwrap();
        assert!(report.all_came_home() && report.sites.is_empty(), "{report}");
    });
    assert_eq!((dropped(&balanced(&registry), DropReason::Closed), census.alive()), (5, 0));
}

#[test]
fn who_holds_objects_after_the_grace_is_named() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let held: Vec<_> = (0..3).map(|_| pool.get()).collect();
    let line = line!() - 1;
    let other = pool.get();
    let closed = pool.close(Duration::from_millis(5));
    assert!(!closed.all_came_home() && closed.waited >= Duration::from_millis(5));
    assert_eq!((closed.lent_objects, closed.not_on_record), (4, 0));
    let sites: Vec<_> = closed.sites.iter().map(|s| (s.site.line(), s.count)).collect();
    assert_eq!(sites, [(line, 3), (line + 2, 1)]);
    let said = closed.to_string();
    assert!(said.contains("4 still lent") && said.contains(&format!("3 at {}:{line}:", file!())), "{said}");
    drop(held);
    assert_eq!(pool.lent(), 1);
    drop(other);
    assert!(pool.close(Duration::ZERO).all_came_home());
}

#[test]
fn what_is_not_on_record_is_counted_without_a_place() {
    let pool =
        Pool::builder("unrecorded").lease_level(pool_core::LeaseLevel::Off).build_with(String::new).unwrap();
    let held = (pool.get(), pool.get());
    let closed = pool.close(Duration::ZERO);
    assert_eq!((closed.lent_objects, closed.not_on_record, closed.sites.len()), (2, 2, 0));
    assert_eq!(closed.to_string(), "pool \"unrecorded\" closed: 0 idle objects dropped, 2 still lent");
    drop(held);
}

#[test]
fn an_idle_value_that_panics_when_dropped_leaves_the_pool_closed() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let mut guards: Vec<_> = (0..3).map(|_| pool.get()).collect();
    guards[1].mood.panic_in_drop = true;
    drop(guards);
    assert!(panics(|| pool.close(Duration::ZERO)));
    assert_eq!(census.alive(), 0);
    assert!(pool.close(Duration::ZERO).all_came_home());
    balanced(&registry);
}

/// Holds what it is given: a handle of its own pool, or an object of it.
struct Holder {
    pool: Option<Pool<Holder>>,
    inner: Option<Pooled<Holder>>,
    alive: Arc<AtomicU64>,
}

impl Recycle for Holder {
    fn recycle(&mut self, _: &Retention) -> Keep {
        Keep::Yes
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
    }
}

fn holders() -> (Arc<AtomicU64>, Pool<Holder>) {
    let alive = Arc::new(AtomicU64::new(0));
    let in_create = Arc::clone(&alive);
    let pool = Pool::new("holders", move || {
        in_create.fetch_add(1, SeqCst);
        Holder { pool: None, inner: None, alive: Arc::clone(&in_create) }
    });
    (alive, pool)
}

#[test]
fn idle_values_that_hold_their_own_pool_go_with_a_close() {
    let (alive, pool) = holders();
    for guard in &mut [pool.get(), pool.get()] {
        guard.pool = Some(pool.clone());
    }
    let managed = pool.managed();
    assert_eq!(pool.close(Duration::ZERO).dropped_objects, 2);
    assert_eq!(alive.load(SeqCst), 0);
    drop(pool);
    assert!(managed.is_finished(), "the handles in the values have gone with them");
}

/// The documented leak: nobody closes the pool, and its last handle is in one of its own idle values.
#[test]
fn a_value_that_holds_the_last_handle_of_its_own_pool_keeps_it() {
    let (alive, pool) = holders();
    pool.get().pool = Some(pool.clone());
    let managed = pool.managed();
    drop(pool);
    assert_eq!((alive.load(SeqCst), managed.stats().idle_objects), (1, 1));
    assert!(!managed.is_finished());
    // A pass still reaches the value, and frees the pool with it.
    let registry = Registry::new();
    registry.register(managed.clone()).unwrap();
    registry.pass(Job::Reclaim { extra_bytes: u64::MAX });
    registry.drop_condemned(Duration::MAX, || false);
    assert_eq!(alive.load(SeqCst), 0);
    assert!(managed.is_finished());
}

#[test]
fn a_lent_value_that_holds_its_own_pool_is_reported() {
    let (alive, pool) = holders();
    let mut held = pool.get();
    held.pool = Some(pool.clone());
    held.inner = Some(pool.get());
    let closed = pool.close(Duration::ZERO);
    assert_eq!((closed.lent_objects, closed.all_came_home()), (2, false));
    drop(pool);
    drop(held); // with it the object that it held, and then the last handle
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn many_close_at_once_while_others_lend_and_return() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let (send, receive) = channel::<Pooled<Value>>();
    thread::scope(|scope| {
        let pool = &pool;
        for _ in 0..2 {
            let send = send.clone();
            scope.spawn(move || (0..2000).for_each(|_| send.send(pool.get()).unwrap()));
        }
        drop(send);
        scope.spawn(move || receive.into_iter().for_each(drop));
        for _ in 0..2 {
            scope.spawn(move || {
                until("half of them were lent", || pool.stats().gets.total() > 2000);
                let _ = pool.close(Duration::from_millis(1));
            });
        }
    });
    assert!(pool.close(Duration::MAX).all_came_home());
    let stats = balanced(&registry);
    assert_eq!((stats.idle_objects, stats.lent_objects, census.alive()), (0, 0, 0));
}

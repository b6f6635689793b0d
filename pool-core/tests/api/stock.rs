//! Prefill and retain.

use super::{Census, balanced, drain, dropped, panics, until};
use pool_core::{Capacity, Change, DropReason, Pool, Registry};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

#[test]
fn what_is_prefilled_serves_every_thread() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    assert_eq!(pool.prefill(100), 100);
    let stats = balanced(&registry);
    assert_eq!((stats.depot_objects, stats.prefilled, stats.gets.total()), (100, 100, 0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| drop((0..40).map(|_| pool.get()).collect::<Vec<_>>()));
        }
    });
    // Threads that try one stripe at the same moment may create; not one for each get.
    let stats = balanced(&registry);
    assert!(stats.gets.created < 40, "{stats:?}");
    assert_eq!((census.alive(), stats.gets.total()), (stats.idle_objects, 80));
}

#[test]
fn a_prefill_stops_at_the_capacity() {
    let registry = Registry::new();
    let pool = Pool::builder("small")
        .registry(&registry)
        .capacity(Capacity::new(10, 1 << 20).unwrap())
        .build_with(|| Vec::<u8>::with_capacity(1000))
        .unwrap();
    assert_eq!((pool.prefill(100), pool.prefill(1)), (10, 0));
    let stats = balanced(&registry);
    assert_eq!((stats.idle_objects, stats.created), (10, 10));
    let wider = Capacity::new(100, stats.idle_bytes * 2).unwrap();
    let _ = pool.managed().set_capacity(wider, Change::operator("test"));
    assert_eq!(pool.prefill(100), 10, "bytes are a limit too");
    let stats = balanced(&registry);
    assert!(stats.idle_bytes <= stats.capacity_bytes);
}

#[test]
fn a_prefill_stops_at_the_grant_and_takes_nothing_from_others() {
    let registry = Registry::new();
    let pool = Pool::builder("granted").registry(&registry).build_with(|| vec![0_u8; 1 << 20]).unwrap();
    let other = Pool::builder("other").registry(&registry).build_with(|| vec![0_u8; 1 << 20]).unwrap();
    drop(other.get());
    drop(pool.get()); // from now on it is known what one weighs
    drain(&registry);
    drop(other.get());
    registry.grant().set(Some(5 << 20));
    assert_eq!(pool.prefill(100), 4, "each weighs a little more than 1 MiB");
    let left = registry.grant().left().unwrap();
    assert!((0..1 << 20).contains(&left), "{left}");
    assert_eq!((other.stats().idle_objects, registry.grant().exceeded_total()), (1, 0));
    assert_eq!(balanced(&registry).idle_objects, 4);
}

#[test]
fn a_first_object_that_turns_out_too_heavy_for_the_grant_is_dropped() {
    let registry = Registry::new();
    let pool = Pool::builder("unknown").registry(&registry).build_with(|| vec![0_u8; 1 << 20]).unwrap();
    registry.grant().set(Some(1000));
    assert_eq!((pool.prefill(3), registry.grant().left()), (0, Some(1000)));
    let stats = balanced(&registry);
    assert_eq!((stats.idle_objects, dropped(&stats, DropReason::Pressure)), (0, 1));
}

#[test]
fn a_prefill_whose_create_panics_keeps_what_was_made_before() {
    let registry = Registry::new();
    let made = AtomicU64::new(0);
    let create = move || {
        assert!(made.fetch_add(1, SeqCst) < 3, "as told");
        String::new()
    };
    let pool = Pool::builder("fails").registry(&registry).build_with(create).unwrap();
    assert!(panics(|| pool.prefill(10)));
    assert_eq!(balanced(&registry).idle_objects, 3);
}

#[test]
fn retain_looks_at_the_objects_of_sleeping_and_dead_threads() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = &census.pool(&registry);
    thread::scope(|scope| {
        let (asleep, is_asleep) = channel();
        let (wake, woken) = channel::<()>();
        let fill = || {
            let mut guards: Vec<_> = (0..10).map(|_| pool.get()).collect();
            guards.iter_mut().step_by(2).for_each(|guard| guard.bytes.reserve_exact(2000));
        };
        scope.spawn(move || {
            fill();
            asleep.send(()).unwrap();
            woken.recv().unwrap();
        });
        is_asleep.recv().unwrap();
        scope.spawn(fill).join().unwrap();
        assert_eq!(balanced(&registry).idle_objects, 20);
        let retained = pool.retain(|value| value.bytes.capacity() == 0);
        assert_eq!((retained.kept, retained.dropped, retained.busy_slots), (10, 10, 0));
        let stats = balanced(&registry);
        assert_eq!((stats.idle_objects, stats.depot_objects, census.alive()), (10, 10, 10));
        assert_eq!(dropped(&stats, DropReason::Discarded), 10);
        wake.send(()).unwrap();
    });
    drain(&registry);
    assert_eq!((census.alive(), balanced(&registry).idle_bytes), (0, 0));
}

#[test]
fn the_closure_of_retain_may_use_its_own_pool() {
    let registry = Registry::new();
    let pool = Census::default().pool(&registry);
    let _ = pool.prefill(20);
    let inner = AtomicU64::new(0);
    let retained = pool.retain(|_| {
        drop(pool.get());
        inner.fetch_add(pool.retain(|_| true).kept, SeqCst);
        let _ = pool.stats();
        true
    });
    assert_eq!((retained.kept, retained.dropped), (20, 0));
    assert_eq!(inner.load(SeqCst), 20, "one that was created meanwhile, seen at each look");
    assert_eq!(balanced(&registry).idle_objects, 21);
}

#[test]
fn a_panic_in_retain_puts_the_rest_back() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let _ = pool.prefill(150);
    let mut looked = 0;
    assert!(panics(|| pool.retain(|_| {
        looked += 1;
        assert!(looked < 100, "as told");
        looked % 2 == 0
    })));
    let stats = balanced(&registry);
    assert_eq!((dropped(&stats, DropReason::Discarded), stats.idle_objects, census.alive()), (50, 100, 100));
}

#[test]
fn a_panic_of_a_rejected_values_drop_comes_after_all_are_gone() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let mut guards: Vec<_> = (0..5).map(|_| pool.get()).collect();
    guards[1].mood.panic_in_drop = true;
    guards[3].mood.panic_in_drop = true;
    drop(guards);
    assert!(panics(|| pool.retain(|_| false)));
    let stats = balanced(&registry);
    assert_eq!((dropped(&stats, DropReason::Discarded), stats.idle_objects, census.alive()), (5, 0, 0));
}

#[test]
fn a_pool_that_is_closed_while_retain_looks_gets_nothing_back() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let _ = pool.prefill(150);
    let mut looked = 0;
    let retained = pool.retain(|_| {
        looked += 1;
        if looked == 100 {
            let _ = pool.close(Duration::ZERO);
        }
        true
    });
    assert_eq!(retained.kept, 150, "that was the verdict");
    let stats = balanced(&registry);
    assert_eq!((stats.idle_objects, dropped(&stats, DropReason::Closed), census.alive()), (0, 150, 0));
    assert_eq!((pool.prefill(3), pool.retain(|_| true).kept), (0, 0));
}

#[test]
fn retain_beside_threads_at_work_loses_nothing() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let begun = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                begun.fetch_add(1, SeqCst);
                for i in 0..3000 {
                    drop((0..=i % 50).map(|_| pool.get()).collect::<Vec<_>>());
                }
            });
        }
        until("all threads work", || begun.load(SeqCst) == 3);
        for i in 0..100_u64 {
            let mut nth = i;
            let _ = pool.retain(|_| {
                nth += 1;
                nth % 3 > 0
            });
        }
    });
    let stats = balanced(&registry);
    assert_eq!((stats.lent_objects, stats.idle_objects), (0, census.alive()));
}

//! A create that finds the grant used up takes idle bytes back before it allocates.

use super::{NODE, balanced};
use crate::{Pool, Registry};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

const BOX: usize = 1 << 20;

fn boxes(registry: &Registry, name: &str) -> Pool<Vec<u8>> {
    Pool::builder(name).registry(registry).build_with(|| Vec::with_capacity(BOX)).unwrap()
}

#[test]
fn a_create_takes_its_own_weight_back_from_another_pools_idle_objects() {
    let registry = Registry::new();
    let (a, b) = (boxes(&registry, "a"), boxes(&registry, "b"));
    drop((0..10).map(|_| a.get()).collect::<Vec<_>>());
    drop(b.get()); // from now on it is known what one of b weighs
    registry.grant().set(Some(0));
    let lent: Vec<_> = (0..6).map(|_| b.get()).collect();
    // One of b's was idle; each of the five created ones made one idle object of a go first.
    assert_eq!((a.stats().idle_objects, b.stats().created), (5, 6));
    assert_eq!(registry.grant().exceeded_total(), 0);
    assert_eq!(registry.grant().reclaimed_bytes_total(), 5 * (BOX as u64 + NODE));
    drop(lent);
    assert_eq!(balanced(&registry).imbalance, 0);
}

#[test]
fn a_small_create_takes_back_for_the_next_ones_too() {
    const PAGE: usize = 64 << 10;
    let registry = Registry::new();
    let pages = |name| Pool::builder(name).registry(&registry).build_with(|| Vec::<u8>::with_capacity(PAGE));
    let (a, b) = (pages("a").unwrap(), pages("b").unwrap());
    drop((0..10).map(|_| a.get()).collect::<Vec<_>>());
    let mut lent = vec![b.get()]; // from now on it is known what one of b weighs
    registry.grant().set(Some(0));
    let mut idle = |creates| {
        lent.extend((0..creates).map(|_| b.get()));
        a.stats().idle_objects
    };
    // A quarter of a MiB at once, which is four of them.
    assert_eq!([idle(1), idle(3), idle(1)], [6, 6, 2]);
    assert_eq!(registry.grant().left(), Some(3 * i64::try_from(PAGE as u64 + NODE).unwrap()));
    drop(lent);
    assert_eq!(balanced(&registry).imbalance, 0);
}

#[test]
fn without_anything_idle_the_create_goes_on_counts_and_raises_the_alarm() {
    let registry = Registry::new();
    let pool = boxes(&registry, "a");
    drop(pool.get());
    let alarms = Arc::new(AtomicU32::new(0));
    let in_alarm = Arc::clone(&alarms);
    registry.on_grant_used_up(move || {
        in_alarm.fetch_add(1, Relaxed);
    });
    registry.grant().set(Some(0));
    let _lent: Vec<_> = (0..4).map(|_| pool.get()).collect();
    assert_eq!((registry.grant().exceeded_total(), alarms.load(Relaxed)), (3, 3));
    assert_eq!(registry.grant().left(), Some(-3 * i64::try_from(BOX as u64 + NODE).unwrap()));
}

#[test]
fn objects_in_a_sleeping_threads_magazine_are_reclaimed_too() {
    let registry = Registry::new();
    let (a, b) = (boxes(&registry, "a"), boxes(&registry, "b"));
    std::thread::scope(|scope| {
        let (filled, is_filled) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let a = &a;
        scope.spawn(move || {
            drop((0..8).map(|_| a.get()).collect::<Vec<_>>());
            filled.send(()).unwrap();
            ended.recv().unwrap();
        });
        is_filled.recv().unwrap();
        drop(b.get());
        registry.grant().set(Some(0));
        let _lent: Vec<_> = (0..4).map(|_| b.get()).collect();
        assert_eq!(a.stats().idle_objects, 5);
        end.send(()).unwrap();
    });
}

#[test]
fn growth_is_charged_and_what_is_dropped_is_credited() {
    let registry = Registry::new();
    let pool = Pool::builder("grows").registry(&registry).build_with(Vec::<u8>::new).unwrap();
    registry.grant().set(Some(1 << 30));
    pool.get().reserve_exact(1 << 20);
    let node = i64::try_from(NODE).unwrap();
    assert_eq!(registry.grant().left(), Some((1 << 30) - (1 << 20) - node));
    super::drain(&registry);
    assert_eq!(registry.grant().left(), Some(1 << 30));
}

#[test]
fn a_create_that_panics_costs_nothing() {
    let registry = Registry::new();
    let fails = Arc::new(AtomicU32::new(0));
    let in_create = Arc::clone(&fails);
    let create = move || {
        if in_create.load(Relaxed) > 0 {
            std::panic::resume_unwind(Box::new(()));
        }
        vec![0_u8; 1000]
    };
    let pool = Pool::builder("fails").registry(&registry).build_with(create).unwrap();
    let _held = pool.get(); // now it is known what one weighs
    registry.grant().set(Some(1 << 20));
    fails.store(1, Relaxed);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.get())).is_err());
    assert_eq!(registry.grant().left(), Some(1 << 20));
}

#[test]
fn an_alarm_that_panics_costs_the_create_nothing() {
    let registry = Registry::new();
    let pool = boxes(&registry, "a");
    drop(pool.get());
    registry.on_grant_used_up(|| panic!("the controller is broken, as told"));
    registry.grant().set(Some(0));
    let lent = [pool.get(), pool.get()];
    let one = i64::try_from(BOX as u64 + NODE).unwrap();
    assert_eq!((registry.grant().left(), registry.grant().exceeded_total()), (Some(-one), 1));
    drop(lent);
    assert_eq!(balanced(&registry).imbalance, 0);
}

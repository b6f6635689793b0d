//! Gets that create nothing, something else, or fail.

use super::{Census, balanced, dropped, panics, recorded};
use pool_core::{DropReason, LeaseLevel, Pool, Registry};
use std::cell::Cell;
use std::time::Duration;

#[test]
fn try_get_lends_what_is_idle_and_creates_nothing() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    assert!(pool.try_get().is_none());
    assert_eq!((balanced(&registry).gets.total(), census.alive()), (0, 0), "a miss is no get");
    drop((pool.get(), pool.get()));
    let (first, second) = (pool.try_get().unwrap(), pool.try_get().unwrap());
    assert!(pool.try_get().is_none());
    let stats = balanced(&registry);
    assert_eq!((stats.gets.hit, stats.gets.created, stats.lent_objects, census.alive()), (2, 2, 2, 2));
    drop((first, second));
    assert_eq!(balanced(&registry).idle_objects, 2);
}

#[test]
fn try_get_finds_in_the_depot_what_other_threads_left_there() {
    let registry = Registry::new();
    let pool = Census::default().pool(&registry);
    assert_eq!(pool.prefill(3), 3);
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(pool.try_get().is_some()));
    });
    assert_eq!(balanced(&registry).gets.refill, 1);
}

#[test]
fn try_get_is_on_record_at_its_own_place() {
    let pool = Pool::builder("p").knob(recorded(LeaseLevel::All)).build_with(String::new).unwrap();
    drop(pool.get());
    let _held = pool.try_get().unwrap();
    let line = line!() - 1;
    assert_eq!(pool.managed().suspects(Duration::ZERO)[0].site.line(), line);
}

#[test]
fn get_with_creates_by_its_own_closure_on_a_miss_only() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let called = Cell::new(0);
    let create = || {
        called.set(called.get() + 1);
        census.create()
    };
    drop(pool.get_with(create));
    drop(pool.get_with(create));
    assert_eq!((called.get(), balanced(&registry).gets.created), (1, 1));
    let held = (pool.get_with(create), pool.get_with(create));
    let line = line!() - 1;
    let site = pool.managed().suspects(Duration::ZERO)[0].clone();
    assert_eq!(
        (called.get(), site.site.line(), site.count),
        (2, line, 1),
        "the two have places of their own"
    );
    drop(held);
    assert_eq!(balanced(&registry).idle_objects, 2);
}

#[test]
fn a_create_that_fails_counts_nothing_and_gives_the_grant_back() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    pool.get().bytes.reserve_exact(1 << 20);
    super::drain(&registry);
    registry.grant().set(Some(10 << 20));
    for _ in 0..3 {
        assert_eq!(pool.get_or_try_create(|| Err("no")).err(), Some("no"));
    }
    let stats = balanced(&registry);
    assert_eq!((stats.gets.total(), stats.lent_objects, stats.created), (1, 0, 1));
    assert_eq!(registry.grant().left(), Some(10 << 20));
    drop(pool.get_or_try_create(|| Ok::<_, ()>(census.create())).unwrap());
    assert!(pool.get_or_try_create(|| Err("not called")).is_ok());
    assert_eq!(balanced(&registry).gets.hit, 1);
}

#[test]
fn creates_that_panic_leave_the_pool_as_it_was() {
    let registry = Registry::new();
    let pool = Census::default().pool(&registry);
    registry.grant().set(Some(10 << 20));
    assert!(panics(|| pool.get_with(|| panic!("as told"))));
    assert!(panics(|| pool.get_or_try_create(|| -> Result<_, ()> { panic!("as told") })));
    let stats = balanced(&registry);
    assert_eq!((stats.gets.total(), stats.created, registry.grant().left()), (0, 0, Some(10 << 20)));
}

#[test]
fn a_new_value_whose_weight_and_then_drop_panic_aborts_nothing() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    registry.grant().set(Some(10 << 20));
    let create = || {
        let mut value = census.create();
        value.mood.panic_in_weight = true;
        value.mood.panic_in_drop = true;
        value
    };
    assert!(panics(|| pool.get_with(create)));
    let stats = balanced(&registry);
    assert_eq!((stats.created, census.alive(), registry.grant().left()), (0, 0, Some(10 << 20)));
    drop(pool.get());
    assert_eq!(dropped(&balanced(&registry), DropReason::Tainted), 0);
}

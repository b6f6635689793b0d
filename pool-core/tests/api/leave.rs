//! Objects that do not come back: discarded, taken out, tainted; and pools that keep what comes back in a panic.

use super::{Census, balanced, drain, dropped, panics, recorded};
use pool_core::{DropReason, LeaseLevel, Pool, Pooled, Registry};
use std::thread;
use std::time::Duration;

#[test]
fn a_discarded_object_is_dropped_unrecycled_and_counted_so() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    registry.grant().set(Some(1 << 30));
    let guards = (pool.get(), pool.get());
    Pooled::discard(guards.0);
    let stats = balanced(&registry);
    assert_eq!((dropped(&stats, DropReason::Discarded), stats.lent_objects), (1, 1));
    assert_eq!((census.alive(), census.recycled()), (1, 0));
    assert_eq!(pool.managed().suspects(Duration::ZERO)[0].count, 1, "one lease has ended");
    drop(guards.1);
    drain(&registry);
    assert_eq!(registry.grant().left(), Some(1 << 30), "what was charged is given back");
    let stats = balanced(&registry);
    assert_eq!((stats.lent_bytes, stats.idle_bytes, census.alive()), (0, 0, 0));
}

#[test]
fn an_object_discarded_on_another_thread_after_the_last_handle_is_freed() {
    let census = Census::default();
    let pool = census.pool(&Registry::new());
    let guard = pool.get();
    drop(pool);
    thread::spawn(move || Pooled::discard(guard)).join().unwrap();
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_discard_whose_drop_panics_is_counted_all_the_same() {
    let registry = Registry::new();
    let pool = Census::default().pool(&registry);
    let mut guard = pool.get();
    guard.mood.panic_in_drop = true;
    assert!(panics(|| Pooled::discard(guard)));
    assert_eq!(dropped(&balanced(&registry), DropReason::Discarded), 1);
}

#[test]
fn a_value_taken_out_is_the_callers_and_no_leak() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let mut guard = pool.get();
    guard.bytes.extend_from_slice(b"mine");
    let value = Pooled::into_inner(guard);
    let stats = balanced(&registry);
    assert_eq!((dropped(&stats, DropReason::TakenOut), stats.lent_objects, stats.lent_bytes), (1, 0, 0));
    assert_eq!((census.alive(), census.recycled(), &value.bytes[..]), (1, 0, &b"mine"[..]));
    assert_eq!(pool.managed().suspects(Duration::ZERO), [], "its lease has ended");
    assert!(pool.close(Duration::ZERO).all_came_home());
    drop(pool);
    assert_eq!(value.bytes, b"mine", "the pool's end is nothing to it");
    drop(value);
    assert_eq!(census.alive(), 0);
}

/// What is taken out is in use still, so its bytes are not headroom; the pool's own bytes beside it are.
#[test]
fn a_value_taken_out_stays_charged_for_what_it_holds() {
    const LEFT: i64 = 1 << 30;
    let registry = Registry::new();
    let pool =
        Pool::builder("buffers").registry(&registry).build_with(|| Vec::<u8>::with_capacity(5000)).unwrap();
    registry.grant().set(Some(u64::try_from(LEFT).unwrap()));
    let first = Pooled::into_inner(pool.get());
    assert_eq!(registry.grant().left(), Some(LEFT - 5000));
    let mut grown = pool.get();
    grown.reserve_exact(9000);
    let second = Pooled::into_inner(grown);
    assert_eq!(registry.grant().left(), Some(LEFT - 5000 - 9000));
    let expected_more = pool.get_with(Vec::new); // charged as its like have weighed
    let third = Pooled::into_inner(expected_more);
    assert_eq!(registry.grant().left(), Some(LEFT - 5000 - 9000));
    drop((first, second, third));
    balanced(&registry);
}

#[test]
fn a_value_that_cannot_be_weighed_is_not_taken_out_but_tainted() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let mut guard = pool.get();
    guard.mood.panic_in_weight = true;
    guard.mood.panic_in_drop = true; // in the middle of the other panic
    assert!(panics(|| Pooled::into_inner(guard)));
    assert_eq!((dropped(&balanced(&registry), DropReason::Tainted), census.alive()), (1, 0));
}

#[test]
fn zero_sized_large_and_over_aligned_values_are_taken_out_whole() {
    #[repr(align(4096))]
    struct Page([u8; 8192]);
    let pages = Pool::builder("pages")
        .recycle_with(|_: &mut Page, _| pool_core::Keep::Yes, |_| 0)
        .build_with(|| Page([7; 8192]))
        .unwrap();
    let page = Pooled::into_inner(pages.get());
    assert!(page.0.iter().all(|byte| *byte == 7) && (&raw const page).addr() % 4096 == 0);
    let units = Pool::new("units", || ());
    let () = Pooled::into_inner(units.get());
    assert_eq!((pages.stats().lent_objects, units.stats().lent_objects), (0, 0));
}

#[test]
fn a_pool_that_keeps_on_panic_recycles_what_comes_back_in_one() {
    let registry = Registry::new();
    let census = Census::default();
    let in_create = census.clone();
    let pool = Pool::builder("kept")
        .registry(&registry)
        .keep_on_panic()
        .knob(recorded(LeaseLevel::All))
        .build_with(move || in_create.create())
        .unwrap();
    assert!(panics(|| {
        let mut guard = pool.get();
        guard.bytes.push(1);
        panic!("the user panics");
    }));
    let stats = balanced(&registry);
    assert_eq!((stats.idle_objects, dropped(&stats, DropReason::Tainted), census.recycled()), (1, 0, 1));
    assert_eq!(pool.managed().suspects(Duration::ZERO), []);
    assert!(pool.get().bytes.is_empty());
}

#[test]
fn a_second_panic_in_recycle_or_drop_during_the_first_aborts_nothing() {
    let registry = Registry::new();
    let census = Census::default();
    for keeps in [false, true] {
        let in_create = census.clone();
        let mut builder = Pool::builder("twice").registry(&registry);
        if keeps {
            builder = builder.keep_on_panic();
        }
        let pool = builder.build_with(move || in_create.create()).unwrap();
        assert!(panics(|| {
            let mut guard = pool.get();
            guard.mood.panic_in_recycle = true;
            guard.mood.panic_in_drop = true;
            panic!("the user panics");
        }));
        let stats = balanced(&registry);
        assert_eq!((dropped(&stats, DropReason::Tainted), census.alive()), (1, 0));
        // The last handle goes in a panic too, and with it a value that panics.
        let mut idle = pool.get();
        idle.mood.panic_in_drop = true;
        drop(idle);
        assert!(panics(move || {
            let _pool = pool;
            panic!("the user panics");
        }));
        assert_eq!(census.alive(), 0);
    }
}

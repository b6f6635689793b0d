//! `LeakCheck` as its users' tests have it: what it finds, what it lets pass, and what it leaves behind.
#![cfg(not(any(ebbpool_loom, ebbpool_tsan)))]

use pool_core::{Change, LeakCheck, LeaseLevel, Managed, Pool, Registry};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than any machine needs for what these tests wait for.
const PATIENCE: Duration = Duration::from_secs(60);

fn unrecorded(name: &str) -> Pool<String> {
    Pool::builder(name).lease_level(LeaseLevel::Off).build_with(String::new).unwrap()
}

#[test]
fn a_leak_fails_the_check_and_has_a_name() {
    let pool = unrecorded("body");
    let check = LeakCheck::of(&pool);
    let begun = line!() - 1;
    let leaked = thread::spawn({
        let pool = pool.clone();
        move || {
            std::mem::forget(pool.get());
            (line!() - 1, format!("{:?}", thread::current().id()))
        }
    });
    let (line, thread) = leaked.join().unwrap();
    let report = check.finish().unwrap_err();
    let [leaked] = &report.pools[..] else { panic!("one pool") };
    assert_eq!((leaked.name.as_str(), leaked.leases(), leaked.unrecorded), ("body", 1, 0));
    assert_eq!((report.begun.line(), leaked.suspects[0].site.line()), (begun, line));
    let text = report.to_string();
    for part in ["1 lent since", "body: 1 lease from", &format!("leak_check.rs:{line}:"), &thread] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn a_dropped_check_panics_and_says_why() {
    let pool = unrecorded("body");
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _check = LeakCheck::of(&pool);
        std::mem::forget(pool.get());
    }));
    let message = result.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("body: 1 lease from"), "{message}");
}

#[test]
fn a_check_dropped_in_a_panic_does_not_panic_again() {
    let pool = unrecorded("body");
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _check = LeakCheck::of(&pool);
        std::mem::forget(pool.get());
        panic!("the test's own");
    }));
    assert_eq!(*result.unwrap_err().downcast::<&str>().unwrap(), "the test's own");
    assert_eq!(recorded_now(&pool), 0, "and the level is what it was");
}

/// How many of three leases are recorded.
fn recorded_now(pool: &Pool<String>) -> u64 {
    let before = pool.stats().leases_recorded;
    let held = [(); 3].map(|()| pool.get());
    let recorded = pool.stats().leases_recorded - before;
    drop(held);
    recorded
}

#[test]
fn what_was_out_before_and_what_comes_home_is_no_leak() {
    let pool = Pool::builder("body").lease_level(LeaseLevel::All).build_with(String::new).unwrap();
    let before = pool.get();
    let check = LeakCheck::of(&pool);
    for _ in 0..1000 {
        drop(pool.get());
    }
    assert_eq!(check.outstanding(), 0);
    assert_eq!(check.finish(), Ok(()));
    let check = LeakCheck::of(&pool);
    drop(before);
    assert_eq!(check.finish(), Ok(()));
}

#[test]
fn the_level_comes_back_after_the_last_of_several_checks() {
    let pool = unrecorded("body");
    let outer = LeakCheck::of(&pool);
    let inner = LeakCheck::of(&pool);
    assert_eq!(recorded_now(&pool), 3);
    drop(outer); // they overlap and are not nested
    assert_eq!((recorded_now(&pool), pool.managed().lease_level()), (3, LeaseLevel::Off));
    assert_eq!(inner.finish(), Ok(()));
    assert_eq!(recorded_now(&pool), 0);
}

#[test]
fn a_level_set_during_a_check_is_kept_and_comes_into_force_after_it() {
    let pool = unrecorded("body");
    let check = LeakCheck::of(&pool);
    pool.managed().set_lease_level(LeaseLevel::Off, Change::operator("test"));
    assert_eq!(recorded_now(&pool), 3, "the check needs them");
    pool.managed().set_lease_level(LeaseLevel::All, Change::operator("test"));
    assert_eq!(check.finish(), Ok(()));
    assert_eq!(recorded_now(&pool), 3, "as set");
}

#[test]
fn each_of_nested_checks_answers_for_its_own_time() {
    let pool = unrecorded("body");
    let outer = LeakCheck::of(&pool);
    let early = pool.get();
    let inner = LeakCheck::of(&pool);
    let late = pool.get();
    assert_eq!((outer.outstanding(), inner.outstanding()), (2, 1));
    drop(late);
    assert_eq!(inner.finish(), Ok(()));
    assert_eq!(outer.outstanding(), 1);
    drop(early);
    assert_eq!(outer.finish(), Ok(()));
}

#[test]
fn a_check_waits_for_what_is_on_its_way_and_not_for_what_began_later() {
    let pool = unrecorded("body");
    let check = LeakCheck::of(&pool).wait(PATIENCE);
    let on_its_way = pool.get();
    let (finishing, begins) = mpsc::channel();
    thread::scope(|scope| {
        let pool = &pool;
        let end = scope.spawn(move || {
            finishing.send(()).unwrap();
            check.finish()
        });
        begins.recv().unwrap();
        // Returns and takes at once, without end as far as the check can tell.
        let mut held = on_its_way;
        while !end.is_finished() {
            held = replace(pool, held);
        }
        assert_eq!(end.join().unwrap(), Ok(()));
        drop(held);
    });
}

fn replace(pool: &Pool<String>, held: pool_core::Pooled<String>) -> pool_core::Pooled<String> {
    let next = pool.get();
    drop(held);
    next
}

#[test]
fn a_wait_ends_when_its_time_is_over() {
    let pool = unrecorded("body");
    let check = LeakCheck::of(&pool).wait(Duration::from_millis(5));
    let held = pool.get();
    assert_eq!(check.finish().unwrap_err().pools[0].leases(), 1);
    drop(held);
}

#[test]
fn a_check_of_a_registry_knows_all_its_pools_and_those_to_come() {
    let registry = Registry::new();
    let make = |name: &str| Pool::builder(name).registry(&registry).build_with(String::new).unwrap();
    let (a, b) = (make("a"), make("b"));
    let check = LeakCheck::of_registry(&registry);
    let later = make("later");
    std::mem::forget((a.get(), later.get(), later.get()));
    drop(b.get());
    let report = check.finish().unwrap_err();
    let found: Vec<_> = report.pools.iter().map(|pool| (pool.name.as_str(), pool.leases())).collect();
    assert_eq!(found, [("a", 1), ("later", 2)]);
}

#[test]
fn a_pool_that_closes_during_the_check_is_checked_all_the_same() {
    let pool = unrecorded("body");
    let (kept, gone) = (pool.get(), unrecorded("gone"));
    let check = LeakCheck::of_managed([pool.managed(), gone.managed()]);
    let leaked = gone.get();
    drop((pool, gone, kept));
    let report = check.finish().unwrap_err();
    assert_eq!((report.pools.len(), report.pools[0].name.as_str()), (1, "gone"));
    drop(leaked);
}

#[test]
fn leases_that_found_no_record_are_counted() {
    let pool = Pool::builder("full").lease_level(LeaseLevel::Off).build_with(|| ()).unwrap();
    let check = LeakCheck::of(&pool);
    let held: Vec<_> = (0..(1 << 16) + 5).map(|_| pool.get()).collect();
    assert_eq!(check.outstanding(), held.len() as u64);
    let leaked = check.finish().unwrap_err().pools.remove(0);
    assert_eq!((leaked.leases(), leaked.unrecorded), (held.len() as u64, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_that_come_home_on_other_workers_are_home() {
    let pool = unrecorded("body");
    let check = LeakCheck::of(&pool).wait(PATIENCE);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let guard = pool.get();
                tokio::task::yield_now().await; // perhaps on another worker
                drop(guard);
            })
        })
        .collect();
    drop(tasks); // detached: they are on their way when the check ends
    check.finish().unwrap();
}

#[tokio::test]
async fn a_cancelled_task_brings_its_guards_home() {
    let pool = unrecorded("body");
    let check = LeakCheck::of(&pool);
    let task = tokio::spawn({
        let pool = pool.clone();
        async move {
            let _guard = pool.get();
            std::future::pending::<()>().await;
        }
    });
    while check.outstanding() == 0 {
        tokio::task::yield_now().await;
    }
    task.abort();
    while check.outstanding() > 0 {
        tokio::task::yield_now().await;
    }
    check.finish().unwrap();
}

#[test]
fn a_cache_without_records_has_nothing_to_tell() {
    let registry = Registry::new();
    let check = LeakCheck::of_managed(registry.pools());
    assert_eq!(check.finish(), Ok(()));
    let none: [std::sync::Arc<dyn Managed>; 0] = [];
    assert_eq!(LeakCheck::of_managed(none).outstanding(), 0);
}

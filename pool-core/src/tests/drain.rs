//! A drain reaches every idle object, wherever its thread is, and never waits.

use super::{NODE, PATIENCE, balanced, buffers, drain, take_an_id};
use crate::sync::test_hook;
use crate::{Capacity, Change, DropReason, Job, LeaseLevel, Managed, Pool, Registry, Taken};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn objects_of_a_sleeping_thread_go_in_one_pass() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    let (asleep, is_asleep) = channel();
    let (wake, woken) = channel::<()>();
    let sleeper = thread::spawn(move || {
        let guards: Vec<_> = (0..10).map(|_| pool.get()).collect();
        drop(guards);
        asleep.send(()).unwrap();
        woken.recv().unwrap();
        pool
    });
    is_asleep.recv().unwrap();
    assert_eq!(balanced(&registry).idle_objects, 10);
    assert_eq!(drain(&registry), 10);
    let stats = balanced(&registry);
    assert_eq!((stats.idle_objects, stats.dropped[DropReason::Pressure as usize]), (0, 10));
    wake.send(()).unwrap();
    let pool = sleeper.join().unwrap();
    drop(pool.get());
    assert_eq!(balanced(&registry).idle_objects, 1);
}

#[test]
fn objects_of_a_dead_thread_go_in_one_pass() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    let in_thread = pool.clone();
    thread::spawn(move || drop((0..10).map(|_| in_thread.get()).collect::<Vec<_>>())).join().unwrap();
    assert_eq!(balanced(&registry).idle_objects, 10);
    assert_eq!(drain(&registry), 10);
    assert_eq!(balanced(&registry).idle_objects, 0);
}

#[test]
fn the_next_owner_of_an_id_inherits_what_a_dead_thread_left() {
    // Other tests' threads take and give ids meanwhile, so not exactly 4; without inheritance it is 200 each time.
    let created = || {
        let registry = Registry::new();
        let pool = buffers(&registry);
        for _ in 0..50 {
            let pool = pool.clone();
            thread::spawn(move || drop((0..4).map(|_| pool.get()).collect::<Vec<_>>())).join().unwrap();
        }
        balanced(&registry).created
    };
    let seen: Vec<_> =
        std::iter::repeat_with(created).take(20).take_while(|created| *created > 100).collect();
    assert!(seen.len() < 20, "created {seen:?}");
}

/// Holds a thread inside its fast path while `f` runs.
fn with_a_thread_inside(pool: &Pool<Vec<u8>>, f: impl FnOnce()) {
    let (inside, is_inside) = channel();
    let (let_go, go) = channel::<()>();
    let pool = pool.clone();
    let held = thread::spawn(move || {
        take_an_id();
        drop((0..5).map(|_| pool.get()).collect::<Vec<_>>());
        drop((pool.get(), pool.get())); // the sampling interval is drawn now: the next get takes the fast path
        test_hook::set(move || {
            inside.send(()).unwrap();
            go.recv().unwrap();
        });
        drop(pool.get());
    });
    is_inside.recv().unwrap();
    f();
    let_go.send(()).unwrap();
    held.join().unwrap();
}

#[test]
fn objects_of_a_thread_stopped_inside_its_fast_path_go_within_two_passes_and_nobody_waits() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    with_a_thread_inside(&pool, || {
        // The owner is held: a drainer that waited for it would never come back.
        let collected = registry.pass(Job::Reclaim { extra_bytes: u64::MAX }).remove(0).1;
        assert_eq!((collected.busy_slots, collected.taken.objects), (1, 0));
        let snapshot = registry.pass(Job::Snapshot).remove(0).1;
        assert_eq!(snapshot.busy_slots, 1);
        assert!(!snapshot.snapshot.unwrap().consistent);
    });
    assert_eq!(drain(&registry), 5);
    assert_eq!(balanced(&registry).idle_objects, 0);
}

#[test]
fn a_fence_from_before_the_mark_is_refused() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    drop(pool.get());
    let managed = pool.managed();
    let early = crate::fence::heavy();
    managed.mark();
    let collected = managed.collect(&early, Job::Reclaim { extra_bytes: u64::MAX });
    assert_eq!(collected.taken.objects, 0);
    assert_eq!(drain(&registry), 1, "the next pass does it");
}

#[test]
fn capacity_holds_strictly_after_a_cut() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    let in_thread = pool.clone();
    thread::spawn(move || drop((0..60).map(|_| in_thread.get()).collect::<Vec<_>>())).join().unwrap();
    drop((0..60).map(|_| pool.get()).collect::<Vec<_>>());
    let managed = pool.managed();
    for (capacity, objects_max) in [
        (Capacity::new(50, 1 << 30).unwrap(), 50),
        (Capacity::new(50, 7500).unwrap(), 7),
        (Capacity::ZERO, 0),
    ] {
        managed.set_capacity(capacity, Change::operator("test"));
        registry.pass(Job::Reclaim { extra_bytes: 0 });
        registry.drop_condemned(Duration::MAX, || false);
        let stats = balanced(&registry);
        assert_eq!(stats.idle_objects, objects_max);
        // Nothing is kept above it later either.
        drop((0..70).map(|_| pool.get()).collect::<Vec<_>>());
        assert!(balanced(&registry).idle_objects <= objects_max);
    }
    assert_eq!(managed.capacity().generation, 3);
}

#[test]
fn a_trim_takes_the_bytes_it_is_asked_for_and_no_more() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    drop((0..100).map(|_| pool.get()).collect::<Vec<_>>());
    let taken = registry.pass(Job::Reclaim { extra_bytes: 2500 }).remove(0).1.taken;
    assert_eq!((taken.objects, taken.bytes), (3, 3 * (1000 + NODE)));
    assert_eq!(pool.managed().trim_depot(1000, DropReason::Pressure).objects, 1);
}

#[test]
fn a_trim_of_the_depot_takes_the_oldest() {
    let registry = Registry::new();
    let pool = Pool::builder("sizes").registry(&registry).build_with(Vec::<u8>::new).unwrap();
    let mut guards: Vec<_> = (0..12).map(|_| pool.get()).collect();
    for (size, guard) in (1..).zip(&mut guards) {
        guard.reserve_exact(100 * size);
    }
    guards.into_iter().for_each(drop); // the smallest is idle for the longest time
    registry.pass(Job::Reclaim { extra_bytes: 0 });
    assert_eq!(pool.managed().trim_depot(1, DropReason::Pressure).objects, 1);
    let guards: Vec<_> = (0..11).map(|_| pool.get()).collect();
    let mut sizes: Vec<_> = guards.iter().map(|guard| guard.capacity()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, (2..=12).map(|size| 100 * size).collect::<Vec<_>>());
}

#[test]
fn two_trims_at_a_time_count_each_object_once() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    for _ in 0..200 {
        drop((0..400).map(|_| pool.get()).collect::<Vec<_>>());
        registry.pass(Job::Reclaim { extra_bytes: 0 });
        let idle = pool.stats().idle_objects;
        let ready = AtomicU32::new(0);
        let trim = || {
            ready.fetch_add(1, SeqCst);
            while ready.load(SeqCst) < 2 {
                thread::yield_now();
            }
            pool.managed().trim_depot(u64::MAX, DropReason::Pressure).objects
        };
        let taken = thread::scope(|scope| {
            let other = scope.spawn(trim);
            trim() + other.join().unwrap()
        });
        assert_eq!((taken, balanced(&registry).idle_objects), (idle, 0));
        registry.drop_condemned(Duration::MAX, || false);
    }
}

#[test]
fn a_trim_beside_another_drainer_takes_nothing() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    drop((0..100).map(|_| pool.get()).collect::<Vec<_>>());
    let keeper = pool.keeper();
    let drainer = keeper.shared().table.drainer();
    assert_eq!(keeper.trim_depot(u64::MAX, DropReason::Pressure), Taken::default());
    drop(drainer);
    assert!(keeper.trim_depot(u64::MAX, DropReason::Pressure).objects > 0);
}

#[test]
fn a_lease_level_is_in_force_with_the_next_get() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    let managed = pool.managed();
    drop(pool.get());
    managed.set_lease_level(LeaseLevel::All, Change::operator("test"));
    let lent: Vec<_> = (0..10).map(|_| pool.get()).collect();
    let suspects = managed.suspects(Duration::ZERO);
    assert_eq!((suspects.len(), suspects[0].count), (1, 10));
    assert!(suspects[0].site.file().ends_with("drain.rs"));
    drop(lent);
    managed.set_lease_level(LeaseLevel::Off, Change::operator("test"));
    let _lent: Vec<_> = (0..1000).map(|_| pool.get()).collect();
    assert_eq!(managed.suspects(Duration::ZERO), []);
}

#[test]
fn one_fence_serves_many_pools() {
    let registry = Registry::new();
    let pools: Vec<_> = (0..20)
        .map(|i| Pool::builder(&format!("p{i}")).registry(&registry).build_with(Vec::<u8>::new).unwrap())
        .collect();
    for pool in &pools {
        drop(pool.get());
    }
    // Other tests fence beside us, as often as they like while this thread is preempted; but not each time.
    let fences = || {
        let before = crate::fence::epoch();
        assert_eq!(registry.pass(Job::Reclaim { extra_bytes: 0 }).len(), 20);
        crate::fence::epoch() - before
    };
    let until = Instant::now() + PATIENCE;
    while fences() >= 20 {
        assert!(Instant::now() < until, "a fence for each pool");
    }
}

#[test]
fn pools_take_turns_at_dropping_also_where_there_is_never_time_for_all() {
    let registry = Registry::new();
    let pool =
        |n: usize| Pool::builder(&n.to_string()).registry(&registry).build_with(|| [0_u8; 64]).unwrap();
    let pools: Vec<_> = (0..5).map(pool).collect();
    for pool in &pools {
        drop((0..3).map(|_| pool.get()).collect::<Vec<_>>());
    }
    registry.pass(Job::Reclaim { extra_bytes: u64::MAX });
    let left = || pools.iter().map(|pool| pool.stats().condemned_objects).collect::<Vec<_>>();
    for turn in 1..=15 {
        let mut asked = 0;
        let once = || {
            asked += 1;
            asked > 1
        };
        assert_eq!(registry.drop_condemned(Duration::ZERO, once), turn == 15, "after {turn} turns");
        let left = left();
        assert_eq!(left.iter().sum::<u64>(), 15 - turn, "one object a turn of no time");
        assert!(left.iter().max().unwrap() - left.iter().min().unwrap() <= 1, "{left:?}");
    }
    assert!(pools.iter().all(|pool| !pool.managed().has_condemned()));
}

#[test]
fn a_pass_has_a_job_for_each_pool_and_one_fence() {
    let registry = Registry::new();
    let pool = |name| Pool::builder(name).registry(&registry).build_with(|| [0_u8; 64]).unwrap();
    let (a, b, c) = (pool("a"), pool("b"), pool("c"));
    for pool in [&a, &b, &c] {
        drop(pool.get());
    }
    let now = Instant::now();
    let mut done = Vec::new();
    registry.pass_over(
        |pool| match pool.name() {
            "a" => Some(Job::Reclaim { extra_bytes: u64::MAX }),
            "b" => Some(Job::Cycle { now }),
            _ => None,
        },
        |pool, collected| {
            done.push((pool.name().to_owned(), collected.taken.objects, collected.cycle.is_some()));
        },
    );
    assert_eq!(done, [("a".to_owned(), 1, false), ("b".to_owned(), 0, true)]);
    assert_eq!([&a, &b, &c].map(|pool| pool.stats().cycles), [0, 1, 0]);
    assert_eq!(c.managed().slots()[0].idle_objects, 1, "nobody went there");
}

#[test]
fn the_list_is_the_same_until_a_pool_comes_or_goes() {
    let registry = Registry::new();
    let pool = |name| Pool::builder(name).registry(&registry).build_with(String::new).unwrap();
    let (a, b) = (pool("a"), pool("b"));
    let names = || registry.list().iter().map(|pool| pool.name().to_owned()).collect::<Vec<_>>();
    let first = registry.list();
    assert!(std::sync::Arc::ptr_eq(&first, &registry.list()));
    drop(a);
    assert_eq!((names(), first.len()), (vec!["b".to_owned()], 2));
    let a = pool("a");
    assert_eq!(names(), ["b", "a"], "in the order of their registration");
    drop((a, b));
    assert!(names().is_empty());
}

//! Kernels that refuse membarrier, from the start or from some moment on, by a real filter.

use super::sys::{has_membarrier, mode, passes_alone, refuse_membarrier};
use super::{lend, snapshot, tickets};
use pool_core::{Job, Pool, Registry};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Fails with a word where a sandbox grants no filter: then this machine proves nothing.
fn filter() {
    assert!(has_membarrier(), "this kernel has no membarrier: nothing to refuse");
    refuse_membarrier().expect("this sandbox forbids seccomp filters, which this test needs");
    assert!(!has_membarrier(), "the filter is in force");
}

#[test]
fn refused_before_the_first_pool_both_sides_fence() {
    if mode().is_none() {
        passes_alone("seccomp::refused_before_the_first_pool_both_sides_fence", "filtered");
        return;
    }
    filter();
    let registry = Registry::new();
    let pool = &tickets(&registry);
    let (asleep, is_asleep) = channel();
    let (wake, woken) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            drop((0..10).map(|_| lend(pool)).collect::<Vec<_>>());
            asleep.send(()).unwrap();
            woken.recv().unwrap();
        });
        is_asleep.recv().unwrap();
        // Without the fallback, a slot could not be visited at all.
        let collected = registry.pass(Job::Reclaim { extra_bytes: u64::MAX }).remove(0).1;
        assert_eq!((collected.taken.objects, collected.busy_slots), (10, 0));
        wake.send(()).unwrap();
    });
    registry.drop_condemned(Duration::MAX, || false);
    drop(lend(pool));
    let stats = snapshot(&registry);
    assert!(stats.consistent);
    assert_eq!((stats.imbalance, stats.idle_objects), (0, 1));
    assert!(pool.close(Duration::ZERO).all_came_home());
}

#[test]
fn refused_after_the_first_pool_passes_leave_slots_alone_and_nobody_waits() {
    if mode().is_none() {
        let name = "seccomp::refused_after_the_first_pool_passes_leave_slots_alone_and_nobody_waits";
        passes_alone(name, "filtered");
        return;
    }
    let registry = Registry::new();
    let pool = &tickets(&registry);
    drop((0..100).map(|_| lend(pool)).collect::<Vec<_>>());
    assert!(snapshot(&registry).consistent);
    filter();

    // The data path goes on, on this thread and on new ones.
    let work = || (0..1000).for_each(|i| drop((0..=i % 100).map(|_| lend(pool)).collect::<Vec<_>>()));
    work();
    thread::scope(|scope| {
        scope.spawn(work);
    });
    let before = pool.stats();
    assert_eq!((before.imbalance, before.lent_objects, before.slots), (0, 0, 2));

    // What threads share can be trimmed; what is in slots stays, and the statistics say so.
    let collected = registry.pass(Job::Reclaim { extra_bytes: u64::MAX }).remove(0).1;
    assert_eq!((collected.busy_slots, collected.taken.objects), (2, before.depot_objects));
    registry.drop_condemned(Duration::MAX, || false);
    let stats = snapshot(&registry);
    assert!(!stats.consistent);
    assert_eq!((stats.imbalance, stats.idle_objects), (0, before.idle_objects - before.depot_objects));
    let retained = pool.retain(|_| false);
    assert_eq!((retained.dropped, retained.busy_slots), (0, 2));
    work();

    // A close, and ends of pools and threads, try in vain and go on.
    let closed = pool.close(Duration::from_millis(5));
    assert_eq!((closed.lent_objects, closed.busy_slots, closed.all_came_home()), (0, 2, false));
    drop(lend(pool));
    for _ in 0..10 {
        thread::scope(|scope| {
            scope.spawn(|| {
                let short = Pool::new("short", String::new);
                drop(short.get());
            });
        });
    }
    assert_eq!(pool.lent(), 0);
}

//! Forks of a process whose other threads are anywhere: in the middle of fast paths, slow paths, passes and locks.
//!
//! The standard library has a lock that threads take when they start and when they end, and a child in which somebody
//! held it can start none. So each test has a process of its own, in which either the parent's threads start others or
//! the child does.

use super::sys::{in_forked_child, mode, passes_alone};
use super::{Ticket, lend, snapshot, tickets};
use pool_core::{Capacity, Change, Job, LeaseLevel, Pool, Registry};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

const FORKS: usize = 100;

/// Who starts threads.
#[derive(Clone, Copy, PartialEq)]
enum Spawns {
    Parent,
    Child,
}

/// What other threads do while this one forks; ends when told.
fn unrest(registry: &Registry, pool: &Pool<Ticket>, who: Spawns, at_work: &AtomicU32, over: &AtomicBool) {
    let until_over = |work: &dyn Fn(u32)| {
        let mut turn = 0;
        while !over.load(SeqCst) {
            work(turn);
            turn += 1;
            if turn == 2 {
                at_work.fetch_add(1, SeqCst);
            }
        }
    };
    thread::scope(|scope| {
        let until_over = &until_over;
        for _ in 0..2 {
            scope.spawn(move || until_over(&|_| drop(lend(pool)))); // fast paths
            scope.spawn(move || {
                until_over(&|turn| {
                    drop((0..=turn % 150).map(|_| lend(pool)).collect::<Vec<_>>()); // overflow and refill
                });
            });
        }
        scope.spawn(move || {
            until_over(&|turn| {
                registry.pass(if turn % 3 == 0 { Job::Snapshot } else { Job::Reclaim { extra_bytes: 5000 } });
                registry.drop_condemned(Duration::MAX, || false);
                let managed = pool.managed();
                let capacity = Capacity::new(300 + turn % 100, 1 << 20).unwrap();
                let _ = managed.set_capacity(capacity, Change::policy("unrest"));
                let level = if turn % 2 == 0 { LeaseLevel::All } else { LeaseLevel::DEFAULT };
                let _ = managed.set_lease_level(level, Change::policy("unrest"));
                registry.cycle(Instant::now() + turn * Duration::from_secs(10));
                managed.suspects(Duration::ZERO);
                let _ = (pool.stats(), pool.prefill(5), pool.retain(|_| turn % 4 > 0));
            });
        });
        scope.spawn(move || {
            until_over(&|turn| {
                // Pools that come and go, and with their threads ids and slots.
                let come_and_go = || {
                    drop(lend(pool));
                    let name = format!("short {turn}");
                    let short = Pool::builder(&name).registry(registry).build_with(Vec::<u8>::new).unwrap();
                    drop((0..5).map(|_| short.get()).collect::<Vec<_>>());
                };
                match who {
                    Spawns::Parent => thread::scope(|scope| drop(scope.spawn(come_and_go))),
                    Spawns::Child => come_and_go(),
                }
            });
        });
    });
}

/// Everything that a child may want of a pool that it inherited.
fn use_in_child(registry: &Registry, pool: &Pool<Ticket>, who: Spawns) {
    let bursts = |pool: &Pool<Ticket>| {
        for burst in [1, 10, 200, 3] {
            drop((0..burst).map(|_| lend(pool)).collect::<Vec<_>>());
        }
    };
    bursts(pool);
    let _ = (pool.stats(), pool.lent());
    for _ in 0..2 {
        registry.pass(Job::Reclaim { extra_bytes: u64::MAX });
        registry.drop_condemned(Duration::MAX, || false);
    }
    bursts(pool);
    let capacity = Capacity::new(500, 1 << 24).unwrap();
    let _ = pool.managed().set_capacity(capacity, Change::operator("child"));
    registry.cycle(Instant::now() + Duration::from_secs(3600));
    assert_eq!(pool.stats().capacity_objects, 500);
    let _ = (pool.managed().suspects(Duration::ZERO), pool.prefill(5), pool.retain(|_| true));
    if who == Spawns::Child {
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| bursts(pool));
            }
        });
    }
    // A pool of the child's own is whole.
    let own_registry = Registry::new();
    let own = tickets(&own_registry);
    bursts(&own);
    let stats = snapshot(&own_registry);
    assert!(stats.consistent && stats.imbalance == 0 && stats.idle_objects > 0, "{stats:?}");
    assert!(own.close(Duration::ZERO).all_came_home());
    // After a pass this thread's own slot serves again: no get needs the depot or a create.
    registry.pass(Job::Snapshot);
    bursts(pool);
    let before = pool.stats().gets.hit;
    (0..500).for_each(|_| drop(lend(pool)));
    assert!(pool.stats().gets.hit >= before + 400, "{:?}", pool.stats());
    let _ = pool.close(Duration::from_millis(1));
    drop(lend(pool));
    assert!(pool.is_closed());
}

fn fork_again_and_again(who: Spawns) {
    let registry = Registry::new();
    let pool = tickets(&registry);
    let (at_work, over) = (AtomicU32::new(0), AtomicBool::new(false));
    let failed = thread::scope(|scope| {
        scope.spawn(|| unrest(&registry, &pool, who, &at_work, &over));
        while at_work.load(SeqCst) < 6 {
            thread::yield_now();
        }
        let failed = (0..FORKS).find_map(|nth| {
            drop(lend(&pool));
            let result = in_forked_child(|| use_in_child(&registry, &pool, who));
            result.err().map(|error| format!("fork {nth}: {error}"))
        });
        over.store(true, SeqCst);
        failed
    });
    assert_eq!(failed, None);
    let stats = snapshot(&registry);
    assert_eq!((stats.imbalance, stats.duplicates, stats.lent_objects), (0, 0, 0), "the parent is as it was");
}

#[test]
fn a_child_of_a_busy_process_has_usable_pools() {
    match mode() {
        None => drop(passes_alone("forks::a_child_of_a_busy_process_has_usable_pools", "alone")),
        Some(_) => fork_again_and_again(Spawns::Parent),
    }
}

#[test]
fn threads_of_a_child_of_a_busy_process_have_usable_pools() {
    match mode() {
        None => drop(passes_alone("forks::threads_of_a_child_of_a_busy_process_have_usable_pools", "alone")),
        Some(_) => fork_again_and_again(Spawns::Child),
    }
}

/// A process that forks before it has threads, as servers with worker processes do.
#[test]
fn a_child_of_a_quiet_process_has_whole_pools_and_frees_them() {
    let result = in_forked_child(|| {
        let registry = Registry::new();
        let pool = tickets(&registry);
        drop((0..100).map(|_| lend(&pool)).collect::<Vec<_>>());
        let in_grandchild = in_forked_child(move || {
            let stats = snapshot(&registry);
            assert!(stats.consistent, "{stats:?}");
            assert_eq!((stats.idle_objects, stats.imbalance, stats.gets.created), (100, 0, 100));
            drop((0..100).map(|_| lend(&pool)).collect::<Vec<_>>());
            assert_eq!(pool.stats().gets.created, 100);
            assert_eq!(pool.close(Duration::ZERO).dropped_objects, 100);
            drop(pool);
            registry.pass(Job::Snapshot);
            assert_eq!(registry.pools().len(), 0);
        });
        assert_eq!(in_grandchild, Ok(()));
    });
    assert_eq!(result, Ok(()));
}

//! Knobs come into force, for every thread within one operation.

use super::vecs;
use crate::{
    Author, Capacity, Change, DropReason, Job, KnobKind, LeaseLevel, Priority, Ratio, Registry, Reuse,
    Setting,
};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn a_share_of_gets_bypasses_the_pool() {
    let registry = Registry::new();
    let pool = vecs(&registry, Capacity::UNBOUNDED);
    let managed = pool.managed();
    let gets = |reuse: f64| {
        let before = pool.stats();
        managed.set(Setting::Reuse(Reuse(Ratio::new(reuse).unwrap())), Change::operator("test"));
        for _ in 0..10_000 {
            drop(pool.get());
        }
        let after = pool.stats();
        let dropped =
            after.dropped[DropReason::Bypassed as usize] - before.dropped[DropReason::Bypassed as usize];
        let bypassed = after.gets.bypassed - before.gets.bypassed;
        assert_eq!(dropped, bypassed, "what bypasses on its way out bypasses on its way in");
        bypassed
    };
    // Trials serve one get in some thousand fresh, whatever the knob says.
    assert!(gets(1.0) < 100);
    assert_eq!(gets(0.0), 10_000);
    let quarter = gets(0.75);
    assert!((2300..2700).contains(&quarter), "{quarter}");
    let stats = registry.pass(Job::Snapshot).remove(0).1.snapshot.unwrap();
    assert_eq!((stats.consistent, stats.imbalance, stats.gets.total()), (true, 0, 30_000));
}

#[test]
fn a_cut_is_in_force_within_one_operation_of_each_thread() {
    let registry = Registry::new();
    let pool = vecs(&registry, Capacity::new(1000, 1 << 30).unwrap());
    let (tell, told) = mpsc::channel();
    let (done, wait) = mpsc::channel();
    let thread = std::thread::spawn({
        let pool = pool.clone();
        move || {
            // Room for several, one of them used.
            drop(pool.get());
            let held: Vec<_> = (0..3).map(|_| pool.get()).collect();
            done.send(()).unwrap();
            told.recv().unwrap();
            drop(held);
        }
    });
    wait.recv().unwrap();
    pool.managed().set_capacity(Capacity::ZERO, Change::policy("cut"));
    tell.send(()).unwrap();
    thread.join().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.idle_objects, stats.returns_dropped[DropReason::Full as usize]), (0, 3), "{stats:?}");
}

#[test]
fn an_override_ends_by_itself_and_what_was_below_is_in_force() {
    let registry = Registry::new();
    let pool = vecs(&registry, Capacity::new(1000, 1 << 30).unwrap());
    let managed = pool.managed();
    let policy = Capacity::new(7, 1 << 20).unwrap();
    // On a busy machine an override may be over before the next line; then it gets a longer life.
    let mut life = Duration::from_millis(1);
    loop {
        let by_hand = Change::person("keep nothing", life).unwrap();
        assert!(managed.set_capacity(Capacity::ZERO, by_hand).in_force);
        if !managed.set_capacity(policy, Change::policy("tide")).in_force {
            break;
        }
        assert!(life < Duration::from_secs(60), "an override of {life:?} changes nothing");
        life *= 2;
    }
    // Nothing but the clock can end it.
    while managed.capacity().author == Author::Person {
        std::thread::yield_now();
    }
    assert_eq!((managed.capacity().value, pool.stats().capacity_objects), (policy, 7));
    drop((0..20).map(|_| pool.get()).collect::<Vec<_>>());
    assert_eq!(pool.stats().idle_objects, 7);
}

#[test]
fn all_knobs_are_read_at_one_moment() {
    let registry = Registry::new();
    let pool = vecs(&registry, Capacity::UNBOUNDED);
    let managed = pool.managed();
    // Both knobs always say the same number; a torn reading would not.
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        /// Also when a reading is torn, or the writer would go on for ever.
        struct Ends<'a>(&'a AtomicBool);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.store(true, Relaxed);
            }
        }
        let _ends = Ends(&enough);
        scope.spawn(|| {
            for n in (1..2000).cycle().take_while(|_| !enough.load(Relaxed)) {
                managed.set_capacity(Capacity::new(n, 1).unwrap(), Change::policy(n.to_string()));
            }
        });
        let (mut last, mut changes) = (0, 0);
        while changes < 50 {
            let knobs = managed.knobs();
            assert!(knobs.generation >= last, "generations only rise");
            assert_eq!(knobs.generation, knobs.capacity.generation);
            if knobs.generation > 0 {
                assert_eq!(knobs.capacity.reason, knobs.capacity.value.objects_max().to_string());
            }
            changes += u32::from(knobs.generation > last);
            last = knobs.generation;
        }
    });
}

#[test]
fn levels_are_layers_too() {
    let registry = Registry::new();
    let managed = vecs(&registry, Capacity::UNBOUNDED).managed();
    managed.set_lease_level(LeaseLevel::All, Change::policy("a leak"));
    assert_eq!(managed.lease_level(), LeaseLevel::All);
    assert!(managed.withdraw(KnobKind::Sampling, Author::Policy));
    assert_eq!(managed.lease_level(), LeaseLevel::DEFAULT);
}

#[test]
fn creates_take_from_the_lightest_pool_first_and_never_from_a_pinned_one() {
    let registry = Registry::new();
    let pool = |name: &str, priority: Priority| {
        let builder = crate::Pool::builder(name).registry(&registry).knob(Setting::Priority(priority));
        let pool = builder.build_with(|| vec![0_u8; 1000]).unwrap();
        drop((0..10).map(|_| pool.get()).collect::<Vec<_>>());
        registry.pass(Job::Reclaim { extra_bytes: 0 });
        pool
    };
    let pinned = pool("pinned", Priority::new(1).unwrap().pinned());
    let heavy = pool("heavy", Priority::new(200).unwrap());
    let light = pool("light", Priority::new(50).unwrap());
    let creator = pool("creator", Priority::DEFAULT);
    let held: Vec<_> = (0..10).map(|_| creator.get()).collect();
    registry.grant().set(Some(0));
    let idle = || [&pinned, &heavy, &light].map(|p| p.stats().idle_objects);
    let mut created = Vec::new();
    // Small ones take back eight at once.
    for left in [[10, 10, 2], [10, 4, 0], [10, 0, 0]] {
        created.extend((0..8).map(|_| creator.get()));
        assert_eq!(idle(), left);
    }
    drop((held, created));
}

#[test]
fn many_threads_share_a_small_capacity() {
    const THREADS: usize = 40;
    let registry = Registry::new();
    let pool = &vecs(&registry, Capacity::new(64, 1 << 30).unwrap());
    let all = std::sync::Barrier::new(THREADS);
    // The first threads could have taken all credit ahead, and the others would create at each get for ever. Once
    // everybody has taken part often enough, nobody creates any more (but for the few leases of a trial).
    let created = std::thread::scope(|scope| {
        let work = || {
            let mut rounds = Vec::new();
            for _ in 0..20 {
                all.wait();
                rounds.push(pool.stats().created);
                all.wait();
                for _ in 0..50 {
                    drop(pool.get());
                }
            }
            rounds
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).next_back().unwrap()
    });
    let in_round: Vec<_> = created.windows(2).map(|w| w[1] - w[0]).collect();
    let gets_a_round = 50 * THREADS as u64;
    assert!(in_round[18] < gets_a_round / 20, "created in each round of {gets_a_round} gets: {in_round:?}");
}

#[test]
fn a_create_that_panics_takes_nothing_from_the_next_get() {
    let fail = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let fails = std::sync::Arc::clone(&fail);
    let pool = crate::Pool::new("fails", move || {
        if fails.load(std::sync::atomic::Ordering::Relaxed) {
            std::panic::resume_unwind(Box::new(()));
        }
        Vec::<u8>::new()
    });
    let never = Setting::Reuse(crate::Reuse(crate::Ratio::ZERO));
    drop(pool.get());
    pool.managed().set(never, Change::policy("test"));
    fail.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.get())).is_err());
    fail.store(false, std::sync::atomic::Ordering::Relaxed);
    drop(pool.get());
    assert_eq!((pool.stats().gets.bypassed, pool.stats().gets.reused()), (1, 0));
}

#[test]
fn what_is_shown_without_the_lock_follows_each_change_and_each_expiry() {
    let pretence = crate::sync::pretence::Pretence::begin();
    let pool = crate::Pool::new("shown", String::new).managed();
    let shown =
        || (pool.figures().knobs_generation, pool.drop_slice(), pool.cycle_is_due(crate::sync::clock::now()));
    let usual = crate::Eviction::DEFAULT.slice();
    assert_eq!(shown(), (0, usual, false));
    let (second, slice) = (Duration::from_secs(1), Duration::from_millis(7));
    let eviction = crate::Eviction::DEFAULT.with_cycle(2 * second).unwrap().with_slice(slice).unwrap();
    let change = Change::operator("for a while").lasting(3 * second).unwrap();
    pool.set(Setting::Eviction(eviction), change);
    assert_eq!(shown(), (1, slice, false));
    crate::sync::pretence::Pretence::advance(2 * second);
    assert_eq!(shown(), (1, slice, true));
    crate::sync::pretence::Pretence::advance(second);
    assert_eq!(shown(), (2, usual, false), "it has expired, though nobody has read the knobs");
    assert!(pool.knobs().generation == 2);
    drop(pretence);
}

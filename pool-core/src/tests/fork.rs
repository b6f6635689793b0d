//! A fork while another thread holds every lock there is.

use super::sys::{in_forked_child, mode, passes_alone};
use super::{PATIENCE, balanced, buffers, drain, take_an_id};
use crate::managed::{Collected, Managed, Taken};
use crate::sync::test_hook;
use crate::{
    Applied, Author, Capacity, Change, DropReason, Eviction, Fenced, Job, KnobKind, KnobSet, Knobs, Pool,
    PoolStats, Ratio, Registry, Sampling, Setting, Suspect, thread_id,
};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A pool of somebody else's, at which a pass stands still. What it is forked with is the lock of the registry.
struct StandsStill(Mutex<Option<(Sender<()>, Receiver<()>)>>);

impl Managed for StandsStill {
    fn name(&self) -> &'static str {
        "stands still"
    }
    fn stats(&self) -> PoolStats {
        PoolStats::default()
    }
    fn knobs(&self) -> Knobs {
        KnobSet::new(Capacity::ZERO).read(Instant::now())
    }
    fn set(&self, setting: Setting, change: Change) -> Applied {
        KnobSet::new(Capacity::ZERO).set(setting, change, Instant::now())
    }
    fn withdraw(&self, _: KnobKind, _: Author) -> bool {
        false
    }
    fn suspects(&self, _: Duration) -> Vec<Suspect> {
        Vec::new()
    }
    fn trim_depot(&self, _: u64, _: DropReason) -> Taken {
        Taken::default()
    }
    fn mark(&self) {
        // Once only, and never in the child: there it is empty or locked for ever.
        if let Some((here, go)) = self.0.try_lock().ok().and_then(|mut once| once.take()) {
            here.send(()).unwrap();
            go.recv().unwrap();
        }
    }
    fn collect(&self, _: &Fenced, _: Job) -> Collected {
        Collected::default()
    }
    fn drop_condemned(&self, _: Duration) -> bool {
        true
    }
    fn is_finished(&self) -> bool {
        false
    }
}

/// Holds the locks of `pool` and of the ids until told to let go.
fn hold_all(pool: &Pool<Vec<u8>>, held: &Sender<()>, go: &Receiver<()>) {
    let keeper = pool.keeper();
    let shared = keeper.shared();
    let _drainer = shared.table.drainer();
    let _condemned = shared.condemned.lock().unwrap();
    let stand_still = || {
        held.send(()).unwrap();
        go.recv().unwrap();
    };
    thread_id::tests::hold(|| {
        shared.settings.while_locked(|| {
            shared.table.with_slots(|_| {
                shared.depot.while_locked(|_| shared.victim.while_locked(|_| stand_still()));
            });
        });
    });
}

fn bursts(pool: &Pool<Vec<u8>>) {
    for burst in [1, 10, 200] {
        drop((0..burst).map(|_| pool.get()).collect::<Vec<_>>());
    }
}

/// In a process of its own, where no other test's thread starts or ends at the fork.
#[test]
fn a_child_goes_on_without_the_locks_that_others_held() {
    if mode().is_none() {
        passes_alone("tests::fork::a_child_goes_on_without_the_locks_that_others_held", "alone");
        return;
    }
    let registry = Registry::new();
    let pool = &buffers(&registry);
    bursts(pool);
    assert!(pool.stats().depot_objects > 0);
    let (pass_stands, pass_is_standing) = channel();
    let (let_pass_go, pass_goes) = channel();
    let stands_still = Arc::new(StandsStill(Mutex::new(Some((pass_stands, pass_goes)))));
    registry.register(stands_still).unwrap();
    let (held, is_held) = channel();
    let (let_go, go) = channel();
    thread::scope(|scope| {
        scope.spawn(|| registry.pass(Job::Reclaim { extra_bytes: 0 })); // our slots are marked, the pass is not over
        pass_is_standing.recv().unwrap();
        scope.spawn(move || hold_all(pool, &held, &go));
        is_held.recv().unwrap();
        let result = in_forked_child(|| in_the_child(&registry, pool));
        let_go.send(()).unwrap();
        let_pass_go.send(()).unwrap();
        assert_eq!(result, Ok(()));
    });
    // In the parent nothing was lost.
    bursts(pool);
    let stats = registry.pass(Job::Snapshot).remove(0).1.snapshot.unwrap();
    assert!(stats.consistent);
    assert_eq!((stats.imbalance, stats.lent_objects, stats.capacity_objects), (0, 0, 1024));
}

/// A drainer of the parent has taken half of a magazine and moves the rest to its place.
#[test]
fn a_child_finds_nothing_twice_in_a_magazine_that_was_half_changed() {
    const NAME: &str = "tests::fork::a_child_finds_nothing_twice_in_a_magazine_that_was_half_changed";
    if mode().is_none() {
        passes_alone(NAME, "alone");
        return;
    }
    take_an_id();
    let registry = Registry::new();
    let half = Sampling::DEFAULT.with_evict_ratio(Ratio::new(0.5).unwrap());
    let builder = Pool::builder("half").registry(&registry).knob(Setting::Sampling(half));
    let pool = &builder.build_with(Vec::<u8>::new).unwrap();
    drop((0..6).map(|_| pool.get()).collect::<Vec<_>>());
    let later = |n: u32| Instant::now() + n * Eviction::DEFAULT.cycle();
    registry.cycle(later(1)); // from now on all six are surplus, as far as is known
    let (here, is_halfway) = channel();
    let (let_go, go) = channel::<()>();
    thread::scope(|scope| {
        let drainer = scope.spawn(|| {
            test_hook::set_halfway(move || {
                here.send(()).unwrap();
                go.recv().unwrap();
            });
            registry.cycle(later(2)).remove(0).1.moved_objects
        });
        is_halfway.recv().unwrap();
        let result = in_forked_child(|| {
            let stats = registry.pass(Job::Snapshot).remove(0).1.snapshot.unwrap();
            assert_eq!((stats.duplicates, stats.lent_objects), (0, 0), "{stats:?}");
            assert!(drain(&registry) <= 3);
            bursts(pool);
        });
        let_go.send(()).unwrap();
        assert_eq!((drainer.join().unwrap(), result), (3, Ok(())));
    });
    assert_eq!(balanced(&registry).idle_objects, 6);
}

/// The thread that forked has an id and takes no other; it is not told that it lives in another process.
#[test]
fn a_child_has_one_drainer_at_a_time() {
    if mode().is_none() {
        passes_alone("tests::fork::a_child_has_one_drainer_at_a_time", "alone");
        return;
    }
    take_an_id();
    let pool = buffers(&Registry::new());
    bursts(&pool);
    let result = in_forked_child(|| {
        let keeper = pool.keeper();
        let table = &keeper.shared().table;
        let (begun, has_begun) = channel();
        let (done, is_done) = channel();
        let first = table.drainer();
        thread::scope(|scope| {
            scope.spawn(move || {
                take_an_id(); // this one notices the fork
                begun.send(()).unwrap();
                drop(table.drainer());
                done.send(()).unwrap();
            });
            has_begun.recv().unwrap();
            assert!(is_done.recv_timeout(FOR_LOST).is_err(), "two drainers");
            drop(first);
            is_done.recv_timeout(PATIENCE).unwrap();
        });
    });
    assert_eq!(result, Ok(()));
}

/// Longer than a lock is waited for whose holder may not have come along.
const FOR_LOST: Duration = Duration::from_millis(500);

fn in_the_child(registry: &Registry, pool: &Pool<Vec<u8>>) {
    // The data path waits for nobody. This slot is marked: everything goes to a depot that cannot be had.
    bursts(pool);
    let dropped = pool.managed().stats().dropped;
    assert!(dropped[DropReason::Contended as usize] > 0, "{dropped:?}");
    // Statistics have begun the depot anew, and what it held is missing in them.
    let stats = pool.stats();
    assert_eq!((stats.depot_objects, stats.capacity_objects, stats.lent_objects), (0, 1024, 0));
    assert!(stats.imbalance > 0, "{stats:?}");
    bursts(pool);
    assert!(pool.stats().depot_objects > 0, "the new depot is in use");
    // A pass begins its own locks anew and lets this thread's slot go.
    assert_eq!(registry.pass(Job::Reclaim { extra_bytes: u64::MAX }).len(), 2);
    registry.drop_condemned(Duration::MAX, || false);
    bursts(pool);
    let hits = pool.stats().gets.hit;
    (0..100).for_each(|_| drop(pool.get()));
    assert!(pool.stats().gets.hit >= hits + 90);
    let lost = pool.stats().imbalance;
    assert_eq!(lost, stats.imbalance, "no more than what was in the depot");
    let smaller = Capacity::new(10, 1 << 20).unwrap();
    assert!(pool.managed().set_capacity(smaller, Change::operator("child")).in_force);
    let knobs = pool.managed().knobs();
    assert_eq!((knobs.capacity.value, knobs.eviction.value), (smaller, Eviction::DEFAULT));
    assert_eq!(pool.stats().capacity_objects, 10);
    // Threads get ids again, and a fresh pool is whole.
    let own_registry = Registry::new();
    let own = buffers(&own_registry);
    thread::scope(|scope| {
        let id = scope.spawn(|| {
            bursts(&own);
            thread_id::current()
        });
        assert!(id.join().unwrap() < thread_id::IDS_MAX);
    });
    assert!(drain(&own_registry) > 0);
    balanced(&own_registry);
    assert!(pool.close(Duration::ZERO).busy_slots == 0 && pool.lent() == 0);
    assert_eq!(pool.stats().idle_objects, 0);
}

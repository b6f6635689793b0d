//! User code inside a pool's operations that uses pools: the same one and another, in every operation that calls it.

use super::within;
use pool_core::{Capacity, Job, Keep, Pool, Recycle, Registry, Retention, Sampling, Setting};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Where user code is called.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Create,
    Recycle,
    Weight,
    Drop,
}

const PLACES: [Place; 4] = [Place::Create, Place::Recycle, Place::Weight, Place::Drop];

/// What its values do at each place; one pool's world.
#[derive(Clone, Default)]
struct World(Arc<Inner>);

#[derive(Default)]
struct Inner {
    act: Mutex<Option<Act>>,
    acted: [AtomicU64; 4],
    alive: AtomicU64,
}

type Act = Arc<dyn Fn(Place) + Send + Sync>;

thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });

impl World {
    fn set(&self, act: Option<Act>) {
        let before = std::mem::replace(&mut *self.0.act.lock().unwrap(), act);
        drop(before);
    }

    /// What is done within what is done does nothing more, or it would go on for ever.
    fn at(&self, place: Place) {
        let act = self.0.act.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(act) = act.filter(|_| DEPTH.get() == 0) {
            DEPTH.set(1);
            act(place);
            self.0.acted[place as usize].fetch_add(1, SeqCst);
            DEPTH.set(0);
        }
    }

    fn pool(&self, registry: &Registry, name: &str) -> Pool<Acting> {
        let world = self.clone();
        let untimed = Setting::Sampling(Sampling::DEFAULT.with_timing_one_in(0).unwrap());
        Pool::builder(name)
            .registry(registry)
            .knob(untimed)
            .capacity(Capacity::new(100, 1 << 30).unwrap())
            .build_with(move || {
                world.at(Place::Create);
                world.0.alive.fetch_add(1, SeqCst);
                Acting(world.clone())
            })
            .unwrap()
    }
}

struct Acting(World);

impl Recycle for Acting {
    fn recycle(&mut self, _: &Retention) -> Keep {
        self.0.at(Place::Recycle);
        Keep::Yes
    }
    fn weight(&self) -> usize {
        self.0.at(Place::Weight);
        100
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        self.0.at(Place::Drop);
        self.0.0.alive.fetch_sub(1, SeqCst);
    }
}

/// Fast paths, overflow, refill, drops above capacity, passes, retain: everything that calls user code.
fn exercise(pool: &Pool<Acting>, registry: &Registry) {
    for burst in [1, 2, 70, 150] {
        drop((0..burst).map(|_| pool.get()).collect::<Vec<_>>());
    }
    let _ = (pool.prefill(3), pool.retain(|_| false));
    drop((0..90).map(|_| pool.get()).collect::<Vec<_>>());
    registry.pass(Job::Reclaim { extra_bytes: 2000 });
    registry.drop_condemned(Duration::MAX, || false);
}

fn snapshot_balances(registry: &Registry) {
    for (pool, collected) in registry.pass(Job::Snapshot) {
        let stats = collected.snapshot.unwrap();
        assert!(stats.consistent, "{}: {stats:?}", pool.name());
        assert_eq!((stats.imbalance, stats.duplicates, stats.lent_objects), (0, 0, 0), "{stats:?}");
    }
}

/// `act` is what user code does, with its own pool and another.
fn acting(what: &'static str, act: fn(&Pool<Acting>, &Pool<Acting>, &Registry)) {
    within(60, what, move || {
        let registry = Registry::new();
        let world = World::default();
        let (own, other) = (world.pool(&registry, "own"), world.pool(&registry, "other"));
        let handles = (own.clone(), other.clone(), registry.clone());
        world.set(Some(Arc::new(move |_| act(&handles.0, &handles.1, &handles.2))));
        exercise(&own, &registry);
        // Two threads, so that what one does meets the locks of the other.
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (own, registry) = (own.clone(), registry.clone());
                thread::spawn(move || exercise(&own, &registry))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        drop(own.close(Duration::from_secs(60)));
        for place in PLACES {
            assert!(world.0.acted[place as usize].load(SeqCst) > 0, "{place:?} was not met");
        }
        world.set(None); // its handles
        snapshot_balances(&registry);
        drop((own, other));
        assert_eq!(world.0.alive.load(SeqCst), 0, "nothing is leaked");
        registry.pass(Job::Snapshot);
        assert_eq!(registry.pools().len(), 0);
    });
}

#[test]
fn user_code_gets_and_returns() {
    acting("get", |own, other, _| {
        for pool in [own, other] {
            drop((pool.get(), pool.get(), pool.try_get()));
        }
    });
}

#[test]
fn user_code_overflows_and_refills() {
    acting("bursts", |own, other, _| {
        for pool in [own, other] {
            drop((0..80).map(|_| pool.get()).collect::<Vec<_>>());
        }
    });
}

#[test]
fn user_code_looks_and_passes() {
    acting("passes", |own, other, registry| {
        let _ = (own.stats(), other.lent(), own.prefill(1), own.retain(|_| true));
        registry.pass(Job::Reclaim { extra_bytes: 300 });
        registry.drop_condemned(Duration::MAX, || false);
        own.managed().suspects(Duration::ZERO);
    });
}

#[test]
fn user_code_builds_and_ends_pools() {
    acting("pools", |own, _, _| {
        let short = Pool::new("short", Vec::<u8>::new);
        drop((short.get(), short.get()));
        drop((short.clone(), own.clone()));
        assert!(short.close(Duration::ZERO).all_came_home());
    });
}

#[test]
fn user_code_takes_out_and_discards() {
    acting("leaves", |own, other, _| {
        pool_core::Pooled::discard(own.get());
        drop(pool_core::Pooled::into_inner(other.get()));
    });
}

#[test]
fn a_value_that_closes_its_own_pool_when_it_is_recycled_or_dropped() {
    for place in PLACES {
        within(60, "close", move || {
            let registry = Registry::new();
            let world = World::default();
            let own = world.pool(&registry, "own");
            drop((0..70).map(|_| own.get()).collect::<Vec<_>>());
            let handle = own.clone();
            let act = move |at| {
                if at == place {
                    let _ = handle.close(Duration::ZERO);
                }
            };
            world.set(Some(Arc::new(act)));
            let held: Vec<_> = (0..80).map(|_| own.get()).collect();
            drop(held);
            let _ = own.retain(|_| false);
            world.set(None);
            assert!(own.is_closed(), "{place:?}");
            assert!(own.close(Duration::from_secs(60)).all_came_home());
            snapshot_balances(&registry);
            drop(own);
            assert_eq!(world.0.alive.load(SeqCst), 0);
        });
    }
}

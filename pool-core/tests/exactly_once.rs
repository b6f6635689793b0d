//! Every object that was ever created is, at the end, in exactly one place: lent, idle, or dropped. Eight threads,
//! which hand guards to each other, and beside them passes, cycles and knobs. In release 10^7 operations; under
//! ThreadSanitizer and AddressSanitizer fewer (`cargo xtask sanitize`).
#![cfg(not(ebbpool_loom))]

use pool_core::{
    Capacity, Change, Eviction, Job, Keep, Pool, PoolStats, Pooled, Ratio, Recycle, Registry, Retention,
    Reuse, Setting,
};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: u64 = 8;

/// Gets and returns, of all threads together.
const OPERATIONS: u64 = if cfg!(any(ebbpool_tsan, ebbpool_asan)) {
    300_000
} else if cfg!(debug_assertions) {
    400_000
} else {
    10_000_000
};

/// Identities at most.
const OBJECTS_MAX: usize = 4_000_000;

const UNBORN: u8 = 0;
const IDLE: u8 = 1;
const LENT: u8 = 2;
const DROPPED: u8 = 3;

/// Where each object is, by its identity. Moved by read-modify-write, so two who believe that they have the same
/// object cannot both be right.
struct Places {
    next: AtomicUsize,
    places: Vec<AtomicU8>,
}

impl Places {
    fn new() -> Self {
        Self { next: AtomicUsize::new(0), places: (0..OBJECTS_MAX).map(|_| AtomicU8::new(UNBORN)).collect() }
    }

    fn pass(&self, id: usize, from: u8, to: u8) {
        let before = self.places[id].swap(to, SeqCst);
        assert_eq!(before, from, "object {id} became {to}");
    }

    fn count(&self, place: u8) -> u64 {
        self.places.iter().filter(|p| p.load(SeqCst) == place).count() as u64
    }
}

struct Numbered {
    id: usize,
    places: Arc<Places>,
    bytes: Vec<u8>,
}

impl Recycle for Numbered {
    fn recycle(&mut self, retention: &Retention) -> Keep {
        self.places.pass(self.id, LENT, IDLE);
        Recycle::recycle(&mut self.bytes, retention)
    }
    fn weight(&self) -> usize {
        self.bytes.weight()
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        // A get that was not allowed to reuse ends without a recycle.
        let before = self.places.places[self.id].swap(DROPPED, SeqCst);
        assert!(before == IDLE || before == LENT, "object {} is dropped from {before}", self.id);
    }
}

fn numbered(registry: &Registry, places: &Arc<Places>) -> Pool<Numbered> {
    let places = Arc::clone(places);
    let create = move || {
        let id = places.next.fetch_add(1, Relaxed);
        places.pass(id, UNBORN, IDLE);
        Numbered { id, places: Arc::clone(&places), bytes: Vec::new() }
    };
    Pool::builder("numbered").registry(registry).build_with(create).unwrap()
}

fn lend(pool: &Pool<Numbered>) -> Pooled<Numbered> {
    let object = pool.get();
    object.places.pass(object.id, IDLE, LENT);
    object
}

/// Random enough to mix, and the same each time.
fn step(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 11
}

type Hand = (mpsc::SyncSender<Pooled<Numbered>>, mpsc::Receiver<Pooled<Numbered>>);

/// A thread's part: it holds, returns, grows, passes on to its neighbour, and clones and drops a handle now and then.
fn work(pool: &Pool<Numbered>, seed: u64, (next, own): &Hand) -> Vec<Pooled<Numbered>> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed);
    let mut handle = pool.clone();
    let mut held = Vec::new();
    for _ in 0..OPERATIONS / THREADS / 2 {
        held.push(lend(&handle));
        match step(&mut state) % 64 {
            0 => held.clear(),
            1..=4 => {
                let grown = &mut held.last_mut().unwrap().bytes;
                grown.resize(usize::try_from(step(&mut state) % 9000).unwrap(), 1);
            }
            5..=12 => {
                // A full hand is the neighbour's business: the guard comes back here then.
                if let Err(mpsc::TrySendError::Full(guard) | mpsc::TrySendError::Disconnected(guard)) =
                    next.try_send(held.pop().unwrap())
                {
                    drop(guard);
                }
            }
            13..=20 => drop(own.try_recv()),
            21 => handle = pool.clone(),
            22..=26 => {} // one more in hand
            _ => drop(held.pop()),
        }
        if held.len() > 120 {
            held.truncate(30);
        }
    }
    held.truncate(10);
    held
}

/// Passes, cycles and knobs, until every thread has done its part.
fn disturb(registry: &Registry, at_work: &AtomicU64) {
    let pool = registry.pools().remove(0);
    let mut random = 1;
    let mut now = Instant::now();
    while at_work.load(SeqCst) > 0 {
        match step(&mut random) % 8 {
            0 => {
                let objects = u32::try_from(step(&mut random) % 300).unwrap();
                let capacity = Capacity::new(objects, step(&mut random) % (1 << 20)).unwrap();
                pool.set_capacity(capacity, Change::policy("once"));
            }
            1 => drop(registry.pass(Job::Reclaim { extra_bytes: step(&mut random) % 100_000 })),
            2 => drop(registry.pass(Job::Reclaim { extra_bytes: u64::MAX })),
            3 => {
                let stats = snapshot(registry);
                assert!(!stats.consistent || (stats.imbalance, stats.duplicates) == (0, 0), "{stats:?}");
            }
            4 => {
                now += Eviction::DEFAULT.cycle();
                registry.cycle(now);
            }
            5 => {
                let share = [1.0, 1.0, 0.9][usize::try_from(step(&mut random) % 3).unwrap()];
                pool.set(Setting::Reuse(Reuse(Ratio::new(share).unwrap())), Change::policy("once"));
            }
            6 => {
                pool.trim_depot(step(&mut random) % 10_000, pool_core::DropReason::Pressure);
            }
            _ => {
                registry.drop_condemned(Duration::from_micros(50), || false);
            }
        }
        thread::yield_now();
    }
}

fn snapshot(registry: &Registry) -> PoolStats {
    registry.pass(Job::Snapshot).remove(0).1.snapshot.unwrap()
}

/// Says that a thread's part is done, also when it panics.
struct Done<'a>(&'a AtomicU64);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[test]
fn every_object_is_in_exactly_one_place() {
    let places = Arc::new(Places::new());
    let registry = Registry::new();
    let pool = numbered(&registry, &places);
    let at_work = AtomicU64::new(THREADS);
    let (senders, mut receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::sync_channel(64)).unzip();
    receivers.rotate_right(1);
    let hands: Vec<Hand> = senders.into_iter().zip(receivers).collect();
    let mut held = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| disturb(&registry, &at_work));
        let workers: Vec<_> = (1..)
            .zip(hands)
            .map(|(seed, hand)| {
                let (pool, at_work) = (&pool, &at_work);
                scope.spawn(move || {
                    let _done = Done(at_work);
                    let held = work(pool, seed, &hand);
                    (held, hand)
                })
            })
            .collect();
        let hands: Vec<_> = workers
            .into_iter()
            .map(|worker| {
                let (some, hand) = worker.join().unwrap();
                held.extend(some);
                hand
            })
            .collect();
        // What nobody took out of a hand is lent still.
        held.extend(hands.iter().flat_map(|(_, own)| own.try_iter()));
    });
    registry.drop_condemned(Duration::MAX, || false);
    let stats = snapshot(&registry);
    let all = places.next.load(SeqCst) as u64;
    assert_eq!((stats.consistent, stats.imbalance, stats.duplicates), (true, 0, 0), "{stats:?}");
    assert_eq!((places.count(LENT), stats.lent_objects), (held.len() as u64, held.len() as u64));
    assert_eq!((places.count(IDLE), stats.condemned_objects), (stats.idle_objects, 0));
    assert_eq!((stats.created, stats.dropped.iter().sum::<u64>()), (all, places.count(DROPPED)));
    assert_eq!(stats.gets.total(), THREADS * (OPERATIONS / THREADS / 2));
    assert_eq!(all, places.count(LENT) + places.count(IDLE) + places.count(DROPPED));
    drop((held, pool));
    assert_eq!((places.count(LENT), places.count(IDLE)), (0, 0));
}

//! Threads that get, hold, pass on and return while everything around them changes. Under ThreadSanitizer and
//! AddressSanitizer by `cargo xtask sanitize`.
#![cfg(not(ebbpool_loom))]

use pool_core::{
    Capacity, Change, Job, Keep, LeakCheck, LeaseLevel, Pool, PoolStats, Pooled, Recycle, Registry, Retention,
};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Knows whether it is lent, and how many of its kind live.
struct Ticket {
    lent: AtomicBool,
    alive: Arc<AtomicU64>,
    bytes: Vec<u8>,
}

impl Recycle for Ticket {
    fn recycle(&mut self, retention: &Retention) -> Keep {
        assert!(self.lent.swap(false, SeqCst), "returned while idle");
        Recycle::recycle(&mut self.bytes, retention)
    }
    fn weight(&self) -> usize {
        self.bytes.weight()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
    }
}

fn tickets(registry: &Registry, alive: &Arc<AtomicU64>) -> Pool<Ticket> {
    let alive = Arc::clone(alive);
    Pool::builder("tickets")
        .registry(registry)
        .build_with(move || {
            alive.fetch_add(1, SeqCst);
            Ticket { lent: AtomicBool::new(false), alive: Arc::clone(&alive), bytes: Vec::new() }
        })
        .unwrap()
}

fn lend(pool: &Pool<Ticket>) -> Pooled<Ticket> {
    let ticket = pool.get();
    assert!(!ticket.lent.swap(true, SeqCst), "one object in two hands");
    ticket
}

const THREADS: usize = 8;

/// Sanitizers are some ten times slower.
const OPERATIONS: usize = if cfg!(ebbpool_tsan) || cfg!(debug_assertions) { 30_000 } else { 300_000 };

/// Random enough to mix, and the same each time.
fn step(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 11
}

#[test]
fn no_object_is_in_two_hands_and_none_is_lost() {
    let alive = Arc::new(AtomicU64::new(0));
    let registry = Registry::new();
    let pool = tickets(&registry, &alive);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let until_over = Over(&over);
        let beside = [
            scope.spawn(|| churn(&registry, &over)),
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    let stats = snapshot(&registry);
                    if stats.consistent {
                        assert_eq!((stats.imbalance, stats.duplicates), (0, 0), "{stats:?}");
                    }
                    thread::sleep(Duration::from_micros(300));
                }
            }),
        ];
        let mut held: Vec<Vec<Pooled<Ticket>>> = (0..THREADS).map(|_| Vec::new()).collect();
        for round in 0..2 {
            let workers: Vec<_> = (1..)
                .zip(held)
                .map(|(i, held)| {
                    scope.spawn({
                        let pool = &pool;
                        move || work(pool, round * 100 + i, held)
                    })
                })
                .collect();
            held = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
            // Nobody is at work any more: this snapshot has no excuse.
            let stats = snapshot(&registry);
            let lent = held.iter().map(Vec::len).sum::<usize>() as u64;
            assert_eq!(
                (stats.consistent, stats.imbalance, stats.duplicates, stats.lent_objects),
                (true, 0, 0, lent),
                "{stats:?}"
            );
        }
        drop(until_over);
        join(beside);
    });
    let stats = snapshot(&registry);
    assert_eq!((stats.consistent, stats.imbalance, stats.duplicates, stats.lent_objects), (true, 0, 0, 0));
    assert_eq!((stats.leases_recorded, pool.open_leases()), (0, vec![]));
    assert_eq!(alive.load(SeqCst), stats.idle_objects + stats.condemned_objects);
    drop(pool);
    assert_eq!(alive.load(SeqCst), 0);
}

/// Lends and returns; ends with what it still holds, for the next thread to go on with.
fn work(pool: &Pool<Ticket>, seed: u64, mut held: Vec<Pooled<Ticket>>) -> Vec<Pooled<Ticket>> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed);
    for _ in 0..OPERATIONS / 2 {
        match step(&mut state) % 8 {
            0..=3 if held.len() < 100 => held.push(lend(pool)),
            4 => held.clear(),
            5 => lend(pool).bytes.resize(usize::try_from(step(&mut state) % 9000).unwrap(), 1),
            _ => drop(held.pop()),
        }
    }
    held
}

/// Joins each by hand: ThreadSanitizer sees that, but not how a scope waits for its threads.
fn join<'a>(threads: impl IntoIterator<Item = thread::ScopedJoinHandle<'a, ()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Ends the threads beside the work, also when it panics.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn snapshot(registry: &Registry) -> PoolStats {
    registry.pass(Job::Snapshot).remove(0).1.snapshot.unwrap()
}

/// Turns every knob and drains, until it is over.
fn churn(registry: &Registry, over: &AtomicBool) {
    let pool = registry.pools().remove(0);
    let mut random = 1;
    while !over.load(Relaxed) {
        let objects = u32::try_from(step(&mut random) % 300).unwrap();
        let capacity = Capacity::new(objects, step(&mut random) % (1 << 20)).unwrap();
        pool.set_capacity(capacity, Change::policy("stress"));
        let extra_bytes = if step(&mut random) % 4 == 0 { u64::MAX } else { 0 };
        registry.pass(Job::Reclaim { extra_bytes });
        registry.drop_condemned(Duration::from_micros(100), || false);
        let stats = pool.stats();
        assert!(stats.slots <= 64);
        pool.set_lease_level(
            if objects % 2 == 0 { LeaseLevel::All } else { LeaseLevel::DEFAULT },
            Change::policy("stress"),
        );
        registry.grant().set((objects % 3 == 0).then_some(0));
        pool.suspects(Duration::ZERO);
        pool.tell_suspects();
        // Others hold what they hold: what it finds is their business, here it is turned on and off.
        let check = LeakCheck::of_managed((objects % 5 == 0).then(|| Arc::clone(&pool)));
        thread::sleep(Duration::from_micros(200));
        let _ = check.finish();
    }
}

/// Visits between which the owner is mostly outside, so that it comes back by its fast path alone: nothing but the
/// attention word orders what the two do.
#[test]
fn an_owner_on_its_fast_path_alone_sees_what_visitors_did() {
    let alive = Arc::new(AtomicU64::new(0));
    let registry = Registry::new();
    let pool = tickets(&registry, &alive);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let owner = scope.spawn(|| {
            let _over = Over(&over);
            drop((0..40).map(|_| lend(&pool)).collect::<Vec<_>>());
            for _ in 0..OPERATIONS / 2 {
                drop((lend(&pool), lend(&pool)));
                for _ in 0..300 {
                    std::hint::spin_loop();
                }
            }
        });
        let mut now = Instant::now();
        while !over.load(Relaxed) {
            let stats = snapshot(&registry);
            assert!(!stats.consistent || (stats.imbalance, stats.duplicates) == (0, 0), "{stats:?}");
            now += Duration::from_secs(20);
            registry.cycle(now);
            registry.drop_condemned(Duration::MAX, || false);
            thread::sleep(Duration::from_micros(50));
        }
        owner.join().unwrap();
    });
    let stats = snapshot(&registry);
    assert_eq!((stats.consistent, stats.imbalance, stats.lent_objects), (true, 0, 0));
}

/// What a handle was used for is over when the last one frees the pool. The flag orders nothing, nor does anything else
/// that the two threads share but the handles' count.
#[test]
fn the_last_handle_goes_after_what_the_others_read() {
    for _ in 0..100 {
        let pool = Pool::new("read", Vec::<u8>::new);
        let other = pool.clone();
        let gone = Arc::new(AtomicBool::new(false));
        let other_gone = Arc::clone(&gone);
        let reader = thread::spawn(move || {
            assert_eq!(other.name(), "read");
            drop(other);
            other_gone.store(true, Relaxed);
        });
        while !gone.load(Relaxed) {
            thread::yield_now();
        }
        drop(pool);
        reader.join().unwrap();
    }
}

#[test]
fn objects_that_travel_between_threads_come_home() {
    let alive = Arc::new(AtomicU64::new(0));
    let registry = Registry::new();
    let pool = tickets(&registry, &alive);
    // A thread that is preempted with the lock of the stripe that all use makes the others create for as long. One
    // round in which that was rare shows that objects are reused across threads; without reuse there is none.
    let mut created = Vec::new();
    while created.last().is_none_or(|created| *created >= OPERATIONS as u64 / 10) {
        assert!(created.len() < 20, "created in each round of {OPERATIONS}: {created:?}");
        let before = pool.stats().created;
        travel(&pool);
        let stats = snapshot(&registry);
        assert_eq!((stats.imbalance, stats.lent_objects), (0, 0));
        created.push(stats.created - before);
    }
}

/// Three threads get, a fourth returns.
fn travel(pool: &Pool<Ticket>) {
    let (send, receive) = mpsc::sync_channel::<Pooled<Ticket>>(256);
    thread::scope(|scope| {
        for _ in 0..3 {
            let send = send.clone();
            scope.spawn(move || (0..OPERATIONS / 4).for_each(|_| send.send(lend(pool)).unwrap()));
        }
        drop(send);
        scope.spawn(move || receive.into_iter().for_each(drop));
    });
}

thread_local!(static WORKER: Cell<Option<u64>> = const { Cell::new(None) });

/// What is read of a lease is of that lease, whatever happens to its record meanwhile.
#[test]
fn leases_are_read_whole_while_they_travel() {
    const WORKERS: u64 = 3;
    let alive = Arc::new(AtomicU64::new(0));
    let pool = tickets(&Registry::new(), &alive);
    pool_core::set_span_source(|| WORKER.get()).unwrap();
    let told = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&told);
    pool.on_suspect(Duration::ZERO, move |_, _| {
        counts.fetch_add(1, Relaxed);
    });
    let check = LeakCheck::of(&pool);
    let (send, receive) = mpsc::sync_channel::<Pooled<Ticket>>(64);
    thread::scope(|scope| {
        let workers: Vec<_> = (1..=WORKERS)
            .map(|worker| {
                let (send, pool) = (send.clone(), &pool);
                scope.spawn(move || {
                    WORKER.set(Some(worker));
                    (0..OPERATIONS / 4).for_each(|_| send.send(lend(pool)).unwrap());
                })
            })
            .collect();
        drop(send);
        let returner = scope.spawn(move || receive.into_iter().for_each(drop));
        let mut threads = BTreeMap::new();
        while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
            for lease in pool.open_leases() {
                let worker = *threads.entry(lease.thread.unwrap()).or_insert(lease.span);
                assert!(worker == lease.span && lease.site.file().ends_with("stress.rs"), "{lease:?}");
                assert!((1..=WORKERS).contains(&worker.unwrap()), "{lease:?}");
            }
            pool.tell_suspects();
            thread::yield_now();
        }
        assert!(threads.len() <= 3, "{threads:?}");
        join(workers.into_iter().chain([returner]));
    });
    assert_eq!((check.finish(), pool.stats().leases_missed), (Ok(()), 0));
    pool.tell_suspects();
    assert_eq!(told.load(Relaxed) % 2, 0, "what was told as new is told as back");
}

#[test]
fn pools_close_while_their_guards_come_back_on_other_threads() {
    let alive = Arc::new(AtomicU64::new(0));
    for round in 0..OPERATIONS / 300 {
        let registry = Registry::new();
        let pool = tickets(&registry, &alive);
        thread::scope(|scope| {
            for _ in 0..3 {
                let pool = pool.clone();
                scope.spawn(move || {
                    let held: Vec<_> = (0..=round % 5).map(|_| lend(&pool)).collect();
                    drop(pool);
                    drop(held);
                });
            }
            drop(pool);
        });
        // A slot that was busy at the close is swept later, perhaps by a thread of another test that stands
        // still in the middle of it.
        until(|| {
            registry.pass(Job::Reclaim { extra_bytes: 0 });
            registry.drop_condemned(Duration::MAX, || false);
            registry.pass(Job::Snapshot);
            registry.pools().is_empty()
        });
    }
    until(|| {
        drop(Pool::new("sweep", Vec::<u8>::new));
        alive.load(SeqCst) == 0
    });
}

/// Waits for what must come to pass, however slow the machine.
fn until(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "it never came to pass");
        thread::yield_now();
    }
}

//! What the public interface promises, and that the books balance after each use of it.
#![cfg(not(ebbpool_loom))]

mod canary;
mod closing;
mod gets;
mod leave;
mod mapped;
mod stock;

use pool_core::{
    DropReason, Job, Keep, LeaseLevel, Pool, PoolStats, Recycle, Registry, Retention, Sampling, Setting,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Objects of one test that exist, and how many of them were recycled so far.
#[derive(Clone, Default)]
struct Census {
    alive: Arc<AtomicU64>,
    recycled: Arc<AtomicU64>,
}

impl Census {
    fn alive(&self) -> u64 {
        self.alive.load(SeqCst)
    }

    fn recycled(&self) -> u64 {
        self.recycled.load(SeqCst)
    }

    fn create(&self) -> Value {
        self.alive.fetch_add(1, SeqCst);
        Value { census: self.clone(), bytes: Vec::new(), mood: Mood::default() }
    }

    /// A registered pool of such objects, with every lease on record.
    fn pool(&self, registry: &Registry) -> Pool<Value> {
        let census = self.clone();
        let builder = Pool::builder("values").registry(registry).knob(recorded(LeaseLevel::All));
        builder.build_with(move || census.create()).unwrap()
    }
}

/// What a value is told to do when its time comes.
#[derive(Default)]
struct Mood {
    panic_in_recycle: bool,
    panic_in_weight: bool,
    panic_in_drop: bool,
}

struct Value {
    census: Census,
    bytes: Vec<u8>,
    mood: Mood,
}

impl Recycle for Value {
    fn recycle(&mut self, retention: &Retention) -> Keep {
        assert!(!self.mood.panic_in_recycle, "recycle panics as told");
        self.census.recycled.fetch_add(1, SeqCst);
        Recycle::recycle(&mut self.bytes, retention)
    }

    fn weight(&self) -> usize {
        assert!(!self.mood.panic_in_weight, "weight panics as told");
        self.bytes.capacity()
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.census.alive.fetch_sub(1, SeqCst);
        assert!(!self.mood.panic_in_drop, "drop panics as told");
    }
}

/// So many leases on record, and none timed: a trial would serve some gets fresh although there are idle objects.
fn recorded(leases: LeaseLevel) -> Setting {
    Setting::Sampling(Sampling::DEFAULT.with_leases(leases).with_timing_one_in(0).unwrap())
}

/// A snapshot of one moment, whose books must balance.
fn balanced(registry: &Registry) -> PoolStats {
    let mut found = None;
    until("a consistent snapshot", || {
        let stats = registry.pass(Job::Snapshot).remove(0).1.snapshot.unwrap();
        found = stats.consistent.then_some(stats);
        found.is_some()
    });
    let stats = found.unwrap();
    assert_eq!((stats.imbalance, stats.duplicates), (0, 0), "{stats:?}");
    let left = stats.idle_objects + stats.lent_objects + stats.dropped.iter().sum::<u64>();
    assert_eq!(stats.created, left, "{stats:?}");
    assert_eq!(stats.created, stats.prefilled + stats.gets.created + stats.gets.bypassed, "{stats:?}");
    stats
}

fn dropped(stats: &PoolStats, reason: DropReason) -> u64 {
    stats.dropped[reason as usize]
}

/// Drops everything idle.
fn drain(registry: &Registry) {
    registry.pass(Job::Reclaim { extra_bytes: u64::MAX });
    registry.drop_condemned(Duration::MAX, || false);
}

fn panics<T>(f: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// Waits for what must come to pass, however slow the machine.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "{what}: it never came to pass");
        std::thread::yield_now();
    }
}

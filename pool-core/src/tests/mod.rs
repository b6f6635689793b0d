//! Tests that need the inside: a thread held inside its fast path, counts of live insides.

mod credit;
mod cycles;
mod drain;
#[cfg(target_os = "linux")]
mod fork;
mod grant;
#[cfg(target_os = "linux")]
mod ids;
mod knobs;
mod ledger;
mod lifetime;
mod litmus;
mod nested;
mod owners;
#[cfg(target_os = "linux")]
mod signal;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "it is shared with the tests outside the crate")]
#[path = "../../tests/hostile/sys.rs"]
mod sys;
mod trials;

use crate::{Capacity, Job, Pool, PoolStats, Registry};
use std::time::{Duration, Instant};

/// What a node of a `Vec<u8>` weighs beside the buffer.
const NODE: u64 = size_of::<crate::node::Node<Vec<u8>, crate::ByTrait>>() as u64;

/// For what must come to pass, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives this thread an id. Nobody waits for the list of ids, so for a moment there may be none to be had, and what
/// this thread does goes past the slots.
fn take_an_id() {
    let until = Instant::now() + PATIENCE;
    while crate::thread_id::assign().is_none() {
        assert!(Instant::now() < until, "no id");
        std::thread::yield_now();
    }
}

/// A registered pool of buffers.
fn buffers(registry: &Registry) -> Pool<Vec<u8>> {
    Pool::builder("buffers").registry(registry).build_with(|| Vec::with_capacity(1000)).unwrap()
}

/// A registered pool of vectors that hold nothing.
fn vecs(registry: &Registry, capacity: Capacity) -> Pool<Vec<u8>> {
    Pool::builder("vecs").registry(registry).capacity(capacity).build_with(Vec::new).unwrap()
}

/// A consistent snapshot, which must balance.
fn balanced(registry: &Registry) -> PoolStats {
    let until = Instant::now() + PATIENCE;
    loop {
        let stats = registry.pass(Job::Snapshot).remove(0).1.snapshot.unwrap();
        if stats.consistent {
            assert_eq!((stats.imbalance, stats.duplicates), (0, 0), "{stats:?}");
            return stats;
        }
        assert!(Instant::now() < until, "no consistent snapshot");
        std::thread::yield_now();
    }
}

/// Condemns everything idle that a pass reaches, and drops it.
fn drain(registry: &Registry) -> u64 {
    let taken = registry.pass(Job::Reclaim { extra_bytes: u64::MAX }).remove(0).1.taken.objects;
    registry.drop_condemned(Duration::MAX, || false);
    taken
}

//! Tests that need the inside: a thread held inside its fast path, counts of live insides.

mod cycles;
mod drain;
mod grant;
mod knobs;
mod ledger;
mod lifetime;
mod litmus;
mod trials;

use crate::{Capacity, Job, Pool, PoolStats, Registry};

/// What a node of a `Vec<u8>` weighs beside the buffer.
const NODE: u64 = size_of::<crate::node::Node<Vec<u8>, crate::ByTrait>>() as u64;

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
    for _ in 0..1000 {
        let stats = registry.pass(Job::Snapshot).remove(0).1.snapshot.unwrap();
        if stats.consistent {
            assert_eq!((stats.imbalance, stats.duplicates), (0, 0), "{stats:?}");
            return stats;
        }
        std::thread::yield_now();
    }
    panic!("no consistent snapshot in 1000 passes");
}

/// Condemns everything idle that a pass reaches, and drops it.
fn drain(registry: &Registry) -> u64 {
    let taken = registry.pass(Job::Reclaim { extra_bytes: u64::MAX }).remove(0).1.taken.objects;
    registry.drop_condemned(std::time::Duration::MAX, || false);
    taken
}

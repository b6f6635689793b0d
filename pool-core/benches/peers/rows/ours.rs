//! This crate with its defaults, in a registry, as a service has it: guard, counters, recycling, retention by use,
//! one lease in 128 on record, knobs, and removal of idle objects from outside.

use super::{fresh, touch};
use crate::shapes::Peer;
use pool_core::{Job, LeaseLevel, Pool, PoolBuilder, Pooled, Registry};
use std::time::Duration;

pub(crate) struct Ours {
    pool: Pool<Vec<u8>>,
    registry: Registry,
}

impl Ours {
    pub(crate) fn with_defaults() -> Self {
        Self::built(|builder| builder)
    }

    pub(crate) fn with_leases(level: LeaseLevel) -> Self {
        Self::built(|builder| builder.lease_level(level))
    }

    pub(crate) fn built(change: impl FnOnce(PoolBuilder) -> PoolBuilder) -> Self {
        let registry = Registry::new();
        let builder = change(Pool::builder("bench").registry(&registry));
        Self { pool: builder.build_with(fresh).expect("the only pool of its registry"), registry }
    }

    /// Takes away everything idle in one pass, and drops it.
    pub(crate) fn drain(&self) {
        self.registry.pass(Job::Reclaim { extra_bytes: u64::MAX });
        self.registry.drop_condemned(Duration::from_millis(1), || false);
    }

    /// One pass without the drops; how many objects it took.
    pub(crate) fn pass(&self) -> u64 {
        let collected = self.registry.pass(Job::Reclaim { extra_bytes: u64::MAX });
        collected.iter().map(|(_, collected)| collected.taken.objects).sum()
    }

    /// Threads that have a slot.
    pub(crate) fn slots(&self) -> u64 {
        self.pool.stats().slots
    }

    /// The share of gets whose lease should have been put on record and was not.
    pub(crate) fn leases_missed(&self) -> f64 {
        let stats = self.pool.stats();
        stats.leases_missed as f64 / stats.gets.total().max(1) as f64
    }
}

impl Peer for Ours {
    type Lease<'a> = Pooled<Vec<u8>>;

    fn new(_objects: usize) -> Self {
        Self::with_defaults()
    }

    #[inline(always)]
    fn lend(&self) -> Self::Lease<'_> {
        let mut lease = self.pool.get();
        touch(&mut lease);
        lease
    }

    #[inline(always)]
    fn give_back<'a>(&'a self, lease: Self::Lease<'a>) {
        drop(lease);
    }

    /// All buffers came back, and our own books balance.
    fn objection(&self) -> Option<String> {
        let stats = self.pool.stats();
        (stats.lent_objects != 0 || stats.imbalance != 0)
            .then(|| format!("ours: all threads are done, and the books do not balance: {stats:?}"))
    }
}

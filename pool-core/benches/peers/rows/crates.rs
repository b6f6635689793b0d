//! Pools of other crates, each used as its documentation says it is best used for 1 KiB buffers that come back empty.

use super::{fresh, touch};
use crate::shapes::Peer;

/// opool: prefilled, guards that borrow, emptied by its reset hook.
pub(crate) struct Opool(opool::Pool<Buffers, Vec<u8>>);

pub(crate) struct Buffers;

impl opool::PoolAllocator<Vec<u8>> for Buffers {
    #[inline(always)]
    fn reset(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
    }

    fn allocate(&self) -> Vec<u8> {
        fresh()
    }
}

impl Peer for Opool {
    type Lease<'a> = opool::RefGuard<'a, Buffers, Vec<u8>>;

    fn new(objects: usize) -> Self {
        Self(opool::Pool::new_prefilled(objects, Buffers))
    }

    #[inline(always)]
    fn lend(&self) -> Self::Lease<'_> {
        let mut lease = self.0.get();
        touch(&mut lease);
        lease
    }

    #[inline(always)]
    fn give_back<'a>(&'a self, lease: Self::Lease<'a>) {
        drop(lease);
    }
}

/// object-pool: prefilled, guards that borrow. It has no reset hook.
pub(crate) struct ObjectPool(object_pool::Pool<Vec<u8>>);

impl Peer for ObjectPool {
    type Lease<'a> = object_pool::Reusable<'a, Vec<u8>>;

    fn new(objects: usize) -> Self {
        Self(object_pool::Pool::new(objects, fresh))
    }

    #[inline(always)]
    fn lend(&self) -> Self::Lease<'_> {
        let mut lease = self.0.pull(fresh);
        lease.clear();
        touch(&mut lease);
        lease
    }

    #[inline(always)]
    fn give_back<'a>(&'a self, lease: Self::Lease<'a>) {
        drop(lease);
    }
}

/// lockfree-object-pool: the linear pool, its fastest for several threads. It makes pages of 32 objects as the
/// warm-up asks for them, and empties by its reset hook.
pub(crate) struct Linear(lockfree_object_pool::LinearObjectPool<Vec<u8>>);

impl Peer for Linear {
    type Lease<'a> = lockfree_object_pool::LinearReusable<'a, Vec<u8>>;

    fn new(_objects: usize) -> Self {
        Self(lockfree_object_pool::LinearObjectPool::new(fresh, Vec::clear))
    }

    #[inline(always)]
    fn lend(&self) -> Self::Lease<'_> {
        let mut lease = self.0.pull();
        touch(&mut lease);
        lease
    }

    #[inline(always)]
    fn give_back<'a>(&'a self, lease: Self::Lease<'a>) {
        drop(lease);
    }
}

/// sharded-slab: an object is created with a value in place, known by its key, and cleared by that key, which is how
/// the crate returns one for reuse (dropping the guard alone leaves it taken).
pub(crate) struct ShardedSlab(sharded_slab::Pool<SlabBuffer>);

struct SlabBuffer(Vec<u8>);

impl Default for SlabBuffer {
    fn default() -> Self {
        Self(fresh())
    }
}

impl sharded_slab::Clear for SlabBuffer {
    #[inline(always)]
    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Peer for ShardedSlab {
    type Lease<'a> = usize;

    fn new(_objects: usize) -> Self {
        Self(sharded_slab::Pool::new())
    }

    #[inline(always)]
    fn lend(&self) -> usize {
        self.0.create_with(|buffer| touch(&mut buffer.0)).expect("a shard has room for 2^37 objects")
    }

    #[inline(always)]
    fn give_back(&self, key: usize) {
        self.0.clear(key);
    }
}

/// regex-automata: the first thread that gets owns one object, which stays in place and is reached without a lock or
/// a stack. That is a measuring thread, because nothing is got before: with one thread and one object at a time
/// this row shows that path alone, and may undercut the limit, which is a stack. It has no reset hook.
pub(crate) struct Regex(regex_automata::util::pool::Pool<Vec<u8>>);

impl Peer for Regex {
    type Lease<'a> = regex_automata::util::pool::PoolGuard<'a, Vec<u8>, fn() -> Vec<u8>>;

    fn new(_objects: usize) -> Self {
        Self(regex_automata::util::pool::Pool::new(fresh))
    }

    #[inline(always)]
    fn lend(&self) -> Self::Lease<'_> {
        let mut lease = self.0.get();
        lease.clear();
        touch(&mut lease);
        lease
    }

    #[inline(always)]
    fn give_back<'a>(&'a self, lease: Self::Lease<'a>) {
        regex_automata::util::pool::PoolGuard::put(lease);
    }
}

/// deadpool's pool without a manager: filled once, got without waiting (there is always one left). It has no
/// reset hook.
pub(crate) struct Deadpool(deadpool::unmanaged::Pool<Vec<u8>>);

impl Peer for Deadpool {
    type Lease<'a> = deadpool::unmanaged::Object<Vec<u8>>;

    fn new(objects: usize) -> Self {
        Self(deadpool::unmanaged::Pool::from((0..objects).map(|_| fresh())))
    }

    #[inline(always)]
    fn lend(&self) -> Self::Lease<'_> {
        let mut lease = self.0.try_get().expect("filled with as many as are lent at once");
        lease.clear();
        touch(&mut lease);
        lease
    }

    #[inline(always)]
    fn give_back<'a>(&'a self, lease: Self::Lease<'a>) {
        drop(lease);
    }
}

//! The rows: each peer used as its documentation says it is best used for 1 KiB buffers that come back empty.
//!
//! Choices that are the same for all: as many objects as the shape lends at once (64 at least) exist before the
//! clock starts, by constructor where there is one, else by the warm-up; guards borrow where a peer offers borrowed
//! and owned ones, since borrowed ones are cheaper (ours has only owned ones). A peer with a reset hook empties the
//! buffer by it; for the others the user does, as a user would have to.

use crate::memory::{Glibc, Jemalloc, Limit, Mimalloc};
use crate::shapes::{self, BUFFER_BYTES, Peer, Sample, Shape, count_created};
use std::hint::black_box;

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) measure: fn(Shape, u64) -> Result<Sample, String>,
}

const fn row<P: Peer>(name: &'static str) -> Row {
    Row { name, measure: shapes::measure::<P> }
}

pub(crate) const OURS: &str = "ours";
pub(crate) const LIMIT: &str = "limit";

/// In the order of the table.
pub(crate) const ROWS: [Row; 12] = [
    row::<Ours>(OURS),
    row::<Limit>(LIMIT),
    row::<Glibc>("glibc"),
    row::<Jemalloc>("jemalloc"),
    row::<Mimalloc>("mimalloc"),
    row::<Opool>("opool"),
    row::<ObjectPool>("object-pool"),
    row::<Linear>("lockfree-object-pool"),
    row::<ShardedSlab>("sharded-slab"),
    row::<Regex>("regex-automata"),
    row::<Queue>("crossbeam ArrayQueue"),
    row::<Deadpool>("deadpool unmanaged"),
];

/// What every pool creates.
fn fresh() -> Vec<u8> {
    count_created();
    Vec::with_capacity(BUFFER_BYTES)
}

/// The one use that a lease sees: a byte is written and the optimizer must believe that someone looks at it.
#[inline(always)]
fn touch(buffer: &mut Vec<u8>) {
    buffer.push(1);
    black_box(buffer.as_mut_ptr());
}

/// This crate with its defaults: one lease in 128 on record, retention by use, statistics.
struct Ours {
    pool: pool_core::Pool<Vec<u8>>,
    objects: usize,
}

impl Peer for Ours {
    type Lease<'a> = pool_core::Pooled<Vec<u8>>;

    fn new(objects: usize) -> Self {
        Self { pool: pool_core::Pool::new("bench", fresh), objects }
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

    /// Our own books must agree that buffers were reused and that all of them came back.
    fn objection(&self) -> Option<String> {
        let stats = self.pool.stats();
        let reused = stats.gets.created <= shapes::objects_may_exist(self.objects) + stats.gets.total() / 100;
        (!reused || stats.lent_objects != 0 || stats.imbalance != 0)
            .then(|| format!("ours: the pool did not reuse, or its books do not balance: {stats:?}"))
    }
}

/// opool: prefilled, guards that borrow, emptied by its reset hook.
struct Opool(opool::Pool<Buffers, Vec<u8>>);

struct Buffers;

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
struct ObjectPool(object_pool::Pool<Vec<u8>>);

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
struct Linear(lockfree_object_pool::LinearObjectPool<Vec<u8>>);

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
struct ShardedSlab(sharded_slab::Pool<SlabBuffer>);

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
struct Regex(regex_automata::util::pool::Pool<Vec<u8>>);

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

/// crossbeam's bounded queue as a pool by hand: pop, or create; clear, and push.
struct Queue(crossbeam_queue::ArrayQueue<Vec<u8>>);

impl Peer for Queue {
    type Lease<'a> = Vec<u8>;

    fn new(objects: usize) -> Self {
        let queue = crossbeam_queue::ArrayQueue::new(objects);
        while queue.push(fresh()).is_ok() {}
        Self(queue)
    }

    #[inline(always)]
    fn lend(&self) -> Vec<u8> {
        let mut buffer = self.0.pop().unwrap_or_else(fresh);
        touch(&mut buffer);
        buffer
    }

    #[inline(always)]
    fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        // A full queue hands it back, and it is dropped: that is a pool's bound.
        drop(self.0.push(buffer));
    }
}

/// deadpool's pool without a manager: filled once, got without waiting (there is always one left). It has no
/// reset hook.
struct Deadpool(deadpool::unmanaged::Pool<Vec<u8>>);

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

//! The shapes: who gets, who returns, and how many objects are held at once. Knows no pool by name.

mod across;

use crate::clock::thread_cpu_ns;
use crate::names;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

pub(crate) use across::across;

/// Size of a buffer, bytes.
pub(crate) const BUFFER_BYTES: usize = 1024;

/// Objects held at once in the burst shapes, and handed over at once across threads.
const BURST: usize = 64;
/// Batches that may be under way between the two threads.
const BATCHES_IN_FLIGHT: usize = 4;
/// Pairs that each thread does before it is timed.
const WARM_UP_PAIRS: u64 = 2048;

/// One way to lend buffers. Everything is resolved at compile time: the measured loops hold no virtual call.
pub(crate) trait Peer: Sync + Sized {
    /// What the user holds until the return.
    type Lease<'a>: Send
    where
        Self: 'a;

    /// A peer that is ready for `objects` lent at once, filled with as many where its interface can do that.
    fn new(objects: usize) -> Self;

    /// Gets an empty buffer and writes one byte to it.
    fn lend(&self) -> Self::Lease<'_>;

    /// Returns it. On return or on the next get, one of the two, the peer empties it.
    fn give_back<'a>(&'a self, lease: Self::Lease<'a>);

    /// What the peer itself has to say against the measurement, after all threads are done.
    fn objection(&self) -> Option<String> {
        None
    }

    /// Frees what the row keeps in this thread.
    fn thread_ends() {}
}

/// Buffers created by the peers of this process.
static CREATED: AtomicU64 = AtomicU64::new(0);

/// Counts a creation. Only misses come here.
#[cold]
pub(crate) fn count_created() {
    CREATED.fetch_add(1, Relaxed);
}

/// Objects that a peer may create without failing to reuse: those that the shape needs, and as many again that idle
/// in one thread's cache while another thread needs one.
const fn objects_may_exist(needed: usize) -> u64 {
    2 * needed as u64
}

/// One measured cell.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) ns_per_pair: f64,
    /// Buffers created per get, beyond what must be created once; 0 is perfect reuse.
    pub(crate) created_per_get: f64,
}

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each of so many threads gets and returns one at a time, for itself.
    Single(usize),
    /// The same with 64 held at once.
    Burst(usize),
    /// One thread gets, another returns.
    CrossThread,
}

impl Shape {
    pub(crate) const ALL: [Self; 6] = [
        Self::Single(1),
        Self::Single(2),
        Self::Single(8),
        Self::Burst(1),
        Self::Burst(2),
        Self::CrossThread,
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Self::Single(n) => names::single(n),
            Self::Burst(n) => names::burst(n),
            Self::CrossThread => names::CROSS_THREAD.to_owned(),
        }
    }

    /// Whether a buffer returns on another thread than it was got on.
    pub(crate) fn crosses(self) -> bool {
        self == Self::CrossThread
    }

    pub(crate) fn threads(self) -> usize {
        match self {
            Self::Single(n) | Self::Burst(n) => n,
            Self::CrossThread => 2,
        }
    }

    /// Objects that a peer must be ready for: those lent at once over all threads, and never so few that a bounded
    /// peer works at its edges.
    pub(crate) fn objects(self) -> usize {
        match self {
            Self::Single(n) => BURST.max(n),
            Self::Burst(n) => n * BURST,
            Self::CrossThread => BATCHES_IN_FLIGHT * BURST,
        }
    }

    /// Pairs per thread that take about `ns`, whole bursts of them. More than two threads share two cores more
    /// often than not, so all of them together do as much as four.
    pub(crate) fn pairs_for(self, ns: f64, ns_per_pair: f64) -> u64 {
        let ns = ns * (4.0 / self.threads() as f64).min(1.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positive and far below 2^53
        let pairs = (ns / ns_per_pair.max(0.5)) as u64;
        pairs.clamp(4096, 1 << 30).next_multiple_of(BURST as u64)
    }

    /// Creates per get beyond what must be created once.
    pub(crate) fn created_per_get(self, created: u64, pairs: u64) -> f64 {
        let beyond = created.saturating_sub(objects_may_exist(self.objects()));
        // Across threads one thread gets; else all of them do.
        let getters = if self.crosses() { 1 } else { self.threads() as u64 };
        beyond as f64 / (getters * (pairs + WARM_UP_PAIRS)) as f64
    }
}

/// Builds a peer, measures one cell, and drops it.
///
/// # Errors
/// If the peer [objects](Peer::objection).
pub(crate) fn measure<P: Peer>(shape: Shape, pairs: u64) -> Result<Sample, String> {
    let peer = P::new(shape.objects());
    let created_before = CREATED.load(Relaxed);
    let ns_per_pair = match shape {
        Shape::CrossThread => across(&peer, pairs),
        Shape::Single(n) => on_own_thread(n, pairs, |pairs| single(&peer, pairs), P::thread_ends),
        Shape::Burst(n) => on_own_thread(n, pairs, |pairs| bursts(&peer, pairs), P::thread_ends),
    };
    let created = CREATED.load(Relaxed) - created_before;
    match peer.objection() {
        Some(objection) => Err(objection),
        None => Ok(Sample { ns_per_pair, created_per_get: shape.created_per_get(created, pairs) }),
    }
}

/// Each thread gets and returns for itself; all of them start together, warm. CPU time of all per pair of all.
pub(crate) fn on_own_thread(threads: usize, pairs: u64, work: impl Fn(u64) + Sync, thread_ends: fn()) -> f64 {
    let start = Barrier::new(threads);
    let thread = || {
        work(WARM_UP_PAIRS);
        start.wait();
        let before = thread_cpu_ns();
        work(pairs);
        let spent = thread_cpu_ns() - before;
        thread_ends();
        spent
    };
    let spent: u64 = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(thread)).collect();
        running.into_iter().map(|t| t.join().expect("a measuring thread panicked")).sum()
    });
    spent as f64 / (pairs * threads as u64) as f64
}

/// The plain loop over pairs.
#[inline(never)]
pub(crate) fn single<P: Peer>(peer: &P, pairs: u64) {
    for _ in 0..pairs {
        peer.give_back(peer.lend());
    }
}

#[inline(never)]
fn bursts<P: Peer>(peer: &P, pairs: u64) {
    let mut held = Vec::with_capacity(BURST);
    for _ in 0..pairs / BURST as u64 {
        lend_batch(peer, &mut held);
        give_back_batch(peer, &mut held);
    }
}

#[inline(always)]
fn lend_batch<'a, P: Peer>(peer: &'a P, held: &mut Vec<P::Lease<'a>>) {
    for _ in 0..BURST {
        held.push(peer.lend());
    }
}

#[inline(always)]
fn give_back_batch<'a, P: Peer>(peer: &'a P, held: &mut Vec<P::Lease<'a>>) {
    for lease in held.drain(..) {
        peer.give_back(lease);
    }
}

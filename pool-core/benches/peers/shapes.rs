//! The shapes: who gets, who returns, and how many objects are held at once. Knows no pool by name.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;

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
pub(crate) fn objects_may_exist(needed: usize) -> u64 {
    2 * needed as u64
}

/// One measured cell.
pub(crate) struct Sample {
    pub(crate) ns_per_pair: f64,
    /// Buffers created per get, beyond [`objects_may_exist`]; 0 is perfect reuse.
    pub(crate) created_per_get: f64,
}

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    OneThread,
    TwoThreads,
    EightThreads,
    BurstOneThread,
    BurstTwoThreads,
    CrossThread,
}

impl Shape {
    pub(crate) const ALL: [Self; 6] = [
        Self::OneThread,
        Self::TwoThreads,
        Self::EightThreads,
        Self::BurstOneThread,
        Self::BurstTwoThreads,
        Self::CrossThread,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneThread => "1 thread",
            Self::TwoThreads => "2 threads",
            Self::EightThreads => "8 threads",
            Self::BurstOneThread => "burst 64, 1 thread",
            Self::BurstTwoThreads => "burst 64, 2 threads",
            Self::CrossThread => "cross thread",
        }
    }

    /// Whether a buffer returns on another thread than it was got on.
    pub(crate) fn crosses(self) -> bool {
        self == Self::CrossThread
    }

    fn threads(self) -> usize {
        match self {
            Self::OneThread | Self::BurstOneThread => 1,
            Self::TwoThreads | Self::BurstTwoThreads | Self::CrossThread => 2,
            Self::EightThreads => 8,
        }
    }

    /// Objects that a peer must be ready for: those lent at once over all threads, and never so few that a bounded
    /// peer works at its edges.
    fn objects(self) -> usize {
        match self {
            Self::OneThread | Self::TwoThreads | Self::EightThreads => BURST,
            Self::BurstOneThread | Self::BurstTwoThreads => self.threads() * BURST,
            Self::CrossThread => BATCHES_IN_FLIGHT * BURST,
        }
    }

    /// Pairs per thread that take about `ns`, whole bursts of them. Eight threads share two cores more often than
    /// not, so they do half.
    pub(crate) fn pairs_for(self, ns: f64, ns_per_pair: f64) -> u64 {
        let ns = if self == Self::EightThreads { ns / 2.0 } else { ns };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positive and far below 2^53
        let pairs = (ns / ns_per_pair.max(0.5)) as u64;
        pairs.clamp(4096, 1 << 30).next_multiple_of(BURST as u64)
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
        Shape::OneThread | Shape::TwoThreads | Shape::EightThreads => {
            on_own_thread(shape.threads(), pairs, |pairs| single(&peer, pairs), P::thread_ends)
        }
        Shape::BurstOneThread | Shape::BurstTwoThreads => {
            on_own_thread(shape.threads(), pairs, |pairs| bursts(&peer, pairs), P::thread_ends)
        }
        Shape::CrossThread => across(&peer, pairs),
    };
    let created = (CREATED.load(Relaxed) - created_before).saturating_sub(objects_may_exist(shape.objects()));
    // Across threads one thread gets; else all of them do.
    let getters = if shape.crosses() { 1 } else { shape.threads() as u64 };
    let created_per_get = created as f64 / (getters * (pairs + WARM_UP_PAIRS)) as f64;
    match peer.objection() {
        Some(objection) => Err(objection),
        None => Ok(Sample { ns_per_pair, created_per_get }),
    }
}

/// Each thread gets and returns for itself; all of them start together, warm.
fn on_own_thread(threads: usize, pairs: u64, work: impl Fn(u64) + Sync, thread_ends: fn()) -> f64 {
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

#[inline(never)]
fn single<P: Peer>(peer: &P, pairs: u64) {
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

/// One thread gets, another returns. A channel passes batches; waiting for it, waking and sending lie outside of
/// the timed sections, which are filling a batch on one side and emptying it on the other. What filling and
/// emptying cost by themselves (the stores, the cache lines that change cores, the clock reads) is measured with
/// bare pointers and subtracted by the caller.
pub(crate) fn across<P: Peer>(peer: &P, pairs: u64) -> f64 {
    let burst = BURST as u64;
    let (warm_up, batches) = (WARM_UP_PAIRS / burst, (WARM_UP_PAIRS + pairs) / burst);
    let (full_in, full_out) = mpsc::channel();
    let (empty_in, empty_out) = mpsc::channel();
    for _ in 0..BATCHES_IN_FLIGHT {
        empty_in.send(Vec::with_capacity(BURST)).expect("the receiver is in scope");
    }
    let spent = thread::scope(|scope| {
        let getter = scope.spawn(move || {
            let mut spent = 0;
            for i in 0..batches {
                let Ok(mut batch) = empty_out.recv() else { panic!("the returning thread ended early") };
                let before = thread_cpu_ns();
                lend_batch(peer, &mut batch);
                spent += if i < warm_up { 0 } else { thread_cpu_ns() - before };
                assert!(full_in.send(batch).is_ok(), "the returning thread ended early");
            }
            P::thread_ends();
            spent
        });
        let returner = scope.spawn(move || {
            let mut spent = 0;
            for (i, mut batch) in full_out.into_iter().enumerate() {
                let before = thread_cpu_ns();
                give_back_batch(peer, &mut batch);
                spent += if (i as u64) < warm_up { 0 } else { thread_cpu_ns() - before };
                // The getter needs no more batches at the end, and is gone.
                let _ = empty_in.send(batch);
            }
            P::thread_ends();
            spent
        });
        getter.join().expect("the getting thread panicked")
            + returner.join().expect("the returning thread panicked")
    });
    spent as f64 / pairs as f64
}

/// The CPU time that this thread has used, nanoseconds.
fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes for the length of the call, which keeps no pointer to it.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(status, 0, "this system has no clock of a thread's CPU time");
    let unsigned = |n: i64| u64::try_from(n).expect("CPU time is positive");
    unsigned(time.tv_sec) * 1_000_000_000 + unsigned(time.tv_nsec)
}

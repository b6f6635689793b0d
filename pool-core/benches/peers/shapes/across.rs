//! One thread gets, another returns.
//!
//! Channels pass batches of 64, so that what they cost stays small beside what is measured. Sending, receiving and
//! waiting lie outside of the timed sections, which are filling a batch on one side and emptying it on the other.
//! What the hand-over costs inside them (the stores, the cache lines that change cores, the clock reads) is measured
//! with bare pointers in the same round and taken off by the caller.
//!
//! A thread that waits asks again and yields between two tries instead of sleeping. With sleeps it is the scheduler's
//! mood whether the two threads ever run at the same time, and a pool that is contended costs several times as
//! much when they do: the figures of two rounds then differ by a factor of five.

use super::{BATCHES_IN_FLIGHT, BURST, Peer, WARM_UP_PAIRS, give_back_batch, lend_batch};
use crate::clock::thread_cpu_ns;
use std::hint::spin_loop;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

/// CPU time of both threads per pair, nanoseconds, with the hand-over's own.
pub(crate) fn across<P: Peer>(peer: &P, pairs: u64) -> f64 {
    let burst = BURST as u64;
    let (warm_up, batches) = (WARM_UP_PAIRS / burst, (WARM_UP_PAIRS + pairs) / burst);
    let (full_in, full_out) = mpsc::channel::<Vec<P::Lease<'_>>>();
    let (empty_in, empty_out) = mpsc::channel();
    for _ in 0..BATCHES_IN_FLIGHT {
        empty_in.send(Vec::with_capacity(BURST)).expect("the receiver is in scope");
    }
    let spent = thread::scope(|scope| {
        let getter = scope.spawn(move || {
            let mut spent = 0;
            for i in 0..batches {
                let mut batch = awaited(&empty_out);
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
            for i in 0..batches {
                let mut batch = awaited(&full_out);
                let before = thread_cpu_ns();
                give_back_batch(peer, &mut batch);
                spent += if i < warm_up { 0 } else { thread_cpu_ns() - before };
                // The getter needs no more batches at the end, and is gone.
                let _ = empty_in.send(batch);
            }
            P::thread_ends();
            spent
        });
        getter.join().expect("the getting thread panicked")
            + returner.join().expect("the returning thread panicked")
    });
    spent as f64 / (batches - warm_up).saturating_mul(burst) as f64
}

/// The next batch, without sleeping until it is there.
fn awaited<T>(batches: &Receiver<T>) -> T {
    loop {
        match batches.try_recv() {
            Ok(batch) => return batch,
            Err(TryRecvError::Disconnected) => panic!("the other thread ended early"),
            Err(TryRecvError::Empty) => {
                (0..SPINS).for_each(|_| spin_loop());
                thread::yield_now(); // where there are fewer cores than threads, the other one must run
            }
        }
    }
}

const SPINS: u32 = 20;

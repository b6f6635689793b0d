//! Values that lie about their weight, panic, or are wanted on one thread and returned on another.

use pool_core::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

#[test]
fn level_all_records_every_lease_also_the_first() {
    let pool = Pool::builder("all").lease_level(LeaseLevel::All).build_with(String::new).unwrap();
    let _leaked = pool.get();
    assert_eq!(pool.managed().suspects(Duration::ZERO).len(), 1);
}

#[test]
fn a_panicking_create_gives_the_grant_back() {
    let registry = Registry::new();
    let fail = Arc::new(AtomicBool::new(false));
    let f = Arc::clone(&fail);
    let pool = Pool::builder("p")
        .registry(&registry)
        .build_with(move || {
            assert!(!f.load(SeqCst));
            Vec::<u8>::with_capacity(1 << 20)
        })
        .unwrap();
    drop(pool.get());
    registry.pass(Job::Reclaim { extra_bytes: u64::MAX });
    registry.drop_condemned(Duration::MAX, || false);
    registry.grant().set(Some(10 << 20));
    fail.store(true, SeqCst);
    for _ in 0..5 {
        assert!(catch_unwind(AssertUnwindSafe(|| pool.get())).is_err());
    }
    assert_eq!(registry.grant().left(), Some(10 << 20));
}

struct Heavy(bool);
impl Recycle for Heavy {
    fn recycle(&mut self, _: &Retention) -> Keep {
        Keep::Refused
    }
    fn weight(&self) -> usize {
        1000
    }
}
impl Drop for Heavy {
    fn drop(&mut self) {
        assert!(!self.0 || thread::panicking(), "as told");
    }
}
#[test]
fn a_panicking_drop_gives_the_grant_back() {
    let registry = Registry::new();
    let pool = Pool::builder("p").registry(&registry).build_with(|| Heavy(true)).unwrap();
    registry.grant().set(Some(1 << 20));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(pool.get()))).is_err());
    assert_eq!(registry.grant().left(), Some(1 << 20));
}

struct Liar(usize);
impl Recycle for Liar {
    fn recycle(&mut self, _: &Retention) -> Keep {
        Keep::Yes
    }
    fn weight(&self) -> usize {
        self.0
    }
}
#[test]
fn a_weight_of_u64_max_does_not_panic_nor_pass_the_capacity() {
    let next = Arc::new(AtomicUsize::new(10));
    let n = Arc::clone(&next);
    let registry = Registry::new();
    let pool = Pool::builder("liar").registry(&registry).build_with(move || Liar(n.load(SeqCst))).unwrap();
    drop((0..3).map(|_| pool.get()).collect::<Vec<_>>());
    let held: Vec<_> = (0..2).map(|_| pool.get()).collect();
    next.store(usize::MAX, SeqCst);
    let big: Vec<_> = (0..2).map(|_| pool.get()).collect();
    let r = catch_unwind(AssertUnwindSafe(|| drop(big)));
    assert!(r.is_ok(), "panic in a return");
    drop(held);
    let stats = registry.pass(Job::Snapshot).remove(0).1.snapshot.unwrap();
    assert!(
        stats.idle_objects <= 3,
        "idle {} objects that weigh 2^64-1 under a capacity of {} B: {stats:?}",
        stats.idle_objects,
        stats.capacity_bytes
    );
}

#[test]
fn stats_with_huge_weights() {
    let pool = Pool::new("liar", || Liar(usize::MAX / 2));
    let _a: Vec<_> = (0..3).map(|_| pool.get()).collect();
    let r = thread::scope(|s| {
        s.spawn(|| {
            let _x = pool.get();
        })
        .join()
        .is_ok()
    });
    let _ = pool.stats();
    assert!(r);
}

#[test]
fn a_thread_that_only_gets_does_not_hold_what_threads_that_return_could_use() {
    let pool = Pool::builder("p")
        .capacity(Capacity::new(64, 1 << 30).unwrap())
        .build_with(|| Vec::<u8>::with_capacity(100))
        .unwrap();
    drop((0..64).map(|_| pool.get()).collect::<Vec<_>>()); // this thread's magazine holds all credit
    let (tx, rx) = mpsc::sync_channel::<Pooled<Vec<u8>>>(8);
    let t = thread::spawn(move || rx.into_iter().for_each(drop));
    for _ in 0..10_000 {
        tx.send(pool.get()).unwrap();
    }
    drop(tx);
    t.join().unwrap();
    let s = pool.stats();
    assert!(s.created < 2_000, "created {} of 10,064 gets; dropped as full {}", s.created, s.dropped[0]);
}

#[test]
fn the_same_with_default_capacity_and_1_mib_buffers() {
    let pool = Pool::new("p", || Vec::<u8>::with_capacity(1 << 20));
    drop(
        (0..64)
            .map(|_| {
                let mut b = pool.get();
                b.resize(1 << 20, 1);
                b
            })
            .collect::<Vec<_>>(),
    );
    let (tx, rx) = mpsc::sync_channel::<Pooled<Vec<u8>>>(8);
    let t = thread::spawn(move || rx.into_iter().for_each(drop));
    for _ in 0..1_000 {
        let mut b = pool.get();
        b.resize(1 << 20, 1);
        tx.send(b).unwrap();
    }
    drop(tx);
    t.join().unwrap();
    let s = pool.stats();
    assert!(s.created < 300, "created {} of 1,064 gets; dropped as full {}", s.created, s.dropped[0]);
}

#[test]
fn retention_does_not_discard_what_create_makes_again() {
    // Nothing is timed: a trial would serve some gets fresh although there are idle objects.
    let untimed = Setting::Sampling(Sampling::DEFAULT.with_timing_one_in(0).unwrap());
    let pool = Pool::builder("p").knob(untimed).build_with(|| Vec::<u8>::with_capacity(65536)).unwrap();
    for _ in 0..1000 {
        pool.get().extend_from_slice(&[1; 1000]);
    }
    let s = pool.stats();
    assert!(s.created < 10, "created {}", s.created);
}

//! Models of the shipping code, with a magazine of two, one stripe and the fallback fences.
//!
//! `cargo xtask loom` runs them. Each lends values that hold a loom cell: a value in two hands, or one that is
//! dropped while it is used, is a data race that loom reports; a node or inside that is not freed is a leak
//! that the count at the end of each model reports. Load buffering and the membarrier path are beyond loom:
//! `tests/litmus.rs` and the sanitizers see to those.

mod closing;
mod freeing;
mod outside;
mod table;

use crate::managed::{Job, Managed};
use crate::{Capacity, Change, Keep, Pool, Recycle, Retention};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::thread;

/// A value whose use loom watches.
struct Watched {
    cell: loom::cell::UnsafeCell<u32>,
    alive: Arc<AtomicUsize>,
}

// SAFETY: the pool lends it to one thread at a time; loom checks just that.
unsafe impl Send for Watched {}

impl Watched {
    fn touch(&self) {
        // SAFETY: exclusive by the pool's promise, which loom checks.
        self.cell.with_mut(|v| unsafe { *v += 1 });
    }
}

impl Recycle for Watched {
    fn recycle(&mut self, _: &Retention) -> Keep {
        self.touch();
        Keep::Yes
    }
    fn weight(&self) -> usize {
        10
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.touch();
        self.alive.fetch_sub(1, SeqCst);
    }
}

struct Model {
    pool: Option<Pool<Watched>>,
    alive: Arc<AtomicUsize>,
}

impl Model {
    fn new() -> Self {
        let alive = Arc::new(AtomicUsize::new(0));
        let in_create = Arc::clone(&alive);
        let pool = Pool::builder("model")
            .lease_level(crate::LeaseLevel::Off)
            .build_with(move || {
                in_create.fetch_add(1, SeqCst);
                Watched { cell: loom::cell::UnsafeCell::new(0), alive: Arc::clone(&in_create) }
            })
            .unwrap();
        Self { pool: Some(pool), alive }
    }

    fn pool(&self) -> Pool<Watched> {
        self.pool.clone().unwrap()
    }

    /// Closes the pool, sweeps what a close had to leave, and checks that nothing lives on.
    fn end(mut self) {
        self.pool.take();
        crate::close::sweep_unfinished();
        assert_eq!(self.alive.load(SeqCst), 0, "values outlive their pool");
    }
}

fn reclaim(managed: &dyn Managed) -> u64 {
    managed.mark();
    let fenced = crate::fence::heavy();
    let collected = managed.collect(&fenced, Job::Reclaim { extra_bytes: u64::MAX });
    managed.drop_condemned(std::time::Duration::MAX);
    collected.taken.objects
}

/// Balances, if the snapshot is consistent.
fn check(managed: &dyn Managed) {
    managed.mark();
    let fenced = crate::fence::heavy();
    let stats = managed.collect(&fenced, Job::Snapshot).snapshot.unwrap();
    if stats.consistent {
        assert_eq!((stats.imbalance, stats.duplicates), (0, 0));
        assert!(stats.idle_objects <= stats.capacity_objects && stats.idle_bytes <= stats.capacity_bytes);
    }
}

/// Runs the model in a thread of its own: loom drops the main thread's locals after its statics, and our thread
/// ids live in both.
fn model(f: fn()) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 10_000; // a sum over counters reads many
    builder.check(move || thread::spawn(f).join().unwrap());
}

#[test]
fn loom_get_and_return_against_drain() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        let owner = thread::spawn(move || {
            pool.get().touch();
            pool.get().touch();
        });
        let keeper = m.pool().keeper();
        reclaim(&keeper);
        owner.join().unwrap();
        drop(keeper);
        m.end();
    });
}

#[test]
fn loom_two_drains_against_one_owner() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        drop(pool.get());
        let keeper = m.pool().keeper();
        let drainer = thread::spawn(move || reclaim(&keeper));
        let keeper = m.pool().keeper();
        reclaim(&keeper);
        pool.get().touch();
        drainer.join().unwrap();
        drop((keeper, pool));
        m.end();
    });
}

#[test]
fn loom_snapshot_against_get_and_return() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        let owner = thread::spawn(move || pool.get().touch());
        let keeper = m.pool().keeper();
        check(&keeper);
        owner.join().unwrap();
        check(&keeper);
        drop(keeper);
        m.end();
    });
}

#[test]
fn loom_overflow_and_refill_across_threads() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        let guards: Vec<_> = (0..3).map(|_| pool.get()).collect();
        let other = m.pool();
        let refiller = thread::spawn(move || {
            other.get().touch();
        });
        drop(guards); // the third overflows the magazine of two into the depot
        refiller.join().unwrap();
        drop(pool);
        m.end();
    });
}

#[test]
fn loom_thread_exit_hands_the_slot_on() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        thread::spawn(move || pool.get().touch()).join().unwrap();
        let pool = m.pool();
        // The id is free again: the next thread finds the dead one's object in its slot.
        let second = thread::spawn(move || pool.get().touch());
        let keeper = m.pool().keeper();
        reclaim(&keeper);
        second.join().unwrap();
        drop(keeper);
        m.end();
    });
}

#[test]
fn loom_close_against_a_late_return() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        let guard = pool.get();
        let late = thread::spawn(move || drop(guard));
        drop(pool);
        let Model { pool, alive } = m;
        drop(pool); // the last handle
        late.join().unwrap();
        crate::close::sweep_unfinished();
        assert_eq!(alive.load(SeqCst), 0);
    });
}

#[test]
fn loom_close_against_a_return_into_the_owners_slot() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        let late = thread::spawn(move || {
            let (a, b) = (pool.get(), pool.get());
            drop(a); // into this thread's slot
            drop(pool);
            drop(b); // fast path or slow, while the other thread closes
        });
        let Model { pool, alive } = m;
        drop(pool);
        late.join().unwrap();
        crate::close::sweep_unfinished();
        assert_eq!(alive.load(SeqCst), 0);
    });
}

#[test]
fn loom_a_cut_of_capacity_against_returns() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        let owner = thread::spawn(move || {
            let (a, b) = (pool.get(), pool.get());
            drop(a);
            drop(b);
        });
        let keeper = m.pool().keeper();
        keeper.set_capacity(Capacity::new(1, 10).unwrap(), Change::operator("model"));
        reclaim_surplus(&keeper);
        owner.join().unwrap();
        reclaim_surplus(&keeper);
        let stats = keeper.stats();
        assert!(stats.idle_objects <= 1 && stats.idle_bytes <= 10, "{stats:?}");
        drop(keeper);
        m.end();
    });
}

#[test]
fn loom_a_change_of_lease_level_is_not_lost() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        drop(pool.get());
        let keeper = m.pool().keeper();
        // Not what it was: the next get draws anew, and meets the change that follows.
        let rare = crate::LeaseLevel::Sampled(std::num::NonZeroU32::new(1 << 20).unwrap());
        keeper.set_lease_level(rare, Change::policy("test"));
        let setter =
            thread::spawn(move || keeper.set_lease_level(crate::LeaseLevel::All, Change::policy("test")));
        drop(pool.get());
        setter.join().unwrap();
        let held = pool.get();
        let keeper = m.pool().keeper();
        assert_eq!(keeper.suspects(std::time::Duration::ZERO).len(), 1, "every lease is to be recorded");
        drop((held, keeper, pool));
        m.end();
    });
}

/// Something that a pool's closures capture: read by many, written by the one who frees it.
struct Captured(loom::cell::UnsafeCell<u32>);
// SAFETY: as above; loom checks it.
unsafe impl Send for Captured {}
// SAFETY: as above.
unsafe impl Sync for Captured {}

impl Captured {
    fn new() -> Self {
        Self(loom::cell::UnsafeCell::new(7))
    }
    fn read(&self) -> u32 {
        // SAFETY: shared reads.
        self.0.with(|v| unsafe { *v })
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        // SAFETY: the last owner.
        self.0.with_mut(|v| unsafe { *v = 0 });
    }
}

/// What `create` captures is freed with the inside: whoever frees it must have seen all uses of it.
#[test]
fn loom_the_inside_is_freed_after_every_use_of_it() {
    model(|| {
        let captured = Captured::new();
        let pool = Pool::builder("inside")
            .lease_level(crate::LeaseLevel::Off)
            .build_with(move || captured.read())
            .unwrap();
        let other = pool.clone();
        let user = thread::spawn(move || {
            let guard = other.get();
            drop(other);
            drop(guard);
        });
        drop(pool.get());
        drop(pool);
        user.join().unwrap();
        crate::close::sweep_unfinished();
    });
}

/// The same for the recycler, which a guard uses when all handles are gone: only counts order that.
#[test]
fn loom_the_inside_is_freed_after_the_last_recycle() {
    model(|| {
        let captured = Captured::new();
        let pool = Pool::builder("inside")
            .lease_level(crate::LeaseLevel::Off)
            .recycle_with(
                move |v: &mut u32, _| if captured.read() > *v { Keep::Yes } else { Keep::Refused },
                |_| 10,
            )
            .build_with(|| 0)
            .unwrap();
        let other = pool.clone();
        let user = thread::spawn(move || {
            let guard = other.get(); // makes the slot: what comes later takes no lock of the table
            drop(other);
            drop(guard);
        });
        drop(pool);
        user.join().unwrap();
        crate::close::sweep_unfinished();
    });
}

/// A return that leaves its object in the slot touches nothing of the pool any more: it may be gone.
#[test]
fn loom_nothing_is_used_after_the_slot_was_left() {
    model(|| {
        let captured = Captured::new();
        let pool = Pool::builder("inside")
            .lease_level(crate::LeaseLevel::Off)
            .recycle_with(|_: &mut u32, _| Keep::Yes, move |_| captured.read() as usize)
            .build_with(|| 0)
            .unwrap();
        let other = pool.clone();
        let user = thread::spawn(move || {
            let (a, b) = (other.get(), other.get());
            drop(a);
            drop(other);
            drop(b);
        });
        drop(pool);
        user.join().unwrap();
        crate::close::sweep_unfinished();
    });
}

fn reclaim_surplus(managed: &dyn Managed) {
    managed.mark();
    let fenced = crate::fence::heavy();
    managed.collect(&fenced, Job::Reclaim { extra_bytes: 0 });
    managed.drop_condemned(std::time::Duration::MAX);
}

#[test]
fn loom_a_recorded_lease_ends_while_a_report_runs() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        let keeper = m.pool().keeper();
        keeper.set_lease_level(crate::LeaseLevel::All, Change::policy("test"));
        let owner = thread::spawn(move || {
            drop(pool.get());
            pool.get().touch();
        });
        let suspects = keeper.suspects(std::time::Duration::ZERO);
        assert!(suspects.iter().map(|s| s.count).sum::<u64>() <= 1, "one thread, one lease at a time");
        owner.join().unwrap();
        assert_eq!(keeper.suspects(std::time::Duration::ZERO), []);
        drop(keeper);
        m.end();
    });
}

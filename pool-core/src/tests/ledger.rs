//! The accounts, looked at from inside: credit, attention, what a refused or late visit says of itself.

use super::{PATIENCE, balanced, buffers, take_an_id};
use crate::managed::Managed;
use crate::sync::test_hook;
use crate::{Capacity, Change, Job, Keep, LeaseLevel, Pool, Recycle, Registry, Retention};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Free credit, that of slots and that of what is in the depot: objects and bytes.
fn credit(pool: &Pool<Vec<u8>>) -> (i64, i64) {
    let keeper = pool.keeper();
    let shared = keeper.shared();
    let (mut objects, mut bytes) = shared.account.credit.free();
    shared.table.with_slots(|slots| {
        for slot in slots {
            let (o, b) = slot.credit();
            assert!(slot.len() <= o as usize && slot.bytes() <= b, "a slot above its credit");
            objects += i64::from(o);
            bytes += i64::try_from(b).unwrap();
        }
    });
    let (o, b) = shared.depot.level();
    (objects + i64::try_from(o).unwrap(), bytes + i64::try_from(b).unwrap())
}

fn step(x: &mut u64) -> u64 {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    *x >> 9
}

#[test]
fn credit_is_conserved_to_the_byte_whatever_went_on() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    let managed = pool.managed();
    let over = AtomicBool::new(false);
    let (send, receive) = mpsc::sync_channel(64);
    let receive = Arc::new(std::sync::Mutex::new(receive));
    thread::scope(|scope| {
        let workers: Vec<_> = (1..=6_u64)
            .map(|i| {
                let (pool, send, receive) = (&pool, send.clone(), Arc::clone(&receive));
                scope.spawn(move || {
                    let (mut x, mut held) = (i * 77, Vec::new());
                    for _ in 0..30_000 {
                        match step(&mut x) % 9 {
                            0..=3 if held.len() < 150 => held.push(pool.get()),
                            4 => held.clear(),
                            5 => {
                                let mut guard = pool.get();
                                guard.resize(usize::try_from(step(&mut x) % 9000).unwrap(), 1);
                                let _ = send.try_send(guard);
                            }
                            6 => drop(receive.try_lock().map(|r| r.try_recv())),
                            _ => drop(held.pop()),
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut x = 5;
            while !over.load(Relaxed) {
                let objects = u32::try_from(step(&mut x) % 300).unwrap();
                let capacity = Capacity::new(objects, step(&mut x) % (1 << 20)).unwrap();
                managed.set_capacity(capacity, Change::policy("test"));
                match step(&mut x) % 4 {
                    0 => drop(registry.pass(Job::Reclaim { extra_bytes: step(&mut x) % 100_000 })),
                    1 => drop(managed.trim_depot(step(&mut x) % 10_000, crate::DropReason::Pressure)),
                    2 => drop(managed.reclaim(step(&mut x) % 50_000)),
                    _ => drop(registry.drop_condemned(Duration::from_micros(50), || false)),
                }
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        over.store(true, Relaxed);
    });
    while let Ok(guard) = receive.lock().unwrap().try_recv() {
        drop(guard);
    }
    let capacity = managed.capacity().value;
    let all = (i64::from(capacity.objects_max()), i64::try_from(capacity.bytes_max()).unwrap());
    assert_eq!(credit(&pool), all);
    managed.set_capacity(Capacity::new(500, 5 << 20).unwrap(), Change::policy("test"));
    registry.pass(Job::Reclaim { extra_bytes: 0 });
    registry.drop_condemned(Duration::MAX, || false);
    let stats = balanced(&registry);
    let free = pool.keeper().shared().account.credit.free();
    let idle = (i64::try_from(stats.idle_objects).unwrap(), i64::try_from(stats.idle_bytes).unwrap());
    assert_eq!((free.0 + idle.0, free.1 + idle.1), (500, 5 << 20));
    assert_eq!((stats.lent_objects, stats.lent_bytes, stats.condemned_bytes), (0, 0, 0));
}

struct Counted(Arc<AtomicU64>);
impl Recycle for Counted {
    fn recycle(&mut self, _: &Retention) -> Keep {
        Keep::Yes
    }
}
impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[test]
fn a_later_close_sweeps_what_an_earlier_one_had_to_leave() {
    let alive = Arc::new(AtomicU64::new(0));
    let in_create = Arc::clone(&alive);
    let pool = Pool::new("left", move || {
        in_create.fetch_add(1, SeqCst);
        Counted(Arc::clone(&in_create))
    });
    let (inside, is_inside) = mpsc::channel();
    let (let_go, go) = mpsc::channel::<()>();
    let (returned, is_returned) = mpsc::channel();
    let (stay, stayed) = mpsc::channel::<()>();
    let handle = pool.clone();
    let owner = thread::spawn(move || {
        take_an_id();
        drop((handle.get(), handle.get(), handle.get()));
        let guard = handle.get();
        drop(handle);
        test_hook::set(move || {
            inside.send(()).unwrap();
            go.recv().unwrap();
        });
        drop(guard);
        returned.send(()).unwrap();
        stayed.recv().unwrap(); // not its exit sweeps, but the close below
    });
    is_inside.recv().unwrap();
    drop(pool); // the last handle, while the owner is inside
    assert!(alive.load(SeqCst) > 0);
    let_go.send(()).unwrap();
    is_returned.recv().unwrap();
    // Other tests' closes may be sweeping at this moment; then that one or the next one does it.
    let until = Instant::now() + PATIENCE;
    while alive.load(SeqCst) > 0 {
        assert!(Instant::now() < until, "{} alive", alive.load(SeqCst));
        drop(Pool::new("later", Vec::<u8>::new));
        thread::yield_now();
    }
    stay.send(()).unwrap();
    owner.join().unwrap();
}

#[test]
fn a_thread_that_only_returns_takes_the_fast_path() {
    let pool = Pool::new("returns", || Vec::<u8>::with_capacity(16));
    let guards: Vec<_> = (0..40).map(|_| pool.get()).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            take_an_id();
            let begun = pool.keeper().shared().outside.begun.load(SeqCst);
            let mut guards = guards.into_iter();
            drop(guards.next()); // makes the slot
            drop(guards.next()); // takes credit ahead
            let keeper = pool.keeper();
            let slot = keeper.shared().table.find(crate::thread_id::current()).unwrap();
            assert!(slot.fits(100));
            let node_kept = slot.len();
            test_hook::set(|| {}); // run at the next fast path
            drop(guards.next());
            assert_eq!(slot.len(), node_kept + 1);
            assert!(!test_hook::is_set(), "the fast path was taken");
            assert_eq!(pool.keeper().shared().outside.begun.load(SeqCst), begun);
        });
    });
}

#[test]
fn a_refused_collect_does_not_look_like_a_finished_one() {
    let pool = Pool::new("refused", Vec::<u8>::new);
    drop(pool.get());
    let keeper = pool.keeper();
    keeper.mark();
    let fenced = crate::fence::heavy();
    keeper.mark(); // another pass comes between
    let collected = keeper.collect(&fenced, Job::Snapshot);
    assert_eq!(collected.busy_slots, 1);
    assert!(!collected.snapshot.unwrap().consistent);
    let collected = keeper.collect(&crate::fence::heavy(), Job::Snapshot);
    assert!(collected.snapshot.unwrap().consistent);
}

#[test]
fn a_snapshot_that_misses_something_says_so() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    drop(pool.get());
    let keeper = pool.keeper();
    keeper.mark();
    thread::scope(|scope| {
        scope.spawn(|| drop(pool.get())); // a slot that was not there at the mark
    });
    let collected = keeper.collect(&crate::fence::heavy(), Job::Snapshot);
    assert!(!collected.snapshot.unwrap().consistent, "a slot was made meanwhile");
    keeper.shared().outside.begun.fetch_add(1, SeqCst); // an operation outside that has not ended
    keeper.mark();
    let collected = keeper.collect(&crate::fence::heavy(), Job::Snapshot);
    assert!(!collected.snapshot.unwrap().consistent, "an operation is under way");
    keeper.shared().outside.ended.fetch_add(1, SeqCst);
    balanced(&registry);
}

#[test]
fn a_busy_depot_costs_no_credit() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    let managed = pool.managed();
    managed.set_lease_level(LeaseLevel::Off, Change::operator("test"));
    let guards: Vec<_> = (0..200).map(|_| pool.get()).collect();
    let keeper = pool.keeper();
    keeper.shared().depot.while_locked(|_| drop(guards)); // a full magazine cannot overflow
    let stats = pool.stats();
    assert!(stats.dropped[crate::DropReason::Contended as usize] > 0, "{stats:?}");
    balanced(&registry);
    assert_eq!(credit(&pool), (1024, 64 << 20));
}

#[test]
fn a_busy_depot_costs_no_credit_outside_a_slot_either() {
    let registry = Registry::new();
    let pool = buffers(&registry);
    let guards: Vec<_> = (0..10).map(|_| pool.get()).collect();
    let own = crate::thread_id::act_as(crate::thread_id::EXITED);
    pool.keeper().shared().depot.while_locked(|_| drop(guards));
    crate::thread_id::act_as(own);
    let stats = balanced(&registry);
    assert_eq!((stats.dropped[crate::DropReason::Contended as usize], stats.idle_objects), (10, 0));
    assert_eq!(credit(&pool), (1024, 64 << 20));
}

//! Who outlives whom: handles, guards, threads, panics.

use super::{balanced, buffers};
use crate::alive;
use crate::sync::test_hook;
use crate::thread_id;
use crate::{DropReason, Job, Keep, Pool, Pooled, Recycle, Registry, Retention};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// Counts its live instances.
struct Counted(Arc<AtomicUsize>);
impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Relaxed);
        Self(Arc::clone(alive))
    }
}
impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
impl Recycle for Counted {
    fn recycle(&mut self, _: &Retention) -> Keep {
        Keep::Yes
    }
}

fn counted() -> (Arc<AtomicUsize>, Pool<Counted>) {
    let alive = Arc::new(AtomicUsize::new(0));
    let in_create = Arc::clone(&alive);
    (alive, Pool::new("counted", move || Counted::new(&in_create)))
}

#[test]
fn a_dropped_pool_is_freed_with_all_it_held() {
    let before = alive::count();
    let (alive, pool) = counted();
    drop((0..200).map(|_| pool.get()).collect::<Vec<_>>());
    assert_eq!(alive.load(Relaxed), 200);
    let handle = pool.clone();
    drop(pool);
    assert_eq!(alive.load(Relaxed), 200, "a handle is left");
    drop(handle);
    assert_eq!((alive.load(Relaxed), alive::count()), (0, before));
}

/// Outside every slot nothing tells a close that a return is under way: only the return's own count does.
#[test]
fn a_slow_return_keeps_the_pool_until_it_has_ended() {
    let before = alive::count();
    let (alive, pool) = counted();
    let guard = pool.get();
    let own = thread_id::act_as(thread_id::EXITED);
    let seen = Rc::new(Cell::new(0));
    let in_hook = Rc::clone(&seen);
    // The object is in the depot; the last handle goes, and takes it from there.
    test_hook::set_anywhere(move || {
        drop(pool);
        in_hook.set(alive::count());
    });
    drop(guard);
    thread_id::act_as(own);
    assert_eq!((seen.get(), alive::count()), (before + 1, before));
    assert_eq!(alive.load(Relaxed), 0);
}

#[test]
fn a_guard_outlives_its_pool() {
    let before = alive::count();
    let (alive, pool) = counted();
    let (a, b) = (pool.get(), pool.get());
    drop(a);
    drop(pool);
    assert_eq!(alive.load(Relaxed), 1);
    drop(b);
    assert_eq!((alive.load(Relaxed), alive::count()), (0, before));
}

#[test]
fn a_registry_keeps_no_pool_and_frees_its_names() {
    let before = alive::count();
    let registry = Registry::new();
    let pool = buffers(&registry);
    drop(pool.get());
    assert!(Pool::builder("buffers").registry(&registry).build_with(Vec::<u8>::new).is_err());
    drop(pool);
    assert_eq!((registry.pools().len(), alive::count()), (0, before));
    drop(buffers(&registry));
}

#[test]
fn a_registry_dropped_before_its_pool_leaves_it_whole() {
    let before = alive::count();
    let registry = Registry::new();
    let pool = buffers(&registry);
    drop(registry);
    drop(pool.get());
    assert_eq!(pool.stats().idle_objects, 1);
    drop(pool);
    assert_eq!(alive::count(), before);
}

thread_local!(static AT_EXIT: RefCell<Option<Pooled<Counted>>> = const { RefCell::new(None) });

#[test]
fn a_guard_dropped_in_a_thread_local_destructor_after_the_ids_release_comes_back() {
    let (alive, pool) = counted();
    let in_thread = pool.clone();
    thread::spawn(move || {
        // Destructors run in the reverse order of registration on this platform or in order on another: a guard
        // is put in place both before and after the pool registers its own.
        AT_EXIT.with(|slot| *slot.borrow_mut() = None);
        let guard = in_thread.get();
        AT_EXIT.with(|slot| *slot.borrow_mut() = Some(guard));
    })
    .join()
    .unwrap();
    let stats = pool.stats();
    assert_eq!((stats.lent_objects, stats.idle_objects), (0, 1), "{stats:?}");
    drop(pool);
    assert_eq!(alive.load(Relaxed), 0);
}

/// `recycle` and `drop` do as told.
struct Moody {
    panic_in_recycle: bool,
    panic_in_drop: bool,
}
impl Recycle for Moody {
    fn recycle(&mut self, _: &Retention) -> Keep {
        assert!(!self.panic_in_recycle, "recycle panics as told");
        Keep::Yes
    }
}
impl Drop for Moody {
    fn drop(&mut self) {
        assert!(!self.panic_in_drop || thread::panicking(), "drop panics as told");
    }
}

fn moody(registry: &Registry) -> Pool<Moody> {
    Pool::builder("moody")
        .registry(registry)
        .build_with(|| Moody { panic_in_recycle: false, panic_in_drop: false })
        .unwrap()
}

#[test]
fn what_comes_back_in_a_panic_is_dropped_as_tainted() {
    let registry = Registry::new();
    let pool = moody(&registry);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _guard = pool.get();
        panic!("the user panics");
    }));
    assert!(result.is_err());
    let stats = balanced(&registry);
    assert_eq!((stats.idle_objects, stats.returns_dropped[DropReason::Tainted as usize]), (0, 1));
}

#[test]
fn a_panic_in_recycle_taints_and_leaves_the_ledger_balanced() {
    let registry = Registry::new();
    let pool = moody(&registry);
    let result = catch_unwind(AssertUnwindSafe(|| pool.get().panic_in_recycle = true));
    assert!(result.is_err());
    assert_eq!(balanced(&registry).returns_dropped[DropReason::Tainted as usize], 1);
    drop(pool.get());
    assert_eq!(balanced(&registry).idle_objects, 1);
}

#[test]
fn a_panic_in_drop_ends_no_pass_and_leaks_no_pool() {
    let before = alive::count();
    let registry = Registry::new();
    let pool = moody(&registry);
    let mut guards: Vec<_> = (0..3).map(|_| pool.get()).collect();
    guards[1].panic_in_drop = true;
    drop(guards);
    assert_eq!(super::drain(&registry), 3);
    assert_eq!(balanced(&registry).idle_objects, 0);
    pool.get().panic_in_drop = true;
    assert!(catch_unwind(AssertUnwindSafe(|| drop(pool))).is_err(), "the last handle's drop panics with it");
    registry.pass(Job::Snapshot);
    assert_eq!((registry.pools().len(), alive::count()), (0, before));
}

#[test]
fn a_panic_in_create_changes_nothing() {
    let registry = Registry::new();
    let pool: Pool<Vec<u8>> =
        Pool::builder("fails").registry(&registry).build_with(|| panic!("create panics as told")).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| pool.get())).is_err());
    let stats = balanced(&registry);
    assert_eq!((stats.created, stats.gets.total()), (0, 0));
}

/// Gets from and returns to its own pool while it is recycled.
struct Reentrant(Arc<std::sync::Mutex<Option<Pool<Reentrant>>>>, bool);
impl Recycle for Reentrant {
    fn recycle(&mut self, _: &Retention) -> Keep {
        if std::mem::take(&mut self.1) {
            let pool = self.0.lock().unwrap().clone();
            drop(pool.map(|pool| pool.get()));
        }
        Keep::Yes
    }
}

#[test]
fn recycle_may_use_its_own_pool() {
    let home = Arc::new(std::sync::Mutex::new(None));
    let in_create = Arc::clone(&home);
    let pool = Pool::new("reentrant", move || Reentrant(Arc::clone(&in_create), false));
    *home.lock().unwrap() = Some(pool.clone());
    for _ in 0..10 {
        let mut guard = pool.get();
        guard.1 = true;
    }
    let stats = pool.stats();
    assert_eq!((stats.created, stats.idle_objects, stats.lent_objects), (2, 2, 0));
    *home.lock().unwrap() = None; // a value that holds its own pool's last handle would keep it for ever
}

#[test]
fn zero_sized_and_over_aligned_values_work() {
    #[repr(align(4096))]
    struct Page([u8; 8192]);
    impl Recycle for Page {
        fn recycle(&mut self, _: &Retention) -> Keep {
            self.0[0] = 0;
            Keep::Yes
        }
    }
    let units = Pool::new("units", || ());
    drop((0..100).map(|_| units.get()).collect::<Vec<_>>());
    assert_eq!(units.stats().idle_objects, 100);
    let pages = Pool::new("pages", || Page([0; 8192]));
    let page = pages.get();
    assert_eq!((&raw const *page).addr() % 4096, 0);
}

/// The last object of a pool takes the pool along, and what its closures captured.
#[test]
fn what_a_closure_captured_may_panic_in_the_middle_of_another_panic() {
    struct Explodes;
    impl Drop for Explodes {
        fn drop(&mut self) {
            panic!("captured, as told");
        }
    }
    let thread = thread::spawn(|| {
        let captured = Explodes;
        let pool = Pool::new("captured", move || {
            let _ = &captured;
            vec![0_u8; 10]
        });
        let _last = pool.get();
        drop(pool);
        panic!("the first");
    });
    let first = thread.join().unwrap_err();
    assert_eq!(first.downcast_ref::<&str>(), Some(&"the first"));
}

//! User code that runs where a lock or a pass was held, and comes back.

use super::within;
use pool_core::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

#[test]
fn register_drops_a_finished_pools_closure_under_its_lock() {
    within(60, "register", || {
        let registry = Registry::new();
        let b = Pool::builder("b").registry(&registry).build_with(Vec::<u8>::new).unwrap();
        let a = Pool::builder("a")
            .registry(&registry)
            .build_with(move || {
                let _ = &b;
                Vec::<u8>::new()
            })
            .unwrap();
        let guard = a.get();
        drop(a);
        drop(guard); // a is finished; the registry has its last count, a's create the last handle of b
        let _c = Pool::builder("c").registry(&registry).build_with(Vec::<u8>::new).unwrap();
    });
}

struct PassOnDrop(Registry);
impl Drop for PassOnDrop {
    fn drop(&mut self) {
        self.0.pass(Job::Snapshot);
    }
}
#[test]
fn pass_drops_a_finished_pools_closure_under_the_pass_lock() {
    within(60, "pass", || {
        let registry = Registry::new();
        let bomb = PassOnDrop(registry.clone());
        let a = Pool::builder("a")
            .registry(&registry)
            .build_with(move || {
                let _ = &bomb;
                Vec::<u8>::new()
            })
            .unwrap();
        let guard = a.get();
        drop(a);
        drop(guard);
        registry.pass(Job::Snapshot);
    });
}

struct SetAlarmOnDrop(Registry);
impl Drop for SetAlarmOnDrop {
    fn drop(&mut self) {
        self.0.on_grant_used_up(|| ());
    }
}
#[test]
fn replacing_the_alarm_drops_the_old_one_under_its_lock() {
    within(60, "on_grant_used_up", || {
        let registry = Registry::new();
        let bomb = SetAlarmOnDrop(registry.clone());
        registry.on_grant_used_up(move || {
            let _ = &bomb;
        });
        registry.on_grant_used_up(|| ());
    });
}

struct Bad(AtomicBool);
impl Managed for Bad {
    fn name(&self) -> &'static str {
        "bad"
    }
    fn stats(&self) -> PoolStats {
        PoolStats::default()
    }
    fn knobs(&self) -> Knobs {
        KnobSet::new(Capacity::ZERO).read(Instant::now())
    }
    fn set(&self, setting: Setting, change: Change) -> Applied {
        KnobSet::new(Capacity::ZERO).set(setting, change, Instant::now())
    }
    fn withdraw(&self, _: KnobKind, _: Author) -> bool {
        false
    }
    fn suspects(&self, _: Duration) -> Vec<Suspect> {
        vec![]
    }
    fn trim_depot(&self, _: u64, _: DropReason) -> Taken {
        Taken::default()
    }
    fn mark(&self) {
        assert!(!self.0.swap(false, SeqCst), "once");
    }
    fn collect(&self, _: &Fenced, _: Job) -> Collected {
        Collected::default()
    }
    fn drop_condemned(&self, _: Duration) -> bool {
        true
    }
    fn is_finished(&self) -> bool {
        false
    }
}
#[test]
fn one_panic_in_a_pass_does_not_end_reclaim_for_ever() {
    let registry = Registry::new();
    let a = Pool::builder("a").registry(&registry).build_with(|| Vec::<u8>::with_capacity(1 << 20)).unwrap();
    let b = Pool::builder("b").registry(&registry).build_with(|| Vec::<u8>::with_capacity(1 << 20)).unwrap();
    registry.register(Arc::new(Bad(AtomicBool::new(true)))).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| registry.pass(Job::Snapshot))).is_err());
    registry.pass(Job::Snapshot); // whole again, one should think
    drop((0..5).map(|_| a.get()).collect::<Vec<_>>());
    drop(b.get());
    registry.grant().set(Some(0));
    let _lent: Vec<_> = (0..4).map(|_| b.get()).collect();
    assert_eq!((a.stats().idle_objects, registry.grant().exceeded_total()), (2, 0));
}

const DROPS: usize = 300;
static LOG: OnceLock<Pool<Vec<u8>>> = OnceLock::new();
static DEPTH: AtomicUsize = AtomicUsize::new(0);
static DEPTH_MAX: AtomicUsize = AtomicUsize::new(0);
struct Logs;
impl Recycle for Logs {
    fn recycle(&mut self, _: &Retention) -> Keep {
        Keep::Yes
    }
    fn weight(&self) -> usize {
        100
    }
}
impl Drop for Logs {
    fn drop(&mut self) {
        let depth = DEPTH.fetch_add(1, SeqCst) + 1;
        DEPTH_MAX.fetch_max(depth, SeqCst);
        LOG.get().unwrap().get().extend_from_slice(b"closed");
        DEPTH.fetch_sub(1, SeqCst);
    }
}
#[test]
fn a_drop_that_uses_another_pool_does_not_recurse_once_per_idle_object() {
    let registry = Registry::new();
    let a = Pool::builder("a")
        .capacity(Capacity::new(1_000_000, 1 << 40).unwrap())
        .registry(&registry)
        .build_with(|| Logs)
        .unwrap();
    LOG.set(
        Pool::builder("log")
            .capacity(Capacity::new(1, 1 << 20).unwrap())
            .registry(&registry)
            .build_with(|| Vec::with_capacity(100))
            .unwrap(),
    )
    .unwrap();
    let log = LOG.get().unwrap();
    let busy = log.get(); // the only one is out
    drop((0..DROPS).map(|_| a.get()).collect::<Vec<_>>());
    registry.grant().set(Some(0));
    let _second = log.get();
    drop(busy);
    assert!(DEPTH_MAX.load(SeqCst) <= 2, "drops nested {} deep", DEPTH_MAX.load(SeqCst));
}

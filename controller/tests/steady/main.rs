//! What a tick costs that can be counted: fences, and allocations. Time is measured by `cargo xtask bench control`.
//!
//! Fences are counted for the whole process, so the tests here take turns.

mod counting;

use pool_controller::decide::{Inputs, Plan, Policy, Reason};
use pool_controller::{Controller, LimitSource, Mode};
use pool_core::{Pool, Registry, fences_total};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

static TURN: Mutex<()> = Mutex::new(());

fn my_turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Pools with something idle in this thread's slots, which nobody uses from then on.
fn pools(registry: &Registry, count: usize) -> Vec<Pool<[u8; 64]>> {
    let pool = |n: usize| {
        let pool = Pool::builder(&format!("pool.{n}")).registry(registry).build_with(|| [0_u8; 64]);
        let pool = pool.expect("distinct names");
        drop([pool.get(), pool.get()]);
        pool
    };
    (0..count).map(pool).collect()
}

fn controller(registry: &Registry, policy: Option<Box<dyn Policy>>) -> Controller {
    let builder = Controller::builder().registry(registry).mode(Mode::Enforce);
    let builder = builder.limit(LimitSource::Simulated(1 << 40));
    policy.into_iter().fold(builder, pool_controller::Builder::policy).build().expect("a controller")
}

/// Lowers every capacity at each tick.
struct EverLess(u64);

impl Policy for EverLess {
    fn name(&self) -> &'static str {
        "ever-less"
    }

    fn decide(&mut self, _now: Duration, inputs: &Inputs) -> Plan {
        let mut plan = Plan::unchanged(inputs, Reason::Other("less".into()));
        self.0 /= 2;
        plan.pools.iter_mut().for_each(|pool| pool.capacity_bytes = Some(self.0));
        plan
    }
}

#[test]
fn a_tick_has_one_fence_whatever_it_does_and_however_many_pools_there_are() {
    let _turn = my_turn();
    for count in [1, 10, 400] {
        let registry = Registry::new();
        let pools = pools(&registry, count);
        let mut controller = controller(&registry, Some(Box::new(EverLess(1 << 20))));
        let start = Instant::now();
        for tick in 1..=4 {
            let before = fences_total();
            // Each cycle is over, and each capacity is cut.
            controller.tick(start + Duration::from_secs(11) * tick);
            assert_eq!(fences_total() - before, 1, "{count} pools, tick {tick}");
        }
        assert!(pools.iter().all(|pool| pool.stats().cycles > 0), "{count} pools");
    }
}

#[test]
fn a_tick_with_nothing_to_do_has_none() {
    let _turn = my_turn();
    let registry = Registry::new();
    let pools = pools(&registry, 10);
    let mut controller = controller(&registry, None);
    let start = Instant::now();
    (0..4).for_each(|tick| drop(controller.tick(start + Duration::from_millis(250) * tick)));
    let before = fences_total();
    controller.tick(start + Duration::from_millis(1250));
    assert_eq!(fences_total(), before);
    drop(pools);
}

/// Allocations of the most expensive of some ticks in which nothing happens: two whole seconds, so that what is done
/// once a second is among them.
fn steady(count: usize) -> u64 {
    let registry = Registry::new();
    let pools = pools(&registry, count);
    let mut controller = controller(&registry, None);
    let start = Instant::now();
    let mut most = 0;
    for tick in 0..24 {
        let before = counting::allocations();
        controller.tick(start + Duration::from_millis(250) * tick);
        if tick >= 16 {
            most = most.max(counting::allocations() - before);
        }
    }
    drop(pools);
    most
}

/// The same for pools with a canary beside them, in ticks between two rounds of their comparison, which begins anew
/// every five seconds.
fn steady_with_canaries(count: usize) -> u64 {
    let registry = Registry::new();
    let pair = |n: usize| {
        let pair = Pool::builder(&format!("pool.{n}")).registry(&registry);
        pair.build_canary_with(|| [0_u8; 64], |canary| canary).expect("distinct names")
    };
    let pairs: Vec<_> = (0..count).map(pair).collect();
    let mut controller = controller(&registry, None);
    let start = Instant::now();
    let mut most = 0;
    for tick in 0..20 {
        let before = counting::allocations();
        let status = controller.tick(start + Duration::from_millis(250) * tick);
        assert_eq!(status.canaries.len(), count);
        if tick >= 12 {
            most = most.max(counting::allocations() - before);
        }
    }
    drop(pairs);
    most
}

#[test]
fn a_steady_tick_allocates_the_reason_of_each_share_and_nothing_else_for_a_canary() {
    let _turn = my_turn();
    let (few, many) = (steady_with_canaries(10), steady_with_canaries(500));
    // Lists grow, as below.
    assert!(many <= few + 490 + 24, "{few} allocations for 10 canaries, {many} for 500");
    println!("{few} allocations for 10 canaries, {many} for 500");
}

#[test]
fn a_tick_allocates_as_often_for_a_thousand_pools_that_nobody_uses_as_for_ten() {
    let _turn = my_turn();
    let (few, many) = (steady(10), steady(1000));
    // A list that grows as it is filled is allocated anew some more times, by doubling.
    assert!(many <= few + 24, "{few} allocations for 10 pools, {many} for 1000");
    println!("{few} allocations for 10 pools, {many} for 1000");
}

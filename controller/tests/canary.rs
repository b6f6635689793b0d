//! A pool and its canary under one controller: one budget, settings of their own, and gets that move by the share.

use pool_controller::config::Config;
use pool_controller::{CanaryVerdict, Controller, LimitSource, Mode};
use pool_core::{Author, CanaryPool, Pool, Registry};
use std::time::{Duration, Instant};

const LIMIT: u64 = 1 << 30;

fn rig() -> (Registry, CanaryPool<Vec<u8>>) {
    let registry = Registry::new();
    let pool =
        Pool::builder("body").registry(&registry).build_canary_with(|| vec![0; 64 << 10], |canary| canary);
    (registry, pool.expect("new names"))
}

#[test]
fn both_are_steered_within_one_budget() {
    let (registry, pool) = rig();
    let config = Config::default().pool("body", "staged.percent", "50").expect("allowed");
    let config = config.pool("body", "staged.canary.eviction.cycle", "20ms").expect("allowed");
    let builder = Controller::builder().registry(&registry).mode(Mode::Enforce).config(config);
    let mut controller = builder.limit(LimitSource::Simulated(LIMIT)).build().expect("a controller");
    let start = Instant::now();
    let mut last = controller.tick(start);
    let mut looks = Vec::new();
    for tick in 1..=80_u64 {
        drop((0..64).map(|_| pool.get()).collect::<Vec<_>>());
        looks.push([pool.stable(), pool.canary()].map(Pool::stats));
        last = controller.tick(start + Duration::from_millis(250 * tick));
    }
    let knobs = [pool.stable(), pool.canary()].map(|side| side.managed().knobs());
    for knobs in &knobs {
        assert_eq!(knobs.capacity.author, Author::Policy, "{}", knobs.capacity.reason);
    }
    let sum: u64 = knobs.iter().map(|knobs| knobs.capacity.value.bytes_max()).sum();
    assert!(sum <= last.memory.budget_bytes.expect("a budget"), "{sum}");
    assert_eq!(knobs[1].eviction.value.cycle(), Duration::from_millis(20), "a setting of its own");
    assert_ne!(knobs[0].eviction.value.cycle(), Duration::from_millis(20));

    // Nothing is counted twice, and nothing between the two is lost.
    let [before, now] = [&looks[59], &looks[79]];
    let gets = now.each_ref().map(|stats| stats.gets.total());
    assert_eq!(gets.iter().sum::<u64>(), 80 * 64);
    assert!(gets.iter().all(|gets| (2200..2920).contains(gets)), "{gets:?}");

    // The page's figures are those of the pools: levels as the tick found them, and gets of the one round behind those that
    // are left out.
    let canary = &last.canaries[0];
    assert_eq!((canary.share.pool.as_str(), canary.share.percent), ("body", 50.0));
    for ((side, before), now) in [&canary.stable, &canary.canary].into_iter().zip(before).zip(now) {
        assert_eq!((side.lent_objects, side.idle_bytes), (now.lent_objects, now.idle_bytes));
        assert_eq!((side.capacity_objects, side.capacity_bytes), (now.capacity_objects, now.capacity_bytes));
        let gets = now.gets.total() - before.gets.total();
        let created = (now.created - before.created) as f64 / gets as f64;
        assert_eq!((side.gets, side.create_ratio), (gets, Some(created)));
    }
    assert_eq!(canary.verdict, CanaryVerdict::TooLittleData, "20 s are no minute");
}

//! A tick: with 100 pools and with 10,000, each of which three threads have used.
//!
//! Ticks are driven by hand, a quarter of a second of virtual time apart, and timed one by one. Demand goes on between
//! them, in every seventh pool, so that counters move and capacities follow.

use crate::figures::Row;
use pool_controller::{Controller, LimitSource, Mode};
use pool_core::{Pool, Registry, fences_total};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// What was promised: the 99th percentile of a tick.
const PROMISED: [(usize, Duration); 2] =
    [(100, Duration::from_micros(200)), (10_000, Duration::from_millis(5))];
/// And the share of one core that a controller of 100 pools takes, per cent.
const CORE_PERCENT: f64 = 0.1;
/// Ticks in a second.
const RATE: f64 = 4.0;

pub(crate) fn rows(quick: bool) -> Vec<Row> {
    let ticks = if quick { 20 } else { 1000 };
    PROMISED
        .into_iter()
        .flat_map(|(pools, promised)| {
            let ticks = measure(pools, if pools > 1000 { ticks / 5 } else { ticks });
            let fences: Vec<_> = ticks.iter().map(|tick| tick.fences as f64).collect();
            let cpu: Vec<_> = ticks.iter().map(|tick| tick.cpu).collect();
            let wall: Vec<_> = ticks.iter().map(|tick| tick.wall).collect();
            let mean = cpu.iter().sum::<Duration>().as_secs_f64() / cpu.len() as f64;
            let share = Row::of(format!("share of one core, {pools} pools"), "%", vec![mean * RATE * 100.0]);
            let is_promised = pools == PROMISED[0].0;
            let share_met = (format!("< {CORE_PERCENT} %"), share.median < CORE_PERCENT);
            let fences = Row::of(format!("heavy fences of a tick, {pools} pools"), "", fences);
            let fences_met = ("≤ 1".to_owned(), fences.max <= 1.0);
            [
                Row::of_times(format!("tick, {pools} pools"), &wall, Some(promised)),
                Row::of_times(format!("tick, {pools} pools, CPU time"), &cpu, None),
                Row { promised: is_promised.then_some(share_met), ..share },
                Row { promised: Some(fences_met), ..fences },
            ]
        })
        .collect()
}

/// What one tick took.
struct Tick {
    wall: Duration,
    cpu: Duration,
    fences: u64,
}

fn measure(count: usize, ticks: u32) -> Vec<Tick> {
    let registry = Registry::new();
    let pool = |n: usize| Pool::builder(&format!("pool.{n}")).registry(&registry).build_with(|| [0_u8; 256]);
    let pools: Vec<_> = (0..count).map(|n| pool(n).expect("distinct names")).collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| pools.iter().for_each(|pool| drop([pool.get(), pool.get()])));
        }
    });
    let builder = Controller::builder().registry(&registry).mode(Mode::Enforce);
    let mut controller = builder.limit(LimitSource::Simulated(4 << 30)).build().expect("a controller");
    let start = Instant::now();
    (0..ticks)
        .map(|tick| {
            for pool in pools.iter().skip(tick as usize % 7).step_by(7) {
                drop((0..=tick % 3).map(|_| pool.get()).collect::<Vec<_>>());
            }
            let now = start + Duration::from_millis(250) * tick;
            let (fences, cpu, began) = (fences_total(), thread_cpu(), Instant::now());
            controller.tick(now);
            let wall = began.elapsed();
            Tick { wall, cpu: thread_cpu().saturating_sub(cpu), fences: fences_total() - fences }
        })
        .collect()
}

/// The CPU time that this thread has used: what a busy machine changes least.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

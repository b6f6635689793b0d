//! What a tick costs: with 100 pools and with 10,000, each of which a few threads have used.
//!
//! ```text
//! cargo bench -p pool-controller --bench tick
//! ```
//!
//! Ticks are driven by hand, a quarter of a second of virtual time apart, and timed one by one. Demand goes on between
//! them, so that counters move and capacities follow. With `--quick` a few ticks show that it still works.

use pool_controller::{Controller, LimitSource, Mode};
use pool_core::{Pool, Registry};
use std::time::{Duration, Instant};

/// What was promised: the 99th percentile of a tick.
const PROMISED: [(usize, Duration); 2] =
    [(100, Duration::from_micros(200)), (10_000, Duration::from_millis(5))];
/// Ticks in a second.
const RATE: f64 = 4.0;

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let ticks = if quick { 20 } else { 1000 };
    println!(
        "{:>8}  {:>10}  {:>10}  {:>10}  {:>12}  promised",
        "pools", "median", "p99", "max", "of one core"
    );
    for (pools, promised) in PROMISED {
        let times = measure(pools, if pools > 1000 { ticks / 5 } else { ticks });
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64;
        let verdict = if at(99) <= promised { "met" } else { "missed" };
        println!(
            "{pools:>8}  {:>10.1?}  {:>10.1?}  {:>10.1?}  {:>10.3} %  p99 <= {promised:?}: {verdict}",
            at(50),
            at(99),
            at(100),
            mean * RATE * 100.0
        );
    }
}

/// The times of ticks, in order.
fn measure(count: usize, ticks: u32) -> Vec<Duration> {
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
    let mut times: Vec<Duration> = (0..ticks)
        .map(|tick| {
            for pool in pools.iter().skip(tick as usize % 7).step_by(7) {
                drop((0..=tick % 3).map(|_| pool.get()).collect::<Vec<_>>());
            }
            let now = start + Duration::from_millis(250) * tick;
            let began = Instant::now();
            controller.tick(now);
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times
}

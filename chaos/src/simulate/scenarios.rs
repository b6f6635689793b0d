//! The scenarios. Each is what stands here and nothing else.

use super::Shape::{self, Constant, Pulse, Ramp, Saw, Swap};
use super::scenario::{Allocator, Lie, PoolSpec, Readings, Scenario, Signal, SignalFault, Trouble};

const KIB: u64 = 1 << 10;

const fn pool(
    name: &'static str,
    weight_kib: u64,
    saved_us: f64,
    hold_ms: u32,
    in_flight: Shape,
) -> PoolSpec {
    PoolSpec { name, weight_bytes: weight_kib * KIB, saved_ns: saved_us * 1000.0, hold_ms, in_flight }
}

/// Two demands that take turns: about 70 MiB are lent at a time, and the one that rests leaves some 45 MiB idle.
const TURNS: [PoolSpec; 2] = [
    pool("ingest", 512, 40.0, 120, Swap { period_s: 12.0, first: 120.0, second: 20.0 }),
    pool("export", 256, 15.0, 400, Swap { period_s: 12.0, first: 30.0, second: 200.0 }),
];
/// The same without turns.
const CALM: [PoolSpec; 2] =
    [pool("ingest", 512, 40.0, 120, Constant(80.0)), pool("export", 256, 15.0, 400, Constant(120.0))];
/// Turns of demands that do not fit beside what the other one leaves.
const TIGHT: [PoolSpec; 2] = [
    pool("ingest", 512, 40.0, 120, Swap { period_s: 8.0, first: 190.0, second: 20.0 }),
    pool("export", 256, 15.0, 400, Swap { period_s: 8.0, first: 40.0, second: 380.0 }),
];
const SAWS: [PoolSpec; 2] = [
    pool("ingest", 512, 40.0, 120, Saw { period_s: 20.0, low: 20.0, high: 140.0 }),
    pool("export", 256, 15.0, 400, Saw { period_s: 14.0, low: 30.0, high: 200.0 }),
];
/// A burst of 3 s beside what turns leave idle.
const BURST: [PoolSpec; 2] = [
    pool("ingest", 512, 40.0, 120, Pulse { from_s: 60.0, to_s: 63.0, usual: 40.0, peak: 275.0 }),
    pool("export", 256, 15.0, 400, Swap { period_s: 10.0, first: 30.0, second: 200.0 }),
];
/// 308 objects of 512 KiB within 50 ms, 60 % of the limit, each held for about a second.
const SURGE: [PoolSpec; 2] = [
    pool("batch", 512, 40.0, 1000, Pulse { from_s: 62.5, to_s: 62.55, usual: 10.0, peak: 6160.0 }),
    pool("export", 256, 15.0, 400, Swap { period_s: 10.0, first: 20.0, second: 160.0 }),
];
/// Demand by rank (1/n), with turns of different length.
const ZIPF: [PoolSpec; 10] = [
    pool("rank01", 256, 20.0, 150, Swap { period_s: 8.0, first: 180.0, second: 40.0 }),
    pool("rank02", 512, 35.0, 200, Swap { period_s: 11.0, first: 20.0, second: 60.0 }),
    pool("rank03", 128, 12.0, 150, Swap { period_s: 6.0, first: 110.0, second: 20.0 }),
    pool("rank04", 1024, 90.0, 250, Swap { period_s: 13.0, first: 6.0, second: 20.0 }),
    pool("rank05", 64, 5.0, 100, Swap { period_s: 7.0, first: 140.0, second: 30.0 }),
    pool("rank06", 256, 60.0, 200, Swap { period_s: 9.0, first: 8.0, second: 36.0 }),
    pool("rank07", 512, 20.0, 300, Swap { period_s: 15.0, first: 24.0, second: 6.0 }),
    pool("rank08", 32, 8.0, 100, Swap { period_s: 5.0, first: 40.0, second: 140.0 }),
    pool("rank09", 256, 10.0, 250, Swap { period_s: 12.0, first: 24.0, second: 8.0 }),
    pool("rank10", 128, 30.0, 200, Swap { period_s: 10.0, first: 8.0, second: 32.0 }),
];

/// What scenarios share: turns, a fifth of the limit used by others, and nothing wrong.
const USUAL: Scenario = Scenario {
    name: "",
    about: "",
    seconds: 180,
    warm_up_s: 30,
    limit: Constant(1.0),
    others: Constant(0.20),
    cache: Constant(0.0),
    pools: &TURNS,
    processes: 1,
    allocator: Allocator::Keeps,
    lag_ms: Constant(0.4),
    readings: Readings { noise: 0.0, delay_ms: 0, unmatched_ticks: 1, fault: None },
    controller: Trouble::None,
    disturbance: None,
};

#[allow(clippy::large_types_passed_by_value, reason = "done by the compiler, once")]
const fn named(name: &'static str, about: &'static str, scenario: Scenario) -> Scenario {
    Scenario { name, about, ..scenario }
}

/// Others take another quarter of the limit for 50 s.
const STEP: Scenario = Scenario {
    others: Pulse { from_s: 60.0, to_s: 110.0, usual: 0.20, peak: 0.45 },
    disturbance: Some((60.0, Some(110.0))),
    ..USUAL
};

const fn reading(readings: Readings) -> Scenario {
    Scenario { readings, ..STEP }
}

const fn noisy(noise: f64) -> Scenario {
    Scenario { readings: Readings { noise, ..USUAL.readings }, ..USUAL }
}

const fn late(delay_ms: u64) -> Scenario {
    reading(Readings { delay_ms, ..USUAL.readings })
}

/// The signal lies from 10 s before the step until 15 s after it began.
const fn lying(name: &'static str, about: &'static str, signal: Signal, lie: Lie) -> Scenario {
    let fault = Some(SignalFault { signal, lie, from_s: 50.0, to_s: 75.0 });
    named(name, about, reading(Readings { fault, ..USUAL.readings }))
}

/// All scenarios.
pub static SCENARIOS: [Scenario; 53] = [
    named("steady", "demand stays what it is", Scenario { pools: &CALM, ..USUAL }),
    named("turns", "two demands take turns", USUAL),
    named("start", "the same, counted from the first second", Scenario { warm_up_s: 0, ..USUAL }),
    named("step", "others take another 25 % of the limit for 50 s", STEP),
    named(
        "ramp",
        "others take 0.4 % of the limit more each second, up to .50, and give it back",
        Scenario {
            seconds: 210,
            others: Ramp { from_s: 40.0, to_s: 115.0, back_s: 140.0, usual: 0.20, peak: 0.50 },
            disturbance: Some((40.0, Some(140.0))),
            ..USUAL
        },
    ),
    named(
        "saw",
        "demands and others rise and fall back, each with its period",
        Scenario { pools: &SAWS, others: Saw { period_s: 17.0, low: 0.15, high: 0.35 }, ..USUAL },
    ),
    named(
        "burst-3s",
        "one demand is seven times as high for 3 s",
        Scenario { pools: &BURST, disturbance: Some((60.0, Some(63.0))), ..USUAL },
    ),
    named(
        "burst-50ms",
        "creates of 60 % of the limit within 50 ms",
        Scenario { pools: &SURGE, disturbance: Some((62.5, Some(64.0))), ..USUAL },
    ),
    named(
        "slow-leak",
        "others grow by 0.19 % of the limit each second and never stop",
        Scenario {
            others: Ramp { from_s: 20.0, to_s: 180.0, back_s: 999.0, usual: 0.20, peak: 0.50 },
            disturbance: Some((20.0, None)),
            ..USUAL
        },
    ),
    named(
        "limit-down",
        "the limit falls by 30 % and stays there",
        Scenario {
            limit: Pulse { from_s: 60.0, to_s: 999.0, usual: 1.0, peak: 0.7 },
            disturbance: Some((60.0, None)),
            ..USUAL
        },
    ),
    named(
        "limit-up",
        "the limit rises by 30 % and stays there",
        Scenario {
            pools: &TIGHT,
            limit: Pulse { from_s: 60.0, to_s: 999.0, usual: 1.0, peak: 1.3 },
            ..USUAL
        },
    ),
    named(
        "cache-flood",
        "clean page cache fills all that is left for 50 s",
        Scenario {
            cache: Pulse { from_s: 60.0, to_s: 110.0, usual: 0.0, peak: 1.0 },
            disturbance: Some((60.0, Some(110.0))),
            ..USUAL
        },
    ),
    named(
        "allocator-nothing",
        "step, and the allocator gives nothing back",
        Scenario { allocator: Allocator::Nothing, ..STEP },
    ),
    named(
        "allocator-10s",
        "step, and the allocator gives back after 10 s",
        Scenario { allocator: Allocator::Decays, ..STEP },
    ),
    named(
        "allocator-silent",
        "step, and the allocator does not say what it keeps",
        Scenario { allocator: Allocator::Silent, ..STEP },
    ),
    named("swap", "two demands swap, and what both leave does not fit", Scenario { pools: &TIGHT, ..USUAL }),
    named("ten-zipf", "ten pools, demand by rank", Scenario { pools: &ZIPF, ..USUAL }),
    named("noise-0.3", "turns, and usage reads 0.3 % wrong", noisy(0.003)),
    named("noise-1", "turns, and usage reads 1 % wrong", noisy(0.01)),
    named("noise-3", "turns, and usage reads 3 % wrong", noisy(0.03)),
    named("delay-500ms", "step, read 500 ms late", late(500)),
    named("delay-1s", "step, read 1 s late", late(1000)),
    named("delay-2s", "step, read 2 s late", late(2000)),
    lying("limit-zero", "step, and the limit reads 0 for 25 s", Signal::Limit, Lie::Zero),
    lying("limit-stuck", "step, and the limit is stuck for 25 s", Signal::Limit, Lie::Stuck),
    lying("limit-missing", "step, and the limit is missing for 25 s", Signal::Limit, Lie::Missing),
    lying(
        "limit-spiking",
        "step, and each eighth limit is 1.5 times as high for 25 s",
        Signal::Limit,
        Lie::Spiking,
    ),
    lying("usage-zero", "step, and usage reads 0 for 25 s", Signal::Usage, Lie::Zero),
    lying("usage-stuck", "step, and usage is stuck for 25 s", Signal::Usage, Lie::Stuck),
    lying("usage-missing", "step, and usage is missing for 25 s", Signal::Usage, Lie::Missing),
    lying(
        "usage-spiking",
        "step, and each eighth usage is twice as high for 25 s",
        Signal::Usage,
        Lie::Spiking,
    ),
    lying("rss-zero", "step, and resident memory reads 0 for 25 s", Signal::Rss, Lie::Zero),
    lying("rss-stuck", "step, and resident memory is stuck for 25 s", Signal::Rss, Lie::Stuck),
    lying("rss-missing", "step, and resident memory is missing for 25 s", Signal::Rss, Lie::Missing),
    lying(
        "rss-spiking",
        "step, and each eighth resident memory is twice as high for 25 s",
        Signal::Rss,
        Lie::Spiking,
    ),
    lying("heap-zero", "step, and the allocator reads 0 for 25 s", Signal::Heap, Lie::Zero),
    lying("heap-stuck", "step, and the allocator is stuck for 25 s", Signal::Heap, Lie::Stuck),
    lying("heap-missing", "step, and the allocator is missing for 25 s", Signal::Heap, Lie::Missing),
    lying(
        "heap-spiking",
        "step, and each eighth reading of the allocator is four times as high for 25 s",
        Signal::Heap,
        Lie::Spiking,
    ),
    lying("psi-zero", "step, and waiting reads 0 for 25 s", Signal::Psi, Lie::Zero),
    lying("psi-stuck", "step, and waiting is stuck for 25 s", Signal::Psi, Lie::Stuck),
    lying("psi-missing", "step, and waiting is missing for 25 s", Signal::Psi, Lie::Missing),
    lying("psi-spiking", "step, and each eighth reading of waiting is 1 for 25 s", Signal::Psi, Lie::Spiking),
    lying("pause-zero", "step, and lateness reads 0 for 25 s", Signal::Pause, Lie::Zero),
    lying("pause-stuck", "step, and lateness is stuck for 25 s", Signal::Pause, Lie::Stuck),
    lying("pause-missing", "step, and lateness is missing for 25 s", Signal::Pause, Lie::Missing),
    lying(
        "pause-spiking",
        "step, and each eighth lateness is a hundred times as high for 25 s",
        Signal::Pause,
        Lie::Spiking,
    ),
    named(
        "pause",
        "timers are 40 ms late for 20 s, and memory has nothing to do with it",
        Scenario {
            lag_ms: Pulse { from_s: 60.0, to_s: 80.0, usual: 0.4, peak: 40.0 },
            disturbance: Some((60.0, Some(80.0))),
            ..USUAL
        },
    ),
    named(
        "unmatched",
        "step, and pools and allocator are read every fourth tick only",
        reading(Readings { unmatched_ticks: 4, ..USUAL.readings }),
    ),
    named(
        "controller-death",
        "step, and the controller stands still from 5 s before it to 15 s after",
        Scenario { controller: Trouble::Dead(55.0, 75.0), ..STEP },
    ),
    named(
        "tick-jitter",
        "step, and ticks come up to 200 ms early or late",
        Scenario { controller: Trouble::Jitter(200), ..STEP },
    ),
    named(
        "clock-jump",
        "step, and the clock goes 30 s forward at its start",
        Scenario { controller: Trouble::ClockJump(60.0, 30.0), ..STEP },
    ),
    named(
        "two-processes",
        "two processes share the limit, and others take another 24 % of it for 50 s",
        Scenario {
            processes: 2,
            others: Pulse { from_s: 60.0, to_s: 110.0, usual: 0.20, peak: 0.44 },
            ..STEP
        },
    ),
];

/// The scenario of that name.
///
/// ```
/// use pool_chaos::simulate::scenario_by_name;
/// assert!(scenario_by_name("step").is_some() && scenario_by_name("stairs").is_none());
/// ```
#[must_use]
pub fn scenario_by_name(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::demand::{Demand, SLOTS, seconds};

    #[test]
    fn each_name_is_used_once_and_each_end_leaves_time_to_recover() {
        for (n, scenario) in SCENARIOS.iter().enumerate() {
            assert!(SCENARIOS[..n].iter().all(|other| other.name != scenario.name), "{}", scenario.name);
            if let Some((from, Some(to))) = scenario.disturbance {
                assert!(from < to && to + 60.0 <= f64::from(scenario.seconds), "{}", scenario.name);
            }
        }
    }

    /// Else nothing that a policy does could keep a kill or the marks of the targets away.
    #[test]
    fn what_is_lent_and_what_others_use_stay_below_nine_tenths_of_the_limit() {
        for scenario in &SCENARIOS {
            let demand = Demand::of(scenario, 1);
            let mut lent = vec![0_u64; demand.pools.len()];
            for step in 0..demand.steps {
                let mut bytes = scenario.others_bytes(seconds(step));
                for (n, trace) in demand.pools.iter().enumerate() {
                    for slot in step * SLOTS..(step + 1) * SLOTS {
                        lent[n] = lent[n] + u64::from(trace.gets[slot]) - u64::from(trace.returns[slot]);
                    }
                    bytes += lent[n] * scenario.pools[n % scenario.pools.len()].weight_bytes;
                }
                let limit = scenario.limit_bytes(seconds(step));
                assert!(
                    bytes * 10 < limit * 9,
                    "{} at {} s: {bytes} of {limit}",
                    scenario.name,
                    seconds(step)
                );
            }
        }
    }
}

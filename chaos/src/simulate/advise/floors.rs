//! Floors and weights of pools, and the order in which they shrink.

use super::PoolAdvice;
use crate::simulate::demand::STEP_MS;
use crate::simulate::recorded::{Point, Recorded};
use crate::simulate::world::{Start, World as _};

/// What comes and goes is looked at by so many steps: ten seconds.
const WINDOW_STEPS: usize = (10_000 / STEP_MS) as usize;
/// Floors together take one in so many bytes of the limit at most.
const FLOORS_ONE_IN: u64 = 10;
/// A saving that the controller knew for this share of the record is counted by it.
const KNOWN_MIN: f64 = 0.5;
/// Weights stay within this of the usual one: a measurement that went wrong starves nobody.
const WEIGHT_TIMES_MAX: f64 = 4.0;
const WEIGHT: f64 = 100.0;
const KIB: u64 = 1 << 10;

/// The pools, what shrinks first in front: the least worth per byte, and where that is not known, the heaviest.
pub(super) fn pools(world: &Recorded, limit_bytes: u64) -> Vec<PoolAdvice> {
    let starts = world.starts();
    let worth: Vec<Option<f64>> = starts.iter().map(worth).collect();
    let known: Vec<f64> = worth.iter().flatten().copied().collect();
    let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
    let floors = floors(world, &starts, limit_bytes);
    let advice = starts.iter().enumerate().map(|(n, start)| PoolAdvice {
        name: start.name.clone(),
        // One that is set is not lowered, by less than a KiB neither.
        floor_bytes: floors[n].max(start.floor_bytes.next_multiple_of(KIB)),
        weight: weight(world.facts.measured[n], worth[n], mean, start.priority),
        worth_ns_per_byte: worth[n],
        idle_mean_bytes: idle_mean(world, n),
        is_pinned: start.is_pinned,
    });
    let mut pools: Vec<(PoolAdvice, f64)> =
        advice.zip(&starts).map(|(pool, start)| (pool, start.saved_ns / start.weight as f64)).collect();
    pools.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    pools.into_iter().map(|(pool, _)| pool).collect()
}

fn worth(start: &Start) -> Option<f64> {
    start.is_measured.then(|| (start.saved_ns / start.weight as f64 * 1e4).round() / 1e4)
}

fn idle_mean(world: &Recorded, pool: usize) -> u64 {
    let idle =
        world.points().iter().map(|point| u128::from(point.pools[pool].idle * point.pools[pool].weight));
    u64::try_from(idle.sum::<u128>() / world.points().len() as u128).unwrap_or(u64::MAX)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "25 to 400")]
fn weight(measured: f64, worth: Option<f64>, mean: Option<f64>, set: u32) -> u32 {
    match worth.zip(mean) {
        Some((worth, mean)) if mean > 0.0 && measured < KNOWN_MIN => {
            (WEIGHT * (worth / mean).clamp(1.0 / WEIGHT_TIMES_MAX, WEIGHT_TIMES_MAX)).round() as u32
        }
        _ => set,
    }
}

/// Of each pool, what nearly always comes back and is wanted again, whole KiB; within their part of the limit.
fn floors(world: &Recorded, starts: &[Start], limit_bytes: u64) -> Vec<u64> {
    let wanted: Vec<u64> =
        starts.iter().enumerate().map(|(n, start)| swing(world, n) * start.weight).collect();
    let (sum, most) = (wanted.iter().sum::<u64>(), limit_bytes / FLOORS_ONE_IN);
    let scaled = |bytes: u64| {
        let part = if sum > most {
            u128::from(bytes) * u128::from(most) / u128::from(sum)
        } else {
            u128::from(bytes)
        };
        u64::try_from(part).unwrap_or(0) / KIB * KIB
    };
    wanted.into_iter().map(scaled).collect()
}

/// Objects that come and go within a window, the tenth percentile of the whole windows.
fn swing(world: &Recorded, pool: usize) -> u64 {
    let is_whole =
        |window: &&[Point]| (window[0].step / WINDOW_STEPS + 1) * WINDOW_STEPS <= world.demand.steps;
    let mut swings: Vec<u64> = world
        .points()
        .chunk_by(|a, b| a.step / WINDOW_STEPS == b.step / WINDOW_STEPS)
        .filter(is_whole)
        .map(|window| {
            let lent = || window.iter().map(|point| point.pools[pool].lent);
            lent().max().unwrap_or(0) - lent().min().unwrap_or(0)
        })
        .collect();
    swings.sort_unstable();
    swings.get(swings.len() / 10).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_advised_only_where_the_controller_did_not_know_the_worth() {
        assert_eq!(weight(0.9, Some(3.0), Some(1.0), 100), 100, "it counts it itself");
        assert_eq!(weight(0.1, Some(3.0), Some(1.0), 100), 300);
        assert_eq!(weight(0.1, Some(0.001), Some(1.0), 100), 25);
        assert_eq!(weight(0.0, None, Some(1.0), 150), 150, "what was set stays");
    }
}

//! What bytes are worth to each pool: at the margin, by ghost hits, and on the average, by what is reused.
//!
//! A ghost hit is a get that one more magazine would have served ([`PoolInputs::ghost_hits_total`]). Its rate times
//! what a reuse saves, for the bytes of a magazine, is the worth of the next byte. Figures are of whole windows, so
//! that demands which swap every few seconds all have their say. Moves nothing.

use super::{PerPool, PoolInputs};
use std::time::Duration;

/// A window.
pub(super) const WINDOW: Duration = Duration::from_secs(10);
/// Objects of a magazine.
const MAGAZINE: u64 = 64;
/// What a reuse is taken to save until it has been measured, ns per byte: allocation and first touch.
const UNMEASURED_NS_PER_BYTE: f64 = 0.05;

/// Nanoseconds saved per second and byte.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Worth {
    /// Of the next byte.
    pub(super) marginal: f64,
    /// Of a byte that the pool has.
    pub(super) mean: f64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Worths {
    pools: PerPool<(Counts, Worth)>,
    since: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    ghosts: u64,
    reused: u64,
}

impl Worths {
    /// Takes the counters of a tick; whether a window has just ended, so that the worths are new.
    pub(super) fn update(&mut self, now: Duration, pools: &[PoolInputs]) -> bool {
        self.pools.align(pools.iter().map(|pool| &pool.name), |at| (counts(&pools[at]), Worth::default()));
        let since = *self.since.get_or_insert(now);
        let over = now >= since + WINDOW;
        if over {
            self.since = Some(now);
            let seconds = now.saturating_sub(since).as_secs_f64();
            for (pool, (then, worth)) in pools.iter().zip(self.pools.values_mut()) {
                *worth = worth_since(pool, then, seconds);
                *then = counts(pool);
            }
        }
        over
    }

    /// Of the last whole window, for the pool that stands there.
    pub(super) fn of(&self, at: usize) -> Worth {
        self.pools.get(at).map_or(Worth::default(), |(_, worth)| *worth)
    }
}

/// What a reuse of the pool's objects is taken to save until it has been measured, ns.
fn unmeasured_ns(pool: &PoolInputs) -> f64 {
    UNMEASURED_NS_PER_BYTE * pool.expected_weight_bytes as f64
}

fn counts(pool: &PoolInputs) -> Counts {
    Counts { ghosts: pool.ghost_hits_total, reused: pool.gets_total.saturating_sub(pool.created_total) }
}

fn worth_since(pool: &PoolInputs, then: &Counts, seconds: f64) -> Worth {
    let now = counts(pool);
    let saved_ns = pool.saved_ns.unwrap_or_else(|| unmeasured_ns(pool));
    let counted_ns = saved_ns * f64::from(pool.weight) / 100.0;
    let magazine = MAGAZINE.saturating_mul(pool.expected_weight_bytes).min(pool.capacity_bytes / 4);
    let per_byte = |count: u64, bytes: u64| count as f64 * counted_ns / seconds / bytes.max(1) as f64;
    Worth {
        marginal: per_byte(now.ghosts.saturating_sub(then.ghosts), magazine.max(pool.expected_weight_bytes)),
        mean: per_byte(now.reused.saturating_sub(then.reused), pool.capacity_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(gets: u64, created: u64, ghosts: u64) -> PoolInputs {
        PoolInputs {
            name: "a".into(),
            gets_total: gets,
            created_total: created,
            ghost_hits_total: ghosts,
            saved_ns: Some(1000.0),
            weight: 200,
            expected_weight_bytes: 100,
            capacity_bytes: 1_000_000,
            ..PoolInputs::default()
        }
    }

    #[test]
    fn it_is_what_is_saved_per_second_and_byte_of_a_whole_window() {
        let (mut worths, s) = (Worths::default(), Duration::from_secs);
        assert!(!worths.update(s(0), &[pool(1000, 100, 50)]));
        assert!(!worths.update(s(9), &[pool(1500, 150, 90)]));
        assert_eq!(worths.of(0), Worth::default(), "the window is not over");
        assert!(worths.update(s(10), &[pool(2100, 200, 114)]));
        // 64 ghost hits of 2 × 1000 ns in 10 s, for 6400 bytes; 1000 reuses for a million.
        let expected = Worth { marginal: 64.0 * 2000.0 / 10.0 / 6400.0, mean: 1000.0 * 2000.0 / 10.0 / 1e6 };
        assert_eq!((worths.of(0), worths.of(1)), (expected, Worth::default()));
        assert!(!worths.update(s(11), &[pool(2100, 200, 114)]));
        assert_eq!(worths.of(0), expected, "until the next one is over");
    }
}

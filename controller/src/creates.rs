//! How long creates took of late, from the pools' cumulative histograms.
//!
//! All pools together: what makes creates slow is the process's lack of memory, not one pool's. Decides nothing.

use crate::sense::PauseSample;
use pool_core::Lifetimes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A percentile of fewer creates says nothing.
const SAMPLES_MIN: u64 = 20;
/// Looks that are kept at most.
const LOOKS_MAX: u32 = 16;

/// Timed creates by the lower bound of their time, ns.
pub(crate) type Counts = BTreeMap<u64, u64>;

/// Follows the histograms.
#[derive(Debug, Default)]
pub(crate) struct Creates {
    looks: VecDeque<(Duration, Counts)>,
}

impl Creates {
    /// Takes the histograms of all pools and returns the 99th percentile of the last two seconds, ns: the lower bound of
    /// its bucket, so half of the truth at worst. `None` if too few were timed.
    pub(crate) fn p99_ns<'a>(
        &mut self,
        at: Duration,
        pools: impl Iterator<Item = &'a Lifetimes>,
    ) -> Option<u64> {
        let now = counts(pools);
        let window = PauseSample::WINDOW;
        while self.looks.get(1).is_some_and(|(then, _)| *then + window <= at) {
            self.looks.pop_front();
        }
        let p99 = self.looks.front().and_then(|(_, before)| percentile_99(before, &now));
        if self.looks.back().is_none_or(|(last, _)| at >= *last + window / LOOKS_MAX) {
            self.looks.push_back((at, now));
        }
        p99
    }
}

/// The histograms, all in one.
pub(crate) fn counts<'a>(pools: impl Iterator<Item = &'a Lifetimes>) -> Counts {
    let mut counts = Counts::new();
    for (from, _, count) in pools.flat_map(Lifetimes::buckets) {
        *counts.entry(u64::try_from(from.as_nanos()).unwrap_or(u64::MAX)).or_default() += count;
    }
    counts
}

/// The 99th percentile of what came between, ns: the lower bound of its bucket. `None` if it is too little.
pub(crate) fn percentile_99(before: &Counts, now: &Counts) -> Option<u64> {
    // A pool that has gone takes its counts along.
    let new = |bucket: &u64, count: u64| count.saturating_sub(before.get(bucket).copied().unwrap_or(0));
    let total: u64 = now.iter().map(|(bucket, count)| new(bucket, *count)).sum();
    if total < SAMPLES_MIN {
        return None;
    }
    let mut above = total / 100;
    for (bucket, count) in now.iter().rev() {
        let count = new(bucket, *count);
        if count > above {
            return Some(*bucket);
        }
        above -= count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(fast: u32, slow: u32) -> Lifetimes {
        let mut times = Lifetimes::default();
        (0..fast).for_each(|_| times.add(Duration::from_micros(2)));
        (0..slow).for_each(|_| times.add(Duration::from_millis(20)));
        times
    }

    #[test]
    fn the_percentile_is_of_what_was_created_of_late() {
        let (mut creates, s) = (Creates::default(), Duration::from_secs);
        let mut look = |at, pools: &[Lifetimes]| creates.p99_ns(s(at), pools.iter());
        assert_eq!(look(0, &[times(100, 100)]), None, "nothing to compare with");
        assert_eq!(look(1, &[times(110, 100), times(9, 0)]), None, "19 are too few");
        assert_eq!(look(2, &[times(190, 101), times(9, 0)]), Some(1024), "one of a hundred is above it");
        assert_eq!(look(3, &[times(290, 110), times(9, 0)]), Some(16_777_216));
        assert_eq!(look(9, &[times(400, 110), times(9, 0)]), Some(1024), "the slow ones are long ago");
        assert_eq!(look(10, &[times(9, 0)]), None, "a pool has gone");
    }
}

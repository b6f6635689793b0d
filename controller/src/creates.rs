//! How long creates took of late, from the pools' cumulative histograms.
//!
//! All pools together: what makes creates slow is the process's lack of memory, not one pool's. Decides nothing.

use crate::seen::SeenPools;
use crate::sense::PauseSample;
use pool_core::Lifetimes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A percentile of fewer creates says nothing.
const SAMPLES_MIN: u64 = 20;
/// Looks that are kept are at least this part of a window apart.
const LOOKS_A_WINDOW: u32 = 16;

/// Timed creates by the lower bound of their time, ns.
pub(crate) type CreateTimes = BTreeMap<u64, u64>;

/// Follows the histograms. Those that have no more creates than at the last look are not read again.
#[derive(Debug, Default)]
pub(crate) struct Creates {
    looks: VecDeque<(Duration, CreateTimes)>,
    /// Of all pools, now.
    sum: CreateTimes,
    /// What of that each pool has, in their order; most have none.
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Default)]
struct Part {
    timed: u64,
    times: Option<Box<Lifetimes>>,
}

impl Creates {
    /// Takes the histograms of all pools and returns the 99th percentile of the last two seconds, ns: the lower bound of
    /// its bucket, so half of the truth at worst. `None` if too few were timed.
    pub(crate) fn p99_ns(&mut self, at: Duration, pools: &SeenPools) -> Option<u64> {
        if pools.are_others || self.parts.len() != pools.len() {
            self.sum.clear();
            self.parts = vec![Part::default(); pools.len()];
        }
        for ((pool, managed), part) in pools.iter().zip(pools.managed.iter()).zip(&mut self.parts) {
            if pool.figures.creates_timed != part.timed {
                part.timed = pool.figures.creates_timed;
                let times = Box::new(managed.create_times());
                add(&mut self.sum, &times, u64::wrapping_add);
                if let Some(before) = part.times.replace(times) {
                    add(&mut self.sum, &before, u64::wrapping_sub);
                }
            }
        }
        let window = PauseSample::WINDOW;
        while self.looks.get(1).is_some_and(|(then, _)| *then + window <= at) {
            self.looks.pop_front();
        }
        let p99 = self.looks.front().and_then(|(_, before)| percentile_99(before, &self.sum));
        if self.looks.back().is_none_or(|(last, _)| at >= *last + window / LOOKS_A_WINDOW) {
            self.looks.push_back((at, self.sum.clone()));
        }
        p99
    }
}

/// The times of one pool's creates.
pub(crate) fn times(times: &Lifetimes) -> CreateTimes {
    let mut sum = CreateTimes::new();
    add(&mut sum, times, u64::wrapping_add);
    sum
}

fn add(sum: &mut CreateTimes, times: &Lifetimes, op: fn(u64, u64) -> u64) {
    for (from, _, count) in times.buckets() {
        let bucket = sum.entry(u64::try_from(from.as_nanos()).unwrap_or(u64::MAX)).or_default();
        *bucket = op(*bucket, count);
    }
}

/// The 99th percentile of what came between, ns: the lower bound of its bucket. `None` if it is too little.
pub(crate) fn percentile_99(before: &CreateTimes, now: &CreateTimes) -> Option<u64> {
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
    use crate::fake::FakePool;
    use pool_core::Managed;
    use std::sync::Arc;

    fn times(fast: u32, slow: u32) -> Lifetimes {
        let mut times = Lifetimes::default();
        (0..fast).for_each(|_| times.add(Duration::from_micros(2)));
        (0..slow).for_each(|_| times.add(Duration::from_millis(20)));
        times
    }

    #[test]
    fn the_percentile_is_of_what_was_created_of_late() {
        let (mut creates, mut seen, s) = (Creates::default(), SeenPools::default(), Duration::from_secs);
        let fakes = [FakePool::new("a"), FakePool::new("b")];
        let lists: [Arc<[Arc<dyn Managed>]>; 3] = [0, 1, 2]
            .map(|n| fakes.iter().take(n).map(|fake| Arc::clone(fake) as Arc<dyn Managed>).collect());
        let mut look = |at, pools: &[Lifetimes]| {
            for (fake, times) in fakes.iter().zip(pools) {
                fake.set_stats(|stats| stats.creates = times.clone());
            }
            seen.meet(Arc::clone(&lists[pools.len()]));
            seen.look();
            creates.p99_ns(s(at), &seen)
        };
        assert_eq!(look(0, &[times(100, 100)]), None, "nothing to compare with");
        assert_eq!(look(1, &[times(110, 100), times(9, 0)]), None, "19 are too few");
        assert_eq!(look(2, &[times(190, 101), times(9, 0)]), Some(1024), "one of a hundred is above it");
        assert_eq!(look(3, &[times(290, 110), times(9, 0)]), Some(16_777_216));
        assert_eq!(look(9, &[times(400, 110), times(9, 0)]), Some(1024), "the slow ones are long ago");
        assert_eq!(look(10, &[times(9, 0)]), None, "a pool has gone");
    }
}

//! Canaries of settings inside this process: what both pools of each did at the same time, and what follows.
//!
//! `compare` has the rule. Here the rounds are cut from the pools' cumulative figures. A comparison begins anew when what
//! is compared is no more the same: another share, or a knob that an operator or a person has set. Policies steer both
//! pools all the time, under one rule, and begin nothing. Writes nothing.
//!
//! A tick asks each split for its share, and takes the rest from what it has seen anyway; figures that only a comparison
//! needs are read once a round.

mod compare;
mod status;

pub use compare::{CanaryEvidence, CanaryVerdict};
pub use status::{CanaryShare, CanarySide, CanaryStatus};

use crate::creates::{self, CreateTimes};
use crate::seen::{SeenPool, SeenPools};
use compare::{Comparison, ROUNDS_MIN, Round, RoundSide, compare};
use pool_core::{DropReason, Knob, Knobs, Managed, PoolStats, Share, Split};
use std::cell::LazyCell;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The length of a round: it ends with the first look from then on.
const ROUND: Duration = Duration::from_secs(5);
/// A round of this length is left out. Nobody has looked meanwhile: the loop hung, or the controller is switched off and
/// looks when it is asked.
const ROUND_MAX: Duration = Duration::from_secs(10);
/// How long rounds are looked back on.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Rounds that are left out first: a pool that has just been turned to holds nothing yet.
const WARM_UP: u32 = 3;

/// The canaries of a registry, by the address of their split: a track's `Weak` keeps it from becoming another's.
#[derive(Debug, Default)]
pub(crate) struct Canaries(HashMap<usize, Track>);

/// One of them.
#[derive(Debug)]
struct Track {
    split: Weak<Split>,
    /// Where its pools stood the last time.
    places: [usize; 2],
    /// The generations of knobs with which `what` was read.
    generations: [u64; 2],
    what: What,
    /// Rounds that are still left out.
    warm_up: u32,
    last: [Look; 2],
    /// Each with the looks that it began with.
    rounds: VecDeque<(Round, [Look; 2])>,
    /// What follows from the rounds, and the sides without what is true only now.
    comparison: Comparison,
    sides: [CanarySide; 2],
}

/// What is compared: if it differs, earlier rounds say nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
struct What {
    share: Share,
    /// The generations of what is not left to policies.
    set: [[u64; 5]; 2],
}

/// The cumulative figures of one pool at the beginning of a round.
#[derive(Clone, Debug)]
struct Look {
    at: Duration,
    gets: u64,
    missed: u64,
    created: u64,
    evicted: u64,
    idle_bytes: u64,
    creates: CreateTimes,
}

/// One pool of a pair, as this tick has seen it.
#[derive(Clone, Copy)]
struct Half<'a> {
    seen: &'a SeenPool,
    managed: &'a dyn Managed,
}

impl Canaries {
    /// Looks at the pools of each split, and says how it stands. Reads the figures of no other pool.
    pub(crate) fn look(
        &mut self,
        at: Duration,
        splits: &[Arc<Split>],
        pools: &SeenPools,
    ) -> Vec<CanaryStatus> {
        self.0.retain(|_, track| track.split.strong_count() > 0);
        let by_name: LazyCell<HashMap<&str, usize>, _> =
            LazyCell::new(|| pools.iter().enumerate().map(|(place, pool)| (&*pool.name, place)).collect());
        let find = |name: &str, probably: usize| match pools.get(probably) {
            Some(pool) if pool.name == *name => Some(probably),
            _ => by_name.get(name).copied(),
        };
        let look_at = |split: &Arc<Split>| {
            let address = Arc::as_ptr(split).addr();
            let before = self.0.get(&address).map(|track| track.places).unwrap_or_default();
            let places = [find(split.name(), before[0])?, find(split.canary_name(), before[1])?];
            let pair = places.map(|place| Half { seen: &pools[place], managed: &*pools.managed[place] });
            let share = split.share();
            let track = self.0.entry(address).or_insert_with(|| Track::new(at, split, share.value, pair));
            if !track.see(at, share.value, pair) {
                *track = Track::new(at, split, share.value, pair);
            }
            track.places = places;
            Some(track.status(share, pair))
        };
        splits.iter().filter_map(look_at).collect()
    }
}

/// The generations of what is not left to policies.
fn set_by_hand(knobs: &Knobs) -> [u64; 5] {
    fn of<T>(knob: &Knob<T>) -> u64 {
        if knob.is_override() { knob.generation } else { 0 }
    }
    let Knobs { capacity, sampling, eviction, reuse, priority, generation: _ } = knobs;
    [of(capacity), of(sampling), of(eviction), of(reuse), of(priority)]
}

impl Track {
    fn new(at: Duration, split: &Arc<Split>, share: Share, pair: [Half<'_>; 2]) -> Self {
        Self {
            split: Arc::downgrade(split),
            places: [0; 2],
            generations: pair.map(Half::generation),
            what: What { share, set: pair.map(Half::set_by_hand) },
            warm_up: WARM_UP,
            last: pair.map(|half| half.look(at)),
            rounds: VecDeque::new(),
            comparison: compare(std::iter::empty()),
            sides: [CanarySide::default(); 2],
        }
    }

    /// Whether what is compared, and with which pools, is the same as before: the figures of a pool only rise.
    fn see(&mut self, at: Duration, share: Share, pair: [Half<'_>; 2]) -> bool {
        let generations = pair.map(Half::generation);
        let is_read = generations == self.generations;
        let set = if is_read { self.what.set } else { pair.map(Half::set_by_hand) };
        self.generations = generations;
        if self.what != (What { share, set }) {
            return false;
        }
        let length = at.saturating_sub(self.last[0].at);
        length < ROUND || self.end_round(length, pair.map(|half| half.look(at)))
    }

    fn end_round(&mut self, length: Duration, now: [Look; 2]) -> bool {
        let Some((stable, canary)) = now[0].since(&self.last[0]).zip(now[1].since(&self.last[1])) else {
            return false;
        };
        let before = std::mem::replace(&mut self.last, now);
        let at = self.last[0].at;
        while self.rounds.front().is_some_and(|(_, began)| began[0].at + WINDOW < at) {
            self.rounds.pop_front();
        }
        if self.warm_up > 0 {
            self.warm_up -= 1;
        } else if length < ROUND_MAX {
            self.rounds.push_back((Round { stable, canary }, before));
        }
        self.comparison = compare(self.rounds.iter().map(|(round, _)| *round));
        self.sides = [self.side(0), self.side(1)];
        true
    }

    fn status(&self, share: Knob<Share>, pair: [Half<'_>; 2]) -> CanaryStatus {
        let Comparison { verdict, rounds, evidence } = self.comparison;
        let [stable, canary] = [pair[0].now(self.sides[0]), pair[1].now(self.sides[1])];
        let names = pair.map(|half| half.seen.name.clone());
        let share = CanaryShare::new(names, share);
        CanaryStatus { share, verdict, rounds, rounds_needed: ROUNDS_MIN, evidence, stable, canary }
    }

    /// One side from the first of the rounds to the last look, rounds that were left out included.
    fn side(&self, of: usize) -> CanarySide {
        let Some((_, first)) = self.rounds.front() else { return CanarySide::default() };
        let (first, last) = (&first[of], &self.last[of]);
        let gets = last.gets - first.gets;
        let by_gets = |n: u64| (gets > 0).then(|| n as f64 / gets as f64);
        let seconds = last.at.saturating_sub(first.at).as_secs_f64();
        let idle: u64 = self.rounds.iter().map(|(_, began)| began[of].idle_bytes).sum();
        let idle_mean = idle as f64 / self.rounds.len() as f64;
        CanarySide {
            gets,
            // A look that came between a create and its get has taken that get for a hit: it is missed in the next.
            hit_ratio: by_gets(gets.saturating_sub(last.missed - first.missed)),
            create_ratio: by_gets(last.created - first.created),
            evict_ratio: by_gets(last.evicted - first.evicted),
            create_p99_ms: creates::percentile_99(&first.creates, &last.creates).map(|ns| ns as f64 / 1e6),
            idle_bytes_per_get_s: (gets > 0).then(|| idle_mean / (gets as f64 / seconds)),
            ..CanarySide::default()
        }
    }
}

impl Half<'_> {
    fn generation(self) -> u64 {
        self.seen.figures.knobs_generation
    }

    fn set_by_hand(self) -> [u64; 5] {
        set_by_hand(&self.managed.knobs())
    }

    fn look(self, at: Duration) -> Look {
        Look::of(at, &self.managed.stats())
    }

    /// A side with what is true now.
    fn now(self, side: CanarySide) -> CanarySide {
        let figures = &self.seen.figures;
        CanarySide {
            lent_objects: figures.lent_objects,
            idle_bytes: figures.idle_bytes,
            capacity_bytes: figures.capacity_bytes,
            capacity_objects: figures.capacity_objects,
            ..side
        }
    }
}

impl Look {
    fn of(at: Duration, stats: &PoolStats) -> Self {
        let evicted = [DropReason::Full, DropReason::Oversize, DropReason::Pressure, DropReason::Expired];
        Self {
            at,
            gets: stats.gets.total(),
            missed: stats.gets.created + stats.gets.bypassed,
            created: stats.created,
            evicted: evicted.into_iter().map(|reason| stats.dropped[reason as usize]).sum(),
            idle_bytes: stats.idle_bytes,
            creates: creates::times(&stats.creates),
        }
    }

    fn since(&self, before: &Self) -> Option<RoundSide> {
        // Objects that were made ahead of gets are among the created: they can be fewer where gets are more.
        self.created.checked_sub(before.created)?;
        Some(RoundSide {
            gets: self.gets.checked_sub(before.gets)?,
            missed: self.missed.checked_sub(before.missed)?,
            evicted: self.evicted.checked_sub(before.evicted)?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;

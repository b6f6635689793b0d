//! Trials: timed leases of two arms, one as always and one served fresh, to tell what the pool saves.
//!
//! A clock read costs more than a get, so single gets cannot be timed; whole leases can, because what a pool saves
//! (create, growth, first touch, free) falls anywhere between get and return. Both arms pay the same for being timed,
//! and take turns in short rows on one slot, so that caches and predictors are as warm for one as for the other.

use crate::events::{ARM, Arm, Due};
use crate::lifetimes::Lifetimes;
use crate::sync::clock::{self, Instant};
use crate::sync::{Mutex, PoisonError, try_lock};
use crate::worth::Arms;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What one pool's trials have found. Nothing is allocated before the first.
pub(crate) struct Trials {
    state: Mutex<Option<Box<State>>>,
    /// Leases that were timed and served as always; written under the lock. Std's own, and relaxed: it orders nothing, and
    /// who finds another number asks for the rest under the lock.
    timed: AtomicU64,
    built: Instant,
}

struct State {
    pooled: Ring,
    fresh: Ring,
    lifetimes: Lifetimes,
    /// Since when gets are counted for the rate, and how many there had been.
    since: (Instant, u64),
    summary: Arms,
    summarised: u64,
}

/// The latest samples of one arm.
struct Ring {
    samples: [u32; SAMPLES],
    total: u64,
}

const SAMPLES: usize = 512;
/// New samples that make the summary out of date.
const STALE: u64 = 64;

/// The first leases of each row find its code cold; they are not counted.
pub(crate) const WARM_UP: u32 = 4;

impl Due {
    /// The arm that this lease is timed for, unless it only warms up.
    pub(crate) fn timed(self) -> Option<Arm> {
        self.trial.filter(|(_, place)| *place >= WARM_UP).map(|(arm, _)| arm)
    }
}

const _: () = assert!(WARM_UP < ARM);

impl Trials {
    pub(crate) fn new(built: Instant) -> Self {
        Self { state: Mutex::new(None), timed: AtomicU64::new(0), built }
    }

    /// Takes a lease's time. Lost if somebody reads at this moment: the return path never waits.
    pub(crate) fn add(&self, arm: Arm, took: Duration) {
        let Some(mut state) = try_lock(&self.state) else { return };
        // Allocated once in a pool's life.
        let state = state.get_or_insert_with(|| State::new((self.built, 0)));
        let ring = match arm {
            Arm::Pooled => &mut state.pooled,
            Arm::Fresh => &mut state.fresh,
        };
        ring.push(took);
        if arm == Arm::Pooled {
            state.lifetimes.add(took);
            self.timed.fetch_add(1, Relaxed);
        }
    }

    /// How many leases [`summary`](Self::summary) says the lifetimes of.
    pub(crate) fn timed(&self) -> u64 {
        self.timed.load(Relaxed)
    }

    /// The latest samples of both arms, put together, and how long leases lasted. Sorts some hundred numbers if there
    /// are new ones.
    pub(crate) fn summary(&self, gets: u64) -> (Arms, Lifetimes) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = &mut *state else { return (Arms::default(), Lifetimes::default()) };
        (state.arms(gets), state.lifetimes.clone())
    }
}

impl State {
    fn arms(&mut self, gets: u64) -> Arms {
        let total = self.pooled.total + self.fresh.total;
        if total >= self.summarised + STALE {
            let now = clock::now();
            let (since, gets_then) = self.since;
            let seconds = now.saturating_duration_since(since).as_secs_f64();
            let rate = if seconds > 0.0 { gets.saturating_sub(gets_then) as f64 / seconds } else { 0.0 };
            self.summary = Arms::of(self.pooled.sorted(), self.fresh.sorted(), rate);
            self.summarised = total;
            self.since = (now, gets);
        }
        self.summary
    }

    fn new(since: (Instant, u64)) -> Box<Self> {
        Box::new(Self {
            pooled: Ring::new(),
            fresh: Ring::new(),
            lifetimes: Lifetimes::default(),
            since,
            summary: Arms::default(),
            summarised: 0,
        })
    }
}

impl Ring {
    fn new() -> Self {
        Self { samples: [0; SAMPLES], total: 0 }
    }

    fn push(&mut self, took: Duration) {
        let at = usize::try_from(self.total % SAMPLES as u64).unwrap_or(0);
        self.samples[at] = u32::try_from(took.as_nanos()).unwrap_or(u32::MAX);
        self.total += 1;
    }

    fn sorted(&self) -> Vec<u32> {
        let len = usize::try_from(self.total).map_or(SAMPLES, |n| n.min(SAMPLES));
        let mut samples = self.samples[..len].to_vec();
        samples.sort_unstable();
        samples
    }
}

//! What comes up at certain gets of a slot: leases to record, leases to time, gets that must not reuse.
//!
//! The fast path asks one question, whether the number of gets has reached the earliest event. Everything else is
//! here. Intervals are drawn at random around their mean, so that a periodic caller cannot hide between them.

use crate::knobs::{LeaseLevel, Reuse, Sampling};
use crate::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

/// How often, for all slots of a pool; written under the lock of the pool's knobs.
#[derive(Debug)]
pub(crate) struct Rates {
    /// 0 none, 1 all, n one in n.
    lease_one_in: AtomicU32,
    timing_one_in: AtomicU32,
    /// The share of gets that must not reuse, in 2^-32.
    bypass: AtomicU64,
}

/// What a get has to do beside getting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// Put the lease on record.
    pub(crate) record: bool,
    /// Serve it fresh and drop its object on return.
    pub(crate) bypass: bool,
    /// It is part of a trial, and its place in its arm's row.
    pub(crate) trial: Option<(Arm, u32)>,
    /// When a lease that is timed began, ns since the pool was built.
    pub(crate) started_ns: u64,
}

/// The two arms of a trial of what the pool saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    /// As always.
    Pooled,
    /// Fresh, as if there were no pool.
    Fresh,
}

impl Due {
    /// Whether an idle object may serve.
    pub(crate) fn may_reuse(self) -> bool {
        !self.bypass && !matches!(self.trial, Some((Arm::Fresh, _)))
    }
}

/// Leases of one arm in a row.
pub(crate) const ARM: u32 = 16;

/// What one slot has ahead, in numbers of gets. Guarded like the rest of the slot.
///
/// A get has its number when it asks what is due, and is counted when it has its object: where it creates, others may
/// come between, and it may fail. So numbers run ahead of the count, by as many gets as went to create and were not
/// counted here. Callers know the count only, in what they pass and in what they are told.
#[derive(Debug)]
pub(crate) struct Events {
    ahead: AtomicU64,
    lease: AtomicU64,
    bypass: AtomicU64,
    trial: AtomicU64,
    /// Leases that are left of the trial under way: more than [`ARM`] of them are pooled, then fresh.
    trial_left: AtomicU32,
    chance: AtomicU64,
}

impl Rates {
    pub(crate) fn new() -> Self {
        let rates = Self {
            lease_one_in: AtomicU32::new(0),
            timing_one_in: AtomicU32::new(0),
            bypass: AtomicU64::new(0),
        };
        rates.set(Sampling::DEFAULT, Reuse::DEFAULT);
        rates
    }

    pub(crate) fn set(&self, sampling: Sampling, reuse: Reuse) {
        let lease_one_in = match sampling.leases() {
            LeaseLevel::Off => 0,
            LeaseLevel::All => 1,
            LeaseLevel::Sampled(n) => n.get(),
        };
        // 0 to 2^32 by the range of a ratio.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let bypass = ((1.0 - reuse.0.get()) * WHOLE as f64).round() as u64;
        self.lease_one_in.store(lease_one_in, SeqCst);
        self.timing_one_in.store(sampling.timing_one_in(), SeqCst);
        self.bypass.store(bypass, SeqCst);
    }

    /// For a get outside every slot, the `n`-th of its pool there: no timing, and shares spread evenly (by the
    /// golden ratio) instead of drawn.
    pub(crate) fn due_outside(&self, n: u64) -> Due {
        let one_in = u64::from(self.lease_one_in.load(Relaxed));
        let spread = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        Due {
            record: one_in != 0 && n % one_in == 0,
            bypass: spread < self.bypass.load(Relaxed),
            ..Due::default()
        }
    }
}

/// A share of 1.
const WHOLE: u64 = 1 << 32;

impl Events {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            ahead: AtomicU64::new(0),
            lease: AtomicU64::new(u64::MAX),
            bypass: AtomicU64::new(u64::MAX),
            trial: AtomicU64::new(u64::MAX),
            trial_left: AtomicU32::new(0),
            chance: AtomicU64::new(seed),
        }
    }

    /// Draws all events anew: the rates have changed. Returns the earliest. Inside only (S1).
    pub(crate) fn redraw(&self, gets: u64, rates: &Rates) -> u64 {
        let gets = self.number(gets);
        self.trial_left.store(0, Relaxed);
        self.lease.store(self.lease_from(gets, rates), Relaxed);
        self.bypass.store(self.bypass_from(gets, rates), Relaxed);
        self.trial.store(self.trial_from(gets, rates), Relaxed);
        self.earliest(gets)
    }

    /// What is due at a get that will be number `gets`, and the next event after it. Inside only (S1).
    pub(crate) fn take(&self, gets: u64, rates: &Rates) -> (Due, u64) {
        let gets = self.number(gets);
        let mut due = Due::default();
        if gets >= self.lease.load(Relaxed) {
            due.record = true;
            self.lease.store(self.lease_from(gets + 1, rates), Relaxed);
        }
        if gets >= self.bypass.load(Relaxed) {
            due.bypass = true;
            self.bypass.store(self.bypass_from(gets + 1, rates), Relaxed);
        }
        let mut left = self.trial_left.load(Relaxed);
        if left == 0 && gets >= self.trial.load(Relaxed) {
            left = 2 * ARM;
            self.trial.store(self.trial_from(gets + 1, rates), Relaxed);
        }
        if left > 0 {
            // A get that is bypassed anyway says nothing of either arm.
            let arm = if left > ARM { (Arm::Pooled, 2 * ARM - left) } else { (Arm::Fresh, ARM - left) };
            due.trial = (!due.bypass).then_some(arm);
            self.trial_left.store(left - 1, Relaxed);
        }
        (due, self.earliest(gets + 1))
    }

    /// The number that was given last goes to a get that is not counted yet. Returns what becomes of the next event.
    pub(crate) fn run_ahead(&self, next: u64) -> u64 {
        self.ahead.store(self.ahead.load(Relaxed) + 1, Relaxed);
        next.saturating_sub(1)
    }

    /// A get was counted whose number had been given before. One that never is leaves the numbers ahead for good.
    pub(crate) fn fall_back(&self, next: u64) -> u64 {
        let ahead = self.ahead.load(Relaxed);
        if ahead == 0 {
            return next; // it had no number here
        }
        self.ahead.store(ahead - 1, Relaxed);
        next.saturating_add(1)
    }

    /// The number of a get before which `gets` were counted.
    fn number(&self, gets: u64) -> u64 {
        gets + self.ahead.load(Relaxed)
    }

    /// The count of gets at which the earliest event comes, for a get of this number.
    fn earliest(&self, number: u64) -> u64 {
        let event = self.lease.load(Relaxed).min(self.bypass.load(Relaxed)).min(self.trial.load(Relaxed));
        let event = if self.trial_left.load(Relaxed) > 0 { number } else { event };
        event.saturating_sub(self.ahead.load(Relaxed))
    }

    /// 0 to 2n−2 gets from here, each as likely.
    fn lease_from(&self, gets: u64, rates: &Rates) -> u64 {
        self.uniform(gets, u64::from(rates.lease_one_in.load(Relaxed)))
    }

    /// As above; a whole trial counts as what it costs.
    fn trial_from(&self, gets: u64, rates: &Rates) -> u64 {
        self.uniform(gets, u64::from(rates.timing_one_in.load(Relaxed)) * u64::from(2 * ARM))
    }

    fn uniform(&self, gets: u64, one_in: u64) -> u64 {
        match one_in {
            0 => return u64::MAX,
            1 => return gets,
            _ => {}
        }
        gets + self.random() % (2 * one_in - 1)
    }

    /// As if a coin were thrown at each get (the distance to the next head is geometric).
    fn bypass_from(&self, gets: u64, rates: &Rates) -> u64 {
        let share = rates.bypass.load(Relaxed);
        if share == 0 {
            return u64::MAX;
        }
        if share >= WHOLE {
            return gets;
        }
        let miss = 1.0 - share as f64 / WHOLE as f64;
        // Above 0 and at most 1, so the logarithm is finite.
        let uniform = ((self.random() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        // Not negative, and far below 2^63: at most 37 / 2^-32.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let gap = (uniform.ln() / miss.ln()) as u64;
        gets.saturating_add(gap)
    }

    /// xorshift64* (Vigna 2016).
    fn random(&self) -> u64 {
        let mut x = self.chance.load(Relaxed);
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.chance.store(x, Relaxed);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;
    use crate::knobs::Ratio;
    use std::num::NonZeroU32;

    fn rates(one_in: u32, timing: u32, reuse: f64) -> Rates {
        let rates = Rates::new();
        let leases = NonZeroU32::new(one_in).map_or(LeaseLevel::Off, LeaseLevel::Sampled);
        let sampling = Sampling::DEFAULT.with_leases(leases).with_timing_one_in(timing).unwrap();
        rates.set(sampling, Reuse(Ratio::new(reuse).unwrap()));
        rates
    }

    /// The gets with an event, by asking only where the fast path would.
    fn run(rates: &Rates, gets: u64) -> Vec<(u64, Due)> {
        let events = Events::new(0x9E37_79B9_7F4A_7C15);
        let mut next = events.redraw(0, rates);
        let mut seen = Vec::new();
        for get in 0..gets {
            if get >= next {
                let (due, then) = events.take(get, rates);
                next = then;
                seen.push((get, due));
            }
        }
        seen
    }

    #[test]
    fn one_lease_in_n_is_recorded_and_not_periodically() {
        let seen = run(&rates(128, 0, 1.0), 128_000);
        assert!((900..1100).contains(&seen.len()), "{} samples", seen.len());
        assert!(seen.iter().all(|(_, due)| *due == Due { record: true, ..Due::default() }));
        let mut gaps: Vec<_> = seen.windows(2).map(|w| w[1].0 - w[0].0).collect();
        gaps.sort_unstable();
        gaps.dedup();
        assert!(gaps.len() > 100, "only {} different intervals", gaps.len());
        assert_eq!(run(&rates(1, 0, 1.0), 100).len(), 100);
        assert_eq!(run(&rates(0, 0, 1.0), 100_000), []);
    }

    #[test]
    fn the_reuse_knob_bypasses_its_share() {
        for (reuse, low, high) in [(0.0, 100_000, 100_000), (0.5, 49_000, 51_000), (0.99, 900, 1100)] {
            let bypassed = run(&rates(0, 0, reuse), 100_000).len();
            assert!((low..=high).contains(&bypassed), "reuse {reuse}: {bypassed} bypassed");
        }
        let outside = |reuse| {
            let rates = rates(0, 0, reuse);
            (0..100_000).filter(|&n| rates.due_outside(n).bypass).count()
        };
        assert_eq!((outside(0.0), outside(1.0)), (100_000, 0));
        assert!((24_900..=25_100).contains(&outside(0.75)), "{}", outside(0.75));
    }

    #[test]
    fn a_trial_times_both_arms_in_a_row() {
        let seen = run(&rates(0, 64, 1.0), 1 << 20);
        let arms: Vec<_> = seen.iter().map(|(_, due)| due.trial.unwrap()).collect();
        for trial in arms.chunks_exact(2 * ARM as usize) {
            let row = |arm| (0..ARM).map(move |place| (arm, place));
            assert!(trial.iter().copied().eq(row(Arm::Pooled).chain(row(Arm::Fresh))), "{trial:?}");
        }
        let share = (1 << 20) / arms.len();
        assert!((56..=72).contains(&share), "one in {share}");
        let consecutive = seen.windows(2).filter(|w| w[1].0 == w[0].0 + 1).count();
        assert!(consecutive * 32 >= seen.len() * 31 - 32, "{consecutive} of {}", seen.len());
    }
}

//! Whether what pools give up leaves the process.
//!
//! An allocator may keep what is freed: then usage does not fall however small the pools become, and a law that went
//! on would starve them for nothing. What has been freed and kept for [`PATIENCE`], though the allocator was asked
//! to give it back, is not reclaimable; what helps then is less work, or more memory. Makes no decision of its own.

use super::share_of;
use std::collections::VecDeque;
use std::time::Duration;

/// After this long, what was freed should have left.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// If less than a quarter of it has.
const STAYED_PERCENT: u64 = 75;
/// And it is worth speaking of, thousandths of the limit.
const LEAST_PERMILLE: u64 = 20;
/// One sample in so long is enough.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Follows what the allocator keeps of what was freed.
#[derive(Clone, Debug, Default)]
pub(super) struct Reclaimable {
    samples: VecDeque<Sample>,
    stays: bool,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    retained: u64,
    purges: u64,
}

impl Reclaimable {
    /// Takes what is retained now; whether freeing more would help.
    pub(super) fn update(&mut self, now: Duration, limit_bytes: u64, retained: u64, purges: u64) -> bool {
        if self.samples.back().is_none_or(|last| now >= last.at + SAMPLE_EVERY) {
            self.samples.push_back(Sample { at: now, retained, purges });
        }
        while self.samples.get(1).is_some_and(|second| second.at + PATIENCE <= now) {
            self.samples.pop_front();
        }
        let least = share_of(limit_bytes, LEAST_PERMILLE);
        if let Some(then) = self.samples.front().filter(|first| first.at + PATIENCE <= now) {
            // The lowest since: what was handed out again and freed again meanwhile did not stay.
            let stayed = self.samples.iter().map(|sample| sample.retained).min().unwrap_or(0).min(retained);
            let asked = purges > then.purges;
            self.stays = then.retained >= least
                && stayed.saturating_mul(100) >= then.retained.saturating_mul(STAYED_PERCENT)
                && (asked || self.stays);
        }
        if retained < least {
            self.stays = false;
        }
        !self.stays
    }

    /// Figures jumped: nothing is known.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1000;

    /// Retained bytes and purges second by second; the last word.
    fn said(seconds: impl Iterator<Item = (u64, u64)>) -> bool {
        let mut watch = Reclaimable::default();
        let mut last = true;
        for (second, (retained, purges)) in seconds.enumerate() {
            last = watch.update(Duration::from_secs(second as u64), LIMIT, retained, purges);
        }
        last
    }

    #[test]
    fn what_stays_though_the_allocator_was_asked_is_not_reclaimable() {
        assert!(said((0..15).map(|s| (200, u64::from(s > 5)))), "15 s are not over");
        assert!(!said((0..16).map(|s| (200, u64::from(s > 5)))));
        assert!(!said((0..16).map(|s| (if s < 5 { 200 } else { 150 }, s))), "a quarter is too little");
        assert!(said((0..16).map(|s| (if s < 5 { 200 } else { 149 }, s))));
    }

    #[test]
    fn nobody_asked_or_next_to_nothing_says_nothing() {
        assert!(said((0..40).map(|_| (200, 0))));
        assert!(said((0..40).map(|s| (19, s))));
    }

    #[test]
    fn it_is_taken_back_when_memory_comes_back() {
        assert!(said((0..40).map(|s| (if s < 30 { 200 } else { 10 }, u64::from(s > 5)))));
    }
}

//! How long leases last, and what reuse that allows at best.

use std::time::Duration;

/// A histogram of how long something took, timed leases or creates, in powers of two.
///
/// ```
/// use pool_core::Lifetimes;
/// use std::time::Duration;
/// let mut lifetimes = Lifetimes::default();
/// lifetimes.add(Duration::from_micros(3));
/// assert_eq!(lifetimes.total(), 1);
/// let (from, below, count) = lifetimes.buckets().next().unwrap();
/// assert!(from <= Duration::from_micros(3) && Duration::from_micros(3) < below && count == 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Bucket `i` counts times from 2^i ns up to 2^(i+1) ns; the first also 0.
    counts: [u64; BUCKETS],
}

/// Up to 2^40 ns, 18 minutes; longer ones count in the last.
const BUCKETS: usize = 40;

impl Default for Lifetimes {
    fn default() -> Self {
        Self { counts: [0; BUCKETS] }
    }
}

impl Lifetimes {
    /// Counts a lease that lasted so long.
    ///
    /// See the example of [`Lifetimes`].
    pub fn add(&mut self, lasted: Duration) {
        let nanos = u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX).max(1);
        let bucket = usize::try_from(nanos.ilog2()).unwrap_or(BUCKETS);
        self.counts[bucket.min(BUCKETS - 1)] += 1;
    }

    /// Leases counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The buckets that hold any: from, below, count.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, Duration, u64)> + '_ {
        let nanos = |i: usize| Duration::from_nanos(if i == 0 { 0 } else { 1 << i });
        (0..BUCKETS).filter(|&i| self.counts[i] > 0).map(move |i| (nanos(i), nanos(i + 1), self.counts[i]))
    }

    /// The highest share of reuse that lifetimes allow if only objects that live for at least `least` can be reused
    /// (see [`reuse_limit`]); `None` without a lease. `least` counts as the bucket's lower bound that is next above.
    ///
    /// ```
    /// # use pool_core::Lifetimes;
    /// # use std::time::Duration;
    /// let mut lifetimes = Lifetimes::default();
    /// assert_eq!(lifetimes.reuse_limit(Duration::from_millis(1)), None);
    /// lifetimes.add(Duration::from_micros(3));
    /// lifetimes.add(Duration::from_millis(50));
    /// assert_eq!(lifetimes.reuse_limit(Duration::from_millis(1)), Some(0.5));
    /// ```
    #[must_use]
    pub fn reuse_limit(&self, least: Duration) -> Option<f64> {
        let buckets: Vec<_> = self.buckets().map(|(from, _, count)| (from, count)).collect();
        reuse_limit(&buckets, least)
    }
}

/// `1 − F(least)`: the share of lifetimes of at least `least`, where each bucket is its lower bound and its count.
/// `None` if all counts are 0.
///
/// ```
/// use std::time::Duration;
/// let ms = Duration::from_millis;
/// let counts = [(ms(0), 12), (ms(10), 85), (ms(50), 193), (ms(100), 60)];
/// let limit = pool_core::reuse_limit(&counts, ms(50)).unwrap();
/// assert_eq!(format!("{limit:.4}"), "0.7229");
/// ```
#[must_use]
pub fn reuse_limit(buckets: &[(Duration, u64)], least: Duration) -> Option<f64> {
    let total: u64 = buckets.iter().map(|(_, count)| count).sum();
    let long: u64 = buckets.iter().filter(|(from, _)| *from >= least).map(|(_, count)| count).sum();
    (total > 0).then(|| long as f64 / total as f64)
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_a_bucket() {
        let mut lifetimes = Lifetimes::default();
        for lasted in [Duration::ZERO, Duration::from_nanos(1), Duration::from_nanos(1023), Duration::MAX] {
            lifetimes.add(lasted);
        }
        let buckets: Vec<_> = lifetimes.buckets().map(|(from, _, n)| (from.as_nanos(), n)).collect();
        assert_eq!(buckets, [(0, 2), (512, 1), (1 << 39, 1)]);
        assert_eq!(lifetimes.reuse_limit(Duration::from_nanos(512)), Some(0.5));
        assert_eq!(Lifetimes::default().reuse_limit(Duration::ZERO), None);
    }
}

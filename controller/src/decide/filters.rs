//! Filters over readings: a median against single misreads, a peak that is held, a slope.
//!
//! Time comes with each sample, so ticks may be irregular. Every filter holds a bounded number of samples. They
//! know nothing of memory, limits or pools.

use std::collections::VecDeque;
use std::time::Duration;

/// The median of the last three samples: one misread, high or low, does not get through.
#[derive(Clone, Debug, Default)]
pub struct Median3 {
    last: VecDeque<u64>,
}

impl Median3 {
    /// Takes a sample and returns the median of the last three; before the third sample, the sample itself.
    pub fn push(&mut self, value: u64) -> u64 {
        if self.last.len() == 3 {
            self.last.pop_front();
        }
        self.last.push_back(value);
        let [a, b, c] = self.last.make_contiguous() else { return value };
        (*a).min(*b).max((*a).max(*b).min(*c))
    }
}

/// Samples kept per window, at most: what comes closer together is merged.
const SAMPLES_MAX: u32 = 256;

/// The highest sample of the last `window`.
///
/// ```
/// use pool_controller::decide::filters::PeakHold;
/// use std::time::Duration;
/// let s = Duration::from_secs;
/// let mut peak = PeakHold::new(s(6));
/// assert_eq!([peak.push(s(0), 9), peak.push(s(3), 2), peak.push(s(6), 3), peak.push(s(7), 1)], [9, 9, 9, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct PeakHold {
    window: Duration,
    /// Falling from front to back: each sample that could still become the highest.
    candidates: VecDeque<(Duration, u64)>,
    first: Option<Duration>,
}

impl PeakHold {
    /// Holds each sample for `window`.
    #[must_use]
    pub const fn new(window: Duration) -> Self {
        Self { window, candidates: VecDeque::new(), first: None }
    }

    /// Takes the sample of `now` and returns the highest of the window, ends included. `now` must not fall.
    pub fn push(&mut self, now: Duration, value: u64) -> u64 {
        self.first.get_or_insert(now);
        while self.candidates.front().is_some_and(|(at, _)| *at + self.window < now) {
            self.candidates.pop_front();
        }
        while self.candidates.back().is_some_and(|(_, lower)| *lower <= value) {
            self.candidates.pop_back();
        }
        // What comes right behind a higher sample is not kept: it would outlive it by next to nothing.
        let near = |(at, _): &(Duration, u64)| now < *at + self.window / SAMPLES_MAX;
        if !self.candidates.back().is_some_and(near) {
            self.candidates.push_back((now, value));
        }
        self.candidates.front().map_or(value, |(_, highest)| *highest)
    }

    /// Whether a whole window has been seen since the first sample.
    #[must_use]
    pub fn is_full(&self, now: Duration) -> bool {
        self.first.is_some_and(|first| now >= first + self.window)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.window);
    }
}

/// The change per second over the last `window`.
#[derive(Clone, Debug)]
pub struct Slope {
    window: Duration,
    samples: VecDeque<(Duration, u64)>,
}

impl Slope {
    /// Compares each sample with the one a `window` ago.
    #[must_use]
    pub const fn new(window: Duration) -> Self {
        Self { window, samples: VecDeque::new() }
    }

    /// Takes the sample of `now`; returns units per second, or `None` until a whole window has been seen.
    pub fn push(&mut self, now: Duration, value: u64) -> Option<f64> {
        // One sample at or beyond the window's far end stays: it is what the newest is compared with.
        while self.samples.get(1).is_some_and(|(at, _)| *at + self.window <= now) {
            self.samples.pop_front();
        }
        let merge = self.samples.len() > 1
            && self.samples.back().is_some_and(|(at, _)| now < *at + self.window / SAMPLES_MAX);
        if !merge {
            self.samples.push_back((now, value));
        }
        let (then, old) = *self.samples.front()?;
        let seconds = now.saturating_sub(then).as_secs_f64();
        (now >= then + self.window).then(|| (value as f64 - old as f64) / seconds)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.samples.clear();
    }
}

/// A mean that forgets: what is `tau` old weighs 1/e. The first sample counts in full.
#[derive(Clone, Copy, Debug)]
pub struct Ewma {
    tau: Duration,
    weighted_sum: f64,
    weights: f64,
}

impl Ewma {
    /// Forgets over `tau`.
    #[must_use]
    pub const fn new(tau: Duration) -> Self {
        Self { tau, weighted_sum: 0.0, weights: 0.0 }
    }

    /// Takes what was true for the last `dt` and returns the mean. Takes nothing when `dt` is zero.
    pub fn push(&mut self, dt: Duration, value: f64) -> f64 {
        self.push_keeping(Self::kept(self.tau, dt), value)
    }

    /// What [`push`](Self::push) keeps of a mean over `tau` after `dt`: for means that are fed at the same times.
    pub(super) fn kept(tau: Duration, dt: Duration) -> f64 {
        (-dt.as_secs_f64() / tau.as_secs_f64()).exp()
    }

    /// As [`push`](Self::push), of a time after which so much is [`kept`](Self::kept).
    pub(super) fn push_keeping(&mut self, kept: f64, value: f64) -> f64 {
        self.weighted_sum = self.weighted_sum * kept + value * (1.0 - kept);
        self.weights = self.weights * kept + (1.0 - kept);
        self.value()
    }

    /// The mean; 0 before the first sample.
    #[must_use]
    pub fn value(&self) -> f64 {
        if self.weights > 0.0 { self.weighted_sum / self.weights } else { 0.0 }
    }
}

/// Counts how often a value has turned around: a zigzag with a threshold.
///
/// Turned around has what moved back by more than a tenth of its extreme and by more than the `least` that is given.
///
/// ```
/// use pool_controller::decide::filters::Turns;
/// let mut turns = Turns::default();
/// // Up, jitter, down by half, up again.
/// [100, 200, 400, 390, 400, 370, 200, 100, 110, 100, 115, 300].map(|bytes| turns.see(bytes, 20));
/// assert_eq!(turns.count(), 2);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    extreme: Option<u64>,
    rising: Option<bool>,
    count: u64,
}

impl Turns {
    /// A turn is a way back of more than one in this of the extreme.
    const ONE_IN: u64 = 10;

    /// Takes the next value. A way back of `least` or less is none.
    pub fn see(&mut self, value: u64, least: u64) {
        let extreme = *self.extreme.get_or_insert(value);
        if self.rising.is_some_and(|rising| if rising { value >= extreme } else { value <= extreme }) {
            self.extreme = Some(value);
        } else if value.abs_diff(extreme) > (extreme / Self::ONE_IN).max(least) {
            self.count += u64::from(self.rising.is_some());
            self.rising = Some(value > extreme);
            self.extreme = Some(value);
        }
    }

    /// Turns so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_moves_back_by_a_tenth_and_by_the_least_is_a_turn() {
        let turns = |values: &[u64], least| {
            let mut turns = Turns::default();
            for value in values {
                turns.see(*value, least);
            }
            turns.count()
        };
        assert_eq!(turns(&[100, 1000, 900, 1000], 0), 0, "a tenth is not more than a tenth");
        assert_eq!(turns(&[100, 1000, 899, 1000], 0), 2);
        assert_eq!(turns(&[100, 1000, 899, 1000], 101), 0, "nor is the least more than itself");
        assert_eq!(turns(&[100, 1000, 899, 1000], 100), 2);
        assert_eq!(turns(&[100, 1000, 950, 899, 850, 950], 0), 2, "the way back may come in parts");
        assert_eq!(turns(&[7; 9], 0), 0);
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn one_misread_does_not_pass_the_median_and_a_step_does() {
        let mut median = Median3::default();
        let seen: Vec<_> = [10, 11, 900, 12, 0, 13, 50, 51].into_iter().map(|n| median.push(n)).collect();
        assert_eq!(seen, [10, 11, 11, 12, 12, 12, 13, 50]);
    }

    #[test]
    fn a_peak_is_held_for_the_window_and_not_longer() {
        let mut peak = PeakHold::new(ms(6000));
        assert_eq!(peak.push(ms(0), 100), 100);
        for at in (250..=6000).step_by(250) {
            assert_eq!(peak.push(ms(at), 50), 100, "at {at} ms");
        }
        assert_eq!(peak.push(ms(6001), 50), 50);
    }

    #[test]
    fn the_peak_is_the_maximum_of_the_window_by_brute_force() {
        let mut peak = PeakHold::new(ms(6000));
        let mut all: Vec<(Duration, u64)> = Vec::new();
        let mut x = 7_u64;
        for tick in 0..400 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (now, value) = (ms(tick * 250), x >> 40);
            all.push((now, value));
            let expected = all.iter().filter(|(at, _)| *at + ms(6000) >= now).map(|(_, v)| *v).max();
            assert_eq!(Some(peak.push(now, value)), expected);
            assert_eq!(peak.is_full(now), tick >= 24);
        }
    }

    #[test]
    fn filters_stay_small_however_often_they_are_fed() {
        let (mut peak, mut slope) = (PeakHold::new(ms(6000)), Slope::new(ms(2000)));
        for n in 0..100_000_u64 {
            let now = Duration::from_micros(n * 100);
            peak.push(now, 1_000_000 - n);
            slope.push(now, n);
        }
        assert!(peak.candidates.len() <= 257 && slope.samples.len() <= 258);
    }

    #[test]
    fn a_peak_ends_however_often_the_filter_is_fed() {
        let mut peak = PeakHold::new(ms(6000));
        peak.push(ms(0), u64::MAX);
        for n in 1..=60_010_u64 {
            let now = Duration::from_micros(n * 100);
            assert_eq!(peak.push(now, 60_010 - n) == u64::MAX, now <= ms(6000), "at {now:?}");
        }
    }

    #[test]
    fn a_slope_needs_a_whole_window() {
        let mut slope = Slope::new(ms(2000));
        for at in (0..2000).step_by(250) {
            assert_eq!(slope.push(ms(at), at * 3), None);
        }
        assert_eq!(slope.push(ms(2000), 6000), Some(3000.0));
        assert_eq!(slope.push(ms(2250), 6000), Some((6000.0 - 750.0) / 2.0));
    }

    #[test]
    fn a_slope_can_fall() {
        let mut slope = Slope::new(ms(2000));
        slope.push(ms(0), 5000);
        assert_eq!(slope.push(ms(2500), 0), Some(-2000.0));
    }

    #[test]
    fn a_mean_counts_its_first_sample_in_full_and_forgets() {
        let mut mean = Ewma::new(ms(10_000));
        assert!((mean.push(ms(250), 8.0) - 8.0).abs() < 1e-9);
        for _ in 0..400 {
            mean.push(ms(250), 2.0);
        }
        assert!((mean.value() - 2.0).abs() < 0.01, "{}", mean.value());
        assert!((mean.push(ms(0), 99.0) - mean.value()).abs() < 1e-9, "no time, no weight");
    }
}

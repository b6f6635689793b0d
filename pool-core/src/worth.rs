//! Does it pay: what a pool saves against what it holds.

#[cfg(not(ebbpool_loom))]
use crate::{LeaseLevel, Pool, Sampling, Setting};
use std::fmt;

/// Whether a pool is worth what it holds.
///
/// ```
/// use pool_core::{PoolStats, Verdict};
/// let untimed = PoolStats::default().worth();
/// assert_eq!((untimed.verdict, untimed.verdict.as_str()), (Verdict::Unknown, "unknown"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its leases are faster by more than [`Worth::LEAST_NS`].
    Pays,
    /// They are not.
    DoesNotPay,
    /// The samples are too few or too scattered to say.
    Unknown,
}

impl Verdict {
    /// The name in logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pays => "pays",
            Self::DoesNotPay => "does-not-pay",
            Self::Unknown => "unknown",
        }
    }
}

/// What a pool saves, from timed leases of which half were served fresh on purpose.
///
/// A lease is timed from its get to the end of its return, so create, growth, first touch and free are in it. What
/// the fresh arm pays only for being part of a pool is measured once per process and taken off.
///
/// ```
/// use pool_core::{Verdict, Worth};
/// let worth = Worth {
///     saved_ns_per_lease: 600.0,
///     saved_ns_per_second: 6e5,
///     bytes_held: 4096,
///     samples: (512, 512),
///     verdict: Verdict::Pays,
///     confidence: 0.99,
/// };
/// let said = worth.to_string();
/// assert!(said.starts_with("pays (confidence 0.99): 600 ns a lease, 600000 ns/s, for 4096 bytes held"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// Mean time that a lease is shorter than a fresh one, ns; negative if it is longer.
    pub saved_ns_per_lease: f64,
    /// The same per second, at the rate of gets of late.
    pub saved_ns_per_second: f64,
    /// What the pool holds idle for that, bytes.
    pub bytes_held: u64,
    /// Samples: pooled and fresh.
    pub samples: (usize, usize),
    /// The judgement.
    pub verdict: Verdict,
    /// How sure it is, 0.5 to 1: the chance that the true mean is on the verdict's side of
    /// [`LEAST_NS`](Self::LEAST_NS).
    pub confidence: f64,
}

impl Worth {
    /// A pool must save more than this per lease to pay, ns: the price of reading the clock once. What saves less is
    /// lost in the noise of its own watching.
    pub const LEAST_NS: f64 = 25.0;
    /// A verdict needs this confidence.
    pub const CONFIDENCE: f64 = 0.95;
    /// A verdict needs so many samples of each arm.
    pub const SAMPLES: usize = 48;

    pub(crate) fn of(arms: &Arms, overhead_ns: f64, bytes_held: u64) -> Self {
        let saved = arms.fresh.mean - arms.pooled.mean - overhead_ns;
        let error = arms.fresh.error.hypot(arms.pooled.error);
        let distance = saved - Self::LEAST_NS;
        let confidence = if distance == 0.0 { 0.5 } else { normal((distance / error).abs()) };
        let enough = arms.pooled.samples.min(arms.fresh.samples) >= Self::SAMPLES;
        let verdict = match enough && confidence >= Self::CONFIDENCE {
            false => Verdict::Unknown,
            true if distance > 0.0 => Verdict::Pays,
            true => Verdict::DoesNotPay,
        };
        Self {
            saved_ns_per_lease: saved,
            saved_ns_per_second: saved * arms.gets_per_second,
            bytes_held,
            samples: (arms.pooled.samples, arms.fresh.samples),
            verdict,
            confidence: if enough { confidence } else { 0.5 },
        }
    }
}

impl fmt::Display for Worth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (confidence {:.2}): {:.0} ns a lease, {:.0} ns/s, for {} bytes held; {} + {} samples",
            self.verdict.as_str(),
            self.confidence,
            self.saved_ns_per_lease,
            self.saved_ns_per_second,
            self.bytes_held,
            self.samples.0,
            self.samples.1,
        )
    }
}

/// What a fresh lease pays for being part of a pool, beyond what a pooled one pays: measured once, on a pool whose
/// values cost nothing.
pub(crate) fn overhead_ns() -> f64 {
    #[cfg(not(ebbpool_loom))]
    {
        static OVERHEAD: std::sync::OnceLock<f64> = std::sync::OnceLock::new();
        *OVERHEAD.get_or_init(|| {
            let always = Sampling::DEFAULT.with_leases(LeaseLevel::Off).with_timing_one_in(1);
            let knob = always.map_or(Setting::Sampling(Sampling::DEFAULT), Setting::Sampling);
            let Ok(pool) = Pool::builder("calibration").knob(knob).build_with(|| ()) else { return 0.0 };
            for _ in 0..CALIBRATION_GETS {
                drop(pool.get());
            }
            let arms = pool.stats().arms;
            (arms.fresh.mean - arms.pooled.mean).max(0.0)
        })
    }
    #[cfg(ebbpool_loom)]
    0.0
}

/// Enough to fill both rings once.
#[cfg(not(ebbpool_loom))]
const CALIBRATION_GETS: usize = 4096;

/// The times of timed leases, by arm of the trial.
///
/// ```
/// use pool_core::{Arms, Mean, PoolStats, Verdict};
/// let pooled = Mean { samples: 512, mean: 100.0, error: 0.5 };
/// let alike = Arms { pooled, fresh: pooled, gets_per_second: 1000.0 };
/// let stats = PoolStats { arms: alike, ..PoolStats::default() };
/// assert_eq!(stats.worth().verdict, Verdict::DoesNotPay);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arms {
    /// Served as always.
    pub pooled: Mean,
    /// Served fresh on purpose.
    pub fresh: Mean,
    /// Gets per second of late.
    pub gets_per_second: f64,
}

/// A mean with its standard error.
///
/// See the example of [`Arms`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    /// Samples that it was made of, at most the latest 512.
    pub samples: usize,
    /// The mean, ns; the highest twentieth of the samples counts as what stands below it.
    pub mean: f64,
    /// Its standard error, ns.
    pub error: f64,
}

impl Arms {
    /// From sorted samples.
    pub(crate) fn of(pooled: Vec<u32>, fresh: Vec<u32>, gets_per_second: f64) -> Self {
        Self { pooled: Mean::winsorised(pooled), fresh: Mean::winsorised(fresh), gets_per_second }
    }
}

impl Mean {
    /// The mean with the highest twentieth cut down to what stands below it: a lease during which the thread was
    /// preempted says nothing of the pool.
    fn winsorised(mut sorted: Vec<u32>) -> Self {
        let samples = sorted.len();
        if samples < 2 {
            return Self { samples, ..Self::default() };
        }
        let highest = sorted[samples - 1 - samples / 20];
        for ns in &mut sorted {
            *ns = (*ns).min(highest);
        }
        let n = samples as f64;
        let mean = sorted.iter().map(|&ns| f64::from(ns)).sum::<f64>() / n;
        let squares: f64 = sorted.iter().map(|&ns| (f64::from(ns) - mean).powi(2)).sum();
        // Not below what a clock of 1 ns resolution leaves open.
        let error = (squares / (n - 1.0) / n).sqrt().max(0.5 / n.sqrt());
        Self { samples, mean, error }
    }
}

/// The normal distribution function for `z` ≥ 0 (Abramowitz and Stegun 26.2.17, error below 1e-7).
fn normal(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let poly = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530]
        .iter()
        .fold(0.0, |sum, c| (sum + c) * t);
    1.0 - (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt() * poly
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    fn arms(pooled: &[u32], fresh: &[u32]) -> Arms {
        let many = |times: &[u32]| {
            let mut all: Vec<_> = times.iter().copied().cycle().take(256).collect();
            all.sort_unstable();
            all
        };
        Arms::of(many(pooled), many(fresh), 1e6)
    }

    #[test]
    fn what_saves_more_than_a_clock_read_pays() {
        let worth = Worth::of(&arms(&[50, 60, 70], &[380, 400, 420]), 40.0, 1 << 20);
        assert_eq!((worth.verdict, worth.bytes_held, worth.samples), (Verdict::Pays, 1 << 20, (256, 256)));
        assert!((worth.saved_ns_per_lease - 300.0).abs() < 1.0, "{worth}");
        assert!((worth.saved_ns_per_second - 300e6).abs() < 1e6, "{worth}");
        assert!(worth.confidence > 0.99, "{worth}");
    }

    #[test]
    fn what_saves_less_does_not_and_noise_says_nothing() {
        let little = Worth::of(&arms(&[50, 60, 70], &[100, 110, 120]), 40.0, 0);
        assert_eq!(little.verdict, Verdict::DoesNotPay, "{little}");
        let noise = Worth::of(&arms(&[50, 10_000, 500_000], &[70, 10_000, 500_100]), 40.0, 0);
        assert_eq!(noise.verdict, Verdict::Unknown, "{noise}");
        let few = Worth::of(&Arms::of(vec![1; 10], vec![1000; 10], 1.0), 0.0, 0);
        assert_eq!((few.verdict, few.confidence), (Verdict::Unknown, 0.5));
        assert_eq!(Worth::of(&Arms::default(), 0.0, 0).verdict, Verdict::Unknown);
    }

    #[test]
    fn a_preempted_lease_says_nothing() {
        let mut times = vec![100; 250];
        times.extend([u32::MAX; 6]);
        assert!((Mean::winsorised(times).mean - 100.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_normal_distribution_is_that() {
        for (z, p) in [(0.0, 0.5), (1.0, 0.841_345), (1.644_85, 0.95), (3.0, 0.998_65)] {
            assert!((normal(z) - p).abs() < 1e-5, "{z}");
        }
    }
}

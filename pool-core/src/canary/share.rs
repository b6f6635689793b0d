//! Which gets, keys and processes a share takes. Numbers in, a side out.

use crate::knobs::{KnobError, Ratio};

/// One of the two pools of a [`CanaryPool`](crate::CanaryPool).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The pool with the settings that have proved themselves.
    Stable,
    /// The pool on which others are tried.
    Canary,
}

impl Side {
    /// The header by which a request asks for a side.
    pub const HEADER: &'static str = "x-pool-version";

    /// The side that a value of [`HEADER`](Self::HEADER) names: `canary` or `stable`, in small letters. `None` for
    /// anything else.
    ///
    /// ```
    /// use pool_core::Side;
    /// assert_eq!(Side::from_header("canary"), Some(Side::Canary));
    /// assert_eq!(Side::from_header("v2"), None);
    /// ```
    #[must_use]
    pub fn from_header(value: &str) -> Option<Self> {
        [Self::Stable, Self::Canary].into_iter().find(|side| side.as_str() == value)
    }

    /// The name in headers, metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
        }
    }

    pub(super) const fn canary_if(is_canary: bool) -> Self {
        if is_canary { Self::Canary } else { Self::Stable }
    }
}

/// A share with a salt: what it takes is the canary's.
///
/// Whether it takes a key is `hash(salt, key) < share`, where the hash is FNV-1a (64 bits) of the salt followed by the
/// key, finished by the mixing function of SplitMix64, of which the upper 32 bits count as a fraction of 1. This stays so
/// in later versions: a key that is the canary's in one build is in all. A key that a share takes is taken by each larger
/// one with that salt; another salt takes others.
///
/// ```
/// use pool_core::Share;
/// let tenth = Share::percent(10.0)?.salted("spring");
/// let pods: Vec<String> = (0..1000).map(|n| format!("pod-{n}")).collect();
/// let taken: Vec<_> = pods.iter().filter(|pod| tenth.takes(pod)).collect();
/// assert!((70..130).contains(&taken.len()));
/// let third = Share::percent(30.0)?.salted("spring");
/// assert!(taken.iter().all(|pod| third.takes(pod)));
/// assert!(!Share::NONE.takes("pod-1") && Share::ALL.takes("pod-1"));
/// # Ok::<(), pool_core::KnobError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    ratio: Ratio,
    salt: u64,
}

impl Share {
    /// Nothing.
    pub const NONE: Self = Self::new(Ratio::ZERO);
    /// Everything.
    pub const ALL: Self = Self::new(Ratio::ONE);

    /// A share with the empty salt.
    #[must_use]
    pub const fn new(ratio: Ratio) -> Self {
        Self { ratio, salt: FNV_START }
    }

    /// The same, in percent.
    ///
    /// # Errors
    /// [`KnobError`] unless `percent` is a number from 0 to 100.
    pub fn percent(percent: f64) -> Result<Self, KnobError> {
        let ratio = Ratio::new(percent / 100.0);
        ratio.map(Self::new).map_err(|_| KnobError::real("canary.percent", percent, 0.0, 100.0))
    }

    /// The same share with this salt.
    #[must_use]
    pub fn salted(self, salt: &str) -> Self {
        Self { salt: fnv(FNV_START, salt.as_bytes()), ..self }
    }

    /// The same salt with another share.
    #[must_use]
    pub const fn with_ratio(self, ratio: Ratio) -> Self {
        Self { ratio, ..self }
    }

    /// The share.
    #[must_use]
    pub const fn ratio(self) -> Ratio {
        self.ratio
    }

    /// Whether it takes `key`.
    #[must_use]
    pub fn takes(self, key: impl AsRef<[u8]>) -> bool {
        is_below(hash(self.salt, key.as_ref()), self.threshold())
    }

    /// Of 2^32 points, how many it takes.
    pub(super) fn threshold(self) -> u64 {
        // In range: a ratio is 0 to 1.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let threshold = (self.ratio.get() * ALL_POINTS as f64).round() as u64;
        threshold.min(ALL_POINTS)
    }

    pub(super) const fn salt(self) -> u64 {
        self.salt
    }
}

/// A threshold that takes everything.
pub(super) const ALL_POINTS: u64 = 1 << 32;

/// Whether the point of a hash is among those that a threshold takes.
pub(super) const fn is_below(hash: u64, threshold: u64) -> bool {
    hash >> 32 < threshold
}

/// The hash of a key.
pub(super) fn hash(salt: u64, key: &[u8]) -> u64 {
    mix(fnv(salt, key))
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a, going on from `hash`.
fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
    }
    hash
}

/// The mixing function of SplitMix64: each bit of the input reaches each of the output.
pub(super) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by another program: these are what other builds, and other languages, go by.
    const GOLDEN: [(&str, &str, u64); 6] = [
        ("", "", 0xf52a_15e9_a9b5_e89b),
        ("", "a", 0x02c0_bdbf_4814_20f8),
        ("a", "", 0x02c0_bdbf_4814_20f8),
        ("spring", "pod-1", 0xdcf9_22d2_624f_de88),
        ("spring", "web-7f9c-x2x4q", 0xf4a5_dba2_1a7e_b668),
        ("2026", "tenant ü", 0xb19e_817e_e8a5_b185),
    ];

    #[test]
    fn the_hash_is_what_it_always_was() {
        for (salt, key, expected) in GOLDEN {
            let share = Share::NONE.salted(salt);
            assert_eq!(hash(share.salt, key.as_bytes()), expected, "{salt:?} {key:?}");
        }
    }

    #[test]
    fn a_share_takes_its_share_whatever_the_salt() {
        for percent in [0.5, 10.0, 30.0, 50.0, 99.0] {
            for salt in ["", "a", "spring 2026"] {
                let share = Share::percent(percent).unwrap().salted(salt);
                let taken = (0..20_000).filter(|n| share.takes(format!("request {n}"))).count();
                let expected = 200.0 * percent;
                // Five standard deviations.
                let spread = 5.0 * (expected * (1.0 - percent / 100.0)).sqrt();
                assert!((taken as f64 - expected).abs() < spread, "{percent} {salt:?}: {taken}");
            }
        }
    }

    #[test]
    fn what_is_no_percentage_is_refused() {
        for bad in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            let error = Share::percent(bad).unwrap_err().to_string();
            assert!(
                error.starts_with("canary.percent: ") && error.ends_with("allowed are 0 to 100"),
                "{error}"
            );
        }
        assert_eq!(Share::percent(100.0), Ok(Share::ALL));
    }
}

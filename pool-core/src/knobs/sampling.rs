//! How much a pool watches itself, and how much of its surplus a cycle takes.

use super::{KnobError, Ratio};
use std::num::NonZeroU32;

/// How many leases leave a record of where and when they began.
///
/// ```
/// use pool_core::{LeaseLevel, Pool};
/// let pool = Pool::builder("lines").lease_level(LeaseLevel::All).build_with(String::new)?;
/// let line = pool.get();
/// assert_eq!(pool.stats().leases_recorded, 1);
/// # drop(line);
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseLevel {
    /// None. Leaks show only as a growing number of lent objects.
    Off,
    /// One in `n`, at intervals drawn around `n` so that a periodic caller cannot hide between them.
    Sampled(NonZeroU32),
    /// Every lease.
    All,
}

impl LeaseLevel {
    /// One in 128.
    pub const DEFAULT: Self = Self::Sampled(NonZeroU32::new(128).unwrap());
}

/// What is sampled, and how densely.
///
/// ```
/// use pool_core::{LeaseLevel, Ratio, Sampling};
/// let sampling = Sampling::DEFAULT.with_leases(LeaseLevel::All).with_evict_ratio(Ratio::new(0.5)?);
/// assert_eq!(sampling.with_timing_one_in(0)?.timing_one_in(), 0);
/// # Ok::<(), pool_core::KnobError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    leases: LeaseLevel,
    timing_one_in: u32,
    evict_ratio: Ratio,
}

impl Sampling {
    /// One lease in 128 on record, one in 1,024 timed, the whole surplus of a cycle to the victim.
    pub const DEFAULT: Self =
        Self { leases: LeaseLevel::DEFAULT, timing_one_in: 1024, evict_ratio: Ratio::ONE };
    /// The sparsest timing: one lease in 2^24.
    pub const TIMING_ONE_IN_MAX: u32 = 1 << 24;

    /// The same with another share of leases on record.
    ///
    /// ```
    /// # use pool_core::{LeaseLevel, Sampling};
    /// assert_eq!(Sampling::DEFAULT.leases(), LeaseLevel::DEFAULT);
    /// assert_eq!(Sampling::DEFAULT.with_leases(LeaseLevel::Off).leases(), LeaseLevel::Off);
    /// ```
    #[must_use]
    pub const fn with_leases(self, leases: LeaseLevel) -> Self {
        Self { leases, ..self }
    }

    /// The same with one lease in `n` timed; 0 times none.
    ///
    /// # Errors
    /// [`KnobError`] above [`TIMING_ONE_IN_MAX`](Self::TIMING_ONE_IN_MAX).
    ///
    /// ```
    /// # use pool_core::Sampling;
    /// assert_eq!(Sampling::DEFAULT.with_timing_one_in(64)?.timing_one_in(), 64);
    /// assert!(Sampling::DEFAULT.with_timing_one_in(Sampling::TIMING_ONE_IN_MAX + 1).is_err());
    /// # Ok::<(), pool_core::KnobError>(())
    /// ```
    pub const fn with_timing_one_in(self, n: u32) -> Result<Self, KnobError> {
        if n > Self::TIMING_ONE_IN_MAX {
            let max = Self::TIMING_ONE_IN_MAX as u64;
            return Err(KnobError::whole("sampling.timing_one_in", n as u64, 0, max));
        }
        Ok(Self { timing_one_in: n, ..self })
    }

    /// The same with another share of a cycle's surplus that goes to the victim.
    ///
    /// ```
    /// # use pool_core::{Ratio, Sampling};
    /// let half = Ratio::new(0.5)?;
    /// assert_eq!(Sampling::DEFAULT.with_evict_ratio(half).evict_ratio(), half);
    /// # Ok::<(), pool_core::KnobError>(())
    /// ```
    #[must_use]
    pub const fn with_evict_ratio(self, evict_ratio: Ratio) -> Self {
        Self { evict_ratio, ..self }
    }

    /// The share of leases on record.
    #[must_use]
    pub const fn leases(self) -> LeaseLevel {
        self.leases
    }

    /// One lease in so many is timed; 0: none.
    #[must_use]
    pub const fn timing_one_in(self) -> u32 {
        self.timing_one_in
    }

    /// The share of a cycle's surplus that goes to the victim.
    #[must_use]
    pub const fn evict_ratio(self) -> Ratio {
        self.evict_ratio
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self::DEFAULT
    }
}

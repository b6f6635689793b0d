//! How idle objects age.

use super::KnobError;
use std::time::Duration;

/// How cycles age what is idle. Whoever drives the pool runs the cycles (see
/// [`Registry::cycle`](crate::Registry::cycle)); the pool has no thread of its own.
///
/// ```
/// use pool_core::Eviction;
/// use std::time::Duration;
/// let eviction = Eviction::DEFAULT.with_max_age_cycles(2)?.with_idle_ttl(Some(Duration::from_secs(60)))?;
/// assert_eq!(eviction.max_age_cycles(), 2);
/// # Ok::<(), pool_core::KnobError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eviction {
    cycle: Duration,
    max_age_cycles: u32,
    idle_ttl: Option<Duration>,
    slice: Duration,
}

impl Eviction {
    /// A cycle every 10 s, nothing idle for more than 3 cycles, no time-to-live, slices of 1 ms.
    pub const DEFAULT: Self = Self {
        cycle: Duration::from_secs(10),
        max_age_cycles: 3,
        idle_ttl: None,
        slice: Duration::from_millis(1),
    };
    /// The shortest and the longest cycle.
    pub const CYCLE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(3600));
    /// The lowest and the highest age, cycles: surplus is wanted or not within the first, dropped at the second.
    pub const MAX_AGE_CYCLES: (u32, u32) = (2, 1000);
    /// The shortest and the longest time-to-live.
    pub const IDLE_TTL: (Duration, Duration) =
        (Duration::from_millis(10), Duration::from_secs(7 * 24 * 3600));
    /// The shortest and the longest slice.
    pub const SLICE: (Duration, Duration) = (Duration::from_micros(10), Duration::from_secs(1));

    /// The same with another time between two cycles.
    ///
    /// # Errors
    /// [`KnobError`] outside [`CYCLE`](Self::CYCLE).
    ///
    /// ```
    /// # use pool_core::Eviction;
    /// # use std::time::Duration;
    /// let wanted = Duration::from_secs(1);
    /// assert_eq!(Eviction::DEFAULT.with_cycle(wanted)?.cycle(), wanted);
    /// assert!(Eviction::DEFAULT.with_cycle(Duration::from_millis(9)).is_err());
    /// # Ok::<(), pool_core::KnobError>(())
    /// ```
    pub fn with_cycle(self, cycle: Duration) -> Result<Self, KnobError> {
        Ok(Self { cycle: within("eviction.cycle", cycle, Self::CYCLE)?, ..self })
    }

    /// The same with another age, in cycles, at which idle objects are dropped even if the floor would keep them.
    ///
    /// # Errors
    /// [`KnobError`] outside [`MAX_AGE_CYCLES`](Self::MAX_AGE_CYCLES).
    ///
    /// ```
    /// # use pool_core::Eviction;
    /// assert_eq!(Eviction::DEFAULT.with_max_age_cycles(6)?.max_age_cycles(), 6);
    /// assert!(Eviction::DEFAULT.with_max_age_cycles(1).is_err());
    /// # Ok::<(), pool_core::KnobError>(())
    /// ```
    pub fn with_max_age_cycles(self, max_age_cycles: u32) -> Result<Self, KnobError> {
        let (min, max) = Self::MAX_AGE_CYCLES;
        if !(min..=max).contains(&max_age_cycles) {
            let (value, min, max) = (max_age_cycles.into(), min.into(), max.into());
            return Err(KnobError::whole("eviction.max_age_cycles", value, min, max));
        }
        Ok(Self { max_age_cycles, ..self })
    }

    /// The same with another time after which idle objects are dropped, floor or not. It is looked at in cycles,
    /// so an object stays up to one cycle longer, and up to one more until a cycle has seen that it is idle.
    ///
    /// # Errors
    /// [`KnobError`] outside [`IDLE_TTL`](Self::IDLE_TTL).
    ///
    /// ```
    /// # use pool_core::Eviction;
    /// # use std::time::Duration;
    /// let wanted = Some(Duration::from_secs(60));
    /// assert_eq!(Eviction::DEFAULT.with_idle_ttl(wanted)?.idle_ttl(), wanted);
    /// assert!(Eviction::DEFAULT.with_idle_ttl(Some(Duration::ZERO)).is_err());
    /// # Ok::<(), pool_core::KnobError>(())
    /// ```
    pub fn with_idle_ttl(self, idle_ttl: Option<Duration>) -> Result<Self, KnobError> {
        let idle_ttl = idle_ttl.map(|ttl| within("eviction.idle_ttl", ttl, Self::IDLE_TTL)).transpose()?;
        Ok(Self { idle_ttl, ..self })
    }

    /// The same with another bound for the time that dropping evicted objects takes in one go.
    ///
    /// # Errors
    /// [`KnobError`] outside [`SLICE`](Self::SLICE).
    ///
    /// ```
    /// # use pool_core::Eviction;
    /// # use std::time::Duration;
    /// let wanted = Duration::from_micros(200);
    /// assert_eq!(Eviction::DEFAULT.with_slice(wanted)?.slice(), wanted);
    /// assert!(Eviction::DEFAULT.with_slice(Duration::from_secs(2)).is_err());
    /// # Ok::<(), pool_core::KnobError>(())
    /// ```
    pub fn with_slice(self, slice: Duration) -> Result<Self, KnobError> {
        Ok(Self { slice: within("eviction.slice", slice, Self::SLICE)?, ..self })
    }

    /// The time between two cycles.
    #[must_use]
    pub const fn cycle(self) -> Duration {
        self.cycle
    }

    /// The age, in cycles, at which idle objects are dropped in any case.
    #[must_use]
    pub const fn max_age_cycles(self) -> u32 {
        self.max_age_cycles
    }

    /// The time after which idle objects are dropped in any case.
    #[must_use]
    pub const fn idle_ttl(self) -> Option<Duration> {
        self.idle_ttl
    }

    /// The bound for the time that dropping evicted objects takes in one go.
    #[must_use]
    pub const fn slice(self) -> Duration {
        self.slice
    }
}

impl Default for Eviction {
    fn default() -> Self {
        Self::DEFAULT
    }
}

fn within(
    path: &'static str,
    value: Duration,
    (min, max): (Duration, Duration),
) -> Result<Duration, KnobError> {
    if (min..=max).contains(&value) { Ok(value) } else { Err(KnobError::time(path, value, min, max)) }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn out_of_range_names_path_value_and_range() {
        let d = Eviction::DEFAULT;
        let said = [
            d.with_cycle(Duration::from_millis(9)).unwrap_err(),
            d.with_max_age_cycles(1).unwrap_err(),
            d.with_idle_ttl(Some(Duration::ZERO)).unwrap_err(),
            d.with_slice(Duration::from_secs(2)).unwrap_err(),
        ]
        .map(|e| e.to_string());
        assert_eq!(
            said,
            [
                "eviction.cycle: 9ms is out of range, allowed are 10ms to 3600s",
                "eviction.max_age_cycles: 1 is out of range, allowed are 2 to 1000",
                "eviction.idle_ttl: 0ns is out of range, allowed are 10ms to 604800s",
                "eviction.slice: 2s is out of range, allowed are 10µs to 1s",
            ]
        );
    }
}

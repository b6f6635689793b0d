//! What a pool is worth to whoever divides memory between pools, and how much of its traffic it serves.

use super::{KnobError, Ratio};

/// The share of gets that may reuse. The others are served fresh, and their objects are dropped on return: a pool
/// can be taken out of its traffic little by little, or be compared with none. 1 unless said otherwise.
///
/// ```
/// use pool_core::{Pool, Reuse, Setting};
/// let pool = Pool::builder("lines").knob(Setting::Reuse(Reuse::OFF)).build_with(String::new)?;
/// drop(pool.get());
/// drop(pool.get());
/// assert_eq!((pool.stats().gets.bypassed, pool.stats().idle_objects), (2, 0));
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Reuse(pub Ratio);

impl Reuse {
    /// Every get may reuse.
    pub const DEFAULT: Self = Self(Ratio::ONE);
    /// No get reuses, nothing is kept.
    pub const OFF: Self = Self(Ratio::ZERO);
}

impl Default for Reuse {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How a pool stands among others when memory is short.
///
/// ```
/// use pool_core::Priority;
/// assert_eq!(Priority::new(200)?.pinned().weight(), 200);
/// assert!(Priority::new(0).is_err());
/// # Ok::<(), pool_core::KnobError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    weight: u32,
    pinned: bool,
}

impl Priority {
    /// Weight 100, not pinned.
    pub const DEFAULT: Self = Self { weight: 100, pinned: false };
    /// The largest weight.
    pub const WEIGHT_MAX: u32 = 10_000;

    /// Not pinned. A pool of twice the weight is worth twice as much per byte.
    ///
    /// # Errors
    /// [`KnobError`] unless `weight` is 1 to [`WEIGHT_MAX`](Self::WEIGHT_MAX).
    pub const fn new(weight: u32) -> Result<Self, KnobError> {
        if weight == 0 || weight > Self::WEIGHT_MAX {
            return Err(KnobError::whole("priority.weight", weight as u64, 1, Self::WEIGHT_MAX as u64));
        }
        Ok(Self { weight, pinned: false })
    }

    /// The same, pinned: no policy changes its capacity, and creates of other pools take nothing from it.
    #[must_use]
    pub const fn pinned(self) -> Self {
        Self { pinned: true, ..self }
    }

    /// Its worth per byte against that of other pools.
    #[must_use]
    pub const fn weight(self) -> u32 {
        self.weight
    }

    /// Whether policies and creates of other pools leave it alone.
    #[must_use]
    pub const fn is_pinned(self) -> bool {
        self.pinned
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::DEFAULT
    }
}

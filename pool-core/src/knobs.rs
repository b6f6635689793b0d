//! Knobs: settings that may change while the pool serves.
//!
//! A knob is a plain value with a range. Outside the range it cannot be built, so nothing downstream clamps.
//! Every change carries who made it and why, and moves a generation on.

use std::fmt;
use std::num::NonZeroU32;

/// How much a pool may hold idle. Lent objects do not count: they are the caller's.
///
/// The bound is strict: once a lowered capacity has been collected (see [`Registry::pass`]),
/// idle objects and bytes are never above it.
///
/// [`Registry::pass`]: crate::Registry::pass
///
/// ```
/// use pool_core::Capacity;
/// let c = Capacity::new(64, 16 << 20)?;
/// assert_eq!((c.objects_max(), c.bytes_max()), (64, 16 << 20));
/// assert!(Capacity::new(Capacity::OBJECTS_LIMIT + 1, 0).is_err());
/// # Ok::<(), pool_core::KnobError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    objects_max: u32,
    bytes_max: u64,
}

impl Capacity {
    /// The largest `objects_max`: 2^24.
    pub const OBJECTS_LIMIT: u32 = 1 << 24;
    /// The largest `bytes_max`: 64 TiB.
    pub const BYTES_LIMIT: u64 = 1 << 46;
    /// Bounded only by what can be expressed.
    pub const UNBOUNDED: Self = Self { objects_max: Self::OBJECTS_LIMIT, bytes_max: Self::BYTES_LIMIT };
    /// Nothing is kept: each get creates, each return drops.
    pub const ZERO: Self = Self { objects_max: 0, bytes_max: 0 };

    /// A capacity of at most `objects_max` idle objects that together weigh at most `bytes_max`.
    ///
    /// # Errors
    /// [`KnobError`] if a value is above its limit.
    pub const fn new(objects_max: u32, bytes_max: u64) -> Result<Self, KnobError> {
        if objects_max > Self::OBJECTS_LIMIT {
            let (value, max) = (objects_max as u64, Self::OBJECTS_LIMIT as u64);
            return Err(KnobError { path: "capacity.objects_max", value, min: 0, max });
        }
        if bytes_max > Self::BYTES_LIMIT {
            let (value, max) = (bytes_max, Self::BYTES_LIMIT);
            return Err(KnobError { path: "capacity.bytes_max", value, min: 0, max });
        }
        Ok(Self { objects_max, bytes_max })
    }

    /// Idle objects, at most.
    #[must_use]
    pub const fn objects_max(self) -> u32 {
        self.objects_max
    }

    /// Idle bytes (the sum of the objects' weights), at most.
    #[must_use]
    pub const fn bytes_max(self) -> u64 {
        self.bytes_max
    }
}

/// How many leases leave a record of where and when they began.
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

/// Who set a knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Author {
    /// A control policy.
    Policy,
    /// Configuration that an operator manages.
    Operator,
    /// A person, by hand.
    Person,
}

impl Author {
    /// The name in logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Operator => "operator",
            Self::Person => "person",
        }
    }
}

/// A knob's value together with the change that put it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knob<T> {
    /// The value in force.
    pub value: T,
    /// How often this knob has changed; 0 is the value that the pool was built with.
    pub generation: u64,
    /// Who set it.
    pub author: Author,
    /// Why.
    pub reason: String,
}

/// A knob value that is out of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnobError {
    path: &'static str,
    value: u64,
    min: u64,
    max: u64,
}

impl fmt::Display for KnobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, value, min, max } = self;
        write!(f, "{path}: {value} is out of range, allowed are {min} to {max}")
    }
}

impl std::error::Error for KnobError {}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn out_of_range_names_path_value_and_range() {
        let e = Capacity::new(Capacity::OBJECTS_LIMIT + 1, 0).unwrap_err();
        assert_eq!(
            e.to_string(),
            "capacity.objects_max: 16777217 is out of range, allowed are 0 to 16777216"
        );
        assert!(Capacity::new(0, Capacity::BYTES_LIMIT + 1).unwrap_err().to_string().contains("bytes_max"));
        assert_eq!(Capacity::new(Capacity::OBJECTS_LIMIT, Capacity::BYTES_LIMIT), Ok(Capacity::UNBOUNDED));
    }
}

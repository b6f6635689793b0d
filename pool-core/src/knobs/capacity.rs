//! How much a pool may hold idle.

use super::KnobError;

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
    objects_floor: u32,
}

impl Capacity {
    /// The largest `objects_max`: 2^24.
    pub const OBJECTS_LIMIT: u32 = 1 << 24;
    /// The largest `bytes_max`: 64 TiB.
    pub const BYTES_LIMIT: u64 = 1 << 46;
    /// Bounded only by what can be expressed.
    pub const UNBOUNDED: Self =
        Self { objects_max: Self::OBJECTS_LIMIT, bytes_max: Self::BYTES_LIMIT, objects_floor: 0 };
    /// Nothing is kept: each get creates, each return drops.
    pub const ZERO: Self = Self { objects_max: 0, bytes_max: 0, objects_floor: 0 };

    /// A capacity of at most `objects_max` idle objects that together weigh at most `bytes_max`.
    ///
    /// # Errors
    /// [`KnobError`] if a value is above its limit.
    pub const fn new(objects_max: u32, bytes_max: u64) -> Result<Self, KnobError> {
        if objects_max > Self::OBJECTS_LIMIT {
            let (value, max) = (objects_max as u64, Self::OBJECTS_LIMIT as u64);
            return Err(KnobError::whole("capacity.objects_max", value, 0, max));
        }
        if bytes_max > Self::BYTES_LIMIT {
            return Err(KnobError::whole("capacity.bytes_max", bytes_max, 0, Self::BYTES_LIMIT));
        }
        Ok(Self { objects_max, bytes_max, objects_floor: 0 })
    }

    /// The same with a floor: idle objects that cycles leave even if the load does not want them (a reserve for
    /// a burst). Ageing, pressure and a lower capacity take those too. 0 unless said otherwise.
    ///
    /// # Errors
    /// [`KnobError`] if the floor is above `objects_max`.
    ///
    /// ```
    /// use pool_core::Capacity;
    /// let reserve = Capacity::new(64, 16 << 20)?.with_floor(8)?;
    /// assert_eq!(reserve.objects_floor(), 8);
    /// assert!(reserve.with_floor(65).is_err());
    /// # Ok::<(), pool_core::KnobError>(())
    /// ```
    pub const fn with_floor(self, objects_floor: u32) -> Result<Self, KnobError> {
        if objects_floor > self.objects_max {
            let (value, max) = (objects_floor as u64, self.objects_max as u64);
            return Err(KnobError::whole("capacity.objects_floor", value, 0, max));
        }
        Ok(Self { objects_floor, ..self })
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

    /// Idle objects that cycles leave.
    #[must_use]
    pub const fn objects_floor(self) -> u32 {
        self.objects_floor
    }
}

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

    #[test]
    fn a_floor_is_within_the_capacity() {
        let c = Capacity::new(4, 100).unwrap();
        assert_eq!(c.with_floor(4).unwrap().objects_floor(), 4);
        let e = c.with_floor(5).unwrap_err();
        assert_eq!(e.to_string(), "capacity.objects_floor: 5 is out of range, allowed are 0 to 4");
    }
}

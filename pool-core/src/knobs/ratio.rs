//! A share of a whole.

use super::KnobError;

/// A share, 0 to 1.
///
/// ```
/// use pool_core::Ratio;
/// assert_eq!(Ratio::new(0.25)?.get(), 0.25);
/// assert!(Ratio::new(f64::NAN).is_err());
/// # Ok::<(), pool_core::KnobError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Ratio(f64);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);
    /// All.
    pub const ONE: Self = Self(1.0);

    /// A share.
    ///
    /// # Errors
    /// [`KnobError`] unless `share` is a number from 0 to 1.
    pub fn new(share: f64) -> Result<Self, KnobError> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(KnobError::real("ratio", share, 0.0, 1.0))
        }
    }

    /// The share.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// This share of `n`, rounded up: a share that is not nothing takes at least one of any.
    pub(crate) fn of(self, n: usize) -> usize {
        // In range: the product is at most `n`.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let part = (self.0 * n as f64).ceil() as usize;
        part.min(n)
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_share_rounds_up_and_is_never_more_than_all() {
        let half = Ratio::new(0.5).unwrap();
        assert_eq!([0, 1, 2, 3].map(|n| half.of(n)), [0, 1, 1, 2]);
        assert_eq!((Ratio::ZERO.of(9), Ratio::ONE.of(9)), (0, 9));
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Ratio::new(bad).unwrap_err().to_string().starts_with("ratio: "), "{bad}");
        }
    }
}

//! A knob value that is out of its range.

use std::fmt;
use std::time::Duration;

/// A knob value that is out of its range: names the knob, the value and what is allowed.
///
/// ```
/// use pool_core::Priority;
/// let error = Priority::new(0).unwrap_err();
/// assert_eq!(error.path(), "priority.weight");
/// assert_eq!(error.to_string(), "priority.weight: 0 is out of range, allowed are 1 to 10000");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct KnobError {
    path: &'static str,
    range: Range,
}

#[derive(Clone, Debug, PartialEq)]
enum Range {
    Whole { value: u64, min: u64, max: u64 },
    Real { value: f64, min: f64, max: f64 },
    Time { value: Duration, min: Duration, max: Duration },
}

impl KnobError {
    pub(crate) const fn whole(path: &'static str, value: u64, min: u64, max: u64) -> Self {
        Self { path, range: Range::Whole { value, min, max } }
    }

    pub(crate) const fn real(path: &'static str, value: f64, min: f64, max: f64) -> Self {
        Self { path, range: Range::Real { value, min, max } }
    }

    pub(crate) const fn time(path: &'static str, value: Duration, min: Duration, max: Duration) -> Self {
        Self { path, range: Range::Time { value, min, max } }
    }

    /// The knob and its field, as in `capacity.bytes_max`.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }
}

impl fmt::Display for KnobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path;
        match self.range {
            Range::Whole { value, min, max } => {
                write!(f, "{path}: {value} is out of range, allowed are {min} to {max}")
            }
            Range::Real { value, min, max } => {
                write!(f, "{path}: {value} is out of range, allowed are {min} to {max}")
            }
            Range::Time { value, min, max } => {
                write!(f, "{path}: {value:?} is out of range, allowed are {min:?} to {max:?}")
            }
        }
    }
}

impl std::error::Error for KnobError {}

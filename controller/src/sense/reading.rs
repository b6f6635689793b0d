//! A number that was read, or why there is none.
//!
//! A controller that takes an unreadable figure for 0 grows its caches until the container is killed. So a
//! reading is never a bare number here. This module knows nothing of files or cgroups.

use std::fmt;
use std::path::PathBuf;

/// A figure from the operating system, or why it must not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reading<T> {
    /// The figure.
    Valid(T),
    /// No figure, and why.
    Invalid(Why),
}

/// Why a reading is not a number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The file is not there, or its cgroup is gone.
    Missing(PathBuf),
    /// The file is there and cannot be read.
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        error: String,
    },
    /// The text is not what the kernel documents.
    Unparsable {
        /// Which file.
        path: PathBuf,
        /// What it said, shortened, or what it lacks.
        text: String,
    },
    /// Zero, where a running process cannot have zero.
    Zero,
    /// A number that contradicts another one.
    Implausible {
        /// The number.
        value: u64,
        /// What it contradicts, such as `above MemTotal`.
        rule: &'static str,
        /// The number that it contradicts.
        bound: u64,
    },
    /// Too old to act upon.
    Stale {
        /// Its age in ticks of the controller.
        age_ticks: u64,
    },
    /// Not enough has been seen yet.
    TooFew,
    /// This operating system has no such figure.
    Unsupported,
}

impl<T> Reading<T> {
    /// Whether there is a figure.
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Valid(_))
    }

    /// Why there is no figure.
    pub const fn why(&self) -> Option<&Why> {
        match self {
            Self::Valid(_) => None,
            Self::Invalid(why) => Some(why),
        }
    }

    /// The same reading in another unit or type.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Reading<U> {
        self.and_then(|value| Reading::Valid(f(value)))
    }

    /// A further condition or step, which may find the figure invalid.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Reading<U>) -> Reading<U> {
        match self {
            Self::Valid(value) => f(value),
            Self::Invalid(why) => Reading::Invalid(why),
        }
    }

    /// The reading as a result.
    ///
    /// # Errors
    /// Why it is invalid.
    pub fn into_result(self) -> Result<T, Why> {
        match self {
            Self::Valid(value) => Ok(value),
            Self::Invalid(why) => Err(why),
        }
    }
}

impl<T: Copy> Reading<T> {
    /// The figure, if there is one.
    pub const fn value(&self) -> Option<T> {
        match self {
            Self::Valid(value) => Some(*value),
            Self::Invalid(_) => None,
        }
    }
}

impl<T> From<Result<T, Why>> for Reading<T> {
    fn from(result: Result<T, Why>) -> Self {
        result.map_or_else(Self::Invalid, Self::Valid)
    }
}

impl<T: fmt::Display> fmt::Display for Reading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid(value) => value.fmt(f),
            Self::Invalid(why) => write!(f, "invalid: {why}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "{} is missing", path.display()),
            Self::Unreadable { path, error } => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Unparsable { path, text } => write!(f, "{} makes no sense: {text:?}", path.display()),
            Self::Zero => f.write_str("zero, which a running process cannot have"),
            Self::Implausible { value, rule, bound } => write!(f, "{value} is implausible: {rule} {bound}"),
            Self::Stale { age_ticks } => write!(f, "stale: {age_ticks} ticks old"),
            Self::TooFew => f.write_str("not enough has been seen yet"),
            Self::Unsupported => f.write_str("not available on this operating system"),
        }
    }
}

impl std::error::Error for Why {}

/// Refuses zero.
pub(super) fn nonzero(value: u64) -> Result<u64, Why> {
    if value == 0 { Err(Why::Zero) } else { Ok(value) }
}

/// Refuses a value above a bound that it cannot exceed.
pub(super) fn at_most(value: u64, rule: &'static str, bound: u64) -> Result<u64, Why> {
    if value > bound { Err(Why::Implausible { value, rule, bound }) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_reading_stays_invalid_through_every_step() {
        let why = Why::Missing("/proc/self/statm".into());
        let reading: Reading<u64> = Reading::Invalid(why.clone());
        assert_eq!((reading.value(), reading.is_valid(), reading.why()), (None, false, Some(&why)));
        assert_eq!(reading.clone().map(|n| n * 4096), Reading::Invalid(why.clone()));
        assert_eq!(reading.into_result(), Err(why));
    }

    #[test]
    fn a_valid_reading_can_turn_out_invalid() {
        let reading = Reading::Valid(12_u64);
        assert_eq!(reading.clone().map(|n| n * 2).value(), Some(24));
        let refused = reading.and_then(|n| at_most(n, "above MemTotal,", 10).into());
        assert_eq!(refused.to_string(), "invalid: 12 is implausible: above MemTotal, 10");
        assert_eq!(nonzero(0), Err(Why::Zero));
    }

    #[test]
    fn each_reason_names_what_it_is_about() {
        let path = PathBuf::from("/sys/fs/cgroup/memory.max");
        let texts = [
            Why::Missing(path.clone()).to_string(),
            Why::Unreadable { path: path.clone(), error: "Permission denied".into() }.to_string(),
            Why::Unparsable { path, text: "banana".into() }.to_string(),
            Why::Stale { age_ticks: 4 }.to_string(),
        ];
        assert_eq!(
            texts,
            [
                "/sys/fs/cgroup/memory.max is missing",
                "/sys/fs/cgroup/memory.max cannot be read: Permission denied",
                "/sys/fs/cgroup/memory.max makes no sense: \"banana\"",
                "stale: 4 ticks old",
            ]
        );
    }
}

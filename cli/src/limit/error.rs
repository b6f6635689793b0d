//! Why a child cannot run under a memory limit, in words that say what to do.

use crate::units::exact_size;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no group, or why it does not answer.
#[derive(Debug)]
pub(crate) enum LimitError {
    /// Less than any service can start in.
    TooSmall {
        /// What was asked for.
        limit_bytes: u64,
    },
    /// Something around us allows less, so that the limit would never be reached.
    Outer {
        /// What was asked for.
        limit_bytes: u64,
        /// What there is.
        outer_bytes: u64,
        /// Where.
        path: PathBuf,
    },
    /// This machine lets us limit nothing: each way that was tried.
    Unavailable {
        /// What was asked for.
        limit_bytes: u64,
        /// Every attempt, in order. Never empty.
        attempts: Vec<Attempt>,
    },
    /// A group that exists does not do what it should.
    Group {
        /// The file of the group.
        path: PathBuf,
        /// What was attempted.
        what: String,
        /// What went wrong.
        why: String,
    },
}

/// One way to a limit, and why it is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// A directory, or a command.
    pub(crate) at: String,
    /// Why not.
    pub(crate) why: String,
}

impl Attempt {
    pub(super) fn new(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self { at: at.into(), why: why.into() }
    }
}

impl LimitError {
    pub(super) fn io(path: &Path, what: impl Into<String>, error: &io::Error) -> Self {
        Self::Group { path: path.to_owned(), what: what.into(), why: error.to_string() }
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall { limit_bytes } => write!(
                f,
                "a memory limit of {} is too small for the service to start in, allowed are {} and more",
                exact_size(*limit_bytes),
                exact_size(super::LIMIT_BYTES_MIN)
            ),
            Self::Outer { limit_bytes, outer_bytes, path } => write!(
                f,
                "a memory limit of {} would never be reached: {} allows {}; ask for less than that",
                exact_size(*limit_bytes),
                path.display(),
                exact_size(*outer_bytes)
            ),
            Self::Unavailable { limit_bytes, attempts } => {
                writeln!(
                    f,
                    "no real memory limit of {} can be set on this machine; tried were",
                    exact_size(*limit_bytes)
                )?;
                for Attempt { at, why } in attempts {
                    writeln!(f, "  {at}: {why}")?;
                }
                f.write_str(
                    "run as root where cgroups may be written, or without --limit: the limit is then simulated and nothing is killed",
                )
            }
            Self::Group { path, what, why } => write!(f, "{}: cannot {what}: {why}", path.display()),
        }
    }
}

impl std::error::Error for LimitError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_tried_and_what_to_do() {
        let attempts =
            vec![Attempt::new("/sys/fs/cgroup/a", "read-only"), Attempt::new("systemd-run", "no bus")];
        let text = LimitError::Unavailable { limit_bytes: 192 << 20, attempts }.to_string();
        assert_eq!(
            text,
            "no real memory limit of 192MiB can be set on this machine; tried were\n  \
             /sys/fs/cgroup/a: read-only\n  systemd-run: no bus\n\
             run as root where cgroups may be written, or without --limit: the limit is then simulated and nothing is killed"
        );
        let text = LimitError::TooSmall { limit_bytes: 1 << 20 }.to_string();
        assert!(text.contains("of 1MiB is too small") && text.contains("allowed are 32MiB"), "{text}");
    }
}

//! Runs a child under a real memory limit: in a cgroup of our own where we may make one, else in a user scope of
//! systemd.
//!
//! ```text
//!  launcher(limit) ─► own group, its parent, … : mkdir, limit, no swap, may we enter?  ─► Group
//!                 └─► systemd-run --user --scope -p MemoryMax=…                         ─► Scope
//!                 └─► what was tried where, and why it failed
//! ```
//!
//! Knows nothing of what the child does, and never kills it: that is the kernel's part, and the only proof of a
//! kill that counts is the kernel's ([`Launcher::oom_kills`]).

mod error;
#[cfg(test)]
mod fake;
mod group;
mod kernel;
#[cfg(all(test, feature = "limit"))]
mod real_tests;
mod scope;
mod stale;
#[cfg(test)]
mod tests;

pub(crate) use error::LimitError;
pub(crate) use group::Group;

use scope::Scope;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// The smallest limit that is accepted.
pub(crate) const LIMIT_BYTES_MIN: u64 = 32 << 20;

/// Starts processes that live under one memory limit, all together.
pub(crate) struct Launcher {
    way: Way,
}

enum Way {
    Group(Group),
    Scope(Scope),
}

/// Prepares a limit of `limit_bytes` by the first way that this machine has. Nothing is left to fail for want
/// of a right later: each way is proven with a process that enters and ends.
///
/// # Errors
/// [`LimitError`], with every way that was tried.
pub(crate) fn launcher(limit_bytes: u64) -> Result<Launcher, LimitError> {
    match Group::create(limit_bytes) {
        Ok(group) => Ok(Launcher { way: Way::Group(group) }),
        Err(LimitError::Unavailable { mut attempts, .. }) => {
            match Scope::create(Path::new("/"), scope::Tools::default(), limit_bytes) {
                Ok(scope) => Ok(Launcher { way: Way::Scope(scope) }),
                Err(attempt) => {
                    attempts.push(attempt);
                    Err(LimitError::Unavailable { limit_bytes, attempts })
                }
            }
        }
        Err(other) => Err(other),
    }
}

impl Launcher {
    /// A command that runs `program` under the limit from its first instruction. The process id of the child
    /// that it spawns is the program's, and so is its end: a kill shows as SIGKILL. Add arguments, environment
    /// and pipes as usual.
    #[must_use]
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        match &self.way {
            Way::Group(group) => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", kernel::ENTER_AND_BECOME]).arg(group.procs()).arg(program);
                command
            }
            Way::Scope(scope) => scope.command(program.as_ref()),
        }
    }

    /// By what the limit is held: `cgroup-v1`, `cgroup-v2` or `systemd-scope`.
    #[must_use]
    pub(crate) fn kind(&self) -> &'static str {
        match &self.way {
            Way::Group(group) => group.kind(),
            Way::Scope(_) => "systemd-scope",
        }
    }

    /// Changes the limit. `Ok(false)`: version 1 refuses less than what is in use and cannot be reclaimed; it may be
    /// tried again.
    ///
    /// # Errors
    /// If it cannot be changed, as in a scope of systemd, whose limit is systemd's.
    pub(crate) fn set_limit(&self, limit_bytes: u64) -> Result<bool, LimitError> {
        match &self.way {
            Way::Group(group) => match group.set_limit(limit_bytes) {
                Err(LimitError::Group { .. }) if group.uses_more_than(limit_bytes) => Ok(false),
                changed => changed.map(|()| true),
            },
            Way::Scope(scope) => Err(scope.unchangeable()),
        }
    }

    /// Processes under this limit that the kernel has killed for memory.
    ///
    /// # Errors
    /// If the kernel's count cannot be read.
    pub(crate) fn oom_kills(&self) -> Result<u64, LimitError> {
        match &self.way {
            Way::Group(group) => group.oom_kills(),
            Way::Scope(scope) => scope.oom_kills(),
        }
    }

    /// The most that was ever charged, page cache included, if the kernel says.
    #[must_use]
    pub(crate) fn peak_bytes(&self) -> Option<u64> {
        match &self.way {
            Way::Group(group) => group.peak_bytes(),
            Way::Scope(scope) => scope.peak_bytes(),
        }
    }
}

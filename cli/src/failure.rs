//! How a command ends when it does not end well, and the exit status that tells the two ways apart.

use std::fmt;
use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It never began: a bad flag or file, a port in use, a machine that does not allow what was asked.
    /// Exit status 2.
    Usage(anyhow::Error),
    /// It ran and failed, or broke on the way. Exit status 1.
    Run(anyhow::Error),
}

impl Failure {
    /// A usage failure with this message.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::Usage(anyhow::Error::msg(message.to_string()))
    }

    /// A failed run with this message.
    pub(crate) fn run(message: impl fmt::Display) -> Self {
        Self::Run(anyhow::Error::msg(message.to_string()))
    }

    /// 2 for [`Usage`](Self::Usage), 1 for [`Run`](Self::Run).
    pub(crate) const fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Run(_) => 1,
        }
    }

    /// Says on stderr what went wrong and gives the exit status.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(self.status())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(e) | Self::Run(e)) = self;
        // The alternate form of anyhow puts the causes on the same line.
        write!(f, "{e:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn the_message_has_its_causes_and_the_status_its_meaning() {
        let e = Err::<(), _>(std::io::Error::other("denied")).context("cannot open x").unwrap_err();
        let usage = Failure::Usage(e);
        assert_eq!(usage.to_string(), "cannot open x: denied");
        assert_eq!((usage.status(), Failure::run("killed").status()), (2, 1));
    }
}

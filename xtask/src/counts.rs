//! How many tests passed, as their runners say.

use std::fmt;
use std::ops::AddAssign;

/// Passed, failed and skipped tests or checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Ignored by their runner.
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) const PASS: Self = Self { passed: 1, failed: 0, skipped: 0 };
    pub(crate) const FAIL: Self = Self { passed: 0, failed: 1, skipped: 0 };

    /// Something ran and nothing failed. A run of zero tests proves nothing.
    pub(crate) fn ok(self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// Reads a runner's last line: `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
    pub(crate) fn from_result_line(line: &str) -> Option<Self> {
        let rest = line.trim_end().strip_prefix("test result: ")?;
        let (_, figures) = rest.split_once(". ")?;
        let mut counts = Self::default();
        let mut seen = 0;
        for part in figures.split("; ") {
            let Some((number, what)) = part.split_once(' ') else { continue };
            let into = match what {
                "passed" => &mut counts.passed,
                "failed" => &mut counts.failed,
                "ignored" => &mut counts.skipped,
                _ => continue,
            };
            *into = number.parse().ok()?;
            seen += 1;
        }
        (seen == 3).then_some(counts)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_read() {
        let ok =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s";
        assert_eq!(Counts::from_result_line(ok), Some(Counts { passed: 12, failed: 0, skipped: 1 }));
        let bad = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        assert_eq!(Counts::from_result_line(bad), Some(Counts { passed: 3, failed: 2, skipped: 0 }));
    }

    #[test]
    fn other_lines_are_not() {
        for line in [
            "running 3 tests",
            "test result: ok. lots passed",
            "  test result: ok. 1 passed; 0 failed; 0 ignored",
            "",
        ] {
            assert_eq!(Counts::from_result_line(line), None, "{line}");
        }
    }

    #[test]
    fn nothing_ran_is_not_ok() {
        assert!(!Counts::default().ok());
        assert!(Counts::PASS.ok());
        let mut both = Counts::PASS;
        both += Counts::FAIL;
        assert!(!both.ok());
        assert_eq!(both.to_string(), "1 passed, 1 failed");
        assert_eq!(Counts { skipped: 2, ..both }.to_string(), "1 passed, 1 failed, 2 skipped");
    }
}

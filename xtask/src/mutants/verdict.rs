//! What became of a mutation.

use super::list::Test;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A test failed; which one, as far as it could say.
    Caught(String),
    /// A test did not end.
    Hung,
    DoesNotCompile,
    Passed,
    /// No test has such a name.
    NoTest,
}

impl Verdict {
    pub(super) fn is_caught(&self) -> bool {
        matches!(self, Self::Caught(_) | Self::Hung)
    }

    /// Of a test run that ended by itself.
    pub(super) fn of(test: &Test, succeeded: bool, output: &str) -> Self {
        let ran = output.lines().filter_map(|line| line.strip_prefix("running ")?.split(' ').next());
        let ran: u64 = ran.filter_map(|n| n.parse::<u64>().ok()).sum();
        match (succeeded, ran) {
            (true, 0) => Self::NoTest,
            (true, _) => Self::Passed,
            (false, 0) => Self::DoesNotCompile,
            (false, _) => Self::Caught(culprit(test, output)),
        }
    }
}

/// The first test that failed; when the process died of it, the ones that had begun and not ended.
fn culprit(test: &Test, output: &str) -> String {
    let tests = output.lines().filter_map(|line| line.strip_prefix("test "));
    let failed = tests.clone().find_map(|line| line.strip_suffix(" ... FAILED"));
    if let Some(name) = failed {
        return name.to_owned();
    }
    let open: Vec<_> = tests.filter_map(|line| line.split_once(" ... ")).collect();
    match open.iter().find(|(_, end)| !end.starts_with("ok") && !end.starts_with("ignored")) {
        Some((name, _)) => format!("{name} (the process died)"),
        None => format!("{} (the process died)", test.names.join(" or ")),
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught(by) => f.write_str(by),
            Self::Hung => f.write_str("a test that did not end"),
            Self::DoesNotCompile => f.write_str("DOES NOT COMPILE"),
            Self::Passed => f.write_str("SURVIVES"),
            Self::NoTest => f.write_str("NO SUCH TEST"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::Kind;
    use super::*;

    #[test]
    fn a_run_says_what_noticed() {
        let test = Test { package: "pool-core", kind: Kind::Unit, target: None, names: vec!["a".into()] };
        let failed = "running 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\n";
        assert_eq!(Verdict::of(&test, false, failed), Verdict::Caught("a::c".into()));
        let died = "running 2 tests\ntest a::b ... ok\ntest a::c ... \n";
        assert_eq!(Verdict::of(&test, false, died), Verdict::Caught("a::c (the process died)".into()));
        let silent = "running 2 tests\n";
        assert_eq!(Verdict::of(&test, false, silent), Verdict::Caught("a (the process died)".into()));
        assert_eq!(Verdict::of(&test, true, "running 1 test\ntest a ... ok\n"), Verdict::Passed);
        assert_eq!(Verdict::of(&test, true, "running 0 tests\n"), Verdict::NoTest);
        assert_eq!(Verdict::of(&test, false, "error[E0308]"), Verdict::DoesNotCompile);
        assert!(!Verdict::DoesNotCompile.is_caught() && !Verdict::NoTest.is_caught());
    }
}

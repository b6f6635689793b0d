//! Lines on standard error, asked for by the environment: `EBBPOOL_TRACE=cycle=1`.
//!
//! Like Go's `GODEBUG`: names with values, separated by commas. Read once.

use std::io::Write;
use std::sync::OnceLock;

const VARIABLE: &str = "EBBPOOL_TRACE";

/// Whether each cycle is to be said.
pub(crate) fn cycles() -> bool {
    static CYCLES: OnceLock<bool> = OnceLock::new();
    *CYCLES.get_or_init(|| {
        let value = std::env::var_os(VARIABLE).unwrap_or_default();
        let value = value.to_string_lossy();
        let (cycles, wrong) = parse(&value);
        for wrong in wrong {
            say(&format!("ebbpool: {VARIABLE}: {wrong:?} is unknown, allowed are cycle=0 and cycle=1"));
        }
        cycles
    })
}

/// Writes a line; a closed standard error is no reason to fail.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn parse(value: &str) -> (bool, Vec<&str>) {
    let mut cycles = false;
    let mut wrong = Vec::new();
    for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part {
            "cycle=1" => cycles = true,
            "cycle=0" => cycles = false,
            other => wrong.push(other),
        }
    }
    (cycles, wrong)
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_misspelt_is_named() {
        assert_eq!(parse(""), (false, vec![]));
        assert_eq!(parse("cycle=1"), (true, vec![]));
        assert_eq!(parse(" cycle=1, cycle=0"), (false, vec![]));
        assert_eq!(parse("cycles=1,cycle=1,cycle=yes"), (true, vec!["cycles=1", "cycle=yes"]));
    }
}

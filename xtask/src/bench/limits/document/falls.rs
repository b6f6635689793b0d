//! The part of the page about limits that fall.

use super::verdict;
use crate::bench::figures::{number, share, text, worst};
use anyhow::Result;
use serde_json::Value;
use std::fmt::Write as _;

/// From the fall until something is done about it, ms.
const ACTION_MS_MAX: f64 = 500.0;
/// And until usage is below .90 of the new limit, ms.
const BELOW_MS_MAX: f64 = 5000.0;

/// Rows of the table of targets.
pub(super) fn targets(falls: &[Value]) -> Result<String> {
    let (action, below) = (longest(falls, "first_action_ms")?, longest(falls, "below_ms")?);
    let mut out = format!(
        "| a limit that falls by three tenths: first action, slowest | {action:.0} ms | ≤ {ACTION_MS_MAX:.0} ms | {} |\n",
        verdict(action <= ACTION_MS_MAX)
    );
    let _ = writeln!(
        out,
        "| below .90 of the new limit, slowest | {below:.0} ms | ≤ {BELOW_MS_MAX:.0} ms | {} |",
        verdict(below <= BELOW_MS_MAX)
    );
    Ok(out)
}

/// What came out, by allocator.
pub(super) fn table(falls: &[Value]) -> Result<String> {
    let mut allocators: Vec<&str> = Vec::new();
    for fall in falls {
        let allocator = text(fall, "allocator")?;
        if !allocators.contains(&allocator) {
            allocators.push(allocator);
        }
    }
    let mut out = "\nWhen the limit falls, from 228 to 160 MiB:\n\n\
         | allocator | killed | completed, worst | of the new limit when it fell, highest | first action, slowest | below .90, slowest |\n\
         | --- | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for allocator in allocators {
        let runs: Vec<_> = falls.iter().filter(|fall| fall["allocator"] == allocator).cloned().collect();
        let completed = runs.iter().map(|run| number(run, "completed_share")).collect::<Result<Vec<_>>>()?;
        let _ = writeln!(
            out,
            "| {allocator} | {} of {} | {} | {:.2} | {:.0} ms | {:.0} ms |",
            runs.iter().filter(|run| run["killed"] == true).count(),
            runs.len(),
            share(worst(&completed)?),
            longest(&runs, "share")?,
            longest(&runs, "first_action_ms")?,
            longest(&runs, "below_ms")?
        );
    }
    Ok(out)
}

/// The highest.
fn longest(falls: &[Value], key: &str) -> Result<f64> {
    falls.iter().try_fold(0.0, |most, fall| Ok(f64::max(most, number(fall, key)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fall(allocator: &str, action_ms: u64, below_ms: u64) -> Value {
        json!({"allocator": allocator, "killed": false, "completed_share": 1.0, "share": 0.97,
               "first_action_ms": action_ms, "below_ms": below_ms})
    }

    #[test]
    fn the_slowest_of_each_allocator_counts() {
        let falls = [fall("glibc", 250, 500), fall("jemalloc", 251, 250), fall("glibc", 251, 750)];
        let table = table(&falls).unwrap();
        assert!(table.contains("| glibc | 0 of 2 | 100.00 % | 0.97 | 251 ms | 750 ms |"), "{table}");
        assert!(table.contains("| jemalloc | 0 of 1 | 100.00 % | 0.97 | 251 ms | 250 ms |"), "{table}");
        let met = targets(&falls).unwrap();
        assert!(
            met.contains("| 251 ms | ≤ 500 ms | met |") && met.contains("| 750 ms | ≤ 5000 ms | met |"),
            "{met}"
        );
    }

    #[test]
    fn a_slow_answer_is_set_in_bold_and_none_at_all_is_an_error() {
        let missed = targets(&[fall("glibc", 501, 5001)]).unwrap();
        assert_eq!(missed.matches("**missed**").count(), 2, "{missed}");
        assert!(targets(&[json!({})]).is_err() && table(&[json!({})]).is_err());
    }
}

//! Whether the benchmarks still work, and the comparison reports everything that it should.

use super::{job, read_json};
use crate::counts::Counts;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Who must be in the comparison, and in which shapes.
const NAMES: [&str; 14] = [
    "ours",
    "limit",
    "glibc",
    "jemalloc",
    "mimalloc",
    "opool",
    "object-pool",
    "lockfree-object-pool",
    "sharded-slab",
    "regex-automata",
    "crossbeam ArrayQueue",
    "crossbeam SegQueue",
    "Mutex<Vec>",
    "deadpool unmanaged",
];
/// Where its tools are; else the report says that it was skipped.
const GO: &str = "Go sync.Pool";
const SHAPES: [&str; 6] =
    ["1 thread", "2 threads", "8 threads", "burst 64, 1 thread", "burst 64, 2 threads", "cross thread"];

/// Parts of what is asked for; each must stand in some target, which must have been judged.
const TARGETS: [&str; 12] = [
    "multiple of the limit",
    "multiple of jemalloc",
    "burst 64, 2 threads",
    "cheapest pool",
    "cheapest allocator",
    "best other Rust pool",
    "drained every 100 ms",
    "leases on record: all",
    "drain of 256 slots",
    "memory: ",
    "growth with pools",
    "growth with threads",
];

/// Runs each benchmark of the workspace briefly, and checks what the comparison wrote.
pub(crate) fn smoke(workspace: &Workspace) -> Result<Counts> {
    let report = workspace.target.join("bench/peers.json");
    std::fs::remove_file(&report).ok(); // what an earlier run wrote proves nothing
    let mut counts = Counts::default();
    for package in &workspace.packages {
        for bench in package.targets_of("bench") {
            let passed = job(&package.name, &bench.name, true).passes(workspace)?;
            counts += if passed { Counts::PASS } else { Counts::FAIL };
        }
    }
    check_report(&read_json(&report)?).with_context(|| report.display().to_string())?;
    counts += Counts::PASS;
    Ok(counts)
}

/// Every name in every shape and every target, with figures that can be.
fn check_report(report: &Value) -> Result<()> {
    let list = |key: &str| report[key].as_array().with_context(|| format!("no list of {key}"));
    let (rows, targets, skipped) = (list("rows")?, list("targets")?, list("skipped")?);
    let go = skipped.is_empty().then_some(&GO);
    for name in NAMES.iter().chain(go) {
        for shape in SHAPES {
            let row = rows.iter().find(|row| row["name"] == *name && row["shape"] == shape);
            check_figures(row.with_context(|| format!("no row for {name}, {shape}"))?)?;
        }
    }
    for part in TARGETS.iter().chain(go) {
        let named = |target: &&Value| target["what"].as_str().is_some_and(|what| what.contains(part));
        let mut targets = targets.iter().filter(named).peekable();
        targets.peek().with_context(|| format!("no target on {part}"))?;
        targets.try_for_each(check_target)?;
    }
    Ok(())
}

fn check_figures(of: &Value) -> Result<()> {
    let [min, median, max] = ["min", "median", "max"].map(|key| of[key].as_f64());
    // A pair across threads may come out at less than nothing: what is taken off was measured by itself.
    if !matches!((min, median, max), (Some(min), Some(median), Some(max)) if min <= median && median <= max) {
        bail!("min, median and max must be numbers, min <= median <= max: {of}");
    }
    Ok(())
}

/// It has figures, and a verdict for each bound.
fn check_target(target: &Value) -> Result<()> {
    check_figures(target)?;
    let bounds: Vec<_> = [&target["must"], &target["aim"]].into_iter().filter(|b| !b.is_null()).collect();
    if bounds.is_empty() || !bounds.iter().all(|bound| bound["met"].is_boolean()) {
        bail!("a target must have a bound and say whether it is met: {target}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn figures(name: &str, shape: &str) -> Value {
        json!({"name": name, "shape": shape, "min": 4, "median": 5.0, "max": 6})
    }

    fn report() -> Value {
        let names = NAMES.iter().chain([&GO]);
        let rows: Vec<_> = names.flat_map(|name| SHAPES.map(|shape| figures(name, shape))).collect();
        let target = |what: &&str| json!({"what": what, "min": 4, "median": 5.0, "max": 6, "must": {"met": false}, "aim": null});
        let targets: Vec<_> = TARGETS.iter().chain([&GO]).map(target).collect();
        json!({"skipped": [], "rows": rows, "targets": targets})
    }

    #[test]
    fn a_whole_report_passes_whether_its_targets_are_met_or_not() {
        check_report(&report()).unwrap();
    }

    #[test]
    fn a_missing_row_a_missing_target_and_impossible_figures_fail() {
        let mut missing = report();
        missing["rows"].as_array_mut().unwrap().remove(7);
        assert_eq!(check_report(&missing).unwrap_err().to_string(), "no row for limit, 2 threads");
        let mut missing = report();
        missing["targets"].as_array_mut().unwrap().remove(3);
        assert_eq!(check_report(&missing).unwrap_err().to_string(), "no target on cheapest pool");
        for list in ["rows", "targets"] {
            for (key, value) in [("max", json!(4.5)), ("median", json!(3)), ("median", json!(null))] {
                let mut bad = report();
                bad[list][0][key] = value;
                assert!(check_report(&bad).is_err(), "{bad}");
            }
        }
        let mut unjudged = report();
        unjudged["targets"][0]["must"]["met"] = json!(null);
        assert!(check_report(&unjudged).is_err());
    }

    #[test]
    fn go_may_be_skipped_with_a_word_only() {
        let mut without = report();
        for (list, key) in [("rows", "name"), ("targets", "what")] {
            without[list].as_array_mut().unwrap().retain(|entry| entry[key] != GO);
        }
        assert_eq!(check_report(&without).unwrap_err().to_string(), "no row for Go sync.Pool, 1 thread");
        without["skipped"] = json!(["Go sync.Pool: no `go` on this machine"]);
        check_report(&without).unwrap();
    }
}

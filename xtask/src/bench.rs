//! The benchmarks: run for their figures, or briefly to see that they still work.

use crate::counts::Counts;
use crate::run::{Job, cargo};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::time::Duration;

/// Who must be in the comparison, and in which shapes.
const NAMES: [&str; 12] = [
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
    "deadpool unmanaged",
];
const SHAPES: [&str; 6] =
    ["1 thread", "2 threads", "8 threads", "burst 64, 1 thread", "burst 64, 2 threads", "cross thread"];

/// The comparison with the peers.
pub(crate) fn run(workspace: &Workspace, quick: bool) -> Result<bool> {
    job("pool-core", "peers", quick).limit(Duration::from_secs(3600)).passes(workspace)
}

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
    let text =
        std::fs::read_to_string(&report).with_context(|| format!("{} was not written", report.display()))?;
    let json = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", report.display()))?;
    check_report(&json).with_context(|| report.display().to_string())?;
    counts += Counts::PASS;
    Ok(counts)
}

fn job(package: &str, bench: &str, quick: bool) -> Job {
    let job = cargo("bench").args(["-p", package, "--bench", bench]);
    if quick { job.args(["--", "--quick"]) } else { job }
}

/// Every name in every shape, with figures that can be.
fn check_report(report: &Value) -> Result<()> {
    if report["unit"] != "ns_per_pair" {
        bail!("unit is {}, it must be \"ns_per_pair\"", report["unit"]);
    }
    let rows = report["rows"].as_array().context("no list of rows")?;
    for name in NAMES {
        for shape in SHAPES {
            let row = rows.iter().find(|row| row["name"] == name && row["shape"] == shape);
            let row = row.with_context(|| format!("no row for {name}, {shape}"))?;
            let (median, min) = (row["median"].as_f64(), row["min"].as_f64());
            if !matches!((median, min), (Some(median), Some(min)) if min > 0.0 && median >= min) {
                bail!("{name}, {shape}: median and min must be numbers, 0 < min <= median: {row}");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Value {
        let rows: Vec<_> = NAMES
            .iter()
            .flat_map(|name| {
                SHAPES.map(|shape| json!({"name": name, "shape": shape, "median": 5.0, "min": 4}))
            })
            .collect();
        json!({"unit": "ns_per_pair", "rows": rows})
    }

    #[test]
    fn a_whole_report_passes() {
        check_report(&report()).unwrap();
    }

    #[test]
    fn a_missing_row_a_wrong_unit_and_impossible_figures_fail() {
        let mut missing = report();
        missing["rows"].as_array_mut().unwrap().remove(7);
        assert_eq!(check_report(&missing).unwrap_err().to_string(), "no row for limit, 2 threads");
        let mut unit = report();
        unit["unit"] = json!("ms");
        assert!(check_report(&unit).is_err());
        for (key, value) in [("min", json!(0)), ("median", json!(3)), ("median", json!(null))] {
            let mut bad = report();
            bad["rows"][0][key] = value;
            assert!(check_report(&bad).is_err(), "{bad}");
        }
    }
}

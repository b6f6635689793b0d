//! The document, made from its data and nothing else, so that a rule of `tidy` can make it again and compare.

use super::prose::{HEAD, HOW};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fmt::Write as _;

/// What was measured.
pub(crate) const DATA: &str = "docs/performance.json";
/// What people read.
pub(crate) const DOCUMENT: &str = "docs/performance.md";

/// Columns of the comparison.
const SHAPES: [&str; 6] =
    ["1 thread", "2 threads", "8 threads", "burst 64, 1 thread", "burst 64, 2 threads", "cross thread"];

/// The whole text.
///
/// # Errors
/// If the data lack something that the page shows.
pub(crate) fn document(data: &Value) -> Result<String> {
    let (peers, cost) = (&data["peers"], &data["cost"]);
    let mut out = HEAD.to_owned();
    out.push_str(&targets(list(peers, "targets")?)?);
    out.push_str(&machine(data)?);
    let rows = list(peers, "rows")?;
    out.push_str(&comparison(rows, list(peers, "skipped")?)?);
    out.push_str(&own(rows)?);
    out.push_str(&pays(list(&data["pays"], "rows")?)?);
    out.push_str(&control(list(&data["control"], "rows")?)?);
    out.push_str(&instructions(cost)?);
    out.push_str(HOW);
    Ok(out)
}

fn targets(targets: &[Value]) -> Result<String> {
    let verdicts = |bound: &str, met: bool| targets.iter().filter(|t| t[bound]["met"] == met).count();
    let mut out = format!(
        "## Targets\n\nOf what must be, {} are met and {} missed; of what is aimed at, {} are met and {} missed.\n\n",
        verdicts("must", true),
        verdicts("must", false),
        verdicts("aim", true),
        verdicts("aim", false)
    );
    out.push_str("| | got | cheapest, dearest round | must | aim |\n| --- | ---: | ---: | --- | --- |\n");
    for target in targets {
        let what = name(target, "what")?;
        let note = Some(name(target, "note")?).filter(|note| !note.is_empty());
        let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
        let unit = text(target, "unit")?;
        let figure = |key: &str| {
            target[key]
                .as_f64()
                .map_or("—".to_owned(), |value| format!("{} {unit}", number(value)).trim_end().to_owned())
        };
        let (got, min, max) = (figure("median"), figure("min"), figure("max"));
        let (must, aim) = (bound(&target["must"]), bound(&target["aim"]));
        let _ = writeln!(out, "| {what}{note} | {got} | {min}, {max} | {must} | {aim} |");
    }
    Ok(out)
}

/// What was missed is set in bold: it must not be overlooked.
fn bound(bound: &Value) -> String {
    let Some(text) = bound["bound"].as_str() else { return String::new() };
    match bound["met"].as_bool() {
        Some(true) => format!("{text} met"),
        Some(false) => format!("**{text} missed**"),
        None => format!("{text} not measured"),
    }
}

fn machine(data: &Value) -> Result<String> {
    let facts = &data["peers"]["machine"];
    let mut out = String::from("\n## Where\n\n| | |\n| --- | --- |\n");
    for (what, key) in [
        ("processor", "cpu"),
        ("cores", "cores"),
        ("Linux", "kernel"),
        ("load average over 1, 5, 15 minutes, at the start", "load_at_start"),
        ("and at the end", "load_at_end"),
        ("compiler", "rustc"),
        ("Go", "go"),
        ("glibc", "glibc"),
        ("jemalloc", "jemalloc"),
        ("mimalloc", "mimalloc"),
    ] {
        let _ = writeln!(out, "| {what} | {} |", text(facts, key)?);
    }
    for (name, version) in data["crates"].as_object().context("no versions of crates")? {
        let _ = writeln!(out, "| crate {name} | {} |", version.as_str().unwrap_or("unknown"));
    }
    Ok(out)
}

/// Two tables: medians with the multiple of the limit, and how far the rounds were apart.
fn comparison(rows: &[Value], skipped: &[Value]) -> Result<String> {
    let mut out = String::from(
        "\n## Beside its peers\n\nNanoseconds per pair, median of all rounds; in brackets the multiple of the limit.\n\n",
    );
    out.push_str(&matrix(rows, |row| {
        let ratio = row["ratio_to_limit"].as_f64().map(|ratio| format!(" ({})", number(ratio)));
        Some(number(row["median"].as_f64()?) + &ratio.unwrap_or_default())
    })?);
    out.push_str("\nThe cheapest and the dearest round:\n\n");
    out.push_str(&matrix(rows, |row| {
        Some(format!("{}, {}", number(row["min"].as_f64()?), number(row["max"].as_f64()?)))
    })?);
    for why in skipped.iter().filter_map(Value::as_str) {
        let _ = writeln!(out, "\nLeft out: {why}.");
    }
    Ok(out)
}

fn matrix(rows: &[Value], cell: impl Fn(&Value) -> Option<String>) -> Result<String> {
    let mut out = format!("| | {} |\n|{}\n", SHAPES.join(" | "), " --- |".repeat(1 + SHAPES.len()));
    for first in rows.iter().filter(|row| row["shape"] == SHAPES[0] && !is_own(row)) {
        let of_name = || rows.iter().filter(|row| row["name"] == first["name"]);
        let in_shapes = || of_name().filter(|row| SHAPES.iter().any(|shape| row["shape"] == *shape));
        let creates =
            in_shapes().any(|row| row["created_per_get"].as_f64().is_some_and(|share| share > 0.01));
        let _ = write!(out, "| {}{} |", name(first, "name")?, if creates { " †" } else { "" });
        for shape in SHAPES {
            let row = of_name().find(|row| row["shape"] == shape);
            let _ = write!(out, " {} |", row.and_then(&cell).unwrap_or_else(|| "—".into()));
        }
        out.push('\n');
    }
    Ok(out)
}

/// Whether a row is no part of the comparison.
fn is_own(row: &Value) -> bool {
    !SHAPES.iter().any(|shape| row["shape"] == *shape)
}

fn own(rows: &[Value]) -> Result<String> {
    let mut out =
        String::from("\n## By itself\n\n| | median | cheapest, dearest round |\n| --- | ---: | ---: |\n");
    for row in rows.iter().filter(|row| is_own(row)) {
        let (row_name, shape, unit) = (name(row, "name")?, text(row, "shape")?, text(row, "unit")?);
        let figure = |key: &str| row[key].as_f64().map_or("—".to_owned(), number);
        let (median, min, max) = (figure("median"), figure("min"), figure("max"));
        let _ = writeln!(out, "| {row_name}: {shape} | {median} {unit} | {min}, {max} |");
    }
    Ok(out)
}

fn pays(rows: &[Value]) -> Result<String> {
    let mut out = String::from(
        "\n## Whether it pays\n\nNanoseconds that a lease saves against a value made anew: timed directly, and as the \
         pool's own trials say.\n\n| value | direct | by the pool | verdict | confidence | expected |\n\
         | --- | ---: | ---: | --- | ---: | --- |\n",
    );
    for row in rows {
        let figure =
            |key: &str| row[key].as_f64().map(number).with_context(|| format!("no number at {key} in {row}"));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            text(row, "value")?,
            figure("direct_ns")?,
            figure("saved_ns")?,
            text(row, "verdict")?,
            figure("confidence")?,
            text(row, "expected")?
        );
    }
    Ok(out)
}

fn control(rows: &[Value]) -> Result<String> {
    let mut out = String::from(
        "\n## Control\n\nWhat steering costs (`cargo xtask bench control`), by wall time where nothing else is said.\n\n\
         | | median | 99th percentile | most | promised |\n| --- | ---: | ---: | ---: | --- |\n",
    );
    for row in rows {
        let unit = text(row, "unit")?;
        let figure = |key: &str| {
            let value = row[key].as_f64().with_context(|| format!("no number at {key} in {row}"))?;
            Ok::<_, anyhow::Error>(format!("{} {unit}", number(value)).trim_end().to_owned())
        };
        let (median, p99, most) = (figure("median")?, figure("p99")?, figure("max")?);
        let promised = bound(&row["promised"]);
        let _ = writeln!(out, "| {} | {median} | {p99} | {most} | {promised} |", name(row, "what")?);
    }
    Ok(out)
}

fn instructions(cost: &Value) -> Result<String> {
    let (rustc, valgrind, arch) = (text(cost, "rustc")?, text(cost, "valgrind")?, text(cost, "arch")?);
    let mut out = format!(
        "\n## Instructions\n\nPer pair; {valgrind}, {arch}, {rustc}.\nCI fails when one rises by more than 10 % above \
         `pool-core/benches/cost/recorded.json`.\n\n| | per pair |\n| --- | ---: |\n"
    );
    for case in list(cost, "cases")? {
        let figure = case["instructions"].as_f64().context("a case without instructions")?;
        let _ = writeln!(out, "| {} | {figure:.1} |", name(case, "name")?);
    }
    Ok(out)
}

fn list<'a>(of: &'a Value, key: &str) -> Result<&'a [Value]> {
    of[key].as_array().map(Vec::as_slice).with_context(|| format!("no list of {key}"))
}

fn text<'a>(of: &'a Value, key: &str) -> Result<&'a str> {
    of[key].as_str().with_context(|| format!("no text at {key} in {of}"))
}

/// A name as Markdown shows it: a type's brackets are no HTML.
fn name(of: &Value, key: &str) -> Result<String> {
    Ok(text(of, key)?.replace('<', "\\<"))
}

/// Three digits are more than a run can tell.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn data() -> Value {
        let row = |name: &str, shape: &str, created: f64| {
            json!({"name": name, "shape": shape, "unit": "ns", "median": 4.68, "min": 4.0, "max": 112.6,
                   "ratio_to_limit": 1.8, "created_per_get": created})
        };
        json!({
            "peers": {
                "machine": {"cpu": "CPU", "cores": "2", "kernel": "6.1", "load_at_start": "0.1", "load_at_end": "1.0",
                            "rustc": "rustc 1", "go": "none", "glibc": "2", "jemalloc": "5", "mimalloc": "3"},
                "skipped": ["Go sync.Pool: no `go` on this machine"],
                "rows": [row("ours", "1 thread", 0.0), row("Mutex<Vec>", "1 thread", 0.5), row("ours", "a pool", 0.9)],
                "targets": [
                    {"what": "pair", "note": "", "unit": "", "median": 2.5, "min": 2.0, "max": 3.0,
                     "must": {"bound": "≤ 2", "met": false}, "aim": null},
                    {"what": "memory", "note": "why", "unit": "B", "median": 32.0, "min": 32.0, "max": 32.0,
                     "must": {"bound": "≤ 32", "met": true}, "aim": {"bound": "≤ 16", "met": false}},
                    {"what": "Go", "note": "", "unit": "", "median": null, "min": null, "max": null,
                     "must": {"bound": "≥ 2", "met": null}, "aim": null},
                ],
            },
            "cost": {"arch": "x86_64", "rustc": "rustc 1", "valgrind": "valgrind-3",
                     "cases": [{"name": "pair", "instructions": 120.4}]},
            "pays": {"rows": [{"value": "map", "direct_ns": -1.5, "saved_ns": 1200.4, "verdict": "pays",
                               "confidence": 0.99, "expected": "pays"}]},
            "control": {"rows": [
                {"what": "tick", "unit": "µs", "median": 18.5, "p99": 250.4, "max": 300.0,
                 "promised": {"bound": "p99 ≤ 200µs", "met": false}},
                {"what": "share", "unit": "%", "median": 0.01, "p99": 0.01, "max": 0.01, "promised": null},
            ]},
            "crates": {"opool": "0.2.0"},
        })
    }

    #[test]
    fn what_was_missed_and_what_was_not_measured_stand_there() {
        let text = document(&data()).unwrap();
        for line in [
            "Of what must be, 1 are met and 1 missed; of what is aimed at, 0 are met and 1 missed.",
            "| pair | 2.50 | 2.00, 3.00 | **≤ 2 missed** |  |",
            "| memory (why) | 32.0 B | 32.0 B, 32.0 B | ≤ 32 met | **≤ 16 missed** |",
            "| Go | — | —, — | ≥ 2 not measured |  |",
            "Left out: Go sync.Pool: no `go` on this machine.",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn rows_are_told_apart() {
        let text = document(&data()).unwrap();
        assert!(text.contains("| ours | 4.68 (1.80) | — |"), "{text}");
        assert!(text.contains("| Mutex\\<Vec> † | 4.00, 113 |"), "{text}");
        assert!(text.contains("| ours: a pool | 4.68 ns | 4.00, 113 |"), "{text}");
        assert!(text.contains("| pair | 120.4 |"), "{text}");
        assert!(text.contains("| tick | 18.5 µs | 250 µs | 300 µs | **p99 ≤ 200µs missed** |"), "{text}");
        assert!(text.contains("| share | 0.01 % | 0.01 % | 0.01 % |  |"), "{text}");
        assert!(text.contains("| map | -1.50 | 1200 | pays | 0.99 | pays |"), "{text}");
    }

    #[test]
    fn lacking_data_are_refused() {
        for key in ["peers", "pays", "control", "cost", "crates"] {
            let mut lacking = data();
            lacking.as_object_mut().unwrap().remove(key);
            assert!(document(&lacking).is_err(), "{key}");
        }
    }
}

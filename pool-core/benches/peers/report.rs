//! From figures to text for people and a file for programs. Knows only names, numbers and verdicts.

use crate::figures::{Figures, NS, REUSES, Series, Spread, TIMES};
use crate::machine::Machine;
use crate::names::{self, LIMIT};
use crate::targets::{Bound, Target};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The comparison, what only this crate has, then the targets.
pub(crate) fn text(figures: &Figures, targets: &[Target]) -> String {
    let mut out = comparison(figures);
    out.push_str(&own(figures));
    for cell in figures.series.iter().filter(|cell| cell.created_per_get() > REUSES) {
        let (row, shape, percent) = (&cell.row, &cell.shape, 100.0 * cell.created_per_get());
        let _ = writeln!(
            out,
            "{row}, {shape}: created on {percent:.0} % of its gets, so this is not the cost of reuse"
        );
    }
    for why in &figures.skipped {
        let _ = writeln!(out, "skipped: {why}");
    }
    out.push_str(&verdicts(targets));
    out
}

/// The shapes of the matrix, as far as they were measured.
fn shapes(figures: &Figures) -> Vec<String> {
    let all = [1, 2, 8].map(names::single).into_iter().chain([1, 2].map(names::burst));
    let all = all.chain([names::CROSS_THREAD.to_owned()]);
    all.filter(|shape| figures.find(LIMIT, shape).is_some()).collect()
}

/// Medians with the median of their ratios to the limit.
fn comparison(figures: &Figures) -> String {
    let shapes = shapes(figures);
    let Some(first) = shapes.first() else { return String::new() };
    let mut out = format!("\n{:<22}", "median ns per pair");
    for shape in &shapes {
        let _ = write!(out, "{shape:>21}");
    }
    for row in figures.series.iter().filter(|s| s.shape == *first).map(|s| &s.row) {
        let _ = write!(out, "\n{row:<22}");
        for shape in &shapes {
            let _ = write!(out, "{:>21}", cell(figures, row, shape));
        }
    }
    out.push_str("\n\nIn brackets: the multiple of the limit, which is a bare thread-local stack of pointers. Across threads");
    out.push_str("\nit cannot reuse: there it is malloc on one side and free on the other. What the hand-over itself costs");
    out.push_str("\nis taken off there.\n");
    out
}

fn cell(figures: &Figures, row: &str, shape: &str) -> String {
    let Some(series) = figures.find(row, shape) else { return "not measured".to_owned() };
    let ratio = figures.ratio((row, shape), (LIMIT, shape)).map_or(f64::NAN, |ratio| ratio.median);
    format!("{:.1} ({ratio:>6.2}x)", series.spread().median)
}

/// What is not part of the comparison.
fn own(figures: &Figures) -> String {
    let shapes = shapes(figures);
    let mut out = String::new();
    for series in figures.series.iter().filter(|s| !shapes.contains(&s.shape)) {
        let Spread { median, min, max } = series.spread();
        let (unit, what) = (series.unit, format!("{}: {}", series.row, series.shape));
        let _ = write!(out, "\n{what:<50}{median:>10.2} {unit:<4} ({min:.2} to {max:.2})");
    }
    out + "\n\n"
}

/// A target a line. What was missed stands there as plainly as what was met.
fn verdicts(targets: &[Target]) -> String {
    let mut out = format!("{:<78}{:>12}  {:<22}{}\n", "target", "got", "must", "aim");
    for target in targets {
        let got =
            target.figure.map_or("-".to_owned(), |figure| format!("{:.2} {}", figure.median, target.unit));
        let bound = |bound: Option<Bound>| match (bound, target.verdict(bound)) {
            (None, _) => String::new(),
            (Some(bound), verdict) => {
                let verdict = verdict.map_or("not measured", |met| if met { "met" } else { "MISSED" });
                format!("{} {} {verdict}", bound.sign(), bound.value())
            }
        };
        let (must, aim) = (bound(target.must), bound(target.aim));
        let note = if target.note.is_empty() { String::new() } else { format!("   ({})", target.note) };
        let _ = writeln!(out, "{:<78}{got:>12}  {must:<22}{aim:<22}{note}", target.what);
    }
    out
}

/// Writes `bench/peers.json` in Cargo's target directory and returns its path.
///
/// # Errors
/// With the path, if it cannot be written.
pub(crate) fn write_json(
    machine: &Machine,
    quick: bool,
    figures: &Figures,
    targets: &[Target],
) -> Result<String, String> {
    // Cargo's scratch directory for benchmarks is `tmp` in the target directory.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("no target directory")?;
    let path = target.join("bench").join("peers.json");
    let text = json(machine, quick, figures, targets);
    let written = fs::create_dir_all(target.join("bench")).and_then(|()| fs::write(&path, text));
    written.map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path.display().to_string())
}

fn json(machine: &Machine, quick: bool, figures: &Figures, targets: &[Target]) -> String {
    let facts = machine.facts.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value)));
    let skipped = figures.skipped.iter().map(|why| quoted(why));
    let rows = figures.series.iter().map(|series| row(figures, series));
    format!(
        "{{\"quick\":{quick},\n\"machine\":{{{}}},\n\"skipped\":[{}],\n\"rows\":[\n{}\n],\n\"targets\":[\n{}\n]}}\n",
        joined(facts, ","),
        joined(skipped, ","),
        joined(rows, ",\n"),
        joined(targets.iter().map(target), ",\n")
    )
}

fn row(figures: &Figures, series: &Series) -> String {
    let ratio = figures.ratio((&series.row, &series.shape), (LIMIT, &series.shape));
    format!(
        "{{\"name\":{},\"shape\":{},\"unit\":{},{},\"ratio_to_limit\":{},\"created_per_get\":{:.6},\"rounds\":{},\
         \"pairs_per_thread\":{}}}",
        quoted(&series.row),
        quoted(&series.shape),
        quoted(series.unit),
        spread(series.spread()),
        ratio.filter(|_| series.unit == NS).map_or("null".into(), |ratio| number(ratio.median)),
        series.created_per_get(),
        series.rounds.len(),
        series.pairs,
    )
}

fn target(target: &Target) -> String {
    let bound = |bound: Option<Bound>| {
        bound.map_or("null".to_owned(), |bound| {
            let met = target.verdict(Some(bound)).map_or("null", |met| if met { "true" } else { "false" });
            format!("{{\"bound\":\"{} {}\",\"met\":{met}}}", bound.sign(), bound.value())
        })
    };
    let unit = if target.unit == TIMES { "" } else { target.unit };
    format!(
        "{{\"what\":{},\"unit\":{},{},\"must\":{},\"aim\":{},\"note\":{}}}",
        quoted(&target.what),
        quoted(unit),
        target.figure.map_or("\"median\":null,\"min\":null,\"max\":null".into(), spread),
        bound(target.must),
        bound(target.aim),
        quoted(&target.note)
    )
}

fn spread(spread: Spread) -> String {
    let (median, min, max) = (number(spread.median), number(spread.min), number(spread.max));
    format!("\"median\":{median},\"min\":{min},\"max\":{max}")
}

fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { "null".to_owned() }
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

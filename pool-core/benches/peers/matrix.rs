//! Rows × shapes: every round measures each row once in each shape.

use crate::Plan;
use crate::figures::{Figures, NS, REUSES, Series};
use crate::names::{GO, LIMIT, OURS};
use crate::rows::{ROWS, Row, go};
use crate::shapes::Shape;

/// Many short rounds: where objects come to lie in memory differs from round to round, and with it what a cell costs.
const ROUNDS: usize = 51;
const CELL_NS: f64 = 10e6;

/// Measures all rows, or `only` one beside the limit.
///
/// # Errors
/// If a row objects to its measurement.
pub(crate) fn measure(plan: &Plan, only: Option<&str>, figures: &mut Figures) -> Result<(), String> {
    let mut rows: Vec<&Row> =
        ROWS.iter().filter(|row| only.is_none_or(|only| row.name == only || row.name == LIMIT)).collect();
    if rows.iter().any(|row| row.name == GO) {
        if let Err(why) = go::start() {
            eprintln!("skipped: {why}");
            figures.skipped.push(why);
            rows.retain(|row| row.name != GO);
        }
    }
    let cell_ns = plan.cell_ns(CELL_NS);
    let mut cells = Vec::new();
    for shape in Shape::ALL {
        for row in &rows {
            let mut cell = Series::new(row.name, &shape.name(), NS);
            cell.pairs = calibrated(row, shape, cell_ns);
            cells.push(cell);
        }
    }
    for round in 0..plan.rounds(ROUNDS) {
        for (s, shape) in Shape::ALL.into_iter().enumerate() {
            for r in (0..rows.len()).map(|i| (i + round) % rows.len()) {
                sample(rows[r], shape, cell_ns, &mut cells[s * rows.len() + r])?;
            }
        }
    }
    figures.series.extend(cells);
    Ok(())
}

fn sample(row: &Row, shape: Shape, cell_ns: f64, cell: &mut Series) -> Result<(), String> {
    let sample = (row.measure)(shape, cell.pairs)?;
    let hand_over_ns = if shape.crosses() { hand_over_ns(row, cell_ns)? } else { 0.0 };
    cell.push(sample.ns_per_pair - hand_over_ns);
    cell.created.push(sample.created_per_get);
    Ok(())
}

/// Pairs per thread that take about `cell_ns`. In two steps, because a short run of eight threads does not overlap
/// and looks cheaper than it is.
fn calibrated(row: &Row, shape: Shape, cell_ns: f64) -> u64 {
    let mut pairs = 4096;
    for share in [0.2, 1.0] {
        // A failed measurement will fail again, and be reported, in the first round.
        let Ok(sample) = (row.measure)(shape, pairs) else { break };
        pairs = shape.pairs_for(share * cell_ns, sample.ns_per_pair);
    }
    pairs
}

/// What it costs to hand a bare pointer from thread to thread as the cross-thread shape does it, right after the row
/// did: the best of three, so that noise in it is never credited to a row.
fn hand_over_ns(row: &Row, cell_ns: f64) -> Result<f64, String> {
    let pairs = Shape::CrossThread.pairs_for(cell_ns / 4.0, 5.0);
    let tries = (0..3).map(|_| (row.hand_over)(pairs)).collect::<Result<Vec<_>, _>>()?;
    Ok(tries.into_iter().fold(f64::INFINITY, f64::min))
}

/// Refuses a result in which this crate did not reuse: its cost would be the allocator's. Not across threads, where
/// two threads that meet in the depot do without it rather than wait, however often that happens: the table tells.
///
/// # Errors
/// Names the first such shape.
pub(crate) fn check_reuse(figures: &Figures) -> Result<(), String> {
    let own = Shape::ALL.into_iter().filter(|shape| !shape.crosses());
    let cells = own.filter_map(|shape| figures.find(OURS, &shape.name()));
    match cells.into_iter().find(|cell| cell.created_per_get() > REUSES) {
        Some(cell) => Err(format!(
            "{OURS}, {}: created {:.3} buffers per get, allowed are {REUSES}: this is not the cost of reuse",
            cell.shape,
            cell.created_per_get()
        )),
        None => Ok(()),
    }
}

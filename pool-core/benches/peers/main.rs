//! What one get and its return cost, beside the pools and allocators that a service could use instead.
//!
//! ```text
//! cargo bench -p pool-core --bench peers               all rows, all shapes, about two minutes
//! cargo bench -p pool-core --bench peers -- --quick    the same in seconds, for a first look
//! cargo bench -p pool-core --bench peers -- --only ours    one row beside the limit; writes no file
//! ```
//!
//! Nanoseconds of CPU time per get+return pair of a 1 KiB buffer, summed over the threads that did the work: with
//! more threads than cores, wall time measures the scheduler. Rounds are interleaved (each round measures every
//! row once in every shape, starting one row later than the round before), so that a machine that changes its
//! speed changes it for all rows. Figures of two runs do not compare; the ratios to `limit` within one run do.
//!
//! `shapes` knows how to measure and nothing of any pool; `rows` (pools) and `memory` (allocators, the limit) know the
//! peers and nothing of clocks; `report` knows only numbers.

// What a peer costs must not hang on whether the compiler felt like inlining the three lines around it.
#![allow(clippy::inline_always)]

mod memory;
mod report;
mod rows;
mod shapes;

use report::Samples;
use rows::Row;
use shapes::Shape;
use std::process::ExitCode;

/// How long and how often.
struct Plan {
    rounds: usize,
    /// Per thread in one cell, nanoseconds of CPU time.
    cell_ns: f64,
    only: Option<String>,
}

const FULL: Plan = Plan { rounds: 11, cell_ns: 60e6, only: None };
const QUICK: Plan = Plan { rounds: 3, cell_ns: 6e6, only: None };

fn main() -> ExitCode {
    let plan = match parse(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match run(&plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Cargo itself passes `--bench` to a benchmark that it runs as one.
fn parse(args: impl Iterator<Item = String>) -> Result<Plan, String> {
    let (mut plan, mut args) = (FULL, args);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--quick" => plan = Plan { only: plan.only, ..QUICK },
            "--only" => {
                let names: Vec<_> = rows::ROWS.iter().map(|row| row.name).collect();
                let name = args.next().filter(|name| names.contains(&name.as_str()));
                plan.only = Some(name.ok_or_else(|| format!("--only: allowed are {}", names.join(", ")))?);
            }
            other => return Err(format!("{other}: allowed are --quick and --only ROW")),
        }
    }
    Ok(plan)
}

fn run(plan: &Plan) -> Result<(), String> {
    let rows: Vec<&Row> = rows::ROWS
        .iter()
        .filter(|row| plan.only.as_ref().is_none_or(|only| row.name == only || row.name == rows::LIMIT))
        .collect();
    let mut cells = Vec::new();
    for shape in Shape::ALL {
        for row in &rows {
            let pairs = calibrated(row, shape, plan.cell_ns);
            cells.push(Samples::new(row.name, shape.name(), pairs));
        }
    }
    for round in 0..plan.rounds {
        eprintln!("round {} of {}", round + 1, plan.rounds);
        for (s, shape) in Shape::ALL.into_iter().enumerate() {
            let hand_over_ns = shape.crosses().then(|| hand_over_ns(plan.cell_ns));
            for r in (0..rows.len()).map(|i| (i + round) % rows.len()) {
                let cell = &mut cells[s * rows.len() + r];
                let mut sample = (rows[r].measure)(shape, cell.pairs)?;
                sample.ns_per_pair -= hand_over_ns.unwrap_or(0.0);
                cell.push(&sample);
            }
        }
    }
    println!("{}", report::table(&cells));
    if plan.only.is_none() {
        let path = report::write_json(&cells)?;
        println!("written: {path}");
    }
    report::check_reuse(&cells, rows::OURS)
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

/// What it costs to hand a bare pointer from thread to thread as the cross-thread shape does it: the best of three,
/// so that noise in it is never credited to a row.
fn hand_over_ns(cell_ns: f64) -> f64 {
    let pairs = Shape::CrossThread.pairs_for(cell_ns / 4.0, 5.0);
    (0..3).map(|_| memory::bare_hand_over(pairs)).fold(f64::INFINITY, f64::min)
}

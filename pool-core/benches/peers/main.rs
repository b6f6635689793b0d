//! What one get and its return cost, beside the pools and allocators that a service could use instead, and what
//! else was promised of speed and memory.
//!
//! ```text
//! cargo bench -p pool-core --bench peers                   everything, a few minutes
//! cargo bench -p pool-core --bench peers -- --quick        the same in seconds: whether it works, not how fast it is
//! cargo bench -p pool-core --bench peers -- --only ours    one row beside the limit, or one part; writes no file
//! ```
//!
//! Nanoseconds of CPU time per get+return pair of a 1 KiB buffer, summed over the threads that did the work: with
//! more threads than cores, wall time measures the scheduler. Rounds are interleaved (each round measures every
//! row once in every shape, starting one row later than the round before), so that a machine that changes its
//! speed changes it for all rows. Figures of two runs do not compare; the ratios within one round do, and their median
//! is what the targets are judged by.
//!
//! ```text
//!  matrix   rows × shapes, each round in turn        shapes   how to measure; knows no pool by name
//!  own      what only this crate has                 rows     the pools and allocators; know no clocks
//!  figures → targets → report                        numbers, verdicts, text; know nothing of how it was measured
//! ```

// What a peer costs must not hang on whether the compiler felt like inlining the three lines around it.
#![allow(clippy::inline_always)]

mod clock;
mod figures;
mod heap;
mod machine;
mod matrix;
mod names;
mod own;
mod report;
mod rows;
mod shapes;
mod targets;

use figures::Figures;
use machine::Machine;
use std::process::ExitCode;
use std::time::Instant;

/// Counts what the memory rows allocate; at all other times it passes everything on.
#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// How long and how often.
pub(crate) struct Plan {
    pub(crate) quick: bool,
    /// One row of the matrix, or one of [`own::PARTS`].
    only: Option<String>,
}

impl Plan {
    /// Rounds of a part that takes `full` of them in a full run.
    pub(crate) fn rounds(&self, full: usize) -> usize {
        if self.quick { 3 } else { full }
    }

    /// CPU time per thread in one cell, nanoseconds, of a part that takes `full` in a full run.
    pub(crate) fn cell_ns(&self, full: f64) -> f64 {
        if self.quick { full / 10.0 } else { full }
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == part)
    }
}

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == own::CHILD) {
        own::child();
        return ExitCode::SUCCESS;
    }
    let plan = match parse(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let ended = run(&plan);
    rows::go::stop();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Cargo itself passes `--bench` to a benchmark that it runs as one.
fn parse(mut args: impl Iterator<Item = String>) -> Result<Plan, String> {
    let mut plan = Plan { quick: false, only: None };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--quick" => plan.quick = true,
            "--only" => {
                let names =
                    rows::ROWS.iter().map(|row| row.name).chain(own::PARTS.iter().map(|part| part.name));
                let names: Vec<_> = names.collect();
                let name = args.next().filter(|name| names.contains(&name.as_str()));
                plan.only = Some(name.ok_or_else(|| format!("--only: allowed are {}", names.join(", ")))?);
            }
            other => return Err(format!("{other}: allowed are --quick and --only NAME")),
        }
    }
    Ok(plan)
}

fn run(plan: &Plan) -> Result<(), String> {
    let mut machine = Machine::look();
    let mut figures = Figures::default();
    let parts = own::PARTS.iter().filter(|part| plan.wants(part.name));
    if plan.only.as_ref().is_none_or(|only| rows::ROWS.iter().any(|row| row.name == only)) {
        timed("pairs", || matrix::measure(plan, plan.only.as_deref(), &mut figures))?;
    }
    for part in parts {
        timed(part.name, || (part.measure)(plan, &mut figures))?;
    }
    machine.look_again();
    let targets = targets::judge(&figures);
    println!("{}", report::text(&figures, &targets));
    if plan.only.is_none() {
        println!("written: {}", report::write_json(&machine, plan.quick, &figures, &targets)?);
    }
    matrix::check_reuse(&figures)
}

/// Says how long a part took.
fn timed(part: &str, measure: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let began = Instant::now();
    measure()?;
    eprintln!("{part}: {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

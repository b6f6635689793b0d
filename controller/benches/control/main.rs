//! What control costs: a tick, a slice of dropping, and a create that takes idle objects back first.
//!
//! ```text
//! cargo bench -p pool-controller --bench control [-- --quick]
//! ```
//!
//! Writes `target/bench/control.json`; `cargo xtask bench control` runs it and puts the figures into
//! `docs/performance.md`. A target that is missed is told, and is no failure. With `--quick` everything is run briefly,
//! to see that it still works.

mod figures;
mod reclaim;
mod slices;
mod tick;

use figures::Row;

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let rows: Vec<Row> =
        [tick::rows(quick), slices::rows(quick), reclaim::rows(quick)].into_iter().flatten().collect();
    figures::print(&rows);
    if let Err(error) = figures::store(&rows, quick) {
        eprintln!("control: {error}");
        std::process::exit(1);
    }
}

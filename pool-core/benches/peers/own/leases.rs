//! What it costs to put leases on record: none of them, one in 128, all. A get that finds the records busy goes
//! unrecorded: how many did when all should have been is shown beside it.

use crate::Plan;
use crate::figures::{Figures, NS, PERCENT, Series};
use crate::names::{self, OURS};
use crate::rows::ours::Ours;
use crate::shapes::{Peer, Shape, on_own_thread, single};
use pool_core::LeaseLevel;

const ROUNDS: usize = 51;
const CELL_NS: f64 = 10e6;
const LEVELS: [(&str, LeaseLevel); 3] =
    [("off", LeaseLevel::Off), ("1 in 128", LeaseLevel::DEFAULT), ("all", LeaseLevel::All)];

pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<(), String> {
    for threads in [1, 2] {
        let mut cells = Vec::new();
        for (name, level) in LEVELS {
            let mut cell = Series::new(OURS, &names::leases(threads, name), NS);
            let (ns, _) = measure_once(threads, 1 << 14, level)?;
            cell.pairs = Shape::Single(threads).pairs_for(plan.cell_ns(CELL_NS), ns);
            cells.push(cell);
        }
        let mut missed = Series::new(OURS, &names::leases_missed(threads), PERCENT);
        for round in 0..plan.rounds(ROUNDS) {
            for at in (0..LEVELS.len()).map(|i| (i + round) % LEVELS.len()) {
                let level = LEVELS[at].1;
                let (ns, share) = measure_once(threads, cells[at].pairs, level)?;
                cells[at].push(ns);
                if level == LeaseLevel::All {
                    missed.push(100.0 * share);
                }
            }
        }
        figures.series.extend(cells.into_iter().chain([missed]));
    }
    Ok(())
}

/// Nanoseconds per pair, and the share of gets whose lease was not recorded though it should have been.
fn measure_once(threads: usize, pairs: u64, level: LeaseLevel) -> Result<(f64, f64), String> {
    let ours = Ours::with_leases(level);
    let ns = on_own_thread(threads, pairs, |pairs| single(&ours, pairs), Ours::thread_ends);
    ours.objection().map_or(Ok((ns, ours.leases_missed())), Err)
}

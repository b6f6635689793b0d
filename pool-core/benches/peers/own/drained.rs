//! Everything idle is taken away again and again while owners work. Counted is the CPU time of the owners, who pay
//! with the fence's interrupts, with slow paths, and with creating anew.

use crate::Plan;
use crate::figures::{Figures, NS, Series};
use crate::names::{self, Drained, OURS};
use crate::rows::ours::Ours;
use crate::shapes::{Peer, Shape, on_own_thread, single};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

const ROUNDS: usize = 9;
/// Long enough for several drains.
const CELL_NS: f64 = 300e6;
const WAYS: [Drained; 3] = [Drained::Never, Drained::EveryMs(100), Drained::EveryMs(1)];

pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<(), String> {
    for threads in [1, 2] {
        let shape = Shape::Single(threads);
        let pairs = shape.pairs_for(plan.cell_ns(CELL_NS), cell(threads, 1 << 16, Drained::Never)?);
        let mut cells: Vec<_> =
            WAYS.iter().map(|way| Series::new(OURS, &names::drained(threads, *way), NS)).collect();
        for round in 0..plan.rounds(ROUNDS) {
            for way in (0..WAYS.len()).map(|i| (i + round) % WAYS.len()) {
                cells[way].pairs = pairs;
                cells[way].push(cell(threads, pairs, WAYS[way])?);
            }
        }
        figures.series.extend(cells);
    }
    Ok(())
}

fn cell(threads: usize, pairs: u64, way: Drained) -> Result<f64, String> {
    let ours = Ours::with_defaults();
    let (stop, stopped) = mpsc::channel::<()>();
    let ours = &ours;
    let ns = thread::scope(|scope| {
        let drainer = scope.spawn(move || {
            let Drained::EveryMs(ms) = way else { return };
            // The first drain comes at once, so that the shortest run has one.
            loop {
                ours.drain();
                if stopped.recv_timeout(Duration::from_millis(ms)) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        let ns = on_own_thread(threads, pairs, |pairs| single(ours, pairs), Ours::thread_ends);
        drop(stop);
        drainer.join().expect("the draining thread panicked");
        ns
    });
    ours.objection().map_or(Ok(ns), Err)
}

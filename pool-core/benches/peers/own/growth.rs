//! What a pair costs when many pools exist, and when many threads use one.

use crate::Plan;
use crate::figures::{Figures, NS, Series};
use crate::names::{self, GROWTH_POOLS, GROWTH_THREADS, LIMIT, OURS};
use crate::rows::Limit;
use crate::rows::ours::Ours;
use crate::shapes::{Peer, Shape, on_own_thread, single};

const ROUNDS: usize = 11;
const CELL_NS: f64 = 20e6;

pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<(), String> {
    with_pools(plan, figures)?;
    with_threads(plan, figures)
}

/// One hot pool while others exist: that must stay flat. All of them in turn: that is also what the cache does with
/// the memory of so many pools, and is shown beside it.
fn with_pools(plan: &Plan, figures: &mut Figures) -> Result<(), String> {
    let cells = |name: fn(usize) -> String| GROWTH_POOLS.map(|n| Series::new(OURS, &name(n), NS));
    let (mut hot, mut turns) = (cells(names::alive), cells(names::in_turn));
    let pairs = Shape::Single(1).pairs_for(plan.cell_ns(CELL_NS), 5.0);
    for _ in 0..plan.rounds(ROUNDS) {
        let mut pools = Vec::new();
        for (at, n) in GROWTH_POOLS.into_iter().enumerate() {
            while pools.len() < n {
                pools.push(Ours::with_defaults());
            }
            (hot[at].pairs, turns[at].pairs) = (pairs, pairs);
            hot[at].push(on_own_thread(1, pairs, |pairs| single(&pools[n / 2], pairs), Ours::thread_ends));
            turns[at].push(on_own_thread(1, pairs, |pairs| in_turn(&pools, pairs), Ours::thread_ends));
        }
        if let Some(objection) = pools.iter().find_map(Peer::objection) {
            return Err(objection);
        }
    }
    figures.series.extend(hot.into_iter().chain(turns));
    Ok(())
}

#[inline(never)]
fn in_turn(pools: &[Ours], pairs: u64) {
    for pool in pools.iter().cycle().take(usize::try_from(pairs).unwrap_or(usize::MAX)) {
        pool.give_back(pool.lend());
    }
}

/// Many threads on one pool, by their CPU time. The limit beside it shows what the machine's caches do to any code
/// that so many threads run in turn.
fn with_threads(plan: &Plan, figures: &mut Figures) -> Result<(), String> {
    let cells = |row| GROWTH_THREADS.map(|n| Series::new(row, &names::crowd(n), NS));
    let (mut ours, mut limit) = (cells(OURS), cells(LIMIT));
    for round in 0..plan.rounds(ROUNDS) {
        for at in (0..GROWTH_THREADS.len()).map(|i| (i + round) % GROWTH_THREADS.len()) {
            let shape = Shape::Single(GROWTH_THREADS[at]);
            // Each thread for a while at least, or its start would be what is measured.
            let pairs = shape
                .pairs_for(plan.cell_ns(CELL_NS), 5.0)
                .max(Shape::Single(1).pairs_for(plan.cell_ns(0.5e6), 5.0));
            (ours[at].pairs, limit[at].pairs) = (pairs, pairs);
            let sample = crate::shapes::measure::<Ours>(shape, pairs)?;
            ours[at].created.push(sample.created_per_get);
            ours[at].push(sample.ns_per_pair);
            limit[at].push(crate::shapes::measure::<Limit>(shape, pairs)?.ns_per_pair);
        }
    }
    figures.series.extend(ours.into_iter().chain(limit));
    Ok(())
}

//! The rows: ours, the limit, the peers.
//!
//! Choices that are the same for all: as many objects as the shape lends at once (64 at least) exist before the
//! clock starts, by constructor where there is one, else by the warm-up; guards borrow where a peer offers borrowed
//! and owned ones, since borrowed ones are cheaper (ours has only owned ones). A peer with a reset hook empties the
//! buffer by it; for the others the user does, as a user would have to.

mod by_hand;
mod crates;
pub(crate) mod go;
mod limit;
mod memory;
pub(crate) mod ours;

use crate::names::{GLIBC, GO, JEMALLOC, LIMIT, MIMALLOC, OURS};
use crate::shapes::{self, BUFFER_BYTES, Peer, Sample, Shape, count_created};
use std::hint::black_box;

pub(crate) use memory::{Limit, versions};

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) measure: fn(Shape, u64) -> Result<Sample, String>,
    /// What handing over a bare pointer costs between the threads that this row measures, nanoseconds.
    pub(crate) hand_over: fn(u64) -> Result<f64, String>,
}

const fn row<P: Peer>(name: &'static str) -> Row {
    Row { name, measure: shapes::measure::<P>, hand_over: |pairs| Ok(memory::bare_hand_over(pairs)) }
}

/// In the order of the table.
pub(crate) const ROWS: [Row; 15] = [
    row::<ours::Ours>(OURS),
    row::<Limit>(LIMIT),
    row::<memory::Glibc>(GLIBC),
    row::<memory::Jemalloc>(JEMALLOC),
    row::<memory::Mimalloc>(MIMALLOC),
    row::<crates::Linear>("lockfree-object-pool"),
    row::<crates::Regex>("regex-automata"),
    row::<crates::Opool>("opool"),
    row::<crates::ObjectPool>("object-pool"),
    row::<by_hand::Bounded>("crossbeam ArrayQueue"),
    row::<by_hand::Unbounded>("crossbeam SegQueue"),
    row::<by_hand::Locked>("Mutex<Vec>"),
    row::<crates::ShardedSlab>("sharded-slab"),
    row::<crates::Deadpool>("deadpool unmanaged"),
    Row { name: GO, measure: go::measure, hand_over: go::hand_over },
];

/// What every pool creates.
pub(crate) fn fresh() -> Vec<u8> {
    count_created();
    Vec::with_capacity(BUFFER_BYTES)
}

/// The one use that a lease sees: a byte is written and the optimizer must believe that someone looks at it.
#[inline(always)]
pub(crate) fn touch(buffer: &mut Vec<u8>) {
    buffer.push(1);
    black_box(buffer.as_mut_ptr());
}

//! What a pool says about itself: cumulative counters and levels.
//!
//! Counters only rise and nobody resets them; a reader that wants a rate keeps its own baseline.
//! [`PoolStats::consistent`] tells a racing read (each figure true at some moment of the read) from a stopped
//! snapshot (all figures true at one moment, the ledger must balance to the object).

use std::panic::Location;
use std::time::Duration;

/// Why a returned object was dropped instead of kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum DropReason {
    /// The pool already held its capacity.
    Full = 0,
    /// It was much larger than its last users needed (see [`Retention`](crate::Retention)).
    Oversize = 1,
    /// Memory was wanted elsewhere: trimmed by a pass, or by a create that found no headroom.
    Pressure = 2,
    /// It came back during a panic, or its `recycle` panicked.
    Tainted = 3,
    /// The pool was closed.
    Closed = 4,
    /// Its [`recycle`](crate::Recycle::recycle) said so.
    Refused = 5,
    /// All stripes of the depot were busy; the return path never waits.
    Contended = 6,
}

impl DropReason {
    /// All reasons, in the order of their discriminants.
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::Oversize,
        Self::Pressure,
        Self::Tainted,
        Self::Closed,
        Self::Refused,
        Self::Contended,
    ];

    /// The label in metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Oversize => "oversize",
            Self::Pressure => "pressure",
            Self::Tainted => "tainted",
            Self::Closed => "closed",
            Self::Refused => "refused",
            Self::Contended => "contended",
        }
    }
}

/// Gets by outcome, cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gets {
    /// Served from the thread's own magazine.
    pub hit: u64,
    /// Served from the depot.
    pub refill: u64,
    /// Nothing idle was at hand: a new object was created.
    pub created: u64,
}

impl Gets {
    /// All gets.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.hit + self.refill + self.created
    }

    /// The share of gets that reused an object, 0..=1; `None` before the first get.
    #[must_use]
    pub fn hit_ratio(self) -> Option<f64> {
        let total = self.total();
        (total > 0).then(|| (self.hit + self.refill) as f64 / total as f64)
    }
}

/// What one pool reports. Bytes are the objects' weights as [`Recycle::weight`](crate::Recycle::weight) gave
/// them when each object was last returned or created.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolStats {
    /// The pool's name.
    pub name: String,
    /// True for a stopped snapshot: all figures are from one moment.
    pub consistent: bool,
    /// Gets by outcome.
    pub gets: Gets,
    /// Returns whose object was kept.
    pub returns_kept: u64,
    /// Returns whose object was dropped, by [`DropReason`] (index: its discriminant).
    pub returns_dropped: [u64; DropReason::ALL.len()],
    /// Objects ever created.
    pub created: u64,
    /// Objects ever dropped, by reason: `returns_dropped` and idle objects that were trimmed.
    pub dropped: [u64; DropReason::ALL.len()],
    /// Objects idle now, in slots and depot.
    pub idle_objects: u64,
    /// Their bytes.
    pub idle_bytes: u64,
    /// Those of the idle objects that are in the depot.
    pub depot_objects: u64,
    /// Objects lent now: gets minus returns. A lease that never returns stays here.
    pub lent_objects: u64,
    /// Their bytes when they were lent.
    pub lent_bytes: u64,
    /// Trimmed objects whose drop is still to come; already counted as dropped.
    pub condemned_objects: u64,
    /// Their bytes.
    pub condemned_bytes: u64,
    /// Idle objects that may be held (the knob).
    pub capacity_objects: u64,
    /// Idle bytes that may be held (the knob).
    pub capacity_bytes: u64,
    /// The mean weight of an object at its return, bytes; what a create is charged before its object has grown.
    pub expected_weight: u64,
    /// Threads that have a slot in this pool.
    pub slots: u64,
    /// `created − dropped − idle − lent`, objects. 0 in a stopped snapshot, or the pool has a bug.
    pub imbalance: i64,
    /// Objects that were found idle in two places; counted by stopped snapshots only. 0, or the pool has a bug.
    pub duplicates: u64,
    /// Leases on record now.
    pub leases_recorded: u64,
    /// Leases that should have been recorded but found the table full or busy.
    pub leases_missed: u64,
}

/// A place in the code whose leases have been out for longer than asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// Where [`Pool::get`](crate::Pool::get) was called.
    pub site: &'static Location<'static>,
    /// Recorded leases from there that are out for longer than asked.
    pub count: u64,
    /// The age of the oldest of them.
    pub oldest: Duration,
    /// Leases from there that had been reported and then came back after all.
    pub returned_after_all: u64,
}

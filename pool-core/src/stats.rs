//! What a pool says about itself: cumulative counters and levels.
//!
//! Counters only rise and nobody resets them; a reader that wants a rate keeps its own baseline.
//! [`PoolStats::consistent`] tells a racing read (each figure true at some moment of the read) from a stopped
//! snapshot (all figures true at one moment, the ledger must balance to the object).

use crate::lifetimes::Lifetimes;
use crate::managed::Taken;
use crate::worth::{Arms, Worth, overhead_ns};
use std::time::Duration;

/// Why an object left the pool.
///
/// ```
/// use pool_core::{Capacity, DropReason, Pool};
/// let pool = Pool::builder("lines").capacity(Capacity::ZERO).build_with(String::new)?;
/// drop(pool.get());
/// assert_eq!(pool.stats().returns_dropped[DropReason::Full as usize], 1);
/// assert_eq!(DropReason::Full.as_str(), "full");
/// # Ok::<(), pool_core::BuildError>(())
/// ```
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
    /// Nobody wanted it for too long: dropped by a cycle.
    Expired = 7,
    /// Its get was not allowed to reuse, so its return does not fill the pool either (see
    /// [`Reuse`](crate::Reuse)).
    Bypassed = 8,
    /// Its user said so ([`Pooled::discard`](crate::Pooled::discard)), or [`Pool::retain`](crate::Pool::retain) did.
    Discarded = 9,
    /// Not dropped at all: its user took the value out for good
    /// ([`Pooled::into_inner`](crate::Pooled::into_inner)).
    TakenOut = 10,
}

impl DropReason {
    /// All reasons, in the order of their discriminants.
    pub const ALL: [Self; 11] = [
        Self::Full,
        Self::Oversize,
        Self::Pressure,
        Self::Tainted,
        Self::Closed,
        Self::Refused,
        Self::Contended,
        Self::Expired,
        Self::Bypassed,
        Self::Discarded,
        Self::TakenOut,
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
            Self::Expired => "expired",
            Self::Bypassed => "bypassed",
            Self::Discarded => "discarded",
            Self::TakenOut => "taken_out",
        }
    }
}

/// Gets by outcome, cumulative.
///
/// ```
/// use pool_core::Gets;
/// let gets = Gets { hit: 90, refill: 5, created: 5, ..Gets::default() };
/// assert_eq!((gets.total(), gets.reused(), gets.hit_ratio()), (100, 95, Some(0.95)));
/// assert_eq!(gets.by_outcome()[0], ("hit", 90));
/// assert_eq!(Gets::default().hit_ratio(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gets {
    /// Served from the thread's own magazine.
    pub hit: u64,
    /// Served from the depot.
    pub refill: u64,
    /// Served from the victim: surplus of an earlier cycle that was wanted after all.
    pub victim: u64,
    /// Nothing idle was at hand: a new object was created.
    pub created: u64,
    /// Not allowed to reuse: a new object was created.
    pub bypassed: u64,
}

impl Gets {
    /// All gets.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.reused() + self.created + self.bypassed
    }

    /// Each outcome with its label in metrics and JSON.
    #[must_use]
    pub const fn by_outcome(self) -> [(&'static str, u64); 5] {
        [
            ("hit", self.hit),
            ("refill", self.refill),
            ("victim", self.victim),
            ("created", self.created),
            ("bypassed", self.bypassed),
        ]
    }

    /// Gets that reused an object.
    #[must_use]
    pub const fn reused(self) -> u64 {
        self.hit + self.refill + self.victim
    }

    /// The share of gets that reused an object, 0..=1; `None` before the first get.
    #[must_use]
    pub fn hit_ratio(self) -> Option<f64> {
        let total = self.total();
        (total > 0).then(|| self.reused() as f64 / total as f64)
    }
}

/// What one pool reports. Bytes are the objects' weights as [`Recycle::weight`](crate::Recycle::weight) gave
/// them when each object was last returned or created.
///
/// ```
/// use pool_core::Pool;
/// let pool = Pool::new("http.body", Vec::<u8>::new);
/// let lent = pool.get();
/// drop(pool.get());
/// let stats = pool.stats();
/// assert_eq!((stats.created, stats.lent_objects, stats.idle_objects), (2, 1, 1));
/// assert_eq!((stats.gets.total(), stats.returns_kept, stats.imbalance), (2, 1, 0));
/// # drop(lent);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolStats {
    /// The pool's name.
    pub name: String,
    /// True for a stopped snapshot: all figures are from one moment.
    pub consistent: bool,
    /// Gets by outcome.
    pub gets: Gets,
    /// Creates that one more magazine of capacity would have saved: gets that found nothing idle while the pool was
    /// short of objects that it had dropped as `full` or `pressure`. What more capacity is worth.
    pub ghost_hits: u64,
    /// Returns whose object was kept.
    pub returns_kept: u64,
    /// Returns whose object was dropped, by [`DropReason`] (index: its discriminant).
    pub returns_dropped: [u64; DropReason::ALL.len()],
    /// Objects ever created, by gets and by `prefilled`.
    pub created: u64,
    /// Objects that [`Pool::prefill`](crate::Pool::prefill) created: they were idle first.
    pub prefilled: u64,
    /// Objects ever dropped, by reason: `returns_dropped` and idle objects that were trimmed.
    pub dropped: [u64; DropReason::ALL.len()],
    /// Objects idle now, in slots, depot and victim.
    pub idle_objects: u64,
    /// Their bytes.
    pub idle_bytes: u64,
    /// Those of the idle objects that are in the depot.
    pub depot_objects: u64,
    /// Those of the idle objects that are in the victim: surplus that the next cycle drops unless it is wanted.
    pub victim_objects: u64,
    /// Their bytes.
    pub victim_bytes: u64,
    /// Cycles so far.
    pub cycles: u64,
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
    /// Timed leases, for [`worth`](Self::worth).
    pub arms: Arms,
    /// How long timed leases lasted.
    pub lifetimes: Lifetimes,
    /// How long creates took, of which one in sixteen is timed.
    pub creates: Lifetimes,
    /// Leases on record now.
    pub leases_recorded: u64,
    /// Leases that should have been recorded but found the table full: 65,536 were out at once.
    pub leases_missed: u64,
}

impl PoolStats {
    /// Whether the pool pays, from its timed leases (the sampling knob's `timing_one_in`). The first call in a
    /// process takes some 100 µs: it measures what being timed costs.
    ///
    /// ```
    /// use pool_core::{Pool, Sampling, Setting};
    /// let always = Setting::Sampling(Sampling::DEFAULT.with_timing_one_in(1)?);
    /// let pool = Pool::builder("lines").knob(always).build_with(Vec::<u8>::new)?;
    /// for _ in 0..5000 {
    ///     pool.get().resize(64 << 10, 1); // grows each time, unless it is reused
    /// }
    /// let worth = pool.stats().worth();
    /// println!("{worth}"); // pays (confidence 1.00): … ns a lease, …
    /// assert!(worth.samples.1 > 500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn worth(&self) -> Worth {
        Worth::of(&self.arms, overhead_ns(), self.idle_bytes)
    }
}

/// What one cycle did to one pool.
///
/// ```
/// use pool_core::{Eviction, Pool, Registry};
/// use std::time::Instant;
/// let registry = Registry::new();
/// let pool = Pool::builder("lines").registry(&registry).build_with(String::new)?;
/// drop(pool.get());
/// let reports = registry.cycle(Instant::now() + Eviction::DEFAULT.cycle());
/// let report = &reports[0].1;
/// assert_eq!((report.cycle, report.kept_objects, report.taken().objects), (1, 1, 0));
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CycleReport {
    /// The number of the cycle, from 1.
    pub cycle: u64,
    /// Objects that are idle after it, in the victim or elsewhere; a racing read.
    pub kept_objects: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Objects that became the victim: nobody had needed them since the last cycle.
    pub moved_objects: u64,
    /// Their bytes.
    pub moved_bytes: u64,
    /// Objects that were condemned, by [`DropReason`] (index: its discriminant): `expired` in the victim, or
    /// `pressure` above capacity.
    pub dropped: [u64; DropReason::ALL.len()],
    /// Their bytes.
    pub dropped_bytes: u64,
    /// Slots whose owner was inside; their objects did not age.
    pub busy_slots: u64,
    /// How long the pool was worked on. Drops come later, in slices, and are not part of it.
    pub took: Duration,
}

impl CycleReport {
    /// All that was condemned.
    #[must_use]
    pub fn taken(&self) -> Taken {
        Taken { objects: self.dropped.iter().sum(), bytes: self.dropped_bytes }
    }
}

//! What is looked at all the time: a pool's statistics without what is looked at now and then.

use crate::knobs::Knobs;
use crate::stats::{Gets, PoolStats};

/// The part of [`PoolStats`] that a controller steers by, and what tells whether the rest has changed. Plain numbers, so
/// that looking at a thousand pools allocates nothing and waits for no lock, but for that of the slots where more than 64
/// threads use pools, and once when an override has ended.
///
/// ```
/// use pool_core::{Capacity, Change, Pool};
/// let pool = Pool::new("http.body", Vec::<u8>::new).managed();
/// let before = pool.figures();
/// pool.set_capacity(Capacity::ZERO, Change::operator("by hand"));
/// let after = pool.figures();
/// assert_ne!(before.knobs_generation, after.knobs_generation); // time to read `knobs` again
/// assert_eq!((after.capacity_bytes, after.gets.total()), (0, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Gets by outcome.
    pub gets: Gets,
    /// Creates that one more magazine of capacity would have saved.
    pub ghost_hits: u64,
    /// Objects idle now.
    pub idle_objects: u64,
    /// Their bytes.
    pub idle_bytes: u64,
    /// Objects lent now.
    pub lent_objects: u64,
    /// Their bytes when they were lent.
    pub lent_bytes: u64,
    /// Idle objects that may be held (the knob).
    pub capacity_objects: u64,
    /// Idle bytes that may be held (the knob).
    pub capacity_bytes: u64,
    /// The mean weight of an object at its return, bytes.
    pub expected_weight: u64,
    /// Leases that were timed, fresh ones not counted: [`PoolStats::worth`] and [`PoolStats::lifetimes`] are others when
    /// they are more.
    pub leases_timed: u64,
    /// Creates that were timed; their times are [`Managed::create_times`](crate::Managed::create_times).
    pub creates_timed: u64,
    /// [`Knobs::generation`].
    pub knobs_generation: u64,
}

impl Figures {
    /// Those of a pool that says `stats` and `knobs`.
    ///
    /// ```
    /// # use pool_core::{Figures, Pool};
    /// let pool = Pool::new("lines", String::new).managed();
    /// assert_eq!(Figures::of(&pool.stats(), &pool.knobs()), pool.figures());
    /// ```
    #[must_use]
    pub fn of(stats: &PoolStats, knobs: &Knobs) -> Self {
        Self {
            gets: stats.gets,
            ghost_hits: stats.ghost_hits,
            idle_objects: stats.idle_objects,
            idle_bytes: stats.idle_bytes,
            lent_objects: stats.lent_objects,
            lent_bytes: stats.lent_bytes,
            capacity_objects: stats.capacity_objects,
            capacity_bytes: stats.capacity_bytes,
            expected_weight: stats.expected_weight,
            leases_timed: stats.lifetimes.total(),
            creates_timed: stats.creates.total(),
            knobs_generation: knobs.generation,
        }
    }

    /// Whether more is idle than the knob allows.
    ///
    /// ```
    /// # use pool_core::Figures;
    /// let figures = Figures { idle_bytes: 2, idle_objects: 1, capacity_objects: 1, ..Figures::default() };
    /// assert!(figures.is_above_capacity());
    /// assert!(!Figures { capacity_bytes: 2, ..figures }.is_above_capacity());
    /// ```
    #[must_use]
    pub const fn is_above_capacity(&self) -> bool {
        self.idle_bytes > self.capacity_bytes || self.idle_objects > self.capacity_objects
    }
}

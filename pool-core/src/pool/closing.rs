//! The end of a pool by hand: nothing is kept any more, and who still holds an object is named.

use super::Pool;
use crate::close::{empty, leave_unfinished, rethrow, sweep_unfinished};
use crate::fence;
use crate::keeper::Keeper;
use crate::lease::Suspect;
use crate::managed::{Job, Managed};
use crate::recycle::Recycler;
use crate::sync::clock;
use std::fmt;
use std::time::Duration;

/// What [`Pool::close`] found: what it dropped, and who still holds what.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it says whether all objects came home"]
pub struct Closed {
    /// The pool's name.
    pub name: String,
    /// Idle objects that this call dropped.
    pub dropped_objects: u64,
    /// Objects that are still lent. What a value of the pool lends from its own pool is among them.
    pub lent_objects: u64,
    /// Where the lent objects were taken, as far as their leases are on record: most leases first.
    pub sites: Vec<Suspect>,
    /// Lent objects whose leases are not on record. None, if [`LeaseLevel::All`](crate::LeaseLevel::All) is the level.
    pub not_on_record: u64,
    /// Slots whose owner stood still inside (or all, if the kernel refuses the fence): what is idle there is dropped
    /// by a later close, build or thread exit, and `lent_objects` may be off by one for each.
    pub busy_slots: u64,
    /// How long it waited.
    pub waited: Duration,
}

impl Closed {
    /// Whether nothing is lent any more.
    ///
    /// ```
    /// use std::time::Duration;
    /// let pool = pool_core::Pool::new("buffers", Vec::<u8>::new);
    /// drop(pool.get());
    /// assert!(pool.close(Duration::ZERO).all_came_home());
    /// ```
    #[must_use]
    pub fn all_came_home(&self) -> bool {
        self.lent_objects == 0 && self.busy_slots == 0
    }
}

/// One line for a log.
impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, dropped_objects, lent_objects, .. } = self;
        write!(f, "pool {name:?} closed: {dropped_objects} idle objects dropped, {lent_objects} still lent")?;
        for (i, suspect) in self.sites.iter().enumerate() {
            let before = if i == 0 { ": " } else { ", " };
            write!(f, "{before}{} at {} (oldest {:?})", suspect.count, suspect.site, suspect.oldest)?;
        }
        if self.not_on_record > 0 && self.not_on_record < *lent_objects {
            write!(f, ", {} not on record", self.not_on_record)?;
        }
        if self.busy_slots > 0 {
            write!(f, "; {} slots busy", self.busy_slots)?;
        }
        Ok(())
    }
}

impl<T: Send + 'static, R: Recycler<T>> Pool<T, R> {
    /// Stops keeping objects, drops the idle ones, and waits up to `grace` for the lent ones to come home.
    ///
    /// From now on every return drops its object, counted as `closed`. Gets by this handle and others go on: they create,
    /// so that a service that ends serves its last requests. A pool cannot be opened again; the last handle's drop does
    /// the same without waiting, so a program need not call this.
    ///
    /// It waits asleep and looks at growing intervals of 0.1 to 20 ms: neither gets nor returns pay for being waited
    /// for. It blocks its thread. Async code calls it from a thread for such things (`spawn_blocking`), or calls it
    /// with no grace and then asks [`lent`](Self::lent) now and then. Guards that this thread holds itself do not come
    /// home while it waits. `grace` of [`Duration::MAX`] waits for ever. Costs a fence and the drops.
    ///
    /// A value that holds a handle of its own pool keeps the pool for ever, unless somebody closes it so: that drops the
    /// idle values and with them their handles. A lent one is reported here.
    ///
    /// # Panics
    /// If the drop of an idle value does: the pool is closed then and all idle values are dropped, but nobody was waited
    /// for. Call again for the report.
    ///
    /// ```
    /// use pool_core::{LeaseLevel, Pool};
    /// use std::time::Duration;
    /// let pool = Pool::builder("buffers").lease_level(LeaseLevel::All).build_with(Vec::<u8>::new)?;
    /// drop(pool.get());
    /// let held = pool.get();
    /// let closed = pool.close(Duration::from_millis(1));
    /// assert_eq!((closed.dropped_objects, closed.lent_objects, closed.sites[0].count), (0, 1, 1));
    /// drop(held);
    /// assert!(pool.close(Duration::ZERO).all_came_home());
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    pub fn close(&self, grace: Duration) -> Closed {
        let began = clock::now();
        let keeper = self.keeper();
        let emptied = empty(&keeper);
        rethrow(emptied.panic);
        let busy_slots = wait(&keeper, emptied.busy_slots, grace);
        let shared = keeper.shared();
        let lent_objects = shared.lent();
        let sites = Suspect::by_site(shared.leases.open(shared.age_ns()));
        let on_record = sites.iter().map(|suspect| suspect.count).sum();
        let closed = Closed {
            name: shared.name.to_string(),
            dropped_objects: emptied.objects,
            lent_objects,
            sites,
            not_on_record: lent_objects.saturating_sub(on_record),
            busy_slots,
            waited: clock::now().saturating_duration_since(began),
        };
        if busy_slots > 0 {
            leave_unfinished(keeper);
        }
        sweep_unfinished();
        closed
    }

    /// Whether the pool was closed by [`close`](Self::close).
    ///
    /// ```
    /// let pool = pool_core::Pool::new("buffers", Vec::<u8>::new);
    /// let handle = pool.clone();
    /// let _ = pool.close(std::time::Duration::ZERO);
    /// assert!(handle.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared().is_closed()
    }

    /// Objects lent at this moment, or a moment ago: other threads go on while the slots are read one after the other.
    /// After [`close`](Self::close) has found no busy slot it is never too low, so 0 means that all came home.
    ///
    /// Costs some nanoseconds a slot: cheap enough to ask now and then while an async task waits for the end.
    ///
    /// ```
    /// let pool = pool_core::Pool::new("buffers", Vec::<u8>::new);
    /// let held = pool.get();
    /// assert_eq!(pool.lent(), 1);
    /// drop(held);
    /// assert_eq!(pool.lent(), 0);
    /// ```
    #[must_use]
    pub fn lent(&self) -> u64 {
        self.shared().lent()
    }
}

/// Waits until nothing is lent and no slot is busy, or the grace is over. Returns how many slots are.
fn wait<T: Send + 'static, R: Recycler<T>>(keeper: &Keeper<T, R>, busy_slots: u64, grace: Duration) -> u64 {
    let until = clock::now().checked_add(grace);
    let mut busy_slots = busy_slots;
    let mut pause = PAUSE_MIN;
    loop {
        if busy_slots > 0 {
            busy_slots = visit_again(keeper);
        }
        if busy_slots == 0 && keeper.shared().lent() == 0 {
            return 0;
        }
        let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(clock::now()));
        if left.is_zero() {
            return busy_slots;
        }
        clock::sleep(pause.min(left));
        pause = (2 * pause).min(PAUSE_MAX);
    }
}

/// Empties the slots that were busy before; returns how many are still.
fn visit_again<T: Send + 'static, R: Recycler<T>>(keeper: &Keeper<T, R>) -> u64 {
    keeper.mark();
    let busy_slots = keeper.collect(&fence::heavy(), Job::Reclaim { extra_bytes: 0 }).busy_slots;
    keeper.drop_condemned(Duration::MAX);
    busy_slots
}

/// Between two looks at what is lent: doubled from one to the other.
const PAUSE_MIN: Duration = Duration::from_micros(100);
const PAUSE_MAX: Duration = Duration::from_millis(20);

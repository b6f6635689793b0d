//! What a controller knows of a pool, and nothing more.

use crate::fence::Fenced;
use crate::figures::Figures;
use crate::knobs::{Applied, Author, Capacity, Change, Knob, KnobKind, Knobs, LeaseLevel, Priority, Setting};
use crate::lease::{OpenLease, Suspect, SuspectListener};
use crate::levels::{IdleAge, LentAge, SlotLevel};
use crate::lifetimes::Lifetimes;
use crate::stats::{CycleReport, DropReason, PoolStats};
use std::time::{Duration, Instant};

/// A pool as seen by a [`Registry`](crate::Registry) and a controller: statistics, knobs and removal of idle
/// objects. Implement it to attach a cache of your own.
///
/// Removal runs in passes that [`Registry::pass`](crate::Registry::pass) drives: [`mark`](Self::mark) on every
/// pool, one heavy fence for all of them, [`collect`](Self::collect) on every pool. A cache that is guarded
/// by a lock can leave `mark` empty.
///
/// ```
/// use pool_core::{Applied, Author, Capacity, Change, Collected, DropReason, Fenced, Job, KnobKind, KnobSet};
/// use pool_core::{Knobs, Managed, PoolStats, Registry, Setting, Suspect, Taken};
/// use std::sync::{Arc, Mutex};
/// use std::time::{Duration, Instant};
///
/// const PAGE: u64 = 4096;
/// type Page = Box<[u8; PAGE as usize]>;
///
/// /// A free list of pages.
/// struct Pages {
///     idle: Mutex<Vec<Page>>,
///     condemned: Mutex<Vec<Page>>,
///     knobs: Mutex<KnobSet>,
/// }
///
/// impl Pages {
///     fn pages_max(&self) -> u64 {
///         let capacity = self.capacity().value;
///         u64::from(capacity.objects_max()).min(capacity.bytes_max() / PAGE)
///     }
///
///     fn put(&self, page: Page) {
///         let mut idle = self.idle.lock().unwrap();
///         if (idle.len() as u64) < self.pages_max() {
///             idle.push(page);
///         }
///     }
/// }
///
/// impl Managed for Pages {
///     fn name(&self) -> &str {
///         "pages"
///     }
///     fn stats(&self) -> PoolStats {
///         let idle = self.idle.lock().unwrap().len() as u64;
///         let name = self.name().to_owned();
///         PoolStats { name, idle_objects: idle, idle_bytes: idle * PAGE, ..PoolStats::default() }
///     }
///     fn knobs(&self) -> Knobs {
///         self.knobs.lock().unwrap().read(Instant::now())
///     }
///     fn set(&self, setting: Setting, change: Change) -> Applied {
///         self.knobs.lock().unwrap().set(setting, change, Instant::now())
///     }
///     fn withdraw(&self, knob: KnobKind, author: Author) -> bool {
///         self.knobs.lock().unwrap().withdraw(knob, author)
///     }
///     fn suspects(&self, _: Duration) -> Vec<Suspect> {
///         Vec::new() // it records no leases
///     }
///     fn trim_depot(&self, extra_bytes: u64, _: DropReason) -> Taken {
///         let Ok(mut idle) = self.idle.try_lock() else { return Taken::default() };
///         let keep = self.pages_max().min(idle.len() as u64).saturating_sub(extra_bytes.div_ceil(PAGE));
///         let coldest = idle.len() - keep as usize;
///         self.condemned.lock().unwrap().extend(idle.drain(..coldest));
///         Taken { objects: coldest as u64, bytes: coldest as u64 * PAGE }
///     }
///     fn mark(&self) {} // the locks are enough
///     fn collect(&self, _: &Fenced, job: Job) -> Collected {
///         match job {
///             Job::Reclaim { extra_bytes } => {
///                 let taken = self.trim_depot(extra_bytes, DropReason::Pressure);
///                 Collected { taken, ..Collected::default() }
///             }
///             Job::Snapshot => Collected { snapshot: Some(self.stats()), ..Collected::default() },
///             Job::Cycle { .. } => Collected::default(), // never due
///         }
///     }
///     fn drop_condemned(&self, budget: Duration) -> bool {
///         let began = Instant::now();
///         loop {
///             let page = self.condemned.lock().unwrap().pop();
///             if page.is_none() || began.elapsed() >= budget {
///                 return self.condemned.lock().unwrap().is_empty();
///             }
///         }
///     }
///     fn is_finished(&self) -> bool {
///         false
///     }
/// }
///
/// let knobs = Mutex::new(KnobSet::new(Capacity::new(64, 1 << 20)?));
/// let pages = Arc::new(Pages { idle: Mutex::default(), condemned: Mutex::default(), knobs });
/// let registry = Registry::new();
/// registry.register(pages.clone())?;
/// (0..4).for_each(|_| pages.put(Box::new([0; PAGE as usize])));
///
/// pages.set_capacity(Capacity::new(1, 1 << 20)?, Change::operator("pools.toml"));
/// assert_eq!(registry.pass(Job::Reclaim { extra_bytes: 0 })[0].1.taken.objects, 3);
/// assert!(registry.drop_condemned(Duration::from_millis(1), || false));
/// assert_eq!(pages.stats().idle_bytes, PAGE);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Managed: Send + Sync {
    /// The name: unique in its registry, a label in metrics.
    fn name(&self) -> &str;

    /// Racing statistics: cheap (some nanoseconds a slot), each figure true at some moment of the call.
    fn stats(&self) -> PoolStats;

    /// The part of [`stats`](Self::stats) that a controller looks at each tick; should allocate nothing. Each figure is
    /// true at some moment of the call.
    fn figures(&self) -> Figures {
        Figures::of(&self.stats(), &self.knobs())
    }

    /// How long creates took: [`PoolStats::creates`]. To be read when [`Figures::creates_timed`] has changed.
    fn create_times(&self) -> Lifetimes {
        self.stats().creates
    }

    /// What each thread's slot holds, by id. Some nanoseconds a slot; empty for a cache without slots.
    fn slots(&self) -> Vec<SlotLevel> {
        Vec::new()
    }

    /// Idle objects by the cycles for which nobody needed them, youngest first; empty for a cache without cycles.
    fn idle_ages(&self) -> Vec<IdleAge> {
        Vec::new()
    }

    /// Leases on record by site and by the cycles that they have seen; empty for a cache without records.
    fn lent_ages(&self) -> Vec<LentAge> {
        Vec::new()
    }

    /// All knobs of one moment. What has expired by then ends here.
    fn knobs(&self) -> Knobs;

    /// Puts a setting on its author's layer (see [`KnobSet`](crate::KnobSet)); in force for every thread within one
    /// operation of its own.
    ///
    /// A higher capacity is there at once. After a lower one no thread gets or keeps more room than it uses, and
    /// what is idle above it goes with the next [`trim_depot`](Self::trim_depot) or pass, which should follow.
    fn set(&self, setting: Setting, change: Change) -> Applied;

    /// Takes an author's layer off a knob; whether there was one.
    fn withdraw(&self, knob: KnobKind, author: Author) -> bool;

    /// The capacity in force and who set it.
    fn capacity(&self) -> Knob<Capacity> {
        self.knobs().capacity
    }

    /// Sets the capacity.
    fn set_capacity(&self, capacity: Capacity, change: Change) -> Applied {
        self.set(Setting::Capacity(capacity), change)
    }

    /// The share of leases on record that is set; while somebody wants all
    /// ([`record_all_leases`](Self::record_all_leases)), all are recorded whatever it is.
    fn lease_level(&self) -> LeaseLevel {
        self.knobs().sampling.value.leases()
    }

    /// Changes the share of leases on record, and leaves the rest of the sampling knob as it is.
    ///
    /// ```
    /// # use pool_core::{Change, LeaseLevel, Pool, Sampling};
    /// let pool = Pool::new("lines", String::new).managed();
    /// pool.set_lease_level(LeaseLevel::All, Change::operator("looking for a leak"));
    /// assert_eq!(pool.lease_level(), LeaseLevel::All);
    /// assert_eq!(pool.knobs().sampling.value, Sampling::DEFAULT.with_leases(LeaseLevel::All));
    /// ```
    fn set_lease_level(&self, level: LeaseLevel, change: Change) -> Applied {
        self.set(Setting::Sampling(self.knobs().sampling.value.with_leases(level)), change)
    }

    /// The weight by which creates of other pools choose whom to take from, lowest first; `None` if the pool is
    /// pinned. Called on creating threads: it must not wait.
    ///
    /// ```
    /// # use pool_core::{Change, Pool, Priority, Setting};
    /// let pool = Pool::new("lines", String::new).managed();
    /// pool.set(Setting::Priority(Priority::new(200)?), Change::operator("pools.toml"));
    /// assert_eq!(pool.reclaim_weight(), Some(200));
    /// pool.set(Setting::Priority(Priority::DEFAULT.pinned()), Change::operator("pools.toml"));
    /// assert_eq!(pool.reclaim_weight(), None);
    /// # Ok::<(), pool_core::KnobError>(())
    /// ```
    fn reclaim_weight(&self) -> Option<u32> {
        Some(Priority::DEFAULT.weight())
    }

    /// Whether the eviction knob's cycle has passed since the last [`Job::Cycle`].
    ///
    /// ```
    /// # use pool_core::{Eviction, Pool};
    /// # use std::time::Instant;
    /// let began = Instant::now();
    /// let pool = Pool::new("lines", String::new).managed();
    /// assert!(!pool.cycle_is_due(began));
    /// assert!(pool.cycle_is_due(Instant::now() + Eviction::DEFAULT.cycle()));
    /// ```
    fn cycle_is_due(&self, now: Instant) -> bool {
        let _ = now;
        false
    }

    /// Sites with recorded leases older than `older_than`, worst first. They are remembered as told.
    fn suspects(&self, older_than: Duration) -> Vec<Suspect>;

    /// The leases that are on record and have not ended. A cache of your own need not have any.
    fn open_leases(&self) -> Vec<OpenLease> {
        Vec::new()
    }

    /// Has `listener` called when a site has leases older than `older_than`, and when all of those are back;
    /// see [`Pool::on_suspect`](crate::Pool::on_suspect). Returns an id to remove it by. A cache without records
    /// drops it.
    fn on_suspect(&self, older_than: Duration, listener: SuspectListener) -> u64 {
        let _ = (older_than, listener);
        0
    }

    /// Removes the listener of that id.
    fn remove_listener(&self, id: u64) {
        let _ = id;
    }

    /// Calls listeners with what is new to them; see [`Pool::tell_suspects`](crate::Pool::tell_suspects).
    ///
    /// # Panics
    /// If a listener does.
    fn tell_suspects(&self) {}

    /// Has every lease recorded, whatever the level, until each call with `true` was followed by one with
    /// `false`. Seen by every thread within one operation. [`LeakCheck`](crate::LeakCheck) calls it.
    fn record_all_leases(&self, on: bool) {
        let _ = on;
    }

    /// Takes idle objects from what threads share, coldest first: those above capacity, and besides up to
    /// `extra_bytes` more. Needs no fence and does not reach magazines. The objects are condemned: they are
    /// dropped by [`drop_condemned`](Self::drop_condemned). Never waits.
    ///
    /// ```
    /// # use pool_core::{DropReason, Job, Pool, Registry};
    /// # let registry = Registry::new();
    /// let pool = Pool::builder("pages").registry(&registry).build_with(|| vec![0_u8; 4096])?;
    /// drop(pool.get());
    /// assert_eq!(pool.managed().trim_depot(1, DropReason::Pressure).objects, 0); // it is in a magazine
    /// registry.pass(Job::Reclaim { extra_bytes: 0 }); // and now in the depot
    /// assert_eq!(pool.managed().trim_depot(1, DropReason::Pressure).objects, 1);
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    fn trim_depot(&self, extra_bytes: u64, reason: DropReason) -> Taken;

    /// Takes idle objects of at least `bytes`, if there are that many, on behalf of a create that found no
    /// headroom; they are condemned. Runs on creating threads: where another is at work it gives up. Unless
    /// you say otherwise it only trims what threads share.
    ///
    /// ```
    /// # use pool_core::Pool;
    /// let pool = Pool::new("pages", || vec![0_u8; 4096]);
    /// drop((pool.get(), pool.get()));
    /// assert_eq!(pool.managed().reclaim(4096).objects, 1);
    /// assert_eq!(pool.stats().idle_objects, 1);
    /// ```
    fn reclaim(&self, bytes: u64) -> Taken {
        self.trim_depot(bytes, DropReason::Pressure)
    }

    /// Phase one of a pass: asks every slot to stop.
    ///
    /// Passes exclude one another: an implementation of this or of [`collect`](Self::collect) that began another pass
    /// of its registry would wait for itself for ever.
    fn mark(&self);

    /// Phase two of a pass: visits every marked slot once, does `job`, and lets the slots go. A slot whose
    /// owner is inside its fast path is left for the next pass and counted in [`Collected::busy_slots`].
    ///
    /// `fenced` is proof of a heavy fence; a fence from before the mark is refused by visiting nothing and
    /// counting every slot as busy.
    fn collect(&self, fenced: &Fenced, job: Job) -> Collected;

    /// Whether [`drop_condemned`](Self::drop_condemned) would find anything; `true` if that is not known.
    ///
    /// ```
    /// # use pool_core::Pool;
    /// let pool = Pool::new("pages", || vec![0_u8; 4096]);
    /// drop(pool.get());
    /// assert!(!pool.managed().has_condemned());
    /// pool.managed().reclaim(4096);
    /// assert!(pool.managed().has_condemned());
    /// ```
    fn has_condemned(&self) -> bool {
        true
    }

    /// The longest turn of dropping: the eviction knob's.
    ///
    /// ```
    /// # use pool_core::{Eviction, Pool};
    /// assert_eq!(Pool::new("lines", String::new).managed().drop_slice(), Eviction::DEFAULT.slice());
    /// ```
    fn drop_slice(&self) -> Duration {
        self.knobs().eviction.value.slice()
    }

    /// Drops condemned objects until none is left or `budget` is over (at least one object is dropped, and
    /// one object's drop is never interrupted). Returns whether none is left.
    ///
    /// ```
    /// # use pool_core::Pool;
    /// # use std::time::Duration;
    /// let pool = Pool::new("pages", || vec![0_u8; 4096]);
    /// drop(pool.get());
    /// pool.managed().reclaim(4096);
    /// assert_eq!(pool.stats().condemned_objects, 1);
    /// assert!(pool.managed().drop_condemned(Duration::from_millis(1)));
    /// assert_eq!(pool.stats().condemned_objects, 0);
    /// ```
    fn drop_condemned(&self, budget: Duration) -> bool;

    /// Whether the last handle is gone and nothing is lent: the registry may forget the pool.
    fn is_finished(&self) -> bool;

    /// Lets fault sites of this pool ask the process-wide decider (see [`fault`](crate::fault)).
    #[cfg(feature = "failpoints")]
    fn set_faults_armed(&self, armed: bool) {
        let _ = armed; // a cache of your own has no such sites
    }
}

/// What a pass does with the slots it reaches.
///
/// ```
/// use pool_core::{Job, Pool, Registry};
/// let registry = Registry::new();
/// let pool = Pool::builder("pages").registry(&registry).build_with(|| vec![0_u8; 4096])?;
/// drop(pool.get());
/// assert_eq!(registry.pass(Job::Snapshot)[0].1.taken.objects, 0); // moves nothing
/// assert_eq!(registry.pass(Job::Reclaim { extra_bytes: 1 })[0].1.taken.objects, 1);
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Moves what is idle in magazines to the depot, takes back unused credit, and condemns what is above
    /// capacity, and besides up to `extra_bytes` more.
    Reclaim {
        /// Bytes to condemn beyond what is above capacity.
        extra_bytes: u64,
    },
    /// Reads a consistent snapshot and moves nothing.
    Snapshot,
    /// Ages what is idle by one cycle: surplus becomes the victim, earlier victims that nobody wanted are
    /// condemned.
    Cycle {
        /// The time, for the eviction knob's time-to-live and for when the next cycle is due.
        now: Instant,
    },
}

/// Objects that were condemned.
///
/// ```
/// use pool_core::Taken;
/// let mut taken = Taken { objects: 1, bytes: 4096 };
/// taken += Taken { objects: 2, bytes: 100 };
/// assert_eq!(taken, Taken { objects: 3, bytes: 4196 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl std::ops::AddAssign for Taken {
    fn add_assign(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

/// What [`Managed::collect`] did.
///
/// ```
/// use pool_core::{Job, Pool, Registry};
/// let registry = Registry::new();
/// let pool = Pool::builder("lines").registry(&registry).build_with(String::new)?;
/// drop(pool.get());
/// let (_, collected) = registry.pass(Job::Snapshot).remove(0);
/// let stats = collected.snapshot.unwrap();
/// assert_eq!((stats.consistent, stats.idle_objects, stats.imbalance), (true, 1, 0));
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    /// What was condemned.
    pub taken: Taken,
    /// Slots whose owner was inside; their objects wait for the next pass.
    pub busy_slots: u64,
    /// For [`Job::Snapshot`]: the statistics; they say themselves whether they are consistent.
    pub snapshot: Option<PoolStats>,
    /// For [`Job::Cycle`]: what it did. `None` if another pass was at work.
    pub cycle: Option<CycleReport>,
}

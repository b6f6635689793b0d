//! The registry: pools that share one grant, and the passes that reach all of them with one fence.
//!
//! It holds no handle of any pool, so a pool ends when its last handle does, or what it still lends comes back. Finished
//! pools are forgotten at their end, at the next pass, or when so many pools have come that half of all may be finished.

mod reclaim;
mod roll;

use self::roll::Roll;
use crate::canary::Split;
use crate::fence::{self, Fenced};
use crate::grant::Grant;
use crate::managed::{Collected, Job, Managed};
use crate::stats::CycleReport;
use crate::sync::{Mutex, MutexGuard, PoisonError};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// A set of pools under one grant. Cheap to clone.
///
/// ```
/// use pool_core::{Pool, Registry};
/// let registry = Registry::new();
/// let pool = Pool::builder("http.body").registry(&registry).build_with(Vec::<u8>::new)?;
/// drop(pool.get());
/// assert_eq!(registry.pools()[0].stats().idle_objects, 1);
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Registry(Arc<Shared>);

struct Shared {
    /// With their names, so that no foreign code runs under this lock. A pool that is taken out is dropped after
    /// the lock is released: that may free it, and with it what its closures hold.
    pools: Mutex<Roll>,
    /// Turns of dropping so far: each call goes on behind the last one's turns. Relaxed, for it orders nothing.
    turns: AtomicUsize,
    grant: Grant,
    /// One pass at a time. A data path that finds it held goes on without.
    passing: Mutex<()>,
    alarm: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
    splits: Mutex<Vec<Weak<Split>>>,
}

impl Registry {
    /// An empty registry with an unlimited grant.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            pools: Mutex::new(Roll::default()),
            turns: AtomicUsize::new(0),
            grant: Grant::unlimited(),
            passing: Mutex::new(()),
            alarm: Mutex::new(None),
            splits: Mutex::new(Vec::new()),
        }))
    }

    /// Adds a pool (pools that are built with [`PoolBuilder::registry`](crate::PoolBuilder::registry) are there
    /// already; this is for [`Managed`] implementations of your own).
    ///
    /// # Errors
    /// [`NameTaken`] if an unfinished pool of that name is registered.
    ///
    /// ```
    /// # use pool_core::{NameTaken, Pool, Registry};
    /// let registry = Registry::new();
    /// let pool = Pool::new("lines", String::new);
    /// assert_eq!(registry.register(pool.managed()), Ok(()));
    /// assert_eq!(registry.register(pool.managed()), Err(NameTaken("lines".into())));
    /// ```
    pub fn register(&self, pool: Arc<dyn Managed>) -> Result<(), NameTaken> {
        let name: Box<str> = pool.name().into();
        let is_overdue = self.roll().is_sweep_due();
        if is_overdue {
            self.forget_finished();
        }
        // The name may be that of a pool that has ended and was not forgotten yet.
        let Err(pool) = self.roll().add(&name, pool) else { return Ok(()) };
        self.forget_if_finished(&name);
        let refused = self.roll().add(&name, pool);
        refused.map_err(|_| NameTaken(name.into_string())) // the lock is free: it may be the pool's last count
    }

    /// The registered pools, in the order of their registration.
    #[must_use]
    pub fn pools(&self) -> Vec<Arc<dyn Managed>> {
        self.list().to_vec()
    }

    /// The same as one list, shared by all who ask until a pool comes or goes: however many pools there are, having it
    /// costs one count. While it is the same allocation, it is the same pools. Who keeps it keeps the memory of pools
    /// that have ended.
    ///
    /// ```
    /// # use pool_core::{Pool, Registry};
    /// # use std::sync::Arc;
    /// let registry = Registry::new();
    /// let pool = Pool::builder("a").registry(&registry).build_with(String::new)?;
    /// let list = registry.list();
    /// assert!(Arc::ptr_eq(&list, &registry.list()));
    /// drop(pool);
    /// assert_eq!((list.len(), registry.list().len()), (1, 0));
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    #[must_use]
    pub fn list(&self) -> Arc<[Arc<dyn Managed>]> {
        self.roll().list()
    }

    fn roll(&self) -> MutexGuard<'_, Roll> {
        self.0.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shares of the pools that have a canary beside them, in the order in which they were built.
    ///
    /// See the example of [`CanaryPool`](crate::CanaryPool).
    #[must_use]
    pub fn splits(&self) -> Vec<Arc<Split>> {
        let splits = self.0.splits.lock().unwrap_or_else(PoisonError::into_inner);
        splits.iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn add_split(&self, split: &Arc<Split>) {
        let mut splits = self.0.splits.lock().unwrap_or_else(PoisonError::into_inner);
        splits.retain(|split| split.strong_count() > 0);
        splits.push(Arc::downgrade(split));
    }

    /// The account that creates are charged against.
    ///
    /// See the example of [`Grant`].
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.0.grant
    }

    /// Calls `alarm` whenever a create finds the grant used up. It runs on the creating thread and must not
    /// wait: wake your controller and return. If it panics, the create goes on.
    ///
    /// ```
    /// # use pool_core::{Pool, Registry};
    /// # use std::sync::{Arc, atomic::{AtomicU32, Ordering::Relaxed}};
    /// let (registry, alarms) = (Registry::new(), Arc::new(AtomicU32::new(0)));
    /// let counted = Arc::clone(&alarms);
    /// registry.on_grant_used_up(move || _ = counted.fetch_add(1, Relaxed));
    /// let pool = Pool::builder("pages").registry(&registry).build_with(|| vec![0_u8; 4096])?;
    /// let first = pool.get(); // from now on it is known what one weighs
    /// registry.grant().set(Some(1000));
    /// let second = pool.get();
    /// assert_eq!(alarms.load(Relaxed), 1);
    /// # drop((first, second));
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    pub fn on_grant_used_up(&self, alarm: impl Fn() + Send + Sync + 'static) {
        let mut current = self.0.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let before = current.replace(Arc::new(alarm));
        drop(current);
        drop(before); // outside the lock: it is somebody's code
    }

    /// One pass over all pools: marks every slot, issues one heavy fence, visits every slot once.
    ///
    /// The result has one entry a pool, in the order of [`pools`](Self::pools) at the start of the pass.
    /// Waits only for another pass, so it must not be called by a [`Managed`] that is being passed over. Costs one
    /// fence (12–20 µs with busy threads) and some nanoseconds a slot.
    ///
    /// ```
    /// # use pool_core::{Job, Pool, Registry};
    /// let registry = Registry::new();
    /// let pool = Pool::builder("pages").registry(&registry).build_with(|| vec![0_u8; 4096])?;
    /// drop(pool.get());
    /// let passed = registry.pass(Job::Reclaim { extra_bytes: 4096 });
    /// assert_eq!((passed[0].1.taken.objects, pool.stats().idle_objects), (1, 0));
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    #[allow(clippy::must_use_candidate)] // most call it for what it does
    pub fn pass(&self, job: Job) -> Vec<(Arc<dyn Managed>, Collected)> {
        let mut passed = Vec::new();
        self.pass_over(|_| Some(job), |pool, collected| passed.push((Arc::clone(pool), collected)));
        passed
    }

    /// One pass of [`Job::Cycle`] over the pools whose cycle is over at `now`; with the report of each.
    ///
    /// Call it as often as you look at your pools; between cycles it costs a lock a pool. What it condemned is
    /// dropped by [`drop_condemned`](Self::drop_condemned).
    ///
    /// ```
    /// use pool_core::{Pool, Registry};
    /// use std::time::{Duration, Instant};
    /// let registry = Registry::new();
    /// let pool = Pool::builder("http.body").registry(&registry).build_with(Vec::<u8>::new)?;
    /// drop(pool.get());
    /// let mut dropped = 0;
    /// for cycle in 1..=3 {
    ///     let now = Instant::now() + cycle * Duration::from_secs(10);
    ///     dropped += registry.cycle(now)[0].1.taken().objects;
    /// }
    /// assert_eq!(dropped, 1); // idle for two whole cycles
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    #[allow(clippy::must_use_candidate)] // as above
    pub fn cycle(&self, now: Instant) -> Vec<(Arc<dyn Managed>, CycleReport)> {
        let job = |pool: &Arc<dyn Managed>| pool.cycle_is_due(now).then_some(Job::Cycle { now });
        let mut reports = Vec::new();
        self.pass_over(job, |pool, collected| {
            reports.extend(collected.cycle.map(|report| (Arc::clone(pool), report)));
        });
        reports
    }

    /// One pass in which each pool has a job of its own, or none, all of them with one fence (with none if nobody has a
    /// job). `each` is told what was collected, pool by pool.
    ///
    /// Both closures run while the pass is under way: they should be quick, must not begin another pass, and should not
    /// panic.
    ///
    /// ```
    /// # use pool_core::{Job, Pool, Registry, fences_total};
    /// let registry = Registry::new();
    /// let pool = |name| Pool::builder(name).registry(&registry).build_with(|| vec![0_u8; 4096]);
    /// let (a, b, c) = (pool("a")?, pool("b")?, pool("c")?);
    /// drop((a.get(), b.get(), c.get()));
    /// let job = |bytes| Some(Job::Reclaim { extra_bytes: bytes });
    /// let (before, mut taken) = (fences_total(), Vec::new());
    /// registry.pass_over(
    ///     |pool| match pool.name() {
    ///         "a" => job(4096),
    ///         "b" => job(0),
    ///         _ => None,
    ///     },
    ///     |pool, collected| taken.push((pool.name().to_owned(), collected.taken.objects)),
    /// );
    /// assert_eq!(taken, [("a".to_owned(), 1), ("b".to_owned(), 0)]);
    /// assert_eq!(fences_total() - before, 1);
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    pub fn pass_over(
        &self,
        mut job: impl FnMut(&Arc<dyn Managed>) -> Option<Job>,
        mut each: impl FnMut(&Arc<dyn Managed>, Collected),
    ) {
        /// Lets all slots go if a pool of somebody else's panics in the middle.
        struct Marked(Vec<(Arc<dyn Managed>, Job)>);
        impl Drop for Marked {
            fn drop(&mut self) {
                let refused = Fenced::refused();
                for (pool, _) in &self.0 {
                    pool.collect(&refused, Job::Snapshot);
                }
            }
        }
        crate::thread_id::mend();
        let passing = self.0.passing.lock().unwrap_or_else(PoisonError::into_inner);
        let pools = self.list();
        let (mut marked, mut have_finished) = (Marked(Vec::new()), false);
        for pool in pools.iter() {
            if pool.is_finished() {
                have_finished = true;
            } else if let Some(job) = job(pool) {
                marked.0.push((Arc::clone(pool), job));
            }
        }
        if !marked.0.is_empty() {
            marked.0.iter().for_each(|(pool, _)| pool.mark());
            let fenced = fence::heavy();
            marked.0.iter().for_each(|(pool, job)| each(pool, pool.collect(&fenced, *job)));
        }
        let passed = std::mem::take(&mut marked.0);
        drop(passing);
        drop(passed); // after the lock: it may free pools that have ended meanwhile
        if have_finished {
            self.forget_finished();
        }
    }

    pub(crate) fn downgrade(&self) -> WeakRegistry {
        WeakRegistry(Arc::downgrade(&self.0))
    }

    /// Takes out pools that have ended.
    pub(crate) fn forget_finished(&self) {
        let finished: Vec<_> = self.list().iter().filter(|pool| pool.is_finished()).map(Arc::clone).collect();
        let stale = self.roll().sweep(&finished);
        drop(stale); // outside the lock, and then `finished`, which holds their last counts
    }

    /// Takes out the pool of that name, if it has ended.
    pub(crate) fn forget_if_finished(&self, name: &str) {
        let found = self.roll().find(name);
        if let Some(pool) = found.filter(|pool| pool.is_finished()) {
            let stale = self.roll().remove(name, &pool);
            drop(stale); // as above
        }
    }

    /// Drops condemned objects of all pools until `until_over`, which is asked before each turn, says so or none is
    /// left. The pools take turns, each of at most `slice` and of its own eviction knob's slice. Returns whether none
    /// is left.
    ///
    /// ```
    /// # use pool_core::{Job, Pool, Registry};
    /// # use std::time::Duration;
    /// let registry = Registry::new();
    /// let pool = Pool::builder("pages").registry(&registry).build_with(|| vec![0_u8; 4096])?;
    /// drop(pool.get());
    /// registry.pass(Job::Reclaim { extra_bytes: 4096 });
    /// assert_eq!(pool.stats().condemned_objects, 1);
    /// assert!(registry.drop_condemned(Duration::from_millis(1), || false));
    /// assert_eq!(pool.stats().condemned_objects, 0);
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    pub fn drop_condemned(&self, slice: Duration, mut until_over: impl FnMut() -> bool) -> bool {
        let pools = self.list();
        let mut rest: VecDeque<_> = pools.iter().filter(|pool| pool.has_condemned()).collect();
        if !rest.is_empty() {
            // Where time is always short, the first would have all of it.
            rest.rotate_left(self.0.turns.load(Relaxed) % rest.len());
        }
        while let Some(pool) = rest.front() {
            if until_over() {
                return false;
            }
            self.0.turns.fetch_add(1, Relaxed);
            let is_done = pool.drop_condemned(slice.min(pool.drop_slice()));
            let pool = rest.pop_front();
            rest.extend(pool.filter(|_| !is_done));
        }
        true
    }
}

/// What a pool knows of its registry: not enough to keep it alive.
#[derive(Clone)]
pub(crate) struct WeakRegistry(Weak<Shared>);

impl WeakRegistry {
    pub(crate) fn upgrade(&self) -> Option<Registry> {
        self.0.upgrade().map(Registry)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pools = self.pools();
        f.debug_list().entries(pools.iter().map(|p| p.name())).finish()
    }
}

/// A pool of that name is registered already.
///
/// See the example of [`Registry::register`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTaken(pub String);

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a pool named {:?} is registered already", self.0)
    }
}

impl std::error::Error for NameTaken {}

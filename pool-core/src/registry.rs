//! The registry: pools that share one grant, and the passes that reach all of them with one fence.
//!
//! It holds no handle of any pool, so a pool ends when its last handle does; finished pools are forgotten at
//! the next pass or registration.

use crate::canary::Split;
use crate::close::drop_panic;
use crate::fence::{self, Fenced};
use crate::grant::Grant;
use crate::managed::{Collected, Job, Managed, Taken};
use crate::stats::{CycleReport, DropReason};
use crate::sync::{Mutex, PoisonError, try_lock};
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
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

type Named = (Box<str>, Arc<dyn Managed>);

#[derive(Default)]
struct Pools {
    /// In the order of their registration.
    all: Vec<Named>,
    names: HashSet<Box<str>>,
}

struct Shared {
    /// With their names, so that no foreign code runs under this lock. A pool that is taken out is dropped after
    /// the lock is released: that may free it, and with it what its closures hold.
    pools: Mutex<Pools>,
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
            pools: Mutex::new(Pools::default()),
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
        // The name may be that of a pool that has ended and was not forgotten yet.
        for _ in 0..2 {
            let mut pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
            if pools.names.insert(name.clone()) {
                pools.all.push((name, pool));
                return Ok(());
            }
            drop(pools);
            self.forget_finished();
        }
        Err(NameTaken(name.into_string()))
    }

    /// The registered pools, in the order of their registration.
    #[must_use]
    pub fn pools(&self) -> Vec<Arc<dyn Managed>> {
        let pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.all.iter().map(|(_, pool)| Arc::clone(pool)).collect()
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
        self.pass_over(job, |_| true)
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
        let collected = self.pass_over(Job::Cycle { now }, |pool| pool.cycle_is_due(now));
        collected.into_iter().filter_map(|(pool, c)| Some((pool, c.cycle?))).collect()
    }

    fn pass_over(
        &self,
        job: Job,
        takes_part: impl Fn(&dyn Managed) -> bool,
    ) -> Vec<(Arc<dyn Managed>, Collected)> {
        /// Lets all slots go if a pool of somebody else's panics in the middle.
        struct Marked(Vec<Arc<dyn Managed>>);
        impl Drop for Marked {
            fn drop(&mut self) {
                let refused = Fenced::refused();
                for pool in &self.0 {
                    pool.collect(&refused, Job::Snapshot);
                }
            }
        }
        crate::thread_id::mend();
        self.forget_finished();
        let passing = self.0.passing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut marked = Marked(self.pools().into_iter().filter(|pool| takes_part(pool.as_ref())).collect());
        if marked.0.is_empty() {
            return Vec::new();
        }
        for pool in &marked.0 {
            pool.mark();
        }
        let fenced = fence::heavy();
        let collected = marked.0.iter().map(|pool| pool.collect(&fenced, job)).collect::<Vec<_>>();
        let pools = std::mem::take(&mut marked.0);
        drop(passing);
        pools.into_iter().zip(collected).collect()
    }

    pub(crate) fn downgrade(&self) -> WeakRegistry {
        WeakRegistry(Arc::downgrade(&self.0))
    }

    /// Takes out pools that have ended.
    pub(crate) fn forget_finished(&self) {
        let finished: Vec<_> = self.pools().into_iter().filter(|pool| pool.is_finished()).collect();
        if finished.is_empty() {
            return;
        }
        let mut pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let Pools { all, names } = &mut *pools;
        all.retain(|(name, pool)| {
            let gone = finished.iter().any(|gone| Arc::ptr_eq(gone, pool));
            if gone {
                names.remove(name);
            }
            !gone
        });
        drop(pools); // and only then `finished`, which holds their last counts
    }

    /// Drops condemned objects of all pools until `until_over` says so or none is left. The pools take turns, each
    /// of at most `slice` and of its own eviction knob's slice. Returns whether none is left.
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
        let turn = |pool: Arc<dyn Managed>| (slice.min(pool.knobs().eviction.value.slice()), pool);
        let mut rest: Vec<_> = self.pools().into_iter().map(turn).collect();
        while !rest.is_empty() && !until_over() {
            rest.retain(|(turn, pool)| !pool.drop_condemned(*turn));
        }
        rest.is_empty()
    }

    /// Charges a create of `bytes` against the grant; if that is used up, takes as much back from idle
    /// objects first. Runs on creating threads: where a lock is held by another it goes on without.
    #[cold]
    pub(crate) fn charge_create(&self, bytes: u64) {
        let missing = self.0.grant.charge(bytes);
        if missing == 0 {
            return;
        }
        // A value that is dropped for a create may create itself; once is enough, or drops would nest without end.
        let Some(_once) = Once::enter() else { return };
        // Caches and alarms of others run in there, and none of them may end a get.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.make_room(missing))) {
            drop_panic(panic);
        }
    }

    fn make_room(&self, missing: u64) {
        let taken = self.reclaim(missing);
        // Each object's drop credits the grant; what is still condemned is credited when it is dropped.
        self.0.grant.count_reclaimed(taken.bytes);
        if taken.bytes < missing {
            self.0.grant.count_exceeded();
        }
        let alarm = try_lock(&self.0.alarm).and_then(|alarm| alarm.clone());
        if let Some(alarm) = alarm {
            alarm();
        }
    }

    /// Takes at least `bytes` of idle objects if there are that many, and drops them here and now.
    fn reclaim(&self, bytes: u64) -> Taken {
        let mut taken = Taken::default();
        let Some(pools) = try_lock(&self.0.pools)
            .map(|pools| pools.all.iter().map(|(_, pool)| Arc::clone(pool)).collect::<Vec<_>>())
        else {
            return taken;
        };
        let mut pools: Vec<_> = pools.into_iter().filter_map(|p| Some((p.reclaim_weight()?, p))).collect();
        pools.sort_by_key(|(weight, _)| *weight);
        // What threads share first, of all pools: it needs no fence.
        for (_, pool) in &pools {
            if taken.bytes < bytes {
                taken += pool.trim_depot(bytes - taken.bytes, DropReason::Pressure);
            }
        }
        for (_, pool) in &pools {
            if taken.bytes < bytes {
                taken += pool.reclaim(bytes - taken.bytes);
            }
        }
        for (_, pool) in &pools {
            pool.drop_condemned(RECLAIM_DROP_MAX);
        }
        taken
    }
}

/// This thread reclaims; ends with the value.
struct Once;

thread_local!(static RECLAIMING: Cell<bool> = const { Cell::new(false) });

impl Once {
    fn enter() -> Option<Self> {
        (!RECLAIMING.replace(true)).then_some(Self)
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        RECLAIMING.set(false);
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

/// How long one create may drop other objects of one pool; what is left is the controller's next slice.
const RECLAIM_DROP_MAX: Duration = Duration::from_millis(2);

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

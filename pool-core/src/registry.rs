//! The registry: pools that share one grant, and the passes that reach all of them with one fence.
//!
//! It holds no handle of any pool, so a pool ends when its last handle does; finished pools are forgotten at
//! the next pass or registration.

use crate::fence;
use crate::grant::Grant;
use crate::managed::{Collected, Job, Managed, Taken};
use crate::stats::DropReason;
use crate::sync::{Mutex, PoisonError};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

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
    pools: Mutex<Vec<Arc<dyn Managed>>>,
    grant: Grant,
    /// One pass at a time. A data path that finds it held goes on without.
    passing: Mutex<()>,
    alarm: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

impl Registry {
    /// An empty registry with an unlimited grant.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            pools: Mutex::new(Vec::new()),
            grant: Grant::unlimited(),
            passing: Mutex::new(()),
            alarm: Mutex::new(None),
        }))
    }

    /// Adds a pool (pools that are built with [`PoolBuilder::registry`](crate::PoolBuilder::registry) are there
    /// already; this is for [`Managed`] implementations of your own).
    ///
    /// # Errors
    /// [`NameTaken`] if an unfinished pool of that name is registered.
    pub fn register(&self, pool: Arc<dyn Managed>) -> Result<(), NameTaken> {
        let mut pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|p| !p.is_finished());
        if pools.iter().any(|p| p.name() == pool.name()) {
            return Err(NameTaken(pool.name().to_owned()));
        }
        pools.push(pool);
        Ok(())
    }

    /// The registered pools, in the order of their registration.
    #[must_use]
    pub fn pools(&self) -> Vec<Arc<dyn Managed>> {
        self.0.pools.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The account that creates are charged against.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.0.grant
    }

    /// Calls `alarm` whenever a create finds the grant used up. It runs on the creating thread and must not
    /// wait: wake your controller and return.
    pub fn on_grant_used_up(&self, alarm: impl Fn() + Send + Sync + 'static) {
        *self.0.alarm.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(alarm));
    }

    /// One pass over all pools: marks every slot, issues one heavy fence, visits every slot once.
    ///
    /// The result has one entry a pool, in the order of [`pools`](Self::pools) at the start of the pass.
    /// Waits only for another pass. Costs one fence (12–20 µs with busy threads) and some nanoseconds a slot.
    pub fn pass(&self, job: Job) -> Vec<(Arc<dyn Managed>, Collected)> {
        let passing = self.0.passing.lock().unwrap_or_else(PoisonError::into_inner);
        let collected = self.pass_locked(job);
        drop(passing);
        collected
    }

    fn pass_locked(&self, job: Job) -> Vec<(Arc<dyn Managed>, Collected)> {
        let pools = self.forget_finished();
        for pool in &pools {
            pool.mark();
        }
        let fenced = fence::heavy();
        pools
            .into_iter()
            .map(|pool| {
                let collected = pool.collect(&fenced, job);
                (pool, collected)
            })
            .collect()
    }

    pub(crate) fn downgrade(&self) -> WeakRegistry {
        WeakRegistry(Arc::downgrade(&self.0))
    }

    pub(crate) fn forget_finished(&self) -> Vec<Arc<dyn Managed>> {
        let pools = self.pools();
        if pools.iter().any(|p| p.is_finished()) {
            self.0.pools.lock().unwrap_or_else(PoisonError::into_inner).retain(|p| !p.is_finished());
            return self.pools();
        }
        pools
    }

    /// Drops condemned objects of all pools in turns of at most `slice` each until `until_over` says so or
    /// none is left. Returns whether none is left.
    pub fn drop_condemned(&self, slice: Duration, mut until_over: impl FnMut() -> bool) -> bool {
        let mut rest = self.pools();
        while !rest.is_empty() && !until_over() {
            rest.retain(|pool| !pool.drop_condemned(slice));
        }
        rest.is_empty()
    }

    /// Charges a create of `bytes` against the grant; if that is used up, takes as much back from idle
    /// objects first. Runs on creating threads: never waits, gives up when another pass is under way.
    #[cold]
    pub(crate) fn charge_create(&self, bytes: u64) {
        let missing = self.0.grant.charge(bytes);
        if missing == 0 {
            return;
        }
        let taken = self.reclaim(missing);
        // Each object's drop credits the grant; what is still condemned is credited when it is dropped.
        self.0.grant.count_reclaimed(taken.bytes);
        if taken.bytes < missing {
            self.0.grant.count_exceeded();
        }
        let alarm = self.0.alarm.try_lock().ok().and_then(|alarm| alarm.clone());
        if let Some(alarm) = alarm {
            alarm();
        }
    }

    /// Takes at least `bytes` of idle objects if there are that many, and drops them here and now: first from
    /// depots (no fence), then by a pass over the magazines.
    fn reclaim(&self, bytes: u64) -> Taken {
        let mut taken = Taken::default();
        let Ok(pools) = self.0.pools.try_lock().map(|pools| pools.clone()) else { return taken };
        for pool in &pools {
            if taken.bytes >= bytes {
                break;
            }
            taken += pool.trim_depot(bytes - taken.bytes, DropReason::Pressure);
        }
        if taken.bytes < bytes {
            if let Ok(_passing) = self.0.passing.try_lock() {
                for pool in &pools {
                    pool.mark();
                }
                let fenced = fence::heavy();
                for pool in &pools {
                    let extra_bytes = bytes.saturating_sub(taken.bytes);
                    taken += pool.collect(&fenced, Job::Reclaim { extra_bytes }).taken;
                }
            }
        }
        for pool in &pools {
            pool.drop_condemned(RECLAIM_DROP_MAX);
        }
        taken
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTaken(pub String);

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a pool named {:?} is registered already", self.0)
    }
}

impl std::error::Error for NameTaken {}

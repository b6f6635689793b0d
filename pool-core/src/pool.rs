//! The pool: a handle, and how one is built.

use crate::close::close;
use crate::events::Due;
use crate::guard::Pooled;
use crate::inside::{Inside, WEIGHT_MAX};
use crate::keeper::Keeper;
use crate::knobs::{Capacity, KnobSet, LeaseLevel, Sampling, Setting};
use crate::managed::Managed;
use crate::node::NodePtr;
use crate::recycle::{ByClosure, ByTrait, Keep, Recycler};
use crate::retention::Retention;
use crate::shared::Shared;
use crate::slot::Slot;
use crate::stats::PoolStats;
use crate::sync::atomic::Ordering::{AcqRel, Relaxed};
use crate::thread_id;
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

#[cfg(not(ebbpool_loom))]
use crate::registry::{NameTaken, Registry};

/// A cache of reusable objects. Clones are handles of the same pool; the last one closes it.
///
/// [`get`](Self::get) always succeeds: without an idle object it creates one. An idle object may be dropped
/// at any time.
pub struct Pool<T: Send + 'static, R: Recycler<T> = ByTrait> {
    inside: NonNull<Inside<T, R>>,
}

// SAFETY: I2: a handle reaches only what is `Sync` (atomics, locks, slots by their rules, the recycler) and the
// create closure (`Send + Sync`); values travel between threads through it, hence `T: Send`.
unsafe impl<T: Send + 'static, R: Recycler<T>> Send for Pool<T, R> {}
// SAFETY: as above.
unsafe impl<T: Send + 'static, R: Recycler<T>> Sync for Pool<T, R> {}

impl<T: Send + 'static> Pool<T>
where
    ByTrait: Recycler<T>,
{
    /// A pool with the default capacity (see [`PoolBuilder::capacity`]) in no registry.
    #[must_use]
    pub fn new(name: &str, create: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Pool::<()>::builder(name).start(Box::new(create))
    }
}

impl Pool<()> {
    /// Begins to build a pool. `name` is its label in metrics.
    #[must_use]
    pub fn builder(name: &str) -> PoolBuilder {
        PoolBuilder {
            name: name.to_owned(),
            knobs: KnobSet::new(PoolBuilder::CAPACITY_DEFAULT),
            #[cfg(not(ebbpool_loom))]
            registry: None,
            recycler: ByTrait,
        }
    }
}

impl<T: Send + 'static, R: Recycler<T>> Pool<T, R> {
    /// Lends an object: from this thread's magazine, else from the depot, else a new one.
    ///
    /// The caller's location names the lease if it is one of those on record. Costs a few nanoseconds from the
    /// magazine. If `create` panics, the panic goes to the caller and the pool is as before.
    #[inline]
    #[must_use = "a lent object that is not used was lent for nothing"]
    #[track_caller]
    pub fn get(&self) -> Pooled<T, R> {
        if let Some(node) = self.shared().table.find(thread_id::current()).and_then(Slot::get_fast) {
            // SAFETY: the slot gave us the node (N1), and this pool holds only nodes of its own types.
            return unsafe { Pooled::new(node) };
        }
        self.get_slow(Location::caller())
    }

    #[cold]
    fn get_slow(&self, site: &'static Location<'static>) -> Pooled<T, R> {
        let shared = self.shared();
        let (idle, due) = shared.get_idle();
        let node = idle.unwrap_or_else(|| self.create(due));
        // SAFETY: N1: the node is ours and goes into the guard.
        let guard: Pooled<T, R> = unsafe { Pooled::new(node) };
        if due.record {
            guard.record(shared.leases.begin(site));
        }
        guard.note(due);
        #[cfg(feature = "failpoints")]
        if shared.faults_armed() {
            guard.lose(crate::fault::missing_put(&shared.name, site));
        }
        guard
    }

    fn create(&self, due: Due) -> NodePtr {
        /// Gives the charge back if `create` panics, and what was due at this get to the next.
        struct Charge<'a>(&'a Shared, u64);
        impl Drop for Charge<'_> {
            fn drop(&mut self) {
                self.0.credit_grant(self.1);
                self.0.draw_anew();
            }
        }
        let shared = self.shared();
        let expected = shared.expected_weight();
        shared.charge_create(expected);
        let charge = Charge(shared, expected);
        // SAFETY: I2.
        let (create, recycler) = unsafe { (&self.inside.as_ref().create, &self.inside.as_ref().recycler) };
        let value = create();
        let born = Inside::weigh(recycler, &value).min(WEIGHT_MAX);
        std::mem::forget(charge);
        shared.note_birth(born);
        // A buffer that is born empty will weigh what its like have weighed; a box weighs what it does.
        let weight = born.max(expected);
        shared.charge_growth(expected, weight);
        // SAFETY: I2; this is the node's own count.
        unsafe { Inside::acquire(self.inside) };
        let node = NodePtr::new(self.inside, value, weight);
        shared.count_created(weight, due);
        node
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared().name
    }

    /// Racing statistics; see [`PoolStats`].
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared().stats()
    }

    /// The pool as a controller sees it; it keeps the pool's memory, but is no handle: the pool still closes
    /// with its last handle.
    #[must_use]
    pub fn managed(&self) -> Arc<dyn Managed> {
        Arc::new(self.keeper())
    }

    pub(crate) fn keeper(&self) -> Keeper<T, R> {
        // SAFETY: I2.
        unsafe { Keeper::new(self.inside) }
    }
}

impl<T: Send + 'static, R: Recycler<T>> Pool<T, R> {
    #[inline(always)]
    fn shared(&self) -> &Shared {
        // SAFETY: I2: the handles hold a count.
        unsafe { &self.inside.as_ref().shared }
    }
}

impl<T: Send + 'static, R: Recycler<T>> Clone for Pool<T, R> {
    fn clone(&self) -> Self {
        // Relaxed: who clones holds a handle already.
        self.shared().account.handles.fetch_add(1, Relaxed);
        Self { inside: self.inside }
    }
}

impl<T: Send + 'static, R: Recycler<T>> Drop for Pool<T, R> {
    fn drop(&mut self) {
        // AcqRel: the last handle sees what the others did before they went.
        if self.shared().account.handles.fetch_sub(1, AcqRel) == 1 {
            // SAFETY: the handles' common count, given up by the last of them.
            unsafe { close(self.inside) };
        }
    }
}

impl<T: Send + 'static, R: Recycler<T>> fmt::Debug for Pool<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("name", &self.shared().name).finish_non_exhaustive()
    }
}

/// Builds a [`Pool`].
///
/// A type of another crate is recycled by closures:
///
/// ```
/// use pool_core::{Keep, Pool};
/// use std::io::{LineWriter, Write};
/// let pool = Pool::builder("lines")
///     .recycle_with(|lines: &mut LineWriter<Vec<u8>>, retention| {
///         if lines.flush().is_err() {
///             return Keep::Refused;
///         }
///         let text = lines.get_mut();
///         let keep = retention.judge(text.len(), text.capacity());
///         text.clear();
///         keep
///     }, |lines| lines.get_ref().capacity())
///     .build_with(|| LineWriter::new(Vec::new()))?;
/// writeln!(pool.get(), "hello").unwrap();
/// assert!(pool.get().get_ref().is_empty());
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[derive(Debug)]
pub struct PoolBuilder<R = ByTrait> {
    name: String,
    knobs: KnobSet,
    #[cfg(not(ebbpool_loom))]
    registry: Option<Registry>,
    recycler: R,
}

impl PoolBuilder {
    /// 1,024 objects of together 64 MiB.
    pub const CAPACITY_DEFAULT: Capacity = match Capacity::new(1024, 64 << 20) {
        Ok(capacity) => capacity,
        Err(_) => unreachable!(),
    };

    /// Recycles through closures instead of [`Recycle`](trait@crate::Recycle): `recycle` cleans a returned value,
    /// `weight` says what it holds, bytes.
    #[must_use]
    pub fn recycle_with<T>(
        self,
        recycle: impl Fn(&mut T, &Retention) -> Keep + Send + Sync + 'static,
        weight: impl Fn(&T) -> usize + Send + Sync + 'static,
    ) -> PoolBuilder<ByClosure<T>> {
        PoolBuilder {
            name: self.name,
            knobs: self.knobs,
            #[cfg(not(ebbpool_loom))]
            registry: self.registry,
            recycler: ByClosure { recycle: Box::new(recycle), weight: Box::new(weight) },
        }
    }
}

impl<R> PoolBuilder<R> {
    /// How much the pool may hold idle at first.
    #[must_use]
    pub fn capacity(self, capacity: Capacity) -> Self {
        self.knob(Setting::Capacity(capacity))
    }

    /// The share of leases on record at first: 1 in 128 unless said otherwise.
    #[must_use]
    pub fn lease_level(self, level: LeaseLevel) -> Self {
        self.knob(Setting::Sampling(Sampling::DEFAULT.with_leases(level)))
    }

    /// Any knob's value at first; each has a default.
    ///
    /// ```
    /// use pool_core::{Eviction, Pool, Setting};
    /// use std::time::Duration;
    /// let minute = Eviction::DEFAULT.with_cycle(Duration::from_secs(60))?;
    /// let pool = Pool::builder("maps").knob(Setting::Eviction(minute)).build_with(Vec::<u8>::new)?;
    /// assert_eq!(pool.managed().knobs().eviction.value, minute);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn knob(mut self, setting: Setting) -> Self {
        self.knobs = self.knobs.built_with(setting);
        self
    }

    /// Registers the pool when it is built, and charges its creates against the registry's grant.
    #[cfg(not(ebbpool_loom))]
    #[must_use]
    pub fn registry(mut self, registry: &Registry) -> Self {
        self.registry = Some(registry.clone());
        self
    }

    /// Builds the pool; `create` makes a value when no idle one is at hand.
    ///
    /// # Errors
    /// [`BuildError`] if the registry has a pool of that name.
    pub fn build_with<T: Send + 'static>(
        self,
        create: impl Fn() -> T + Send + Sync + 'static,
    ) -> Result<Pool<T, R>, BuildError>
    where
        R: Recycler<T>,
    {
        #[cfg(not(ebbpool_loom))]
        let registry = self.registry.clone();
        let pool = self.start(Box::new(create));
        #[cfg(not(ebbpool_loom))]
        if let Some(registry) = registry {
            registry.register(pool.managed()).map_err(BuildError)?;
        }
        Ok(pool)
    }

    fn start<T: Send + 'static>(self, create: Box<dyn Fn() -> T + Send + Sync>) -> Pool<T, R>
    where
        R: Recycler<T>,
    {
        crate::fence::strategy(); // chosen now: it may have something to say, and a get must not wait for stderr
        crate::close::sweep_unfinished();
        let shared = Shared::new(
            &self.name,
            self.knobs,
            #[cfg(not(ebbpool_loom))]
            self.registry.as_ref().map(Registry::downgrade),
        );
        Pool { inside: Inside::leak(shared, self.recycler, create) }
    }
}

/// The registry has a pool of that name already.
#[cfg(not(ebbpool_loom))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(NameTaken);

/// Never made under loom, where there are no registries.
#[cfg(ebbpool_loom)]
#[derive(Debug)]
pub struct BuildError(std::convert::Infallible);

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for BuildError {}

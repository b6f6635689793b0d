//! How a pool is built: its name, its knobs as built, and how its values are made and recycled.

use crate::knobs::{Capacity, KnobSet, LeaseLevel, Sampling, Setting};
use crate::pool::Pool;
use crate::recycle::{ByClosure, ByTrait, Keep, Recycler};
use crate::retention::Retention;
use crate::shared::Shared;
use std::fmt;
use std::sync::Arc;

#[cfg(not(ebbpool_loom))]
use crate::registry::{NameTaken, Registry};

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
#[derive(Clone, Debug)]
pub struct PoolBuilder<R = ByTrait> {
    name: String,
    knobs: KnobSet,
    keep_on_panic: bool,
    #[cfg(not(ebbpool_loom))]
    registry: Option<Registry>,
    recycler: R,
}

impl PoolBuilder {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            knobs: KnobSet::new(Self::CAPACITY_DEFAULT),
            keep_on_panic: false,
            #[cfg(not(ebbpool_loom))]
            registry: None,
            recycler: ByTrait,
        }
    }

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
            keep_on_panic: self.keep_on_panic,
            #[cfg(not(ebbpool_loom))]
            registry: self.registry,
            recycler: ByClosure { recycle: Arc::new(recycle), weight: Arc::new(weight) },
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

    /// Keeps what comes back while its thread panics. Unless this is called, such a value is dropped and counted as
    /// `tainted`.
    ///
    /// **Only for values that `recycle` makes whole from any state.** A panic leaves a value as it was at that moment:
    /// a map with half of its entries, a connection in the middle of an answer. A buffer that is cleared is as good as
    /// new, a connection is not, and what one request left in it reaches the next. A `recycle` that panics meanwhile
    /// still taints its value, and its panic goes no further.
    ///
    /// ```
    /// # use pool_core::Pool;
    /// let buffers = Pool::builder("buffers").keep_on_panic().build_with(Vec::<u8>::new)?;
    /// let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
    ///     let _buffer = buffers.get();
    ///     panic!("a request fails");
    /// }));
    /// assert!(panicked.is_err());
    /// assert_eq!(buffers.stats().idle_objects, 1);
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    #[must_use]
    pub fn keep_on_panic(mut self) -> Self {
        self.keep_on_panic = true;
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

    #[cfg(not(ebbpool_loom))]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    #[cfg(not(ebbpool_loom))]
    pub(crate) fn placed(self, name: &str, registry: Option<Registry>) -> Self {
        Self { name: name.to_owned(), registry, ..self }
    }

    #[cfg(not(ebbpool_loom))]
    pub(crate) fn registry_of(&self) -> Option<&Registry> {
        self.registry.as_ref()
    }

    pub(crate) fn start<T: Send + 'static>(self, create: Box<dyn Fn() -> T + Send + Sync>) -> Pool<T, R>
    where
        R: Recycler<T>,
    {
        crate::fence::strategy(); // chosen now: it may have something to say, and a get must not wait for stderr
        crate::sync::notice_fork(); // the line of processes begins here
        crate::close::sweep_unfinished();
        let shared = Shared::new(
            &self.name,
            self.knobs,
            #[cfg(not(ebbpool_loom))]
            self.registry.as_ref().map(Registry::downgrade),
        );
        Pool::start(shared, self.recycler, create, self.keep_on_panic)
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

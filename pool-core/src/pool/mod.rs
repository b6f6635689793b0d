//! The pool: a handle, and what can be done with one. `builder` builds, `get` lends, `stock` fills and picks over,
//! `closing` ends.

mod builder;
mod closing;
mod get;
mod stock;

pub use self::builder::{BuildError, PoolBuilder};
pub use self::closing::Closed;
pub use self::stock::Retained;
use crate::close::close;
use crate::inside::Inside;
use crate::keeper::Keeper;
use crate::managed::Managed;
use crate::node::{NodePtr, Place, Placed};
use crate::recycle::{ByTrait, Recycler};
use crate::shared::Shared;
use crate::stats::PoolStats;
use crate::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

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
        PoolBuilder::new(name)
    }
}

impl<T: Send + 'static, R: Recycler<T>> Pool<T, R> {
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
    /// The first handle.
    pub(crate) fn start(
        shared: Shared,
        recycler: R,
        create: Box<dyn Fn() -> T + Send + Sync>,
        keep_on_panic: bool,
    ) -> Self {
        Self { inside: Inside::leak(shared, recycler, create, keep_on_panic) }
    }

    #[inline(always)]
    fn shared(&self) -> &Shared {
        &self.inside().shared
    }

    #[inline(always)]
    fn inside(&self) -> &Inside<T, R> {
        // SAFETY: I2: the handles hold a count.
        unsafe { self.inside.as_ref() }
    }

    /// A new object, in no counter yet.
    fn create<E>(
        &self,
        fill: impl for<'a> FnOnce(Place<'a, T>) -> Result<Placed<'a>, E>,
    ) -> Result<NodePtr, E> {
        // SAFETY: I2: the handles hold a count.
        unsafe { Inside::create(self.inside, fill) }
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

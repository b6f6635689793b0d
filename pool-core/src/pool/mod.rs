//! The pool: a handle, and what can be done with one. `builder` builds, `get` lends, `stock` fills and picks over,
//! `closing` ends.

mod builder;
mod closing;
mod get;
mod stock;

pub use self::builder::{BuildError, PoolBuilder};
pub use self::closing::Closed;
pub use self::stock::Retained;
use crate::close::drop_panic;
use crate::inside::{Counted, Handle, Inside};
use crate::keeper::Keeper;
use crate::managed::Managed;
use crate::node::{Owned, Place, Placed};
use crate::recycle::{ByTrait, Recycler};
use crate::risk::at_risk;
use crate::shared::{Shared, WEIGHT_MAX};
use crate::stats::PoolStats;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A cache of reusable objects. Clones are handles of the same pool; the last one closes it.
///
/// [`get`](Self::get) always succeeds: without an idle object it creates one. An idle object may be dropped
/// at any time.
pub struct Pool<T: Send + 'static, R: Recycler<T> = ByTrait> {
    handle: Handle<T, R>,
}

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
        Keeper::new(Counted::clone(&self.handle))
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
        Self { handle: Handle::new(Inside { shared, recycler, create, keep_on_panic }) }
    }

    #[inline(always)]
    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    #[inline(always)]
    fn inside(&self) -> &Counted<T, R> {
        &self.handle
    }

    /// A new object with a weight, in no counter yet.
    fn create<E>(
        &self,
        fill: impl for<'a> FnOnce(Place<'a, T>) -> Result<Placed<'a>, E>,
    ) -> Result<Owned<T, R>, E> {
        let inside = self.inside();
        let newborn = Owned::build(inside, fill)?;
        let (mut node, weight) = at_risk(newborn, stillborn, |node| inside.weigh(node.value()));
        let weight = weight.min(WEIGHT_MAX);
        node.view().2.weight = weight;
        inside.shared.note_birth(weight);
        Ok(node)
    }
}

/// Drops a value whose `weight` panicked. That its drop panics too must not abort.
fn stillborn<T, R>(node: Owned<T, R>) {
    let (_inside, node) = node.split();
    // Unwind safety: the value is gone either way.
    catch_unwind(AssertUnwindSafe(|| drop(node))).unwrap_or_else(drop_panic);
}

impl<T: Send + 'static, R: Recycler<T>> Clone for Pool<T, R> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone() }
    }
}

impl<T: Send + 'static, R: Recycler<T>> fmt::Debug for Pool<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("name", &self.shared().name).finish_non_exhaustive()
    }
}

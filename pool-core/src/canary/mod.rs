//! A canary of settings inside one process: two pools of one kind of value side by side, of which a share of gets uses
//! the second.
//!
//! Both are ordinary pools: each has its own knobs and statistics, both are in one registry and under one grant, and what
//! was lent by one returns to it. `share` says which gets and which processes a share takes, `split` keeps the share that
//! is in force. Whether the canary does better is for who reads their statistics to say; this module compares nothing.

mod share;
mod split;

pub use share::{Share, Side};
pub use split::Split;

use crate::guard::Pooled;
use crate::pool::{BuildError, Pool, PoolBuilder};
use crate::recycle::{ByTrait, Recycler};
use std::fmt;
use std::sync::Arc;

/// A pool and a second one beside it, the canary, on which other settings are tried. Clones are handles of the same two.
///
/// ```
/// use pool_core::{Capacity, Change, Pool, Registry, Share, Side};
/// let registry = Registry::new();
/// let bodies = Pool::builder("http.body")
///     .registry(&registry)
///     .build_canary_with(Vec::<u8>::new, |canary| canary.capacity(Capacity::new(16, 1 << 20).unwrap()))?;
/// let names: Vec<_> = registry.pools().iter().map(|pool| pool.name().to_owned()).collect();
/// assert_eq!(names, ["http.body", "http.body@canary"]);
///
/// drop(bodies.get()); // the share is 0 at first: no get uses the canary
/// bodies.split().set(Share::percent(10.0)?, Change::operator("trying 16 objects"));
/// drop(bodies.get_for("tenant 7")); // a tenant is on one side as long as share and salt stay
/// drop(bodies.get_as(Side::Canary));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CanaryPool<T: Send + 'static, R: Recycler<T> = ByTrait> {
    stable: Pool<T, R>,
    canary: Pool<T, R>,
    split: Arc<Split>,
}

impl<T: Send + 'static, R: Recycler<T>> CanaryPool<T, R> {
    /// Lends an object as [`Pool::get`] does, from the side that the share in force chooses for this get. The choice is
    /// as good as random, and follows from the salt and from how many threads and gets drew before. It costs an atomic
    /// read, and unless the share is 0 or all some arithmetic more; no lock, and no write that others see but one at a
    /// thread's first draw.
    ///
    /// # Panics
    /// As [`Pool::get`].
    #[inline]
    #[must_use = "a lent object that is not used was lent for nothing"]
    #[track_caller]
    pub fn get(&self) -> Pooled<T, R> {
        self.get_as(self.split.next())
    }

    /// The same, from the side that the share chooses for `key`: of equal keys always the same, as long as share and salt
    /// stay. While the share grows, keys only change over to the canary.
    ///
    /// # Panics
    /// As [`Pool::get`].
    #[inline]
    #[must_use = "a lent object that is not used was lent for nothing"]
    #[track_caller]
    pub fn get_for(&self, key: impl AsRef<[u8]>) -> Pooled<T, R> {
        self.get_as(self.split.side_of(key.as_ref()))
    }

    /// The same, from the side that a request asks for: `x-pool-version: canary` or `stable` (see [`Side::from_header`]).
    /// Without the header, or with another word, the share chooses.
    ///
    /// A request that asks for the canary gets it at any share, 0 included: so it can be tried before anybody else meets
    /// it. A service that reads this header from strangers lets them choose.
    ///
    /// ```
    /// # use pool_core::Pool;
    /// let lines = Pool::builder("lines").build_canary_with(String::new, |canary| canary)?;
    /// drop(lines.get_by_header(Some("canary")));
    /// drop(lines.get_by_header(None));
    /// assert_eq!((lines.canary().stats().created, lines.stable().stats().created), (1, 1));
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    ///
    /// # Panics
    /// As [`Pool::get`].
    #[inline]
    #[must_use = "a lent object that is not used was lent for nothing"]
    #[track_caller]
    pub fn get_by_header(&self, value: Option<&str>) -> Pooled<T, R> {
        self.get_as(value.and_then(Side::from_header).unwrap_or_else(|| self.split.next()))
    }

    /// The same, from this side, whatever the share.
    ///
    /// # Panics
    /// As [`Pool::get`].
    #[inline]
    #[must_use = "a lent object that is not used was lent for nothing"]
    #[track_caller]
    pub fn get_as(&self, side: Side) -> Pooled<T, R> {
        match side {
            Side::Stable => self.stable.get(),
            Side::Canary => self.canary.get(),
        }
    }

    /// The share of gets that use the canary, to be read and set. A controller finds it in
    /// [`Registry::splits`](crate::Registry::splits).
    #[must_use]
    pub fn split(&self) -> &Arc<Split> {
        &self.split
    }

    /// The stable pool: everything that a [`Pool`] can, such as `prefill` and `close`.
    #[must_use]
    pub fn stable(&self) -> &Pool<T, R> {
        &self.stable
    }

    /// The canary pool, named as the stable one with [`Split::SUFFIX`].
    #[must_use]
    pub fn canary(&self) -> &Pool<T, R> {
        &self.canary
    }
}

impl<T: Send + 'static, R: Recycler<T>> Clone for CanaryPool<T, R> {
    fn clone(&self) -> Self {
        Self { stable: self.stable.clone(), canary: self.canary.clone(), split: Arc::clone(&self.split) }
    }
}

impl<T: Send + 'static, R: Recycler<T>> fmt::Debug for CanaryPool<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanaryPool").field("split", &self.split).finish_non_exhaustive()
    }
}

impl<R: Clone> PoolBuilder<R> {
    /// Builds the pool and a canary beside it, named as the pool with `@canary` behind it. `canary` is given the same
    /// builder and may say what is to be different there; the registry is that of the pool in any case. The share of gets
    /// that use the canary is 0 at first.
    ///
    /// See the example of [`CanaryPool`].
    ///
    /// # Errors
    /// [`BuildError`] if the registry has a pool of one of the two names.
    pub fn build_canary_with<T: Send + 'static>(
        self,
        create: impl Fn() -> T + Send + Sync + 'static,
        canary: impl FnOnce(Self) -> Self,
    ) -> Result<CanaryPool<T, R>, BuildError>
    where
        R: Recycler<T>,
    {
        let split = Arc::new(Split::new(self.name()));
        let registry = self.registry_of().cloned();
        let create = Arc::new(create);
        let second = canary(self.clone()).placed(split.canary_name(), registry.clone());
        let stable = self.build_with({
            let create = Arc::clone(&create);
            move || create()
        })?;
        let canary = second.build_with(move || create())?;
        if let Some(registry) = registry {
            registry.add_split(&split);
        }
        Ok(CanaryPool { stable, canary, split })
    }
}

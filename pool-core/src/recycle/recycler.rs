//! The way in which a pool recycles: by trait or by closures.

use super::{Keep, Recycle};
use crate::retention::Retention;
use std::sync::Arc;

/// The way in which a pool recycles: by the value's own [`Recycle`](trait@Recycle) ([`ByTrait`], the default) or
/// by closures ([`ByClosure`]) for types of other crates.
///
/// ```
/// use pool_core::{Keep, Pool, Recycler};
/// fn idle_after_one<T: Send + 'static, R: Recycler<T>>(pool: &Pool<T, R>) -> u64 {
///     drop(pool.get());
///     pool.stats().idle_objects
/// }
/// let by_trait = Pool::new("numbers", || 7_u32);
/// let by_closure = Pool::builder("moments")
///     .recycle_with(|_: &mut std::time::Instant, _| Keep::Refused, |_| 0)
///     .build_with(std::time::Instant::now)?;
/// assert_eq!((idle_after_one(&by_trait), idle_after_one(&by_closure)), (1, 0));
/// # Ok::<(), pool_core::BuildError>(())
/// ```
pub trait Recycler<T>: Send + Sync + 'static {
    /// See [`Recycle::recycle`].
    fn recycle(&self, value: &mut T, retention: &Retention) -> Keep;
    /// See [`Recycle::weight`].
    fn weight(&self, value: &T) -> usize;
}

/// Recycles through [`Recycle`](trait@Recycle); costs nothing.
///
/// ```
/// use pool_core::{ByTrait, Keep, Recycler, Retention};
/// let mut line = String::from("GET /");
/// assert_eq!(ByTrait.recycle(&mut line, &Retention::default()), Keep::Yes);
/// assert!(line.is_empty() && ByTrait.weight(&line) >= 5);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ByTrait;

impl<T: Recycle> Recycler<T> for ByTrait {
    #[inline(always)]
    fn recycle(&self, value: &mut T, retention: &Retention) -> Keep {
        value.recycle(retention)
    }
    #[inline(always)]
    fn weight(&self, value: &T) -> usize {
        value.weight()
    }
}

/// Recycles through two closures; costs two indirect calls a return.
///
/// ```
/// use pool_core::{ByClosure, Keep, Pool};
/// use std::time::Instant;
/// let restart = |began: &mut Instant, _: &_| {
///     *began = Instant::now();
///     Keep::Yes
/// };
/// let pool: Pool<Instant, ByClosure<Instant>> =
///     Pool::builder("clocks").recycle_with(restart, |_| 0).build_with(Instant::now)?;
/// drop(pool.get());
/// assert_eq!(pool.stats().idle_objects, 1);
/// # Ok::<(), pool_core::BuildError>(())
/// ```
pub struct ByClosure<T> {
    /// Shared, because a pool and its canary recycle alike.
    pub(crate) recycle: Arc<RecycleFn<T>>,
    pub(crate) weight: Arc<WeightFn<T>>,
}

type RecycleFn<T> = dyn Fn(&mut T, &Retention) -> Keep + Send + Sync;
type WeightFn<T> = dyn Fn(&T) -> usize + Send + Sync;

impl<T: 'static> Recycler<T> for ByClosure<T> {
    fn recycle(&self, value: &mut T, retention: &Retention) -> Keep {
        (self.recycle)(value, retention)
    }
    fn weight(&self, value: &T) -> usize {
        (self.weight)(value)
    }
}

impl<T> Clone for ByClosure<T> {
    fn clone(&self) -> Self {
        Self { recycle: Arc::clone(&self.recycle), weight: Arc::clone(&self.weight) }
    }
}

impl<T> std::fmt::Debug for ByClosure<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByClosure")
    }
}

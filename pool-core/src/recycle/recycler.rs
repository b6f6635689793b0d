//! The way in which a pool recycles: by trait or by closures.

use super::{Keep, Recycle};
use crate::retention::Retention;

/// The way in which a pool recycles: by the value's own [`Recycle`](trait@Recycle) ([`ByTrait`], the default) or
/// by closures ([`ByClosure`]) for types of other crates.
pub trait Recycler<T>: Send + Sync + 'static {
    /// See [`Recycle::recycle`].
    fn recycle(&self, value: &mut T, retention: &Retention) -> Keep;
    /// See [`Recycle::weight`].
    fn weight(&self, value: &T) -> usize;
}

/// Recycles through [`Recycle`](trait@Recycle); costs nothing.
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
pub struct ByClosure<T> {
    pub(crate) recycle: Box<RecycleFn<T>>,
    pub(crate) weight: Box<WeightFn<T>>,
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

impl<T> std::fmt::Debug for ByClosure<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByClosure")
    }
}

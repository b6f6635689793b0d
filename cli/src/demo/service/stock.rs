//! Where the service's objects come from: a pool, or the allocator.

use pool_core::{Pool, Pooled, Recycle};
use std::ops::{Deref, DerefMut};

/// A source of objects; the handlers do not know whether it pools them.
pub(crate) enum Stock<T: Recycle + Send + 'static> {
    /// Every object is made for its request and dropped after it.
    Plain(fn() -> T),
    /// Objects are reused.
    Pooled(Pool<T>),
}

impl<T: Recycle + Send + 'static> Stock<T> {
    /// Lends an object.
    #[track_caller]
    pub(crate) fn lend(&self) -> Lent<T> {
        match self {
            Self::Plain(create) => Lent::Plain(create()),
            Self::Pooled(pool) => Lent::Pooled(pool.get()),
        }
    }
}

/// A lent object; dropping it returns or frees it.
pub(crate) enum Lent<T: Recycle> {
    /// To be freed.
    Plain(T),
    /// To be returned.
    Pooled(Pooled<T>),
}

impl<T: Recycle> Deref for Lent<T> {
    type Target = T;
    fn deref(&self) -> &T {
        match self {
            Self::Plain(value) => value,
            Self::Pooled(value) => value,
        }
    }
}

impl<T: Recycle> DerefMut for Lent<T> {
    fn deref_mut(&mut self) -> &mut T {
        match self {
            Self::Plain(value) => value,
            Self::Pooled(value) => value,
        }
    }
}

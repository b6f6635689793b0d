//! How a value is made fit for its next user.

use crate::retention::Retention;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::mem::size_of;

/// Whether a returned value may be lent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Keep {
    /// Yes.
    Yes,
    /// No: it holds much more than its users needed lately. Counted as `oversize`.
    Oversize,
    /// No, for the value's own reasons (a broken connection, a poisoned state). Counted as `refused`.
    Refused,
}

/// A value that can be reused: made clean on return, and weighed.
///
/// `recycle` runs on the returning thread, before anyone else can get the value. If it panics, the value is
/// dropped and counted as `tainted`.
///
/// ```
/// use pool_core::{Keep, Recycle, Retention};
/// struct Request { path: String, headers: Vec<u8> }
/// impl Recycle for Request {
///     fn recycle(&mut self, retention: &Retention) -> Keep {
///         match Recycle::recycle(&mut self.path, retention) {
///             Keep::Yes => Recycle::recycle(&mut self.headers, retention),
///             no => no,
///         }
///     }
///     fn weight(&self) -> usize {
///         self.path.weight() + self.headers.weight()
///     }
/// }
/// ```
pub trait Recycle {
    /// Empties the value for its next user and says whether it is worth keeping. Growable types ask
    /// [`Retention::judge`] with what this user used and what they hold.
    fn recycle(&mut self, retention: &Retention) -> Keep;

    /// Heap bytes that the value holds, as it stands. Called after `recycle` and after create; it should be
    /// a few instructions.
    fn weight(&self) -> usize {
        0
    }
}

macro_rules! growable {
    ($($(#[$doc:meta])* ($($g:tt)*) $t:ty, $unit:expr;)*) => {$(
        $(#[$doc])*
        impl<$($g)*> Recycle for $t {
            #[inline]
            fn recycle(&mut self, retention: &Retention) -> Keep {
                let keep = retention.judge(self.len() * $unit, self.capacity() * $unit);
                self.clear();
                keep
            }
            #[inline]
            fn weight(&self) -> usize {
                self.capacity() * $unit
            }
        }
    )*};
}

growable! {
    (T) Vec<T>, size_of::<T>();
    (T) VecDeque<T>, size_of::<T>();
    (T: Ord) BinaryHeap<T>, size_of::<T>();
    () String, 1;
    // A hash table keeps a control byte beside each entry.
    (K, V, S: BuildHasher) HashMap<K, V, S>, size_of::<(K, V)>() + 1;
    (K, S: BuildHasher) HashSet<K, S>, size_of::<K>() + 1;
}

macro_rules! reset {
    ($($t:ty)*) => {$(
        /// Back to its default.
        impl Recycle for $t {
            #[inline]
            fn recycle(&mut self, _: &Retention) -> Keep {
                *self = Self::default();
                Keep::Yes
            }
        }
    )*};
}

reset!(() bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64);

// B-trees free their nodes when they are cleared: there is nothing to keep, and nothing to weigh.
impl<K, V> Recycle for BTreeMap<K, V> {
    fn recycle(&mut self, _: &Retention) -> Keep {
        self.clear();
        Keep::Yes
    }
}

impl<K> Recycle for BTreeSet<K> {
    fn recycle(&mut self, _: &Retention) -> Keep {
        self.clear();
        Keep::Yes
    }
}

/// The boxed value is recycled in place.
impl<T: Recycle> Recycle for Box<T> {
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        (**self).recycle(retention)
    }
    #[inline]
    fn weight(&self) -> usize {
        size_of::<T>() + (**self).weight()
    }
}

/// Back to `None`: the inner value goes.
impl<T> Recycle for Option<T> {
    #[inline]
    fn recycle(&mut self, _: &Retention) -> Keep {
        *self = None;
        Keep::Yes
    }
}

/// A `BytesMut` whose storage is shared with `Bytes` handed out earlier keeps only what is its own.
#[cfg(feature = "bytes")]
impl Recycle for bytes::BytesMut {
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        let keep = retention.judge(self.len(), self.capacity());
        self.clear();
        keep
    }
    #[inline]
    fn weight(&self) -> usize {
        self.capacity()
    }
}

/// The way in which a pool recycles: by the value's own [`Recycle`] ([`ByTrait`], the default) or by closures
/// ([`ByClosure`]) for types of other crates.
pub trait Recycler<T>: Send + Sync + 'static {
    /// See [`Recycle::recycle`].
    fn recycle(&self, value: &mut T, retention: &Retention) -> Keep;
    /// See [`Recycle::weight`].
    fn weight(&self, value: &T) -> usize;
}

/// Recycles through [`Recycle`]; costs nothing.
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

//! How a value is made fit for its next user.
//!
//! The trait and its verdict stand here; the implementations are sorted by what a return leaves of the value:
//!
//! * `reset`: its default (numbers, atomics, durations, borrowed text),
//! * `collections`, `text`: empty, with their storage, judged by use,
//! * `wrappers`: whatever stands inside, recycled in place,
//! * `foreign`: the same for types of other crates, each behind the feature of its name.
//!
//! `recycler` is what a pool makes of all this. Nothing here knows pools or threads.

#[macro_use] // `growable`, which serves `foreign` as well
mod collections;
mod foreign;
mod recycler;
mod reset;
mod text;
mod wrappers;

#[cfg(all(test, not(ebbpool_loom)))]
mod tests;

#[cfg(feature = "bytes")]
pub(crate) use foreign::reclaim;
pub use recycler::{ByClosure, ByTrait, Recycler};

use crate::retention::Retention;

/// Whether a returned value may be lent again.
///
/// ```
/// use pool_core::{DropReason, Keep, Pool, Recycle, Retention};
/// struct Connection { broken: bool }
/// impl Recycle for Connection {
///     fn recycle(&mut self, _: &Retention) -> Keep {
///         if self.broken { Keep::Refused } else { Keep::Yes }
///     }
/// }
/// let pool = Pool::new("database", || Connection { broken: false });
/// pool.get().broken = true;
/// assert_eq!(pool.stats().returns_dropped[DropReason::Refused as usize], 1);
/// ```
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

impl Keep {
    /// The worse of two verdicts: `Refused` before `Oversize` before `Yes`. A value of several parts is as
    /// good as its worst one; each part is recycled all the same.
    ///
    /// ```
    /// use pool_core::Keep;
    /// assert_eq!(Keep::Yes.or_worse(Keep::Oversize), Keep::Oversize);
    /// assert_eq!(Keep::Refused.or_worse(Keep::Oversize), Keep::Refused);
    /// ```
    #[inline]
    pub const fn or_worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Refused, _) | (_, Self::Refused) => Self::Refused,
            (Self::Oversize, _) | (_, Self::Oversize) => Self::Oversize,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }
}

/// A value that can be reused: made clean on return, and weighed.
///
/// `recycle` runs on the returning thread, before anyone else can get the value. If it panics, the value is
/// dropped and counted as `tainted`.
///
/// With the feature `derive`, `#[derive(Recycle)]` writes it for a struct of several fields and forgets none.
/// By hand it looks like this:
///
/// ```
/// use pool_core::{Keep, Recycle, Retention};
///
/// struct Request { path: String, headers: Vec<u8> }
///
/// impl Recycle for Request {
///     fn recycle(&mut self, retention: &Retention) -> Keep {
///         let path = Recycle::recycle(&mut self.path, retention);
///         path.or_worse(Recycle::recycle(&mut self.headers, retention))
///     }
///     fn weight(&self) -> usize {
///         self.path.weight() + self.headers.weight()
///     }
/// }
///
/// let mut request = Request { path: "/index".into(), headers: vec![1; 100] };
/// assert_eq!(request.recycle(&Retention::default()), Keep::Yes);
/// assert!(request.path.is_empty() && request.headers.is_empty());
/// assert!(request.weight() >= 106); // both kept their storage
/// ```
///
/// # What the implementations here do
///
/// | type | is left | and weighs |
/// | --- | --- | --- |
/// | numbers, `bool`, `char`, atomics, `Duration`, `&str`, `&[T]` | at its default | 0 |
/// | `Vec`, `VecDeque`, `BinaryHeap`, `HashMap`, `HashSet`, `String`, `OsString`, `PathBuf` | empty, with its storage, judged by use ([`Retention`]) | its storage |
/// | `BTreeMap`, `BTreeSet`, `LinkedList`, `Box<str>` | empty, without storage | 0 |
/// | `Option`, `OnceCell`, `OnceLock` | `None`, unset: what was inside is dropped | 0 |
/// | `Box`, arrays, slices, tuples, `Cell`, `RefCell`, `Mutex`, `RwLock`, `Cursor`, `Range`, `Reverse`, `Wrapping`, `Saturating` | with each part recycled in place | its parts, and what the box holds |
/// | `Cow` | its owned value recycled, a borrowed one replaced by an empty owned one | its owned value |
/// | `BytesMut`, `Bytes`, `SmallVec`, `IndexMap`, `IndexSet` and the tables of `hashbrown`, behind the features `bytes`, `smallvec`, `indexmap`, `hashbrown` | as their likes above | their storage |
///
/// **Elements of a collection are dropped**, not recycled: after a return, a `Vec<Vec<u8>>` has the storage of
/// the outer vector and none of the inner ones. What should outlive a return stands in an array or in a
/// `Box<[T]>`, which recycle each element, or in a type with an implementation of its own.
///
/// There is none for `Arc`, `Rc`, references to one value, raw pointers, `Instant` and the like: nobody but the
/// type that has such a field can say what its next user should find there.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be recycled",
    label = "`Recycle` is not implemented for `{Self}`",
    note = "in a type that derives `Recycle`, `#[recycle(keep)]` leaves a field alone and `#[recycle(with = path)]` has a function clean it",
    note = "a pool of values of another crate can be built with `PoolBuilder::recycle_with`"
)]
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

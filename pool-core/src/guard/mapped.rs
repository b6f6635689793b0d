//! A guard of a part of a lent object.

use super::Pooled;
use super::part::Part;
use crate::recycle::{ByTrait, Recycler};
use std::fmt;
use std::ops::{Deref, DerefMut};

/// A lent object of which only a part is seen, made by [`Pooled::map`]. Dropping it returns the whole object.
///
/// `'static`, and two to three pointers wide. `Send` and `Sync` if both the object and its part are.
///
/// ```
/// use pool_core::{MappedPooled, Pool, Pooled};
/// let pairs = Pool::builder("pairs")
///     .recycle_with(|_: &mut (u32, String), _| pool_core::Keep::Yes, |_| 0)
///     .build_with(|| (7, String::new()))?;
/// let mut text: MappedPooled<_, String, _> = Pooled::map(pairs.get(), |pair| &mut pair.1);
/// text.push_str("seen alone");
/// let pair = MappedPooled::unmap(text);
/// assert_eq!(*pair, (7, "seen alone".to_owned()));
/// # Ok::<(), pool_core::BuildError>(())
/// ```
///
/// What `project` is shown may not be kept, and what it answers with may not be shorter-lived than the guard:
///
/// ```compile_fail,E0521
/// let pool = pool_core::Pool::new("buffers", || vec![1_u8]);
/// let mut kept: Option<&mut u8> = None;
/// let _ = pool_core::Pooled::try_map(pool.get(), |buffer| {
///     kept = buffer.get_mut(0);
///     None::<&mut u8>
/// });
/// ```
///
/// ```compile_fail,E0597
/// let pool = pool_core::Pool::new("buffers", || vec![1_u8]);
/// let mut elsewhere = 1_u8;
/// let borrowed = &mut elsewhere;
/// let _ = pool_core::Pooled::map(pool.get(), move |_| borrowed);
/// ```
#[must_use = "a lent object that is not used was lent for nothing"]
pub struct MappedPooled<T, U: ?Sized + 'static, R: Recycler<T> = ByTrait>(Part<T, U, R>);

impl<T, R: Recycler<T>> Pooled<T, R> {
    /// Narrows the guard to a part of the object. The whole object returns when the new guard is dropped.
    ///
    /// The part may also live elsewhere, if it lives for ever. Costs nothing but the call of `project`.
    ///
    /// # Panics
    /// If `project` does: the object comes back as from any panic, tainted.
    ///
    /// ```
    /// use pool_core::{Pool, Pooled};
    /// let buffers = Pool::new("buffers", || vec![0_u8; 64]);
    /// let mut header = Pooled::map(buffers.get(), |buffer| &mut buffer[..4]);
    /// header.copy_from_slice(b"EBB1");
    /// drop(header);
    /// assert_eq!(buffers.stats().idle_objects, 1);
    /// ```
    pub fn map<U: ?Sized + 'static>(
        this: Self,
        project: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedPooled<T, U, R> {
        MappedPooled(Part::of(this, project))
    }

    /// As [`map`](Self::map), for a part that may not be there.
    ///
    /// # Errors
    /// The guard as it was, if `project` finds nothing.
    ///
    /// # Panics
    /// If `project` does: the object comes back as from any panic, tainted.
    ///
    /// ```
    /// use pool_core::{Pool, Pooled};
    /// let buffers = Pool::new("buffers", || vec![1_u8, 2]);
    /// let second = Pooled::try_map(buffers.get(), |buffer| buffer.get_mut(1)).unwrap();
    /// assert_eq!(*second, 2);
    /// let whole = Pooled::try_map(buffers.get(), |buffer| buffer.get_mut(2)).unwrap_err();
    /// assert_eq!(whole.len(), 2);
    /// ```
    pub fn try_map<U: ?Sized + 'static>(
        this: Self,
        project: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedPooled<T, U, R>, Self> {
        Part::of_some(this, project).map(MappedPooled)
    }
}

impl<T, U: ?Sized + 'static, R: Recycler<T>> MappedPooled<T, U, R> {
    /// The guard of the whole object again.
    ///
    /// ```
    /// use pool_core::{MappedPooled, Pool, Pooled};
    /// let buffers = Pool::new("buffers", || vec![0_u8; 64]);
    /// let header = Pooled::map(buffers.get(), |buffer| &mut buffer[..4]);
    /// Pooled::discard(MappedPooled::unmap(header));
    /// assert_eq!(buffers.stats().idle_objects, 0);
    /// ```
    pub fn unmap(this: Self) -> Pooled<T, R> {
        this.0.whole()
    }

    /// Narrows the guard further.
    ///
    /// # Panics
    /// If `project` does: the object comes back as from any panic, tainted.
    ///
    /// ```
    /// use pool_core::{MappedPooled, Pool, Pooled};
    /// let buffers = Pool::new("buffers", || vec![0_u8; 64]);
    /// let header = Pooled::map(buffers.get(), |buffer| &mut buffer[..4]);
    /// let mut version = MappedPooled::map(header, |header| &mut header[3]);
    /// *version = 1;
    /// assert_eq!(MappedPooled::unmap(version)[..4], [0, 0, 0, 1]);
    /// ```
    pub fn map<V: ?Sized + 'static>(
        this: Self,
        project: impl FnOnce(&mut U) -> &mut V,
    ) -> MappedPooled<T, V, R> {
        MappedPooled(this.0.map(project))
    }
}

impl<T, U: ?Sized + 'static, R: Recycler<T>> Deref for MappedPooled<T, U, R> {
    type Target = U;
    fn deref(&self) -> &U {
        self.0.get()
    }
}

impl<T, U: ?Sized + 'static, R: Recycler<T>> DerefMut for MappedPooled<T, U, R> {
    fn deref_mut(&mut self) -> &mut U {
        self.0.get_mut()
    }
}

impl<T, U: ?Sized + 'static, R: Recycler<T>> AsRef<U> for MappedPooled<T, U, R> {
    fn as_ref(&self) -> &U {
        self
    }
}

impl<T, U: ?Sized + fmt::Debug + 'static, R: Recycler<T>> fmt::Debug for MappedPooled<T, U, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

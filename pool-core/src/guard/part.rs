//! A part of a lent object, and the object.
//!
//! Rule for the `unsafe` here: **M1** `part` comes from the exclusive borrow of the value that `whole` guards, or lives
//! for ever: `project` must answer for a borrow of any length, so it can have it from nowhere else. The value does not
//! move as long as its node lives, `whole` is not touched while there is a `part`, and both go together.
#![allow(unsafe_code)]

use super::Pooled;
use crate::recycle::Recycler;

pub(super) struct Part<T, U: ?Sized + 'static, R: Recycler<T>> {
    whole: Pooled<T, R>,
    /// A pointer to mutable: invariant in `U`, as `&mut U` is.
    part: *mut U,
}

// SAFETY: M1: the guard owns the object, and the part is the object's or stands for an exclusive borrow of its own.
unsafe impl<T: Send, U: ?Sized + Send, R: Recycler<T>> Send for Part<T, U, R> {}
// SAFETY: M1: shared it gives out `&U` only.
unsafe impl<T: Sync, U: ?Sized + Sync, R: Recycler<T>> Sync for Part<T, U, R> {}

impl<T, U: ?Sized + 'static, R: Recycler<T>> Part<T, U, R> {
    pub(super) fn of(mut whole: Pooled<T, R>, project: impl FnOnce(&mut T) -> &mut U) -> Self {
        let part: *mut U = project(&mut whole);
        Self { whole, part }
    }

    pub(super) fn of_some(
        mut whole: Pooled<T, R>,
        project: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<Self, Pooled<T, R>> {
        match project(&mut whole).map(std::ptr::from_mut) {
            Some(part) => Ok(Self { whole, part }),
            None => Err(whole),
        }
    }

    pub(super) fn map<V: ?Sized + 'static>(
        mut self,
        project: impl FnOnce(&mut U) -> &mut V,
    ) -> Part<T, V, R> {
        let part: *mut V = project(self.get_mut());
        Part { whole: self.whole, part }
    }

    pub(super) fn whole(self) -> Pooled<T, R> {
        self.whole
    }

    pub(super) fn get(&self) -> &U {
        // SAFETY: M1.
        unsafe { &*self.part }
    }

    pub(super) fn get_mut(&mut self) -> &mut U {
        // SAFETY: M1.
        unsafe { &mut *self.part }
    }
}

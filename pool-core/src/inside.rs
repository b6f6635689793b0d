//! What the handles and objects of one pool share, and how long it lives.
//!
//! [`Inside`] is [`Shared`], which needs no type, and what makes, recycles and drops values.
//!
//! Rules for the `unsafe` here and in `node`:
//! **I1** an `Inside` is freed when its reference count falls to zero; counts are held by each node, by the
//! handles together, and by each [`Counted`]. **I2** whoever holds one of these may use the inside. **I3** a path
//! that gives its node away and then goes on holds a count of its own.
#![allow(unsafe_code)]

mod counts;

pub(crate) use self::counts::Counts;
use crate::alive;
use crate::close::{close, drop_calmly};
use crate::recycle::Recycler;
use crate::shared::Shared;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::{self, NonNull};

#[repr(C)]
pub(crate) struct Inside<T, R> {
    pub(crate) shared: Shared,
    pub(crate) recycler: R,
    pub(crate) create: Box<dyn Fn() -> T + Send + Sync>,
    /// What comes back while its thread panics is recycled like everything else.
    pub(crate) keep_on_panic: bool,
}

/// A count on an inside, as an `Arc` would be.
pub(crate) struct Counted<T, R>(NonNull<Inside<T, R>>);

// SAFETY: I2: a count reaches only what is `Sync` (atomics, locks, slots by their rules, the recycler) and the create
// closure (`Send + Sync`); values travel between threads through it, hence `T: Send`.
unsafe impl<T: Send, R: Recycler<T>> Send for Counted<T, R> {}
// SAFETY: as above.
unsafe impl<T: Send, R: Recycler<T>> Sync for Counted<T, R> {}

impl<T, R> Counted<T, R> {
    /// A count on the inside that stands there.
    ///
    /// # Safety
    /// I1: the caller gives a count away.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(inside: NonNull<Inside<T, R>>) -> Self {
        Self(inside)
    }

    /// The inside, where it stands.
    pub(crate) fn as_ptr(&self) -> NonNull<Inside<T, R>> {
        self.0
    }
}

impl<T, R> Deref for Counted<T, R> {
    type Target = Inside<T, R>;
    #[inline(always)]
    fn deref(&self) -> &Inside<T, R> {
        // SAFETY: I2.
        unsafe { self.0.as_ref() }
    }
}

impl<T, R> Clone for Counted<T, R> {
    fn clone(&self) -> Self {
        self.shared.account.counts.hold();
        Self(self.0)
    }
}

impl<T, R> Drop for Counted<T, R> {
    fn drop(&mut self) {
        // SAFETY: I2. Through the raw pointer: another thread may free it once it is given up.
        if unsafe { (*self.0.as_ptr()).shared.account.counts.give_up() } {
            return;
        }
        self.shared.account.counts.see_all();
        alive::remove(self.0.addr());
        // SAFETY: the count is 0: nobody else can reach it (I1), and it came from `Box::leak`.
        drop_calmly(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// One of the handles, which hold one count together. The last one closes the pool.
pub(crate) struct Handle<T: Send + 'static, R: Recycler<T>>(ManuallyDrop<Counted<T, R>>);

impl<T: Send + 'static, R: Recycler<T>> Handle<T, R> {
    /// The first one, of an inside that nobody has yet.
    pub(crate) fn new(inside: Inside<T, R>) -> Self {
        let inside = NonNull::from(Box::leak(Box::new(inside)));
        alive::add(inside.addr());
        Self(ManuallyDrop::new(Counted(inside)))
    }
}

impl<T: Send + 'static, R: Recycler<T>> Deref for Handle<T, R> {
    type Target = Counted<T, R>;
    #[inline(always)]
    fn deref(&self) -> &Counted<T, R> {
        &self.0
    }
}

impl<T: Send + 'static, R: Recycler<T>> Clone for Handle<T, R> {
    fn clone(&self) -> Self {
        self.shared.account.counts.hold_handle();
        // SAFETY: I1: neither copy is dropped but by the last handle, once.
        Self(unsafe { ptr::read(&raw const self.0) })
    }
}

impl<T: Send + 'static, R: Recycler<T>> Drop for Handle<T, R> {
    fn drop(&mut self) {
        if !self.shared.account.counts.give_up_handle() {
            // SAFETY: I1: the handles' common count, given up by the last of them.
            close(unsafe { ManuallyDrop::take(&mut self.0) });
        }
    }
}

//! Two cells for what is shared and stays: nobody waits for either, and loom and ThreadSanitizer see into both,
//! which they cannot with std's `OnceLock`.
//!
//! Rules for the `unsafe` here: **O1** the pointer in a [`Lasting`] is null, or from `Box::into_raw` and published
//! once; it is freed by the cell's own drop and by nothing else. **O2** the pointer in a [`StaticRef`] is null, or
//! from a `&'static T`.
#![allow(unsafe_code)]

use crate::sync::atomic::{
    AtomicPtr,
    Ordering::{AcqRel, Acquire, Release},
};
use std::marker::PhantomData;
use std::ptr;

/// A value that is made when it is first needed and lives as long as its cell.
#[derive(Debug)]
pub(crate) struct Lasting<T> {
    value: AtomicPtr<T>,
    owned: PhantomData<Box<T>>,
}

impl<T: Send + Sync> Lasting<T> {
    pub(crate) fn new() -> Self {
        Self { value: AtomicPtr::new(ptr::null_mut()), owned: PhantomData }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: O1. Acquire pairs with the release in `get_or_make`: the value is initialised.
        unsafe { self.value.load(Acquire).as_ref() }
    }

    /// The value; made by `make` if there is none. True if it is the one made here: where two threads make one at
    /// the same moment, one of the two is dropped again.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> (&T, bool) {
        if let Some(value) = self.get() {
            return (value, false);
        }
        let new = Box::into_raw(Box::new(make()));
        // Release pairs with the acquire in `get`; acquire on failure with the release of who was first.
        match self.value.compare_exchange(ptr::null_mut(), new, AcqRel, Acquire) {
            // SAFETY: O1: published, and the cell is borrowed.
            Ok(_) => (unsafe { &*new }, true),
            Err(first) => {
                // SAFETY: from `Box::into_raw` above and never published.
                drop(unsafe { Box::from_raw(new) });
                // SAFETY: O1.
                (unsafe { &*first }, false)
            }
        }
    }
}

impl<T> Drop for Lasting<T> {
    fn drop(&mut self) {
        // Acquire: also where nothing but this cell orders its making before its end.
        let value = self.value.load(Acquire);
        if !value.is_null() {
            // SAFETY: O1.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}

/// A `&'static T` that is replaced now and then, or none.
#[derive(Debug)]
pub(crate) struct StaticRef<T: 'static> {
    value: AtomicPtr<T>,
    shared: PhantomData<&'static T>,
}

impl<T: Sync> StaticRef<T> {
    pub(crate) fn new() -> Self {
        Self { value: AtomicPtr::new(ptr::null_mut()), shared: PhantomData }
    }

    /// Release: pairs with the acquire in `get`.
    #[inline]
    pub(crate) fn set(&self, value: &'static T) {
        self.value.store(ptr::from_ref(value).cast_mut(), Release);
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: O2; `T: Sync`, so that a reference may come from another thread.
        unsafe { self.value.load(Acquire).as_ref() }
    }
}

#[cfg(all(test, ebbpool_loom))]
mod tests {
    use super::*;
    use loom::{sync::Arc, thread};

    /// A value whose writing loom watches.
    struct Watched(loom::cell::UnsafeCell<u32>);
    // SAFETY: written before it is published and when its cell ends; loom checks it.
    unsafe impl Send for Watched {}
    // SAFETY: as above.
    unsafe impl Sync for Watched {}

    impl Watched {
        fn new() -> Self {
            let value = Self(loom::cell::UnsafeCell::new(0));
            // SAFETY: nobody else has it yet.
            value.0.with_mut(|v| unsafe { *v = 7 });
            value
        }
        fn read(&self) -> u32 {
            // SAFETY: nobody writes to a published one.
            self.0.with(|v| unsafe { *v })
        }
    }

    impl Drop for Watched {
        fn drop(&mut self) {
            // SAFETY: the last owner.
            self.0.with_mut(|v| unsafe { *v = 0 });
        }
    }

    #[test]
    fn loom_a_lasting_value_is_made_once_and_seen_whole() {
        loom::model(|| {
            let cell = Arc::new(Lasting::new());
            let others = [(); 2].map(|()| {
                let cell = Arc::clone(&cell);
                thread::spawn(move || {
                    let (value, made) = cell.get_or_make(Watched::new);
                    assert_eq!(value.read(), 7);
                    made
                })
            });
            assert!(cell.get().is_none_or(|value: &Watched| value.read() == 7));
            let made = others.map(|other| other.join().unwrap());
            assert_eq!(made.iter().filter(|made| **made).count(), 1);
        });
    }

    #[test]
    fn loom_a_static_reference_is_seen_with_what_it_refers_to() {
        loom::model(|| {
            let cell = Arc::new(StaticRef::new());
            let other = Arc::clone(&cell);
            let setter = thread::spawn(move || other.set(Box::leak(Box::new(Watched::new()))));
            assert!(cell.get().is_none_or(|value: &Watched| value.read() == 7));
            setter.join().unwrap();
        });
    }
}

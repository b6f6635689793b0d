//! The lock of a ThreadSanitizer build.
//!
//! The sanitizer sees only what was compiled with it, and std was not: a std lock that had to wait looks to it
//! like no lock at all. So nobody waits for one here. Whoever has `locked` finds the std lock inside free, and what
//! orders one holder after the other is ours and seen. No other build has it.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::sync::{self, LockResult, PoisonError, TryLockError, TryLockResult};

#[derive(Debug, Default)]
pub(crate) struct Mutex<T> {
    locked: AtomicBool,
    inner: sync::Mutex<T>,
}

/// Its fields go in this order: the inner lock is free before the next one looks.
pub(crate) struct MutexGuard<'a, T> {
    inner: sync::MutexGuard<'a, T>,
    _unlock: Unlock<'a>,
}

struct Unlock<'a>(&'a AtomicBool);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { locked: AtomicBool::new(false), inner: sync::Mutex::new(value) }
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        loop {
            if let Ok(guard) = self.try_lock() {
                return Ok(guard);
            }
            std::thread::yield_now();
        }
    }

    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        // Acquire pairs with the release in `Unlock`.
        if self.locked.compare_exchange(false, true, Acquire, Acquire).is_err() {
            return Err(TryLockError::WouldBlock);
        }
        let unlock = Unlock(&self.locked);
        // Like the lock that a panic leaves whole: see `try_lock` in `sync`.
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(MutexGuard { inner, _unlock: unlock })
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        self.0.store(false, Release);
    }
}

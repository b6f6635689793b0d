//! How much stands behind a lock, to be read without it.
//!
//! Who gives the lock back shows what there is; who only wants to know reads that, and takes no part in the lock. So
//! thousands of pools can be looked at while the processor waits for none of their locks. Plain std also under loom: it
//! orders nothing, and nothing is decided by it that is not looked at again under the lock.

use super::MutexGuard;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Objects and bytes as they were when the lock was last given back.
pub(crate) struct Mirror {
    objects: AtomicU64,
    bytes: AtomicU64,
}

/// What a mirror shows.
pub(crate) trait Level {
    /// Objects and bytes.
    fn level(&self) -> (u64, u64);
}

/// A lock that is held, and shows its content in the mirror before it is given back.
pub(crate) struct Mirrored<'a, T: Level> {
    content: MutexGuard<'a, T>,
    mirror: &'a Mirror,
}

impl Mirror {
    pub(crate) const fn new() -> Self {
        Self { objects: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    pub(crate) fn hold<'a, T: Level>(&'a self, content: MutexGuard<'a, T>) -> Mirrored<'a, T> {
        Mirrored { content, mirror: self }
    }

    /// Each figure true at some moment of late.
    pub(crate) fn level(&self) -> (u64, u64) {
        (self.objects.load(Relaxed), self.bytes.load(Relaxed))
    }
}

impl<T: Level> Deref for Mirrored<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.content
    }
}

impl<T: Level> DerefMut for Mirrored<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.content
    }
}

impl<T: Level> Drop for Mirrored<'_, T> {
    fn drop(&mut self) {
        let (objects, bytes) = self.content.level();
        self.mirror.objects.store(objects, Relaxed);
        self.mirror.bytes.store(bytes, Relaxed);
    }
}

//! Which insides are alive: the test that dropped pools are freed counts them. Nothing in a normal build.

use std::num::NonZero;

#[cfg(not(test))]
pub(crate) fn add(_: NonZero<usize>) {}
#[cfg(not(test))]
pub(crate) fn remove(_: NonZero<usize>) {}

#[cfg(test)]
pub(crate) use counted::*;

#[cfg(test)]
mod counted {
    use super::NonZero;
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
    use std::thread::{ThreadId, current};

    /// With the thread that made each: other tests make theirs beside it, and anybody's sweep may be what frees one.
    static ALIVE: LazyLock<Mutex<HashMap<NonZero<usize>, ThreadId>>> = LazyLock::new(Mutex::default);

    fn alive() -> MutexGuard<'static, HashMap<NonZero<usize>, ThreadId>> {
        ALIVE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(at: NonZero<usize>) {
        alive().insert(at, current().id());
    }
    /// Before it is freed, or another one may stand there already.
    pub(crate) fn remove(at: NonZero<usize>) {
        alive().remove(&at);
    }
    /// Of this thread.
    pub(crate) fn count() -> usize {
        alive().values().filter(|maker| **maker == current().id()).count()
    }
}

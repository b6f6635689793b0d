//! The lock of a process that may fork.
//!
//! The child of a fork has one thread and a copy of every lock. One that another thread held at that moment is held for
//! ever, by nobody, around a value that may be half changed. A thread of the child that would wait for it goes on with
//! a new value in a new lock instead; the old ones are left as they are, never to be looked at or freed. It knows no
//! values: who locks says what to begin anew with.
//!
//! A lock remembers the *generation* of who took it: how many forks lie between the process that built the first pool
//! and the one that took the lock, as far as they were noticed. Nobody pays for that on a free lock but one load and
//! one store. A lock that is found held by somebody of an older generation is given some time, because a thread of this
//! process may have taken it before the fork was noticed, and is then lost.

use super::clock;
use super::line::{generation, notice};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{LockResult, OnceLock, PoisonError, TryLockError, TryLockResult};
use std::time::Duration;

#[cfg(ebbpool_tsan)]
use super::spin::Mutex as Inner;
#[cfg(ebbpool_tsan)]
pub(crate) use super::spin::MutexGuard;
#[cfg(not(ebbpool_tsan))]
use std::sync::Mutex as Inner;
#[cfg(not(ebbpool_tsan))]
pub(crate) use std::sync::MutexGuard;

pub(crate) struct Mutex<T> {
    /// `None` only while it is dropped.
    inner: Option<Inner<T>>,
    /// Of who took it last. A plain mark: it orders nothing.
    taken_by: AtomicU32,
    /// What replaced it after it was lost.
    instead: OnceLock<Box<Mutex<T>>>,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { inner: Some(Inner::new(value)), taken_by: AtomicU32::new(0), instead: OnceLock::new() }
    }

    /// Waits; a lost lock begins with the default.
    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>>
    where
        T: Default,
    {
        self.lock_or(T::default)
    }

    /// Waits; a lost lock begins with what `anew` makes.
    pub(crate) fn lock_or(&self, anew: impl FnOnce() -> T) -> LockResult<MutexGuard<'_, T>> {
        let mutex = self.in_use();
        match mutex.take() {
            Err(TryLockError::WouldBlock) => mutex.wait(anew),
            Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
            Ok(guard) => Ok(guard),
        }
    }

    /// Never waits: a lock that was lost and not yet replaced would block.
    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        self.in_use().take()
    }

    #[cold]
    fn wait(&self, anew: impl FnOnce() -> T) -> LockResult<MutexGuard<'_, T>> {
        for _ in 0..LOOKS {
            if self.taken_by.load(Relaxed) == notice() {
                return self.take_waiting(); // it was taken in this process, and will be given back
            }
            clock::sleep(LOOK_EACH);
            match self.take() {
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Poisoned(poisoned)) => return Err(poisoned),
                Ok(guard) => return Ok(guard),
            }
        }
        self.instead.get_or_init(|| Box::new(Self::new(anew()))).take_waiting()
    }

    fn take(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let result = self.inner().try_lock();
        if !matches!(result, Err(TryLockError::WouldBlock)) {
            self.taken_by.store(generation(), Relaxed);
        }
        result
    }

    fn take_waiting(&self) -> LockResult<MutexGuard<'_, T>> {
        let result = self.inner().lock();
        self.taken_by.store(generation(), Relaxed);
        result
    }

    fn in_use(&self) -> &Self {
        let mut mutex = self;
        while let Some(next) = mutex.instead.get() {
            mutex = next;
        }
        mutex
    }

    fn inner(&self) -> &Inner<T> {
        let Some(inner) = &self.inner else { unreachable!("only while it is dropped") };
        inner
    }
}

/// How long a lock of an older generation is given.
const LOOKS: u32 = 50;
const LOOK_EACH: Duration = Duration::from_millis(1);

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        // Nobody who lives can have it, because it is ours: what is held was held at a fork, and may be half changed.
        let lost = matches!(self.inner().try_lock(), Err(TryLockError::WouldBlock));
        if let Some(inner) = self.inner.take().filter(|_| lost) {
            std::mem::forget(inner);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock().or_else(|e| match e {
            TryLockError::Poisoned(poisoned) => Ok(PoisonError::into_inner(poisoned)),
            TryLockError::WouldBlock => Err(()),
        }) {
            Ok(value) => value.fmt(f),
            Err(()) => f.write_str("<locked>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;

    /// Holds a lock as a thread did that did not come along in a fork.
    fn lose<T>(mutex: &Mutex<T>) {
        std::mem::forget(mutex.try_lock());
        mutex.taken_by.store(generation().wrapping_sub(1), Relaxed);
    }

    #[test]
    fn a_lock_that_is_lost_begins_anew_and_what_it_held_is_left() {
        let held = Arc::new(());
        let mutex = Mutex::new(vec![Arc::clone(&held)]);
        lose(&mutex);
        assert!(mutex.try_lock().is_err(), "nobody waits here, so nothing is replaced");
        assert!(mutex.lock().unwrap().is_empty());
        mutex.try_lock().unwrap().push(Arc::clone(&held));
        lose(mutex.in_use());
        let anew = || vec![Arc::clone(&held), Arc::clone(&held)];
        assert_eq!(mutex.lock_or(anew).unwrap().len(), 2, "and once more");
        drop(mutex);
        assert_eq!(Arc::strong_count(&held), 3, "one in each of the two that were lost");
    }

    #[test]
    fn a_lock_that_somebody_has_is_waited_for() {
        let mutex = Mutex::new(1);
        let (locked, is_locked) = channel();
        let (let_go, go) = channel::<()>();
        thread::scope(|scope| {
            let mutex = &mutex;
            scope.spawn(move || {
                let mut guard = mutex.lock().unwrap();
                locked.send(()).unwrap();
                go.recv().unwrap();
                *guard = 2;
            });
            is_locked.recv().unwrap();
            assert!(mutex.try_lock().is_err());
            let waiter = scope.spawn(|| *mutex.lock().unwrap());
            let_go.send(()).unwrap();
            assert_eq!(waiter.join().unwrap(), 2);
        });
    }

    #[test]
    fn a_poisoned_lock_says_so() {
        let mutex = Mutex::new(1);
        let panicked = thread::scope(|scope| {
            scope
                .spawn(|| {
                    let _guard = mutex.lock();
                    panic!("with the lock, as told");
                })
                .join()
        });
        assert!(panicked.is_err() && mutex.lock().is_err());
        assert!(super::super::try_lock(&mutex).is_some());
        assert_eq!(format!("{mutex:?}"), "1");
        let _guard = mutex.lock();
        assert_eq!(format!("{mutex:?}"), "<locked>");
    }
}

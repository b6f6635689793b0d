//! The seam: everything through which this crate touches threads, time and chance.
//!
//! The same code runs under real threads and under loom (`--cfg ebbpool_loom`, a cfg of our own because
//! `cfg(loom)` reaches every dependency). In a normal build each name here is the standard one, or compiles
//! to nothing.

#[cfg(not(ebbpool_loom))]
pub(crate) use self::native::*;
#[cfg(ebbpool_loom)]
pub(crate) use self::under_loom::*;

/// Locks if nobody else has it. A panic under a lock does not close it for ever: what our locks guard is whole
/// between any two statements.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    }
}

/// Objects that one slot's magazine holds at most.
#[cfg(not(ebbpool_loom))]
pub(crate) const MAGAZINE: usize = 64;
/// Small enough that a model overflows and refills within loom's reach.
#[cfg(ebbpool_loom)]
pub(crate) const MAGAZINE: usize = 2;

/// Depot stripes.
#[cfg(not(ebbpool_loom))]
pub(crate) const STRIPES: usize = 4;
#[cfg(ebbpool_loom)]
pub(crate) const STRIPES: usize = 1;

#[cfg(not(ebbpool_loom))]
mod line;
#[cfg(not(ebbpool_loom))]
mod lock;
pub(crate) mod mirror;
#[cfg(all(any(test, ebbpool_fuzz), not(ebbpool_loom)))]
pub(crate) mod pretence;
#[cfg(ebbpool_tsan)]
mod spin;

#[cfg(not(ebbpool_loom))]
mod native {
    pub(crate) use super::line::notice as notice_fork;
    pub(crate) use super::lock::{Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
    pub(crate) use std::sync::atomic;

    /// A cell in loom's shape, so that loom sees each access.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }
        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }
        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }

    pub(crate) mod clock {
        pub(crate) use std::time::Instant;

        pub(crate) fn now() -> Instant {
            #[cfg(any(test, ebbpool_fuzz))]
            if let Some(now) = super::super::pretence::now() {
                return now;
            }
            Instant::now()
        }

        pub(crate) fn sleep(time: std::time::Duration) {
            std::thread::sleep(time);
        }
    }

    pub(crate) mod chance {
        /// A seed that differs from slot to slot and from run to run.
        #[cfg(not(any(test, ebbpool_fuzz)))]
        pub(crate) fn seed() -> u64 {
            use std::hash::{BuildHasher, RandomState};
            RandomState::new().hash_one(0) | 1
        }

        /// In tests the same each time, unless they pretend another. A trial begins somewhere in some ten thousand
        /// gets and serves a few of them fresh, although there are idle objects: now and then a test that counts
        /// objects would meet one.
        #[cfg(any(test, ebbpool_fuzz))]
        pub(crate) fn seed() -> u64 {
            super::super::pretence::seed().unwrap_or(0x9E37_79B9_7F4A_7C15)
        }
    }

    /// A place where tests hold a thread at the entrance of its fast path. Nothing in a normal build.
    #[inline(always)]
    pub(crate) fn yield_point() {
        #[cfg(any(test, ebbpool_fuzz))]
        test_hook::run(true);
    }

    /// Any other place where a thread is inside its slot, or in code of its user.
    #[inline(always)]
    pub(crate) fn yield_inside() {
        #[cfg(any(test, ebbpool_fuzz))]
        test_hook::run(false);
    }

    /// A place where a thread has half changed what the child of a fork would find. Nothing in a normal build.
    #[inline(always)]
    pub(crate) fn yield_halfway() {
        #[cfg(test)]
        test_hook::run_halfway();
    }

    #[cfg(any(test, ebbpool_fuzz))]
    pub(crate) mod test_hook {
        use std::cell::RefCell;

        struct Hook {
            /// At the entrance of the fast path only.
            entrance_only: bool,
            run: Box<dyn FnOnce()>,
        }

        thread_local!(static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) });

        /// Runs `hook` when this thread next enters its fast path.
        #[cfg(test)]
        pub(crate) fn set(hook: impl FnOnce() + 'static) {
            HOOK.with(|h| *h.borrow_mut() = Some(Hook { entrance_only: true, run: Box::new(hook) }));
        }

        /// Runs `hook` at this thread's next yield point of any kind.
        pub(crate) fn set_anywhere(hook: impl FnOnce() + 'static) {
            HOOK.with(|h| *h.borrow_mut() = Some(Hook { entrance_only: false, run: Box::new(hook) }));
        }

        #[cfg(test)]
        thread_local!(static HALFWAY: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) });

        /// Runs `hook` where this thread is next halfway.
        #[cfg(test)]
        pub(crate) fn set_halfway(hook: impl FnOnce() + 'static) {
            HALFWAY.with(|h| *h.borrow_mut() = Some(Box::new(hook)));
        }

        #[cfg(test)]
        pub(crate) fn run_halfway() {
            if let Ok(Some(hook)) = HALFWAY.try_with(|h| h.borrow_mut().take()) {
                hook();
            }
        }

        /// Whether a hook waits for its yield point.
        #[cfg(test)]
        pub(crate) fn is_set() -> bool {
            HOOK.with(|h| h.borrow().is_some())
        }

        /// Takes a hook away that no yield point has come for.
        pub(crate) fn unset() {
            HOOK.with(|h| h.borrow_mut().take());
        }

        pub(crate) fn run(entrance: bool) {
            let here = |hook: &mut Hook| entrance || !hook.entrance_only;
            if let Ok(Some(hook)) = HOOK.try_with(|h| h.borrow_mut().take_if(here)) {
                (hook.run)();
            }
        }
    }
}

#[cfg(ebbpool_loom)]
mod under_loom {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::MutexGuard;
    pub(crate) use loom::sync::atomic;
    pub(crate) use std::sync::PoisonError;
    use std::sync::{LockResult, TryLockResult};

    /// No model forks: nothing is ever lost.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }
        pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            self.0.lock()
        }
        pub(crate) fn lock_or(&self, _: impl FnOnce() -> T) -> LockResult<MutexGuard<'_, T>> {
            self.0.lock()
        }
        pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
            self.0.try_lock()
        }
    }

    pub(crate) fn notice_fork() {}

    pub(crate) mod clock {
        pub(crate) use std::time::Instant;

        /// Time stands still: a model's control flow must not depend on it.
        pub(crate) fn now() -> Instant {
            static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
            *START.get_or_init(Instant::now)
        }

        pub(crate) fn sleep(_: std::time::Duration) {
            loom::thread::yield_now();
        }
    }

    pub(crate) mod chance {
        pub(crate) fn seed() -> u64 {
            1
        }
    }

    /// loom switches threads at each atomic access already.
    pub(crate) fn yield_point() {}
    pub(crate) fn yield_inside() {}
    pub(crate) fn yield_halfway() {}
}

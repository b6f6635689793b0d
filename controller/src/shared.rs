//! What the loop, its handles, the watchdog and the routes have in common. Locks are held for moments, never while
//! a tick runs.

use crate::act::Person;
use crate::act::watchdog::Lease;
use crate::admission::Valve;
use crate::mode::Mode;
use crate::status::Status;
use crate::steering::Steering;
use pool_core::Registry;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Called with each new status, on the control thread; `false`: do not call again.
type Listener = Box<dyn FnMut(&Arc<Status>) -> bool + Send>;

pub(crate) struct Shared {
    pub(crate) registry: Registry,
    pub(crate) steering: Steering,
    pub(crate) started: Instant,
    suspect_after: Mutex<Duration>,
    pub(crate) lease: Lease,
    pub(crate) valve: Valve,
    /// What people set by hand ends here.
    pub(crate) person: Person,
    /// The registry that the service serves its metrics from, if it said so.
    pub(crate) served: OnceLock<crate::metrics::Served>,
    published: Mutex<Option<Arc<Status>>>,
    newer: Condvar,
    /// `None`: no more statuses will come.
    listeners: Mutex<Option<Vec<Listener>>>,
}

impl Shared {
    pub(crate) fn new(
        registry: Registry,
        steering: Steering,
        suspect_after: Duration,
        lease: Duration,
    ) -> Arc<Self> {
        let started = Instant::now();
        Arc::new(Self {
            registry,
            steering,
            started,
            suspect_after: Mutex::new(suspect_after),
            lease: Lease::new(started, lease),
            valve: Valve::default(),
            person: Person::default(),
            served: OnceLock::new(),
            published: Mutex::default(),
            newer: Condvar::new(),
            listeners: Mutex::new(Some(Vec::new())),
        })
    }

    /// The mode in force now.
    pub(crate) fn mode(&self) -> Mode {
        self.steering.mode(self.started.elapsed())
    }

    /// The age from which on a lease on record is a suspect.
    pub(crate) fn suspect_after(&self) -> Duration {
        *lock(&self.suspect_after)
    }

    pub(crate) fn set_suspect_after(&self, age: Duration) {
        *lock(&self.suspect_after) = age;
    }

    /// The last status, if there was a tick.
    pub(crate) fn status(&self) -> Option<Arc<Status>> {
        lock(&self.published).clone()
    }

    pub(crate) fn publish(&self, status: Status) -> Arc<Status> {
        let status = Arc::new(status);
        *lock(&self.published) = Some(Arc::clone(&status));
        self.newer.notify_all();
        if let Some(listeners) = lock(&self.listeners).as_mut() {
            listeners.retain_mut(|listener| listener(&status));
        }
        status
    }

    /// Waits for a status with a tick above `tick`.
    pub(crate) fn wait_newer(&self, tick: u64, timeout: Duration) -> Option<Arc<Status>> {
        let is_newer = |status: &Option<Arc<Status>>| status.as_ref().is_some_and(|s| s.memory.tick > tick);
        let published = lock(&self.published);
        let waited = self.newer.wait_timeout_while(published, timeout, |status| !is_newer(status));
        let (status, _) = waited.unwrap_or_else(PoisonError::into_inner);
        status.clone().filter(|s| s.memory.tick > tick)
    }

    /// No more statuses will come: neither to those who listen nor to those who come later.
    pub(crate) fn forget_listeners(&self) {
        *lock(&self.listeners) = None;
    }

    /// Adds a listener, or drops it at once if no more statuses will come: what it holds tells whoever waits on it.
    pub(crate) fn listen(&self, listener: Listener) {
        if let Some(listeners) = lock(&self.listeners).as_mut() {
            listeners.push(listener);
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn listening(&self) -> usize {
        lock(&self.listeners).as_ref().map_or(0, Vec::len)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

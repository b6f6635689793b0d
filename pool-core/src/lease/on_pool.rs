//! What a pool's handle says of its leases.

use super::{OpenLease, Suspect, SuspectEvent};
use crate::managed::Managed;
use crate::pool::Pool;
use crate::recycle::Recycler;
use std::sync::Arc;
use std::time::Duration;

impl<T: Send + 'static, R: Recycler<T>> Pool<T, R> {
    /// The leases that are on record and have not ended, in no order.
    ///
    /// Costs some nanoseconds for each record that there ever was at a time. No get and no return waits for it;
    /// a lease that begins or ends meanwhile may be among them or not.
    ///
    /// ```
    /// let pool = pool_core::Pool::new("body", Vec::<u8>::new);
    /// assert_eq!(pool.open_leases(), []);
    /// ```
    #[must_use]
    pub fn open_leases(&self) -> Vec<OpenLease> {
        self.keeper().open_leases()
    }

    /// Sites with recorded leases older than `older_than`, those with most leases first.
    ///
    /// The leases are remembered as told: those that come back later count as
    /// [`returned_after_all`](Suspect::returned_after_all).
    ///
    /// ```
    /// use std::time::Duration;
    /// let pool = pool_core::Pool::new("body", Vec::<u8>::new);
    /// assert_eq!(pool.suspects(Duration::from_secs(30)), []);
    /// ```
    #[must_use]
    pub fn suspects(&self, older_than: Duration) -> Vec<Suspect> {
        self.keeper().suspects(older_than)
    }

    /// Has `listener` called once when a site has leases that are out for longer than `older_than`, and once
    /// when all of those have come back after all. Its arguments are the pool's name and what is new.
    ///
    /// It is called by whoever calls [`tell_suspects`](Self::tell_suspects) (a controller does, once a second), on
    /// that thread and under no lock; it may use the pool. Several listeners do not know of each other. It stays
    /// until it is removed by the id that is returned, or the pool ends; one that holds a handle of this
    /// pool keeps the pool open.
    ///
    /// ```
    /// use std::time::Duration;
    /// let pool = pool_core::Pool::new("body", Vec::<u8>::new);
    /// let id = pool.on_suspect(Duration::from_secs(30), |pool, event| eprintln!("{pool}: {event}"));
    /// pool.remove_listener(id);
    /// ```
    pub fn on_suspect(
        &self,
        older_than: Duration,
        listener: impl Fn(&str, &SuspectEvent) + Send + Sync + 'static,
    ) -> u64 {
        self.keeper().on_suspect(older_than, Arc::new(listener))
    }

    /// Removes the listener of that id. One that is being called at this moment on another thread may run on.
    ///
    /// ```
    /// let pool = pool_core::Pool::new("body", Vec::<u8>::new);
    /// pool.remove_listener(7); // nothing, if there is none
    /// ```
    pub fn remove_listener(&self, id: u64) {
        self.keeper().remove_listener(id);
    }

    /// Looks at the leases on record and calls each listener with what is new to it.
    ///
    /// Where another thread does the same at this moment, it is left to that one. Costs what
    /// [`open_leases`](Self::open_leases) does, and nothing without a listener.
    ///
    /// # Panics
    /// If a listener does, after all have been called.
    ///
    /// ```
    /// let pool = pool_core::Pool::new("body", Vec::<u8>::new);
    /// pool.tell_suspects();
    /// ```
    pub fn tell_suspects(&self) {
        self.keeper().tell_suspects();
    }
}

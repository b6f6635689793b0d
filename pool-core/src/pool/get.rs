//! Lending: an idle object if one is at hand, else a new one.

use super::Pool;
use crate::events::Due;
use crate::guard::Pooled;
use crate::node::{Owned, Place, Placed};
use crate::recycle::Recycler;
use crate::shared::Shared;
use crate::sync::clock;
use std::convert::Infallible;
use std::panic::Location;

impl<T: Send + 'static, R: Recycler<T>> Pool<T, R> {
    /// Lends an object: from this thread's magazine, else from the depot, else a new one.
    ///
    /// The caller's location names the lease if it is one of those on record. Costs a few nanoseconds from the
    /// magazine. Goes on after [`close`](Self::close); what it lends then is created, and dropped at its return.
    ///
    /// # Panics
    /// If `create` does (or `weight` of what it made): the pool is as before then.
    ///
    /// ```
    /// let buffers = pool_core::Pool::new("buffers", Vec::<u8>::new);
    /// let mut buffer = buffers.get();
    /// buffer.push(1);
    /// assert_eq!(buffers.stats().lent_objects, 1);
    /// ```
    #[inline]
    #[must_use = "a lent object that is not used was lent for nothing"]
    #[track_caller]
    pub fn get(&self) -> Pooled<T, R> {
        self.get_with(&self.inside().create)
    }

    /// Lends an idle object, if one is at hand; creates none.
    ///
    /// `None` says that this thread's magazine is empty and that the depot is empty or busy. Objects in the
    /// magazines of other threads are out of reach. A call that finds nothing is no get: it is counted nowhere. The
    /// [`Reuse`](crate::Reuse) knob does not concern it, and it is never served fresh for a trial.
    /// Costs what [`get`](Self::get) does without its create.
    ///
    /// ```
    /// let buffers = pool_core::Pool::new("buffers", Vec::<u8>::new);
    /// assert!(buffers.try_get().is_none());
    /// drop(buffers.get());
    /// assert!(buffers.try_get().is_some());
    /// ```
    #[inline]
    #[must_use = "a lent object that is not used was lent for nothing"]
    #[track_caller]
    pub fn try_get(&self) -> Option<Pooled<T, R>> {
        if let Some(guard) = self.get_fast() {
            return Some(guard);
        }
        let (node, due) = self.shared().try_get_idle()?;
        Some(self.lend(Owned::claim(node, self.inside()), due, Location::caller()))
    }

    /// As [`get`](Self::get), with a `create` of its own for a miss: for values that need something that only this
    /// caller has.
    ///
    /// A value that is idle may be one that another caller's `create` made: what differs between callers is to be
    /// set after the get.
    ///
    /// # Panics
    /// If `create` does (or `weight` of what it made): the pool is as before then.
    ///
    /// ```
    /// let buffers = pool_core::Pool::new("buffers", Vec::<u8>::new);
    /// let expected = 2000;
    /// let buffer = buffers.get_with(|| Vec::with_capacity(expected));
    /// assert!(buffer.capacity() >= expected);
    /// ```
    #[inline]
    #[must_use = "a lent object that is not used was lent for nothing"]
    #[track_caller]
    pub fn get_with(&self, create: impl FnOnce() -> T) -> Pooled<T, R> {
        if let Some(guard) = self.get_fast() {
            return guard;
        }
        let Ok(guard) = self.get_slow::<Infallible>(Location::caller(), |place| Ok(place.fill(create)));
        guard
    }

    /// As [`get_with`](Self::get_with), with a `create` that may fail. It is called on a miss only.
    ///
    /// # Errors
    /// What `create` returned: nothing was lent, and nothing is counted.
    ///
    /// # Panics
    /// If `create` does (or `weight` of what it made): the pool is as before then.
    ///
    /// ```
    /// let files = pool_core::Pool::builder("scratch")
    ///     .recycle_with(|_: &mut std::fs::File, _| pool_core::Keep::Yes, |_| 0)
    ///     .build_with(|| unreachable!("made by get_or_try_create only"))?;
    /// let missing = files.get_or_try_create(|| std::fs::File::open("no such file"));
    /// assert!(missing.is_err());
    /// assert_eq!(files.stats().created, 0);
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_try_create<E>(&self, create: impl FnOnce() -> Result<T, E>) -> Result<Pooled<T, R>, E> {
        if let Some(guard) = self.get_fast() {
            return Ok(guard);
        }
        self.get_slow(Location::caller(), |place| {
            let value = create()?;
            Ok(place.fill(|| value))
        })
    }

    #[inline(always)]
    fn get_fast(&self) -> Option<Pooled<T, R>> {
        Some(Pooled::new(Owned::get_fast(self.inside())?))
    }

    #[cold]
    fn get_slow<E>(
        &self,
        site: &'static Location<'static>,
        fill: impl for<'a> FnOnce(Place<'a, T>) -> Result<Placed<'a>, E>,
    ) -> Result<Pooled<T, R>, E> {
        let shared = self.shared();
        let (idle, due) = shared.get_idle();
        let node = match idle {
            Some(node) => Owned::claim(node, self.inside()),
            None => self.create_charged(due, fill)?,
        };
        Ok(self.lend(node, due, site))
    }

    fn create_charged<E>(
        &self,
        due: Due,
        fill: impl for<'a> FnOnce(Place<'a, T>) -> Result<Placed<'a>, E>,
    ) -> Result<Owned<T, R>, E> {
        let shared = self.shared();
        let charge = Charge::by_force(shared);
        let began = shared.account.creates.begins().then(clock::now);
        let mut node = self.create(fill)?;
        if let Some(began) = began {
            shared.account.creates.took(clock::now().saturating_duration_since(began));
        }
        // A buffer that is born empty will weigh what its like have weighed; a box weighs what it does.
        let weight = node.notes().weight.max(charge.bytes);
        node.view().2.weight = weight;
        charge.settle(weight);
        shared.count_created(weight, due);
        Ok(node)
    }

    fn lend(&self, node: Owned<T, R>, due: Due, site: &'static Location<'static>) -> Pooled<T, R> {
        let shared = self.shared();
        let mut guard = Pooled::new(node);
        if due.record {
            guard.record(shared.leases.begin(site, shared.age_ns()));
        }
        guard.note(due);
        #[cfg(feature = "failpoints")]
        if shared.faults_armed() {
            guard.lose(crate::fault::missing_put(&shared.name, site));
        }
        guard
    }
}

/// What the grant was charged for a create; given back if that fails or panics, like what was due at its get.
pub(super) struct Charge<'a> {
    shared: &'a Shared,
    bytes: u64,
}

impl<'a> Charge<'a> {
    /// For a get: without headroom idle objects go first, and then the create goes on.
    fn by_force(shared: &'a Shared) -> Self {
        let bytes = shared.expected_weight();
        shared.charge_create(bytes);
        Self { shared, bytes }
    }

    /// For a create that nobody waits for.
    pub(super) fn if_left(shared: &'a Shared) -> Option<Self> {
        let bytes = shared.expected_weight();
        // Made only if it was charged: its drop gives the charge back.
        shared.charge_if_left(bytes).then(|| Self { shared, bytes })
    }

    /// The create succeeded, and this is what it is charged.
    pub(super) fn settle(self, weight: u64) {
        self.shared.charge_growth(self.bytes, weight);
        std::mem::forget(self);
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.shared.credit_grant(self.bytes);
    }
}

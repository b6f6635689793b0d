//! The pool: a handle.

use crate::builder::PoolBuilder;
use crate::close::close;
use crate::events::Due;
use crate::guard::Pooled;
use crate::inside::{Inside, WEIGHT_MAX};
use crate::keeper::Keeper;
use crate::managed::Managed;
use crate::node::NodePtr;
use crate::recycle::{ByTrait, Recycler};
use crate::shared::Shared;
use crate::slot::Slot;
use crate::stats::PoolStats;
use crate::sync::atomic::Ordering::{AcqRel, Relaxed};
use crate::thread_id;
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

/// A cache of reusable objects. Clones are handles of the same pool; the last one closes it.
///
/// [`get`](Self::get) always succeeds: without an idle object it creates one. An idle object may be dropped
/// at any time.
pub struct Pool<T: Send + 'static, R: Recycler<T> = ByTrait> {
    inside: NonNull<Inside<T, R>>,
}

// SAFETY: I2: a handle reaches only what is `Sync` (atomics, locks, slots by their rules, the recycler) and the
// create closure (`Send + Sync`); values travel between threads through it, hence `T: Send`.
unsafe impl<T: Send + 'static, R: Recycler<T>> Send for Pool<T, R> {}
// SAFETY: as above.
unsafe impl<T: Send + 'static, R: Recycler<T>> Sync for Pool<T, R> {}

impl<T: Send + 'static> Pool<T>
where
    ByTrait: Recycler<T>,
{
    /// A pool with the default capacity (see [`PoolBuilder::capacity`]) in no registry.
    #[must_use]
    pub fn new(name: &str, create: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Pool::<()>::builder(name).start(Box::new(create))
    }
}

impl Pool<()> {
    /// Begins to build a pool. `name` is its label in metrics.
    #[must_use]
    pub fn builder(name: &str) -> PoolBuilder {
        PoolBuilder::new(name)
    }
}

impl<T: Send + 'static, R: Recycler<T>> Pool<T, R> {
    /// Lends an object: from this thread's magazine, else from the depot, else a new one.
    ///
    /// The caller's location names the lease if it is one of those on record. Costs a few nanoseconds from the
    /// magazine. If `create` panics, the panic goes to the caller and the pool is as before.
    #[inline]
    #[must_use = "a lent object that is not used was lent for nothing"]
    #[track_caller]
    pub fn get(&self) -> Pooled<T, R> {
        if let Some(node) = self.shared().table.find(thread_id::current()).and_then(Slot::get_fast) {
            // SAFETY: the slot gave us the node (N1), and this pool holds only nodes of its own types.
            return unsafe { Pooled::new(node) };
        }
        self.get_slow(Location::caller())
    }

    #[cold]
    fn get_slow(&self, site: &'static Location<'static>) -> Pooled<T, R> {
        let shared = self.shared();
        let (idle, due) = shared.get_idle();
        let node = idle.unwrap_or_else(|| self.create(due));
        // SAFETY: N1: the node is ours and goes into the guard.
        let guard: Pooled<T, R> = unsafe { Pooled::new(node) };
        if due.record {
            guard.record(shared.leases.begin(site));
        }
        guard.note(due);
        #[cfg(feature = "failpoints")]
        if shared.faults_armed() {
            guard.lose(crate::fault::missing_put(&shared.name, site));
        }
        guard
    }

    fn create(&self, due: Due) -> NodePtr {
        /// Gives the charge back if `create` panics, and what was due at this get to the next.
        struct Charge<'a>(&'a Shared, u64);
        impl Drop for Charge<'_> {
            fn drop(&mut self) {
                self.0.credit_grant(self.1);
                self.0.draw_anew();
            }
        }
        let shared = self.shared();
        let expected = shared.expected_weight();
        shared.charge_create(expected);
        let charge = Charge(shared, expected);
        // SAFETY: I2.
        let (create, recycler) = unsafe { (&self.inside.as_ref().create, &self.inside.as_ref().recycler) };
        let value = create();
        let born = Inside::weigh(recycler, &value).min(WEIGHT_MAX);
        std::mem::forget(charge);
        shared.note_birth(born);
        // A buffer that is born empty will weigh what its like have weighed; a box weighs what it does.
        let weight = born.max(expected);
        shared.charge_growth(expected, weight);
        // SAFETY: I2; this is the node's own count.
        unsafe { Inside::acquire(self.inside) };
        let node = NodePtr::new(self.inside, value, weight);
        shared.count_created(weight, due);
        node
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared().name
    }

    /// Racing statistics; see [`PoolStats`].
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared().stats()
    }

    /// The pool as a controller sees it; it keeps the pool's memory, but is no handle: the pool still closes
    /// with its last handle.
    #[must_use]
    pub fn managed(&self) -> Arc<dyn Managed> {
        Arc::new(self.keeper())
    }

    pub(crate) fn keeper(&self) -> Keeper<T, R> {
        // SAFETY: I2.
        unsafe { Keeper::new(self.inside) }
    }
}

impl<T: Send + 'static, R: Recycler<T>> Pool<T, R> {
    /// The first handle.
    pub(crate) fn start(shared: Shared, recycler: R, create: Box<dyn Fn() -> T + Send + Sync>) -> Self {
        Self { inside: Inside::leak(shared, recycler, create) }
    }

    #[inline(always)]
    fn shared(&self) -> &Shared {
        // SAFETY: I2: the handles hold a count.
        unsafe { &self.inside.as_ref().shared }
    }
}

impl<T: Send + 'static, R: Recycler<T>> Clone for Pool<T, R> {
    fn clone(&self) -> Self {
        // Relaxed: who clones holds a handle already.
        self.shared().account.handles.fetch_add(1, Relaxed);
        Self { inside: self.inside }
    }
}

impl<T: Send + 'static, R: Recycler<T>> Drop for Pool<T, R> {
    fn drop(&mut self) {
        // AcqRel: the last handle sees what the others did before they went.
        if self.shared().account.handles.fetch_sub(1, AcqRel) == 1 {
            // SAFETY: the handles' common count, given up by the last of them.
            unsafe { close(self.inside) };
        }
    }
}

impl<T: Send + 'static, R: Recycler<T>> fmt::Debug for Pool<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("name", &self.shared().name).finish_non_exhaustive()
    }
}

//! What the handles and objects of one pool share, and how long it lives.
//!
//! [`Inside`] is [`Shared`], which needs no type, and what makes, recycles and drops values.
//!
//! Rules for the `unsafe` here and in `guard`, `pool`, `close` and `keeper`:
//! **I1** an `Inside` is freed when its reference count falls to zero; counts are held by each node, by the
//! handles together, and by each [`Keeper`](crate::keeper::Keeper). **I2** whoever holds one of these may use
//! the inside. **I3** a path that gives its node away and then goes on holds a count of its own.

use crate::close::drop_panic;
use crate::knobs::Capacity;
use crate::node::{self, Node, NodePtr, Place, Placed};
use crate::recycle::Recycler;
use crate::shared::Shared;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

#[repr(C)]
pub(crate) struct Inside<T, R> {
    pub(crate) shared: Shared,
    pub(crate) recycler: R,
    pub(crate) create: Box<dyn Fn() -> T + Send + Sync>,
    /// What comes back while its thread panics is recycled like everything else.
    pub(crate) keep_on_panic: bool,
}

/// What an object counts for at most: more than any capacity, so that it is never kept, and far from overflow.
pub(crate) const WEIGHT_MAX: u64 = Capacity::BYTES_LIMIT + 1;

impl<T, R> Inside<T, R> {
    /// What a value weighs with its node. A claim beyond [`WEIGHT_MAX`] equals no weight in any header, so it
    /// takes the slow path, which cuts it.
    #[inline(always)]
    pub(crate) fn weigh(recycler: &R, value: &T) -> u64
    where
        R: Recycler<T>,
    {
        (recycler.weight(value) as u64).saturating_add(size_of::<Node<T, R>>() as u64)
    }

    /// The caller gets the one count that the handles hold together.
    pub(crate) fn leak(
        shared: Shared,
        recycler: R,
        create: Box<dyn Fn() -> T + Send + Sync>,
        keep_on_panic: bool,
    ) -> NonNull<Self> {
        let this = NonNull::from(Box::leak(Box::new(Self { shared, recycler, create, keep_on_panic })));
        #[cfg(test)]
        tests_alive::add(this.addr());
        this
    }

    /// # Safety
    /// I2.
    pub(crate) unsafe fn acquire(this: NonNull<Self>) {
        // SAFETY: I2. Relaxed: who counts up holds a count already.
        unsafe { (*this.as_ptr()).shared.account.refs.fetch_add(1, Relaxed) };
    }

    /// # Safety
    /// I1: the caller gives up a count and does not use `this` again.
    pub(crate) unsafe fn release(this: NonNull<Self>) {
        // SAFETY: I2. Release pairs with the acquire below in the thread that frees.
        if unsafe { (*this.as_ptr()).shared.account.refs.fetch_sub(1, Release) } != 1 {
            return;
        }
        // SAFETY: the count is 0: nobody else can reach it (I1), and it came from `Box::leak`.
        unsafe {
            // A load, not a fence: ThreadSanitizer does not model fences, and this is no hot path.
            (*this.as_ptr()).shared.account.refs.load(Acquire);
            #[cfg(test)]
            tests_alive::remove(this.addr());
            drop(Box::from_raw(this.as_ptr()));
        }
    }

    /// A new node with a count on the inside and a weight, in no counter yet.
    ///
    /// # Safety
    /// I2.
    pub(crate) unsafe fn create<E>(
        this: NonNull<Self>,
        fill: impl for<'a> FnOnce(Place<'a, T>) -> Result<Placed<'a>, E>,
    ) -> Result<NodePtr, E>
    where
        R: Recycler<T>,
    {
        /// Drops a value whose `weight` panics. That its drop panics too must not abort.
        struct Newborn<T, R>(NodePtr, PhantomData<(T, R)>);
        impl<T, R> Drop for Newborn<T, R> {
            fn drop(&mut self) {
                // SAFETY: N1, N3. Unwind safety: the value is gone either way.
                let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { node::destroy::<T, R>(self.0) }));
                dropped.unwrap_or_else(drop_panic);
            }
        }
        let newborn = Newborn::<T, R>(NodePtr::build(this, fill)?, PhantomData);
        let node = newborn.0;
        // SAFETY: I2, N1.
        let weight = unsafe {
            Self::weigh(&(*this.as_ptr()).recycler, &(*node.typed::<T, R>().as_ptr()).value).min(WEIGHT_MAX)
        };
        std::mem::forget(newborn);
        node.set_weight(weight);
        // SAFETY: I2; the node's own count.
        unsafe {
            (*this.as_ptr()).shared.note_birth(weight);
            Self::acquire(this);
        }
        Ok(node)
    }

    /// Drops a node and its count on the inside; a panic of the value's drop goes on to the caller.
    ///
    /// # Safety
    /// The caller owns `node` (N1), which `this` made.
    pub(crate) unsafe fn destroy(this: NonNull<Self>, node: NodePtr) {
        /// Also when dropping the value panics: its memory and its count are gone either way.
        struct Release<T, R>(NonNull<Inside<T, R>>, u64);
        impl<T, R> Drop for Release<T, R> {
            fn drop(&mut self) {
                // SAFETY: I2 by the node's count, which dies with it.
                unsafe {
                    (*self.0.as_ptr()).shared.credit_grant(self.1);
                    Inside::release(self.0);
                }
            }
        }
        let _release = Release(this, node.weight());
        // SAFETY: by the contract.
        unsafe { node::destroy::<T, R>(node) };
    }
}

/// Which insides are alive: the test that dropped pools are freed counts them.
#[cfg(test)]
pub(crate) mod tests_alive {
    use std::collections::HashMap;
    use std::num::NonZero;
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

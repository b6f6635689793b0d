//! Guards whose value does not come back: discarded, or taken out.

use super::{Hold, Pooled, Tainted, book, end_lease, return_slow};
use crate::inside::Inside;
use crate::node::{self, Node};
use crate::recycle::Recycler;
use crate::stats::DropReason;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

impl<T, R: Recycler<T>> Pooled<T, R> {
    /// Drops the object instead of returning it: it is broken, or dirty in a way that `recycle` cannot mend.
    ///
    /// The value is not recycled. Counted as `discarded`, or as `tainted` if the thread panics. Costs what the value's
    /// drop costs, and some atomic additions.
    ///
    /// # Panics
    /// If the value's drop does: it is gone and counted all the same.
    ///
    /// ```
    /// use pool_core::{DropReason, Pool, Pooled};
    /// let buffers = Pool::new("buffers", Vec::<u8>::new);
    /// Pooled::discard(buffers.get());
    /// let stats = buffers.stats();
    /// assert_eq!((stats.idle_objects, stats.lent_objects), (0, 0));
    /// assert_eq!(stats.dropped[DropReason::Discarded as usize], 1);
    /// ```
    pub fn discard(this: Self) {
        if this.is_lost() {
            return; // a fault has the last word
        }
        let reason = if std::thread::panicking() { DropReason::Tainted } else { DropReason::Discarded };
        let node = this.end();
        // SAFETY: N1: the guard's node, which is ours now.
        unsafe { return_slow(node, (*node.as_ptr()).header.weight, Err(reason)) };
    }

    /// Takes the value out for good: it is the caller's, as if it had never been pooled.
    ///
    /// The value is not recycled. The pool no longer counts it as lent but as `taken_out`; its bytes stay charged to
    /// the registry's grant until the controller looks again, because they are still in use. Costs a move of the value,
    /// one call of `weight`, and some atomic additions.
    ///
    /// # Panics
    /// If `weight` does: the value is dropped then, and counted as `tainted`.
    ///
    /// ```
    /// use pool_core::{Pool, Pooled};
    /// let buffers = Pool::new("buffers", || vec![1_u8, 2, 3]);
    /// let bytes: Vec<u8> = Pooled::into_inner(buffers.get());
    /// assert_eq!(bytes, [1, 2, 3]);
    /// assert_eq!(buffers.stats().lent_objects, 0);
    /// ```
    #[must_use = "to drop the object instead of returning it, discard it"]
    pub fn into_inner(this: Self) -> T {
        let lost = this.is_lost();
        let node = this.end();
        // SAFETY: N1: the guard's node, which is ours now. A lost one stays where it is, without its value.
        unsafe {
            let value = &raw mut (*node.as_ptr()).value;
            if lost {
                return ManuallyDrop::take(&mut *value);
            }
            let inside = (*node.as_ptr()).header.inside.cast::<Inside<T, R>>();
            let on_panic = Tainted(node);
            let weight = Inside::<T, R>::weigh(&(*inside.as_ptr()).recycler, &*value);
            std::mem::forget(on_panic);
            let (hold, _) = book(node, weight, Err(DropReason::TakenOut));
            let _emptied = Emptied(node, hold);
            // The last value here, and so moved once: it may be large.
            ManuallyDrop::take(&mut *value)
        }
    }

    /// Whether a fault made this lease one that does not return.
    #[cfg_attr(not(feature = "failpoints"), allow(clippy::unused_self))]
    fn is_lost(&self) -> bool {
        #[cfg(feature = "failpoints")]
        {
            use crate::node::Special::{LostDropped, LostKept};
            // SAFETY: N1.
            matches!(unsafe { (*self.node.as_ptr()).header.special }, LostDropped | LostKept)
        }
        #[cfg(not(feature = "failpoints"))]
        false
    }

    /// Gives the node to the caller; its lease is over.
    fn end(self) -> NonNull<Node<T, R>> {
        let node = ManuallyDrop::new(self).node;
        // SAFETY: N1: the guard's, and ours now.
        unsafe { end_lease(node) };
        node
    }
}

/// A node whose value has gone: what is left of it is freed.
struct Emptied<T, R: Recycler<T>>(NonNull<Node<T, R>>, Hold<T, R>);

impl<T, R: Recycler<T>> Drop for Emptied<T, R> {
    fn drop(&mut self) {
        let inside = self.1.0;
        // SAFETY: N1, N3: owned, and not used again. I1: the node's count goes with it; `Hold` has one of its own.
        unsafe {
            node::free(self.0);
            // The value is in use still. Its place in the node is not.
            (*inside.as_ptr()).shared.credit_grant(size_of::<Node<T, R>>() as u64);
            Inside::release(inside);
        }
    }
}

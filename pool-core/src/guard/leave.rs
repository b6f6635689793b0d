//! Guards whose value does not come back: discarded, or taken out.

use super::{Pooled, book, end_lease, return_slow, tainted};
use crate::node::{Node, Owned};
use crate::recycle::Recycler;
use crate::risk::at_risk;
use crate::stats::DropReason;

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
        let weight = node.notes().weight;
        return_slow(node, weight, Err(reason));
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
        if lost {
            // It keeps its count for ever, as if it were held.
            let (inside, node) = node.split();
            std::mem::forget(inside);
            return node.value;
        }
        let (node, weight) = at_risk(node, tainted, |node| node.inside().weigh(node.value()));
        let (_hold, node) = book(node, weight, Err(DropReason::TakenOut));
        let Some(node) = node else { unreachable!("what is taken out is not kept") };
        let (inside, node) = node.split();
        // The value is in use still. Its place in the node is not.
        inside.shared.credit_grant(size_of::<Node<T, R>>() as u64);
        // The last value here, and so moved once: it may be large.
        node.value
    }

    /// Whether a fault made this lease one that does not return.
    #[cfg_attr(not(feature = "failpoints"), allow(clippy::unused_self))]
    fn is_lost(&self) -> bool {
        #[cfg(feature = "failpoints")]
        {
            use crate::notes::Special::{LostDropped, LostKept};
            matches!(self.lent.0.notes().special, LostDropped | LostKept)
        }
        #[cfg(not(feature = "failpoints"))]
        false
    }

    /// Gives the node to the caller; its lease is over.
    fn end(self) -> Owned<T, R> {
        let mut node = self.lent.end();
        end_lease(&mut node);
        node
    }
}

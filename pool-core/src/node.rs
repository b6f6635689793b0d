//! One pooled object: what the pool writes beside it, and the value.
//!
//! A node belongs to exactly one holder at a time: a guard, a magazine, the depot, the condemned list, or a
//! local variable on its way between them. The holder has the node as if by `&mut`. [`NodePtr`] is a node whose
//! type only its inside knows, [`Owned`] one whose type is known, [`Lent`] one that comes home when it is dropped.
//!
//! Rules for the `unsafe` here, beside I1–I3 of `inside`:
//! **N1** a `NodePtr` or an `Owned` owns its node; neither is copied, but where the old one is forgotten in the same
//! step. One that is forgotten leaks its node, which is safe. **N2** both come from `Box<Node<T, R>>` and keep that
//! allocation's provenance, so the head and, for who knows the types, the whole node may be reached through them.
//! **N3** a node is freed once, by its box, which [`Owned::split`] makes anew. **N4** the
//! types of a node are those of the inside that made it, whose address is in its head and does not change. Who makes
//! an `Owned` of a `NodePtr` compares the two, or has it from a magazine: what is pushed there was compared.
#![allow(unsafe_code)]

mod place;

pub(crate) use self::place::{Place, Placed};
use crate::guard::come_home;
use crate::inside::{Counted, Inside};
use crate::notes::{Notes, Seen};
use crate::recycle::Recycler;
use crate::slot::Slot;
use crate::thread_id;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// What stands before each value: 32 bytes.
#[repr(C)]
pub(crate) struct Head {
    /// The `Inside<T, R>` that made the node. The node keeps it alive by one reference count.
    inside: NonNull<()>,
    notes: Notes,
}

#[repr(C)]
pub(crate) struct Node<T, R> {
    head: Head,
    pub(crate) value: T,
    recycler: PhantomData<R>,
}

impl<'a, T> Place<'a, T> {
    /// What `make` returns is moved once.
    pub(crate) fn fill(self, make: impl FnOnce() -> T) -> Placed<'a> {
        let (place, placed) = self.open();
        // SAFETY: N2: it is in the box. Not by `MaybeUninit::write`, which moves once more without optimisation.
        unsafe { place.as_mut_ptr().write(make()) };
        placed
    }
}

/// An owned node whose type is known only to its inside.
#[derive(Debug)]
#[must_use = "a node that is forgotten leaks"]
pub(crate) struct NodePtr(NonNull<Head>);

// SAFETY: N1: moving the pointer moves the ownership; who makes an `Owned` of it on another thread needs its inside
// there, which is `Send` only if the values are.
unsafe impl Send for NodePtr {}

impl NodePtr {
    #[inline(always)]
    pub(crate) fn weight(&self) -> u64 {
        // SAFETY: N1, N2: we own the node, and its head is always initialised.
        unsafe { self.0.as_ref() }.notes.weight
    }

    /// Where the inside stands that made it.
    pub(crate) fn maker(&self) -> usize {
        // SAFETY: as above.
        unsafe { self.0.as_ref() }.inside.addr().get()
    }

    pub(crate) fn seen(&self) -> Seen {
        Seen { address: self.0.addr().get(), weight: self.weight() }
    }
}

/// An owned node. It keeps the inside that made it alive. One that is forgotten leaks both.
#[must_use = "a node that is forgotten leaks"]
pub(crate) struct Owned<T, R>(NonNull<Node<T, R>>);

// SAFETY: N1: it owns its value, and of its inside it gives what may be shared.
unsafe impl<T: Send, R: Recycler<T>> Send for Owned<T, R> {}
// SAFETY: N1: shared it gives `&T`, and of its inside what may be shared.
unsafe impl<T: Sync, R: Recycler<T>> Sync for Owned<T, R> {}

impl<T, R> Owned<T, R> {
    /// A new one, with a count on the inside and not weighed yet, whose value `fill` puts in its place: one that is
    /// passed by value is copied from frame to frame without optimisation, and a large one fits on few stacks twice.
    pub(crate) fn build<E>(
        inside: &Counted<T, R>,
        fill: impl for<'a> FnOnce(Place<'a, T>) -> Result<Placed<'a>, E>,
    ) -> Result<Self, E> {
        let count = inside.clone();
        // Freed, and nothing in it dropped, if `fill` fails or panics.
        let mut memory = Box::<Node<T, R>>::new_uninit();
        let node = memory.as_mut_ptr();
        let head = Head { inside: count.as_ptr().cast(), notes: Notes::new() };
        // SAFETY: N2: it is in the box, and so is the value, which may be anything yet.
        let place = unsafe {
            (&raw mut (*node).head).write(head);
            &mut *(&raw mut (*node).value).cast()
        };
        let _: Placed<'_> = fill(Place::new(place))?;
        std::mem::forget(count); // the node has it now (I1)
        // The head was written above, the value by `fill`: it gave the proof that only this place gives.
        Ok(Self(NonNull::from(Box::leak(memory)).cast()))
    }

    /// A node that comes back to the pool that made it.
    ///
    /// # Panics
    /// If it is another's.
    #[allow(clippy::needless_pass_by_value)] // N1: the old one goes
    pub(crate) fn claim(node: NodePtr, inside: &Counted<T, R>) -> Self {
        assert!(node.maker() == inside.as_ptr().addr().get(), "N4: a node of another pool");
        let NodePtr(head) = node;
        Self(head.cast())
    }

    /// An idle object of this thread's magazine, if a get needs nothing special.
    #[inline(always)]
    pub(crate) fn get_fast(inside: &Counted<T, R>) -> Option<Self> {
        let node = inside.shared.table.own()?.get_fast()?;
        // N4: compared when it was pushed, or pushed by `give_fast`.
        Some(Self(node.0.cast()))
    }

    /// Gives the node to this thread's magazine, if a return needs nothing special; else it is the caller's again.
    #[inline(always)]
    pub(crate) fn give_fast(self, weight: u64) -> Option<Self> {
        // SAFETY: I2: the node keeps the inside alive until it is given away. N1, N4: it is, to a slot of the inside
        // that made it, and to this thread's. S5: nothing is touched afterwards: the pool may be gone.
        unsafe {
            let inside = self.node().head.inside.cast::<Inside<T, R>>().as_ptr();
            let slot: *const Slot = (*inside).shared.table.get(thread_id::current());
            if !slot.is_null() && Slot::return_fast(slot, NodePtr(self.0.cast()), weight) {
                return None;
            }
        }
        Some(self)
    }

    /// Leaves out what it is.
    pub(crate) fn erase(self) -> NodePtr {
        NodePtr(self.0.cast())
    }

    #[inline(always)]
    fn node(&self) -> &Node<T, R> {
        // SAFETY: N1.
        unsafe { self.0.as_ref() }
    }

    #[inline(always)]
    pub(crate) fn value(&self) -> &T {
        &self.node().value
    }

    #[inline(always)]
    pub(crate) fn notes(&self) -> &Notes {
        &self.node().head.notes
    }

    #[inline(always)]
    pub(crate) fn inside(&self) -> &Inside<T, R> {
        // SAFETY: I2.
        unsafe { self.node().head.inside.cast().as_ref() }
    }

    /// The inside, and to change the value and what is noted beside it.
    #[inline(always)]
    pub(crate) fn view(&mut self) -> (&Inside<T, R>, &mut T, &mut Notes) {
        // SAFETY: I2, and the inside stands elsewhere; N1. In this order: whoever reads by way of the pointer ends what
        // was borrowed from it to be changed.
        let (inside, node) = unsafe { (self.0.as_ref().head.inside.cast().as_ref(), self.0.as_mut()) };
        (inside, &mut node.value, &mut node.head.notes)
    }

    /// A count of one's own on the inside (I3).
    pub(crate) fn hold(&self) -> Counted<T, R> {
        // SAFETY: I1: the node's count, which the node keeps.
        Counted::clone(&ManuallyDrop::new(unsafe { Counted::from_raw(self.node().head.inside.cast()) }))
    }

    /// The node's count on the inside, and its value in what is to be freed.
    pub(crate) fn split(self) -> (Counted<T, R>, Box<Node<T, R>>) {
        let inside = self.node().head.inside.cast();
        // SAFETY: I1: the node's count, given to the caller. N2, N3: it came from `Box::leak`.
        unsafe { (Counted::from_raw(inside), Box::from_raw(self.0.as_ptr())) }
    }
}

/// A node that is lent: it comes home when this is dropped.
pub(crate) struct Lent<T, R: Recycler<T>>(pub(crate) Owned<T, R>);

impl<T, R: Recycler<T>> Lent<T, R> {
    /// The lease ends otherwise.
    pub(crate) fn end(self) -> Owned<T, R> {
        Owned(ManuallyDrop::new(self).0.0)
    }
}

impl<T, R: Recycler<T>> Drop for Lent<T, R> {
    #[inline]
    fn drop(&mut self) {
        // N1: the old copy goes now.
        come_home(Owned(self.0.0));
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_within_its_budget() {
        assert!(size_of::<Head>() <= 32, "{} bytes", size_of::<Head>());
    }
}

//! One pooled object: a header and the value.
//!
//! A node belongs to exactly one holder at a time: a guard, a magazine, the depot, the condemned list, or a
//! local variable on its way between them. The holder has the node as if by `&mut`.
//!
//! Rules for the `unsafe` here and wherever a [`NodePtr`] is read:
//! **N1** holding a `NodePtr` is owning the node; it is copied only when the old copy is forgotten in the same
//! step. **N2** a `NodePtr` comes from `Box<Node<T, R>>` and keeps that allocation's provenance, so the header
//! and, for the inside that made it, the whole node may be reached through it. **N3** a node is freed once, by
//! [`destroy`] or [`free`], which its holder calls last.

use crate::inside::Inside;
use crate::lease::LeaseId;
use crate::recycle::Recycler;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::time::Duration;

/// What the pool writes beside each value: 32 bytes.
#[repr(C)]
pub(crate) struct Header {
    /// The `Inside<T, R>` that made the node. The node keeps it alive by one reference count.
    pub(crate) inside: NonNull<()>,
    /// The lease's record, if it is one of those on record.
    pub(crate) lease: Option<LeaseId>,
    /// Bytes, when last weighed. While a fresh object is lent for the first time: what is expected of it.
    pub(crate) weight: u64,
    /// Strikes of retention by use.
    pub(crate) strikes: u8,
    /// What the return path must see to beside recycling.
    pub(crate) special: Special,
    /// When a timed lease began.
    pub(crate) started: Started,
}

/// A moment in a pool's life: the lowest 48 bits of its age in ns. They repeat after 78 hours.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Started([u16; 3]);

impl Started {
    pub(crate) fn at(age_ns: u64) -> Self {
        // The bits asked for, and no others.
        #[allow(clippy::cast_possible_truncation)]
        let part = |i: u32| (age_ns >> (16 * i)) as u16;
        Self([part(0), part(1), part(2)])
    }

    /// How long ago that was.
    pub(crate) fn elapsed(self, age_ns: u64) -> Duration {
        let [a, b, c] = self.0.map(u64::from);
        Duration::from_nanos(age_ns.wrapping_sub(a | b << 16 | c << 32) & ((1 << 48) - 1))
    }
}

/// Why a return takes the slow path. One byte, so that the fast path asks one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Special {
    Nothing = 0,
    /// A lease on record ends.
    Recorded,
    /// Served fresh on purpose: dropped on return.
    Bypassed,
    /// Timed, as always.
    TimedPooled,
    /// Timed, served fresh on purpose: dropped on return.
    TimedFresh,
    /// A fault makes this lease one that never returns: its value is dropped.
    #[cfg(feature = "failpoints")]
    LostDropped,
    /// A fault makes this lease one that never returns: its value stays.
    #[cfg(feature = "failpoints")]
    LostKept,
}

#[repr(C)]
pub(crate) struct Node<T, R> {
    pub(crate) header: Header,
    pub(crate) value: ManuallyDrop<T>,
    recycler: PhantomData<R>,
}

/// Where a new value is to be put. The brand ties each place to the proof that a value was put there.
pub(crate) struct Place<'a, T> {
    place: *mut T,
    brand: Brand<'a>,
}

/// Proof that a value was put in its place.
pub(crate) struct Placed<'a>(Brand<'a>);

/// Invariant: no two places have the same.
type Brand<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

impl<'a, T> Place<'a, T> {
    /// What `make` returns is moved once.
    pub(crate) fn fill(self, make: impl FnOnce() -> T) -> Placed<'a> {
        // SAFETY: `build` made the place, for one value.
        unsafe { self.place.write(make()) };
        Placed(self.brand)
    }
}

/// An owned node whose type is known only to its inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodePtr(NonNull<Header>);

// SAFETY: N1: moving the pointer moves the ownership; the types that lend values out require `T: Send`.
unsafe impl Send for NodePtr {}

impl NodePtr {
    /// A node of weight 0 whose value `fill` puts in its place: one that is passed by value is copied from frame to
    /// frame without optimisation, and a large one fits on few stacks twice.
    pub(crate) fn build<T, R: Recycler<T>, E>(
        inside: NonNull<Inside<T, R>>,
        fill: impl for<'a> FnOnce(Place<'a, T>) -> Result<Placed<'a>, E>,
    ) -> Result<Self, E> {
        // Freed, and nothing in it dropped, if `fill` fails or panics.
        let mut memory = Box::<Node<T, R>>::new_uninit();
        let node = memory.as_mut_ptr();
        let header = Header {
            inside: inside.cast(),
            lease: None,
            weight: 0,
            strikes: 0,
            special: Special::Nothing,
            started: Started::default(),
        };
        // SAFETY: both are in the box. `ManuallyDrop` has the layout of what it holds.
        let place = unsafe {
            (&raw mut (*node).header).write(header);
            (&raw mut (*node).value).cast()
        };
        let Placed(_) = fill(Place { place, brand: PhantomData })?;
        Ok(Self(NonNull::from(Box::leak(memory)).cast()))
    }

    /// # Safety
    /// The node was made for `T` and `R` (N2).
    #[inline(always)]
    pub(crate) unsafe fn typed<T, R>(self) -> NonNull<Node<T, R>> {
        self.0.cast()
    }

    #[inline(always)]
    pub(crate) fn from_typed<T, R>(node: NonNull<Node<T, R>>) -> Self {
        Self(node.cast())
    }

    #[inline(always)]
    pub(crate) fn weight(self) -> u64 {
        // SAFETY: N1, N2: we own the node, and a header of it is always initialised.
        unsafe { (*self.0.as_ptr()).weight }
    }

    pub(crate) fn set_weight(self, weight: u64) {
        // SAFETY: as above.
        unsafe { (*self.0.as_ptr()).weight = weight };
    }
}

/// Drops the value and frees the node; gives back nothing of the inside's reference count.
///
/// # Safety
/// N1 and N3: the caller owns `node`, made for `T` and `R`, and does not use it again.
pub(crate) unsafe fn destroy<T, R>(node: NodePtr) {
    /// Frees the node also when dropping the value panics.
    struct Free<T, R>(NonNull<Node<T, R>>);
    impl<T, R> Drop for Free<T, R> {
        fn drop(&mut self) {
            // SAFETY: N3: the value was dropped already, or panicked while it was.
            unsafe { free(self.0) };
        }
    }
    // SAFETY: by this function's contract.
    let node = Free(unsafe { node.typed::<T, R>() });
    // SAFETY: N1: owned, and its value is dropped only here.
    unsafe { ManuallyDrop::drop(&mut (*node.0.as_ptr()).value) };
}

/// Frees a node whose value was dropped or moved away; gives back nothing of the inside's reference count.
///
/// # Safety
/// N1 and N3: the caller owns `node` and does not use it again.
pub(crate) unsafe fn free<T, R>(node: NonNull<Node<T, R>>) {
    // SAFETY: N2, N3: from `Box::leak` in `NodePtr::build`, freed once. `ManuallyDrop` lets the value be.
    drop(unsafe { Box::from_raw(node.as_ptr()) });
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_kept_to_the_nanosecond() {
        for age in [0, 1, 0xFFFF, 0x1234_5678_9ABC, (1 << 48) - 1, (1 << 48) + 7] {
            let started = Started::at(age);
            assert_eq!(started.elapsed(age), Duration::ZERO);
            assert_eq!(started.elapsed(age + 1_000_003), Duration::from_nanos(1_000_003));
        }
    }

    #[test]
    fn the_header_is_within_its_budget() {
        assert!(size_of::<Header>() <= 32, "{} bytes", size_of::<Header>());
    }
}

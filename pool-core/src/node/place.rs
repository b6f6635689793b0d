//! Where a new value is to be put, and the proof that it was.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// A place for a new value. The brand ties each place to the proof that a value was put there.
pub(crate) struct Place<'a, T> {
    place: &'a mut MaybeUninit<T>,
    brand: Brand<'a>,
}

/// Proof that a value was put in its place.
pub(crate) struct Placed<'a>(Brand<'a>);

/// Invariant: no two places have the same.
type Brand<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

impl<'a, T> Place<'a, T> {
    /// For who asks for the proof of this very place only: `fill` must not know any `'a` of its own.
    pub(super) fn new(place: &'a mut MaybeUninit<T>) -> Self {
        Self { place, brand: PhantomData }
    }

    /// To be filled, and then to be proved with the other.
    pub(super) fn open(self) -> (&'a mut MaybeUninit<T>, Placed<'a>) {
        (self.place, Placed(self.brand))
    }
}

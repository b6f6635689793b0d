//! Values that consist of others: each part is recycled where it stands.

use super::{Keep, Recycle};
use crate::retention::Retention;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::cmp::Reverse;
use std::io::Cursor;
use std::num::{Saturating, Wrapping};
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, TryLockError};

/// The boxed value is recycled in place, be it a slice or a trait object.
impl<T: Recycle + ?Sized> Recycle for Box<T> {
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        (**self).recycle(retention)
    }
    #[inline]
    fn weight(&self) -> usize {
        size_of_val(&**self).saturating_add((**self).weight())
    }
}

/// Each element is recycled in place.
impl<T: Recycle> Recycle for [T] {
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        self.iter_mut().fold(Keep::Yes, |keep, part| keep.or_worse(part.recycle(retention)))
    }
    #[inline]
    fn weight(&self) -> usize {
        self.iter().fold(0, |sum, part| sum.saturating_add(part.weight()))
    }
}

/// Each element is recycled in place.
impl<T: Recycle, const N: usize> Recycle for [T; N] {
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        self.as_mut_slice().recycle(retention)
    }
    #[inline]
    fn weight(&self) -> usize {
        self.as_slice().weight()
    }
}

macro_rules! tuple {
    ($($t:ident $at:tt)*) => {
        /// Each part is recycled in place.
        impl<$($t: Recycle),*> Recycle for ($($t,)*) {
            #[inline]
            fn recycle(&mut self, _retention: &Retention) -> Keep {
                Keep::Yes$(.or_worse(self.$at.recycle(_retention)))*
            }
            #[inline]
            fn weight(&self) -> usize {
                0_usize$(.saturating_add(self.$at.weight()))*
            }
        }
    };
}

tuple!();
tuple!(A 0);
tuple!(A 0 B 1);
tuple!(A 0 B 1 C 2);
tuple!(A 0 B 1 C 2 D 3);
tuple!(A 0 B 1 C 2 D 3 E 4);
tuple!(A 0 B 1 C 2 D 3 E 4 F 5);
tuple!(A 0 B 1 C 2 D 3 E 4 F 5 G 6);
tuple!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);
tuple!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8);
tuple!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9);
tuple!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10);
tuple!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11);

macro_rules! newtype {
    ($($t:ident)*) => {$(
        /// What it wraps is recycled in place.
        impl<T: Recycle> Recycle for $t<T> {
            #[inline]
            fn recycle(&mut self, retention: &Retention) -> Keep {
                self.0.recycle(retention)
            }
            #[inline]
            fn weight(&self) -> usize {
                self.0.weight()
            }
        }
    )*};
}

newtype!(Reverse Saturating Wrapping);

/// Both ends are recycled in place: a range of numbers becomes `0..0`.
impl<T: Recycle> Recycle for Range<T> {
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        self.start.recycle(retention).or_worse(self.end.recycle(retention))
    }
    #[inline]
    fn weight(&self) -> usize {
        self.start.weight().saturating_add(self.end.weight())
    }
}

/// Back to position 0 of what it wraps, which is recycled in place.
impl<T: Recycle> Recycle for Cursor<T> {
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        self.set_position(0);
        self.get_mut().recycle(retention)
    }
    #[inline]
    fn weight(&self) -> usize {
        self.get_ref().weight()
    }
}

macro_rules! taken {
    ($($(#[$doc:meta])* $t:ident;)*) => {$(
        $(#[$doc])*
        impl<T> Recycle for $t<T> {
            #[inline]
            fn recycle(&mut self, _: &Retention) -> Keep {
                drop(self.take());
                Keep::Yes
            }
        }
    )*};
}

taken! {
    /// Back to `None`: the inner value goes. It weighs nothing, also while there is one.
    Option;
    /// Back to unset: the inner value goes. It weighs nothing, also while there is one.
    OnceCell;
    /// Back to unset: the inner value goes. It weighs nothing, also while there is one.
    OnceLock;
}

/// An owned value is recycled in place; a borrowed one gives way to an empty owned one.
impl<B> Recycle for Cow<'_, B>
where
    B: ToOwned<Owned: Default + Recycle> + ?Sized,
{
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        let Self::Owned(owned) = self else {
            *self = Self::Owned(B::Owned::default());
            return Keep::Yes;
        };
        owned.recycle(retention)
    }
    #[inline]
    fn weight(&self) -> usize {
        match self {
            Self::Owned(owned) => owned.weight(),
            Self::Borrowed(_) => 0,
        }
    }
}

/// What it holds is recycled in place. It weighs nothing: the inside of a `Cell` cannot be looked at without
/// taking it out.
impl<T: Recycle + ?Sized> Recycle for Cell<T> {
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        self.get_mut().recycle(retention)
    }
}

/// What it holds is recycled in place. Refused if a borrow of it was forgotten, since nobody could borrow it
/// again.
impl<T: Recycle + ?Sized> Recycle for RefCell<T> {
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        let keep = self.get_mut().recycle(retention);
        if self.try_borrow_mut().is_ok() { keep } else { Keep::Refused }
    }
    #[inline]
    fn weight(&self) -> usize {
        self.try_borrow().map_or(0, |inside| inside.weight())
    }
}

macro_rules! lock {
    ($($t:ident $try_write:ident $try_read:ident;)*) => {$(
        /// What it guards is recycled in place. Refused if it is poisoned, or locked for ever by a guard that
        /// was forgotten. Neither recycling nor weighing waits for anybody.
        impl<T: Recycle + ?Sized> Recycle for $t<T> {
            #[inline]
            fn recycle(&mut self, retention: &Retention) -> Keep {
                let keep = self.get_mut().unwrap_or_else(PoisonError::into_inner).recycle(retention);
                if self.$try_write().is_ok() { keep } else { Keep::Refused }
            }
            #[inline]
            fn weight(&self) -> usize {
                match self.$try_read() {
                    Ok(inside) => inside.weight(),
                    Err(TryLockError::Poisoned(inside)) => inside.into_inner().weight(),
                    Err(TryLockError::WouldBlock) => 0,
                }
            }
        }
    )*};
}

lock! {
    Mutex try_lock try_lock;
    RwLock try_write try_read;
}

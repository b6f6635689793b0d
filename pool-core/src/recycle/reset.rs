//! Values without storage of their own: a return sets them to their default.

use super::{Keep, Recycle};
use crate::retention::Retention;
use std::marker::{PhantomData, PhantomPinned};
use std::sync::atomic;
use std::time::Duration;

macro_rules! reset {
    ($($(#[$on:meta])* ($($g:tt)*) $t:ty;)*) => {$(
        /// Back to its default.
        $(#[$on])*
        impl<$($g)*> Recycle for $t {
            #[inline]
            fn recycle(&mut self, _: &Retention) -> Keep {
                *self = Default::default();
                Keep::Yes
            }
        }
    )*};
}

macro_rules! reset_plain {
    ($($t:ty)*) => { reset! { $(() $t;)* } };
}

reset_plain!(bool char f32 f64 Duration PhantomPinned);
reset_plain!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

reset! {
    (T: ?Sized) PhantomData<T>;
    // Borrowed from elsewhere: letting go of it is all that there is to do.
    () &str;
    (T) &[T];
    // No pointer: nobody here knows what one would have to free.
    #[cfg(target_has_atomic = "8")] () atomic::AtomicBool;
    #[cfg(target_has_atomic = "8")] () atomic::AtomicI8;
    #[cfg(target_has_atomic = "8")] () atomic::AtomicU8;
    #[cfg(target_has_atomic = "16")] () atomic::AtomicI16;
    #[cfg(target_has_atomic = "16")] () atomic::AtomicU16;
    #[cfg(target_has_atomic = "32")] () atomic::AtomicI32;
    #[cfg(target_has_atomic = "32")] () atomic::AtomicU32;
    #[cfg(target_has_atomic = "64")] () atomic::AtomicI64;
    #[cfg(target_has_atomic = "64")] () atomic::AtomicU64;
    #[cfg(target_has_atomic = "ptr")] () atomic::AtomicIsize;
    #[cfg(target_has_atomic = "ptr")] () atomic::AtomicUsize;
}

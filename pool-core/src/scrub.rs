//! Overwriting what a value held, for secrets.
//!
//! Clearing a buffer sets its length; the bytes stay where they were, in storage that the pool goes on holding,
//! until somebody happens to write over them. This module writes over them at once. It knows only bytes: no
//! pool, no verdict.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::hint::black_box;
use std::path::PathBuf;

/// A value whose bytes can be overwritten: what `#[recycle(scrub)]` needs of a field.
///
/// Implemented for integers, for their slices, arrays, `Vec`, `VecDeque` and boxes, for `String`, `Box<str>`,
/// `OsString`, `PathBuf` and `Option`, and for `bytes::BytesMut` behind the feature `bytes`.
///
/// ```
/// use pool_core::Scrub;
/// let mut password = String::from("correct horse");
/// password.scrub();
/// assert_eq!(password.as_bytes(), [0; 13]);
/// ```
///
/// # What it does not reach
///
/// The value's storage is overwritten as a whole, spare capacity included. Copies elsewhere are not: those that
/// a growing buffer left in its former storage (reserve what will be needed), those that were made on purpose,
/// and those that a move left behind. `SmallVec` has no implementation for that reason: its inline part moves
/// with it, and stays stale when it spills.
///
/// A pool scrubs what is returned to it. A value that is dropped instead of recycled, because its user panicked
/// or took it out of the pool, is scrubbed if its type's `Drop` does so:
///
/// ```
/// use pool_core::Scrub;
/// struct Session { key: [u8; 32] }
/// impl Drop for Session {
///     fn drop(&mut self) {
///         self.key.scrub();
///     }
/// }
/// ```
///
/// [`black_box`] keeps today's optimiser from dropping the writes as such that nobody reads; `tests/scrub.rs`
/// looks at the process's memory to see that they happened, also when the storage is freed right after. The
/// language makes no promise about it.
#[diagnostic::on_unimplemented(
    message = "the bytes of `{Self}` cannot be overwritten",
    label = "`Scrub` is not implemented for `{Self}`",
    note = "`#[recycle(scrub)]` is for integers, arrays, byte buffers and strings; for another type, implement `pool_core::Scrub`"
)]
pub trait Scrub {
    /// Overwrites every byte that the value holds with zero and keeps its length: text becomes NUL
    /// characters, a number 0. Costs a write of its whole capacity; allocates nothing.
    fn scrub(&mut self);
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Scrub for $t {
            #[inline]
            fn scrub(&mut self) {
                std::slice::from_mut(self).scrub();
            }
        }

        impl Scrub for [$t] {
            #[inline]
            fn scrub(&mut self) {
                self.fill(0);
                // Out of the optimiser's sight: as far as it knows, the zeros are read.
                black_box(self);
            }
        }

        impl<const N: usize> Scrub for [$t; N] {
            #[inline]
            fn scrub(&mut self) {
                self.as_mut_slice().scrub();
            }
        }

        impl Scrub for Vec<$t> {
            fn scrub(&mut self) {
                let len = self.len();
                self.resize(self.capacity(), 0);
                self.as_mut_slice().scrub();
                self.truncate(len);
            }
        }

        impl Scrub for VecDeque<$t> {
            fn scrub(&mut self) {
                let len = self.len();
                self.resize(self.capacity(), 0);
                let (front, back) = self.as_mut_slices();
                front.scrub();
                back.scrub();
                self.truncate(len);
            }
        }
    )*};
}

integers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl Scrub for String {
    fn scrub(&mut self) {
        *self = text(std::mem::take(self).into_bytes());
    }
}

impl Scrub for Box<str> {
    fn scrub(&mut self) {
        // As long as its capacity: it neither grows nor shrinks on its way.
        *self = text(std::mem::take(self).into_string().into_bytes()).into_boxed_str();
    }
}

impl Scrub for OsString {
    fn scrub(&mut self) {
        *self = text(std::mem::take(self).into_encoded_bytes()).into();
    }
}

impl Scrub for PathBuf {
    fn scrub(&mut self) {
        let mut path = std::mem::take(self).into_os_string();
        path.scrub();
        *self = path.into();
    }
}

/// What stands inside is overwritten in place.
impl<T: Scrub + ?Sized> Scrub for Box<T> {
    fn scrub(&mut self) {
        (**self).scrub();
    }
}

/// The value inside is overwritten, if there is one.
impl<T: Scrub> Scrub for Option<T> {
    fn scrub(&mut self) {
        if let Some(inside) = self {
            inside.scrub();
        }
    }
}

/// All storage that is its own, also what its user read past (`advance`): that becomes part of the content again,
/// as zeros. What was split off, or frozen and handed out, belongs to others.
#[cfg(feature = "bytes")]
impl Scrub for bytes::BytesMut {
    fn scrub(&mut self) {
        let (len, before) = (self.len(), self.capacity());
        self.clear();
        crate::recycle::reclaim(self);
        let read = self.capacity().saturating_sub(before);
        self.resize(self.capacity(), 0);
        self.as_mut().scrub();
        self.truncate(len + read);
    }
}

/// Scrubbed bytes as text: zeros are text.
fn text(mut bytes: Vec<u8>) -> String {
    bytes.scrub();
    String::from_utf8(bytes).unwrap_or_default()
}

//! The standard collections: emptied, and kept with their storage where they have any after that.

use super::{Keep, Recycle};
use crate::retention::Retention;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::mem::size_of;

/// Bytes of a hash table in which `capacity` entries of `entry_bytes` fit.
///
/// The tables of the standard library and of `hashbrown` have a power of two of buckets, of which they fill
/// seven in eight, a control byte beside each, and a group of control bytes more (16 on x86-64, elsewhere fewer).
#[inline]
pub(super) const fn table_bytes(capacity: usize, entry_bytes: usize) -> usize {
    const GROUP: usize = 16;
    let buckets = match capacity {
        0 => return 0,
        1..8 => (capacity + 1).next_power_of_two(),
        // Rounded down before it is rounded up: seven in eight of a power of two is a whole number.
        _ => (capacity / 7 * 8 + capacity % 7).next_power_of_two(),
    };
    (buckets * entry_bytes).next_multiple_of(GROUP) + buckets + GROUP
}

/// For types whose `clear` leaves their storage: `|n|` says how many bytes `n` elements take.
macro_rules! growable {
    ($($(#[$doc:meta])* ($($g:tt)*) $t:ty, |$n:ident| $bytes:expr;)*) => {$(
        $(#[$doc])*
        impl<$($g)*> $crate::Recycle for $t {
            #[inline]
            fn recycle(&mut self, retention: &$crate::Retention) -> $crate::Keep {
                let bytes = |$n: usize| $bytes;
                let keep = retention.judge(bytes(self.len()), bytes(self.capacity()));
                self.clear();
                keep
            }
            #[inline]
            fn weight(&self) -> usize {
                let bytes = |$n: usize| $bytes;
                bytes(self.capacity())
            }
        }
    )*};
}

growable! {
    /// Emptied; its elements are dropped, its storage stays.
    (T) Vec<T>, |n| n * size_of::<T>();
    /// Emptied; its elements are dropped, its storage stays.
    (T) VecDeque<T>, |n| n * size_of::<T>();
    /// Emptied; its elements are dropped, its storage stays.
    (T) BinaryHeap<T>, |n| n * size_of::<T>();
    /// Emptied; its entries are dropped, its table stays. The table weighs with its control bytes.
    (K, V, S) HashMap<K, V, S>, |n| table_bytes(n, size_of::<(K, V)>());
    /// Emptied; its entries are dropped, its table stays. The table weighs with its control bytes.
    (K, S) HashSet<K, S>, |n| table_bytes(n, size_of::<K>());
}

macro_rules! without_storage {
    ($(($($g:tt)*) $t:ty;)*) => {$(
        /// Emptied. Its nodes are freed with its elements: there is nothing to keep, and nothing to weigh.
        impl<$($g)*> Recycle for $t {
            #[inline]
            fn recycle(&mut self, _: &Retention) -> Keep {
                self.clear();
                Keep::Yes
            }
        }
    )*};
}

without_storage! {
    (K, V) BTreeMap<K, V>;
    (K) BTreeSet<K>;
    (T) LinkedList<T>;
}

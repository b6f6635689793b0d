//! The ordered tables of `indexmap`: a vector of entries, and a hash table of their places.

use crate::recycle::collections::table_bytes;
use indexmap::{IndexMap, IndexSet};
use std::mem::size_of;

/// An entry stands in the vector with its hash.
#[inline]
const fn bytes<E>(capacity: usize) -> usize {
    capacity * size_of::<(usize, E)>() + table_bytes(capacity, size_of::<usize>())
}

growable! {
    /// Emptied; its entries are dropped, its vector and its table stay and weigh for as many entries as fit
    /// into both.
    (K, V, S) IndexMap<K, V, S>, |n| bytes::<(K, V)>(n);
    /// Emptied; its entries are dropped, its vector and its table stay and weigh for as many entries as fit
    /// into both.
    (K, S) IndexSet<K, S>, |n| bytes::<K>(n);
}

//! The tables of `hashbrown`: what the standard library's are made of.

use crate::recycle::collections::table_bytes;
use hashbrown::{HashMap, HashSet, HashTable};
use std::mem::size_of;

growable! {
    /// Emptied; its entries are dropped, its table stays. The table weighs with its control bytes.
    (K, V, S) HashMap<K, V, S>, |n| table_bytes(n, size_of::<(K, V)>());
    /// Emptied; its entries are dropped, its table stays. The table weighs with its control bytes.
    (K, S) HashSet<K, S>, |n| table_bytes(n, size_of::<K>());
    /// Emptied; its entries are dropped, its table stays. The table weighs with its control bytes.
    (T) HashTable<T>, |n| table_bytes(n, size_of::<T>());
}

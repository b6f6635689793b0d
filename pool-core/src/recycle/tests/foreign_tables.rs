//! Tables and vectors of other crates.

use super::*;
#[cfg(any(feature = "hashbrown", feature = "indexmap"))]
use std::hash::RandomState;

#[cfg(any(feature = "hashbrown", feature = "indexmap"))]
const MANY: u32 = 20_000;

#[cfg(any(feature = "hashbrown", feature = "indexmap"))]
macro_rules! table_test {
    ($($name:ident: $empty:expr, |$table:ident, $i:ident| $add:expr;)*) => {$(
        #[test]
        fn $name() {
            let mut $table = $empty;
            assert_eq!($table.weight(), 0);
            for $i in 0..MANY {
                $add;
            }
            let (full, held) = ($table.capacity(), $table.weight());
            assert!(held > Retention::ALWAYS_KEPT);
            assert_eq!($table.recycle(&last_chance()), Keep::Yes);
            assert_eq!(($table.len(), $table.capacity(), $table.weight()), (0, full, held));
            let $i = 0;
            $add;
            assert_eq!($table.recycle(&last_chance()), Keep::Oversize);
            assert!($table.is_empty());
        }
    )*};
}

#[cfg(feature = "hashbrown")]
table_test! {
    hash_map: hashbrown::HashMap::<_, _, RandomState>::default(), |t, i| { t.insert(i, [i; 3]); };
    hash_set: hashbrown::HashSet::<_, RandomState>::default(), |t, i| { t.insert(i); };
    hash_table: hashbrown::HashTable::new(), |t, i| { t.insert_unique(u64::from(i), i, |i| u64::from(*i)); };
}

#[cfg(feature = "indexmap")]
table_test! {
    index_map: indexmap::IndexMap::<_, _, RandomState>::default(), |t, i| { t.insert(i, [i; 3]); };
    index_set: indexmap::IndexSet::<_, RandomState>::default(), |t, i| { t.insert(i); };
}

#[cfg(feature = "hashbrown")]
#[test]
fn a_table_weighs_what_it_says_it_allocated() {
    fn check<T: std::hash::Hash + Eq>() {
        for wanted in (0..130).chain([500, 1_000, 10_000, 1 << 20]) {
            let table =
                hashbrown::HashSet::<T, RandomState>::with_capacity_and_hasher(wanted, RandomState::new());
            let (weight, truth) = (table.weight(), table.allocation_size());
            let what = format!("{} for {wanted}", std::any::type_name::<T>());
            if cfg!(all(target_arch = "x86_64", target_feature = "sse2")) {
                assert_eq!(weight, truth, "{what}");
            } else {
                // Smaller groups elsewhere: up to eight bytes fewer behind the table, and in its padding.
                assert!((truth..=truth + 16).contains(&weight), "{what}: {weight}, allocated {truth}");
            }
        }
    }
    check::<u8>();
    check::<u16>();
    check::<[u8; 3]>();
    check::<u64>();
    check::<(u64, u32)>();
    check::<[u64; 9]>();
}

#[cfg(feature = "hashbrown")]
#[test]
fn the_standard_tables_weigh_the_same_for_the_same_capacity() {
    let ours = std::collections::HashMap::<u64, [u64; 3]>::with_capacity(1_000);
    let theirs =
        hashbrown::HashMap::<u64, [u64; 3], RandomState>::with_capacity_and_hasher(1_000, RandomState::new());
    assert_eq!((ours.capacity(), ours.weight()), (theirs.capacity(), theirs.weight()));
}

#[cfg(feature = "indexmap")]
#[test]
fn an_ordered_table_weighs_its_vector_and_its_table() {
    let map = indexmap::IndexMap::<u64, u64, RandomState>::with_capacity_and_hasher(448, RandomState::new());
    assert_eq!(map.capacity(), 448);
    // 448 entries of hash, key and value; 512 places with their control bytes, and a group of those.
    assert_eq!(map.weight(), 448 * 24 + 512 * 9 + 16);
}

#[cfg(feature = "smallvec")]
#[test]
fn a_small_vector_weighs_once_it_has_spilled() {
    let mut small = smallvec::SmallVec::<[u32; 4]>::from_slice(&[1, 2, 3, 4]);
    assert_eq!(small.weight(), 0);
    recycle(&mut small);
    assert!(small.is_empty() && !small.spilled());
    small.resize(20_000, 7);
    let capacity = small.capacity();
    assert_eq!(small.recycle(&last_chance()), Keep::Yes);
    assert_eq!((small.len(), small.weight()), (0, capacity * 4));
    small.push(1);
    assert_eq!(small.recycle(&last_chance()), Keep::Oversize);
}

#[cfg(feature = "smallvec")]
#[test]
fn what_stands_inline_is_never_too_large() {
    let mut inline = smallvec::SmallVec::<[u64; 4096]>::new();
    assert_eq!(inline.recycle(&last_chance()), Keep::Yes);
}

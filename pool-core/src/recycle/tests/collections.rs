//! Collections and text: empty, with their storage, judged by use.

use super::*;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;
use std::rc::Rc;

/// More than is always kept, in elements of any size.
const MANY: usize = 20_000;

macro_rules! growable_test {
    ($($name:ident: $empty:expr, |$value:ident, $i:ident| $add:expr, $is_empty:expr;)*) => {$(
        #[test]
        fn $name() {
            let mut $value = $empty;
            for $i in 0..MANY {
                $add;
            }
            let (full, held) = ($value.capacity(), $value.weight());
            assert!(held > Retention::ALWAYS_KEPT, "{held}");
            // Well used, with three strikes: kept, with its storage.
            assert_eq!(Recycle::recycle(&mut $value, &last_chance()), Keep::Yes);
            assert!($is_empty);
            assert_eq!(($value.capacity(), $value.weight()), (full, held));
            // Hardly used, at its fourth strike: too large. Emptied all the same.
            let $i = 0;
            $add;
            assert_eq!(Recycle::recycle(&mut $value, &last_chance()), Keep::Oversize);
            assert!($is_empty);
        }
    )*};
}

growable_test! {
    vec: Vec::new(), |v, i| v.push(i), v.is_empty();
    vec_deque: VecDeque::new(), |v, i| v.push_back(i), v.is_empty();
    binary_heap: BinaryHeap::new(), |v, i| v.push(i), v.is_empty();
    hash_map: HashMap::new(), |v, i| { v.insert(i, [i; 3]); }, v.is_empty();
    hash_set: HashSet::new(), |v, i| { v.insert(i); }, v.is_empty();
    string: String::new(), |v, _i| v.push('x'), v.is_empty();
    os_string: OsString::new(), |v, _i| v.push("x"), v.is_empty();
    path_buf: PathBuf::new(), |v, _i| v.as_mut_os_string().push("x"), v.as_os_str().is_empty();
}

#[test]
fn what_is_stored_in_a_row_weighs_its_capacity() {
    assert_eq!(Vec::<u32>::with_capacity(10).weight(), 40);
    assert_eq!(VecDeque::<u64>::with_capacity(10).weight(), 80);
    assert_eq!(BinaryHeap::<u16>::with_capacity(10).weight(), 20);
    assert_eq!(String::with_capacity(10).weight(), 10);
    assert_eq!(OsString::with_capacity(10).weight(), 10);
    assert_eq!(PathBuf::with_capacity(10).weight(), 10);
    assert_eq!(Vec::<()>::new().weight(), 0);
    assert_eq!(HashMap::<u64, u64>::new().weight(), 0);
}

#[test]
fn elements_are_dropped_and_not_recycled() {
    let element = Rc::new(());
    let mut outer = vec![vec![element.clone(); 3], vec![element.clone()]];
    let capacity = outer.capacity();
    recycle(&mut outer);
    assert_eq!((outer.len(), outer.capacity(), Rc::strong_count(&element)), (0, capacity, 1));
}

#[test]
fn what_has_no_storage_is_emptied_and_weighs_nothing() {
    let mut map = BTreeMap::from([(1, "a"), (2, "b")]);
    let mut set = BTreeSet::from([1, 2]);
    let mut list = LinkedList::from([1, 2]);
    let mut text: Box<str> = "text".into();
    assert_eq!(text.weight(), 4);
    recycle(&mut map);
    recycle(&mut set);
    recycle(&mut list);
    recycle(&mut text);
    assert!(map.is_empty() && set.is_empty() && list.is_empty() && text.is_empty());
    assert_eq!([map.weight(), set.weight(), list.weight(), text.weight()], [0; 4]);
}

#[test]
fn a_table_has_a_power_of_two_of_buckets() {
    use crate::recycle::collections::table_bytes;
    assert_eq!(table_bytes(0, 8), 0);
    // Capacity 3 in 4 buckets, 7 in 8, 14 in 16, 448 in 512: entries, a control byte each, a group more.
    for (capacity, buckets) in [(3, 4), (7, 8), (14, 16), (28, 32), (448, 512), (449, 1024)] {
        assert_eq!(table_bytes(capacity, 24), buckets * 25 + 16, "capacity {capacity}");
    }
    // Entries that do not fill up to the control bytes' alignment are padded.
    assert_eq!(table_bytes(3, 2), 16 + 4 + 16);
}

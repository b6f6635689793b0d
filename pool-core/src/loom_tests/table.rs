//! A table of slots that grows under its readers.

use super::model;
use crate::slot::Slot;
use crate::table::Table;
use loom::sync::Arc;
use loom::thread;
use std::ptr;

fn fixed() -> Slot {
    Slot::new(0, 0, 1)
}

#[test]
fn loom_a_table_grows_under_a_reader() {
    // A first array of two entries: id 2 makes it grow while id 1 reads its own.
    model(|| {
        let table = Arc::new(Table::new());
        let (one, two) = (Arc::clone(&table), Arc::clone(&table));
        let reader = thread::spawn(move || {
            let mine = one.get_or_insert(1, fixed).map(ptr::from_ref);
            let found = one.get(1);
            assert!(mine.is_none() || found.is_null() || mine == Some(found));
            // Somebody else's: what is found is whole.
            if let Some(slot) = one.find(2) {
                assert_eq!(slot.len(), 0);
            }
        });
        let grower = thread::spawn(move || {
            two.get_or_insert(2, fixed);
            assert!(two.find(0).is_none());
        });
        let zero = table.get(0);
        assert!(zero.is_null());
        reader.join().unwrap();
        grower.join().unwrap();
    });
}

/// Two threads alone, the reader last: to find an order worth trying, loom compares an access with the latest one by
/// anybody, and who makes the table grow reads it, too.
#[test]
fn loom_a_table_is_whole_while_it_grows() {
    model(|| {
        let table = Arc::new(Table::new());
        let first = table.get_or_insert(1, fixed).map(|slot| ptr::from_ref(slot).addr());
        let other = Arc::clone(&table);
        let reader = thread::spawn(move || {
            assert_eq!(Some(other.get(1).addr()), first);
            if let Some(slot) = other.find(2) {
                assert_eq!(slot.len(), 0);
            }
        });
        assert!(table.get_or_insert(2, fixed).is_some());
        reader.join().unwrap();
    });
}

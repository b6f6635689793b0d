//! Values made of others: each part is recycled in place, and the worst one decides.

use super::*;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::cmp::Reverse;
use std::io::Cursor;
use std::num::{Saturating, Wrapping};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Mutex, OnceLock, RwLock};

fn parts() -> [Part; 3] {
    [Part::new(Keep::Oversize, 1), Part::new(Keep::Refused, 20), Part::new(Keep::Yes, 300)]
}

fn asked<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Vec<u32> {
    parts.into_iter().map(|part| part.asked).collect()
}

/// Storage that a return must leave in place, with something in it.
fn text() -> String {
    let mut text = String::with_capacity(100);
    text.push_str("used");
    text
}

#[test]
fn arrays_slices_and_tuples_ask_every_part() {
    let retention = Retention::default();
    let mut array = parts();
    assert_eq!((array.recycle(&retention), array.weight()), (Keep::Refused, 321));
    assert_eq!(asked(&array), [1, 1, 1]);
    let mut boxed: Box<[Part]> = Box::new(parts());
    assert_eq!(boxed.recycle(&retention), Keep::Refused);
    assert_eq!((asked(&boxed), boxed.weight()), (vec![1, 1, 1], 3 * size_of::<Part>() + 321));
    let [a, b, c] = parts();
    let mut tuple = (a, b, c);
    assert_eq!((tuple.recycle(&retention), tuple.weight()), (Keep::Refused, 321));
    assert_eq!([tuple.0.asked, tuple.1.asked, tuple.2.asked], [1, 1, 1]);
}

#[test]
fn a_tuple_has_up_to_twelve_parts() {
    let mut twelve = (1_u8, 2_u8, 3_u8, 4_u8, 5_u8, 6_u8, 7_u8, 8_u8, 9_u8, 10_u8, text(), text());
    recycle(&mut twelve);
    assert_eq!(twelve.weight(), 200);
    let empty = String::new();
    assert_eq!(twelve, (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, empty.clone(), empty));
}

#[test]
fn weights_that_no_memory_has_do_not_overflow() {
    let huge = || Part::new(Keep::Yes, usize::MAX);
    assert_eq!([huge(), huge()].weight(), usize::MAX);
    assert_eq!((huge(), huge()).weight(), usize::MAX);
    assert_eq!(Box::new(huge()).weight(), usize::MAX);
    assert_eq!((huge()..huge()).weight(), usize::MAX);
}

#[test]
fn what_stands_inside_keeps_its_storage() {
    let mut boxed = Box::new(text());
    let mut array = [text(), text()];
    let mut cell = Cell::new(text());
    let mut ref_cell = RefCell::new(text());
    let mut mutex = Mutex::new(text());
    let mut rw_lock = RwLock::new(text());
    let mut reverse = Reverse(text());
    let mut cursor = Cursor::new(text());
    cursor.set_position(3);
    recycle(&mut boxed);
    recycle(&mut array);
    recycle(&mut cell);
    recycle(&mut ref_cell);
    recycle(&mut mutex);
    recycle(&mut rw_lock);
    recycle(&mut reverse);
    recycle(&mut cursor);
    assert_eq!((cell.weight(), cursor.position()), (0, 0));
    let weights = [ref_cell.weight(), mutex.weight(), rw_lock.weight(), reverse.weight(), cursor.weight()];
    assert_eq!(weights, [100; 5]);
    assert_eq!((boxed.weight(), array.weight()), (size_of::<String>() + 100, 200));
    let [one, two] = array;
    let inside = [*boxed, one, two, cell.into_inner(), ref_cell.into_inner(), reverse.0, cursor.into_inner()];
    let locked = [mutex.into_inner().unwrap(), rw_lock.into_inner().unwrap()];
    for text in inside.iter().chain(&locked) {
        assert_eq!((text.as_str(), text.capacity()), ("", 100));
    }
}

#[test]
fn numbers_inside_go_back_to_zero() {
    let mut values = (Wrapping(3), Saturating(4), 5..9, Cell::new(6), [7; 100], Box::new(8));
    recycle(&mut values);
    assert_eq!(values, (Wrapping(0), Saturating(0), 0..0, Cell::new(0), [0; 100], Box::new(0)));
}

#[test]
fn a_trait_object_is_recycled_as_what_it_is() {
    let mut values: [Box<dyn Recycle + Send>; 2] = [Box::new(text()), Box::new(7_u32)];
    recycle(&mut values);
    assert_eq!(values.weight(), size_of::<String>() + 100 + size_of::<u32>());
}

#[test]
fn what_may_be_there_is_dropped() {
    let inside = Rc::new(());
    let mut option = Some(inside.clone());
    let mut once = OnceCell::from(inside.clone());
    let mut locked = OnceLock::from(inside.clone());
    recycle(&mut option);
    recycle(&mut once);
    recycle(&mut locked);
    assert!(option.is_none() && once.get().is_none() && locked.get().is_none());
    assert_eq!(Rc::strong_count(&inside), 1);
    assert_eq!([option.weight(), once.weight(), locked.weight()], [0; 3]);
}

#[test]
fn a_cow_keeps_what_it_owns_and_forgets_what_it_borrows() {
    let mut owned: Cow<'_, str> = Cow::Owned(text());
    recycle(&mut owned);
    assert_eq!((&*owned, owned.weight()), ("", 100));
    let mut borrowed: Cow<'_, [u8]> = Cow::Borrowed(b"static");
    recycle(&mut borrowed);
    assert_eq!(borrowed, Cow::Owned::<[u8]>(Vec::new()));
}

#[test]
fn a_poisoned_lock_is_emptied_and_refused() {
    let (mut mutex, mut rw_lock) = (Mutex::new(text()), RwLock::new(text()));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let (_mutex, _rw_lock) = (mutex.lock().unwrap(), rw_lock.write().unwrap());
        panic!("while both are held");
    }));
    assert!(panicked.is_err());
    assert_eq!(mutex.recycle(&Retention::default()), Keep::Refused);
    assert_eq!(rw_lock.recycle(&Retention::default()), Keep::Refused);
    assert_eq!((mutex.weight(), rw_lock.weight()), (100, 100));
    assert!(mutex.into_inner().unwrap_err().into_inner().is_empty());
    assert!(rw_lock.into_inner().unwrap_err().into_inner().is_empty());
}

#[test]
fn what_a_forgotten_guard_holds_is_refused() {
    let (mut mutex, mut reader, mut writer) = (Mutex::new(1), RwLock::new(1), RwLock::new(1));
    let mut cell = RefCell::new(1);
    std::mem::forget(mutex.lock().unwrap());
    std::mem::forget(reader.read().unwrap());
    std::mem::forget(writer.write().unwrap());
    std::mem::forget(cell.borrow_mut());
    assert_eq!(mutex.recycle(&Retention::default()), Keep::Refused);
    assert_eq!(reader.recycle(&Retention::default()), Keep::Refused);
    assert_eq!(writer.recycle(&Retention::default()), Keep::Refused);
    assert_eq!(cell.recycle(&Retention::default()), Keep::Refused);
    assert_eq!([mutex.weight(), writer.weight(), cell.weight()], [0; 3]);
}

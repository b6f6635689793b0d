//! Guards of a part of an object.

use super::{Census, Value, balanced, dropped, panics};
use pool_core::{DropReason, MappedPooled, Pooled, Registry};
use std::thread;

#[test]
fn the_whole_object_comes_home_when_the_part_goes() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    let mut bytes = Pooled::map(pool.get(), |value| &mut value.bytes);
    bytes.extend_from_slice(b"abc");
    let tail = MappedPooled::map(bytes, |bytes| &mut bytes[1..]);
    assert_eq!((&*tail, balanced(&registry).lent_objects), (&b"bc"[..], 1));
    assert_eq!(format!("{tail:?}"), format!("{:?}", b"bc"));
    drop(tail);
    let stats = balanced(&registry);
    assert_eq!((stats.idle_objects, stats.lent_objects, census.recycled()), (1, 0, 1));
    assert!(pool.get().bytes.is_empty());
}

#[test]
fn a_part_can_be_sent_and_outlives_the_pool() {
    let census = Census::default();
    let pool = census.pool(&Registry::new());
    let mut bytes = Pooled::map(pool.get(), |value| &mut value.bytes);
    drop(pool);
    thread::spawn(move || bytes.push(1)).join().unwrap();
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_projection_that_panics_taints() {
    let registry = Registry::new();
    let census = Census::default();
    let pool = census.pool(&registry);
    assert!(panics(|| Pooled::map(pool.get(), |_: &mut Value| -> &mut u8 { panic!("as told") })));
    assert!(panics(|| Pooled::try_map(pool.get(), |_| -> Option<&mut u8> { panic!("as told") })));
    let bytes = Pooled::map(pool.get(), |value| &mut value.bytes);
    assert!(panics(|| MappedPooled::map(bytes, |bytes| &mut bytes[0])));
    let stats = balanced(&registry);
    assert_eq!((dropped(&stats, DropReason::Tainted), stats.lent_objects, census.alive()), (3, 0, 0));
}

#[test]
fn a_part_that_is_not_there_leaves_the_guard_as_it_was() {
    let registry = Registry::new();
    let pool = Census::default().pool(&registry);
    let whole = Pooled::try_map(pool.get(), |value| value.bytes.first_mut()).unwrap_err();
    assert_eq!(balanced(&registry).lent_objects, 1);
    drop(whole);
    assert_eq!(balanced(&registry).idle_objects, 1);
}

#[test]
fn a_part_may_live_elsewhere_for_ever() {
    let registry = Registry::new();
    let pool = Census::default().pool(&registry);
    let elsewhere: &'static mut u32 = Box::leak(Box::new(1));
    let mut part = Pooled::map(pool.get(), move |_| elsewhere);
    *part += 1;
    assert_eq!(*part, 2);
    drop(MappedPooled::unmap(part));
    assert_eq!(balanced(&registry).idle_objects, 1);
}

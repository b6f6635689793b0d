//! The fault sites, through the public interface, as a chaos layer uses them.
#![cfg(all(feature = "failpoints", not(ebbpool_loom)))]

use pool_core::fault::{Decider, Hit, MissingPut, set_decider};
use pool_core::{Pool, Pooled, Recycle, Registry, Retention};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

struct Value(Arc<AtomicU64>);
impl Recycle for Value {
    fn recycle(&mut self, _: &Retention) -> pool_core::Keep {
        pool_core::Keep::Yes
    }
}
impl Drop for Value {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

struct Always(MissingPut, AtomicU64);
impl Decider for Always {
    fn missing_put(&self, hit: &Hit<'_>) -> Option<MissingPut> {
        assert_eq!((hit.pool, hit.argument), ("armed", Some("kept")));
        assert!(hit.site.file().ends_with("faults.rs"));
        self.1.fetch_add(1, Relaxed);
        Some(self.0)
    }
}

struct Panics;
impl Decider for Panics {
    fn missing_put(&self, _: &Hit<'_>) -> Option<MissingPut> {
        panic!("a decider panics")
    }
}

struct Gets(Pool<Value>);
impl Decider for Gets {
    fn missing_put(&self, _: &Hit<'_>) -> Option<MissingPut> {
        None
    }
}
impl Drop for Gets {
    fn drop(&mut self) {
        drop(self.0.get());
    }
}

/// One test: failpoints and the decider belong to the process.
#[test]
fn only_armed_pools_ask_and_a_missing_put_stays_lent() {
    let registry = Registry::new();
    let dropped = Arc::new(AtomicU64::new(0));
    let make = |name: &str| {
        let dropped = Arc::clone(&dropped);
        Pool::builder(name).registry(&registry).build_with(move || Value(Arc::clone(&dropped))).unwrap()
    };
    let (armed, other) = (make("armed"), make("other"));
    drop((armed.get(), other.get()));
    let decider = Arc::new(Always(MissingPut::Kept, AtomicU64::new(0)));
    set_decider(Some(decider.clone()));
    fail::cfg("missing-put", "return(kept)").unwrap();
    drop(armed.get());
    assert_eq!(decider.1.load(Relaxed), 0, "a pool that is not armed does not ask");

    armed.managed().set_faults_armed(true);
    drop(armed.get());
    drop(other.get());
    let stats = armed.stats();
    assert_eq!((decider.1.load(Relaxed), stats.lent_objects, stats.idle_objects), (1, 1, 0));
    assert_eq!(dropped.load(Relaxed), 0, "kept: the value lives");

    set_decider(Some(Arc::new(Always(MissingPut::Dropped, AtomicU64::new(0)))));
    drop(armed.get());
    assert_eq!((armed.stats().lent_objects, dropped.load(Relaxed)), (2, 1));

    // What leaves in another way is lost all the same; a value that is taken out is its taker's.
    Pooled::discard(armed.get());
    assert_eq!((armed.stats().lent_objects, dropped.load(Relaxed)), (3, 2));
    let taken = Pooled::into_inner(armed.get());
    assert_eq!((armed.stats().lent_objects, dropped.load(Relaxed)), (4, 2));
    drop(taken);
    assert_eq!(dropped.load(Relaxed), 3);

    // A decider that panics costs nobody an object; one that is replaced may use the pool while it goes.
    set_decider(Some(Arc::new(Panics)));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| armed.get())).is_err());
    set_decider(Some(Arc::new(Gets(armed.clone()))));
    set_decider(None);
    assert_eq!(armed.stats().lent_objects, 4);

    fail::remove("missing-put");
    armed.managed().set_faults_armed(false);
    set_decider(None);
    drop(armed.get());
    assert_eq!((armed.stats().lent_objects, armed.stats().idle_objects), (4, 1));
}

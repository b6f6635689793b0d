//! What a user sees of a leak: the place, the count, and whether it came back after all.
#![cfg(not(ebbpool_loom))]

use pool_core::{LeaseLevel, Pool};
use std::time::Duration;

#[test]
fn a_leak_has_a_place_and_a_late_return_is_told() {
    let pool = Pool::builder("leaky").lease_level(LeaseLevel::All).build_with(String::new).unwrap();
    let leaked = pool.get();
    let line = line!() - 1;
    let managed = pool.managed();
    let suspects = managed.suspects(Duration::ZERO);
    assert_eq!((suspects[0].site.line(), suspects[0].count), (line, 1));
    drop(leaked);
    assert_eq!(managed.suspects(Duration::ZERO), []);
    let second = (0..2).map(|_| pool.get()).collect::<Vec<_>>();
    assert_eq!(managed.suspects(Duration::ZERO)[0].returned_after_all, 0, "another place");
    drop(second);
}

#[test]
fn a_healthy_pool_has_no_suspects() {
    let pool = Pool::new("healthy", String::new);
    for _ in 0..10_000 {
        drop(pool.get());
    }
    assert_eq!(pool.managed().suspects(Duration::ZERO), []);
}

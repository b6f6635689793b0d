//! Gets inside the create of another get of the same pool: what is due is due there too.

use super::{balanced, take_an_id, vecs};
use crate::{Capacity, Change, LeaseLevel, Pool, Ratio, Registry, Reuse, Sampling, Setting};
use std::num::NonZeroU32;

fn pool(registry: &Registry, leases: LeaseLevel, reuse: Ratio) -> Pool<Vec<u8>> {
    take_an_id();
    let pool = vecs(registry, Capacity::new(100, 1 << 20).unwrap());
    let sampling = Sampling::DEFAULT.with_leases(leases).with_timing_one_in(0).unwrap();
    for setting in [Setting::Sampling(sampling), Setting::Reuse(Reuse(reuse))] {
        let _ = pool.managed().set(setting, Change::operator("what is due is known"));
    }
    pool
}

#[test]
fn all_leases_are_on_record_also_those_begun_inside_a_create() {
    let registry = Registry::new();
    let pool = pool(&registry, LeaseLevel::All, Ratio::ONE);
    let mut inner = Vec::new();
    let outer = pool.get_with(|| {
        inner.extend((0..3).map(|_| pool.get_with(|| Vec::clone(&pool.get()))));
        Vec::new()
    });
    assert_eq!(pool.stats().leases_recorded, 1 + 3);
    drop((outer, inner));
    assert_eq!((balanced(&registry).leases_recorded, pool.open_leases().len()), (0, 0));
    let _again = [pool.get(), pool.get()];
    assert_eq!(pool.stats().leases_recorded, 2);
}

#[test]
fn nothing_is_reused_inside_a_create_where_nothing_may_be() {
    let registry = Registry::new();
    let pool = pool(&registry, LeaseLevel::Off, Ratio::ZERO);
    assert_eq!(pool.prefill(2), 2);
    drop(pool.get_with(|| Vec::clone(&pool.get())));
    let stats = balanced(&registry);
    assert_eq!((stats.gets.bypassed, stats.gets.total()), (2, 2), "{stats:?}");
}

/// Each get has one number of its own, also one that fails: none is asked twice, and no event is put off for ever.
#[test]
fn a_share_is_kept_where_gets_nest_and_where_they_fail() {
    for failures in [0, 1, 3] {
        let registry = Registry::new();
        let pool = pool(&registry, LeaseLevel::Sampled(NonZeroU32::new(8).unwrap()), Ratio::ONE);
        let mut guards = Vec::new();
        for _ in 0..4000 {
            let mut inner = None;
            guards.push(pool.get_with(|| {
                inner = Some(pool.get_with(Vec::new));
                Vec::new()
            }));
            guards.extend(inner);
            (0..failures).for_each(|_| assert!(pool.get_or_try_create(|| Err(())).is_err()));
        }
        let recorded = pool.stats().leases_recorded;
        assert_eq!(balanced(&registry).lent_objects, 8000);
        let share = 900..=1100; // 1000 is one in eight, and all are drawn from the same seed each time
        assert!(share.contains(&recorded), "{recorded} of 8000, after {failures} failures each");
    }
}

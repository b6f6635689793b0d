//! Trials: what is timed, what it costs the pool's books, and that a verdict comes out.

use super::balanced;
use crate::{DropReason, LeaseLevel, Pool, Recycle, Registry, Sampling, Setting, Verdict};
use std::time::{Duration, Instant};

fn timed<T: Recycle + Send + 'static>(
    registry: &Registry,
    create: impl Fn() -> T + Send + Sync + 'static,
) -> Pool<T> {
    let always = Sampling::DEFAULT.with_leases(LeaseLevel::Off).with_timing_one_in(1).unwrap();
    let builder = Pool::builder("timed").registry(registry).knob(Setting::Sampling(always));
    builder.build_with(create).unwrap()
}

#[test]
fn half_of_the_timed_leases_are_served_fresh_and_the_books_balance() {
    let registry = Registry::new();
    let pool = timed(&registry, Vec::<u8>::new);
    for _ in 0..3200 {
        drop(pool.get());
    }
    let stats = balanced(&registry);
    // Trials follow one another with gaps of up to as much as they cost; three quarters is far from both ends.
    let fresh = stats.gets.bypassed;
    assert!((400..=1600).contains(&fresh), "{fresh} fresh");
    assert_eq!(stats.returns_dropped[DropReason::Bypassed as usize], fresh);
    let (pooled, fresh) = (stats.arms.pooled.samples, stats.arms.fresh.samples);
    assert!(pooled > 300 && fresh > 300 && pooled.abs_diff(fresh) < 30, "{pooled} and {fresh} samples");
    assert!(stats.lifetimes.total() >= pooled as u64, "each pooled sample is a lifetime");
}

#[test]
fn nothing_is_timed_when_the_knob_says_so() {
    let registry = Registry::new();
    let never = Setting::Sampling(Sampling::DEFAULT.with_timing_one_in(0).unwrap());
    let pool = Pool::builder("never").registry(&registry).knob(never).build_with(Vec::<u8>::new).unwrap();
    for _ in 0..100_000 {
        drop(pool.get());
    }
    let stats = balanced(&registry);
    assert_eq!((stats.arms.pooled.samples, stats.gets.bypassed, stats.created), (0, 0, 1));
    assert_eq!(stats.worth().verdict, Verdict::Unknown);
}

#[test]
fn a_pool_whose_values_take_long_to_make_pays() {
    let registry = Registry::new();
    let pool = timed(&registry, || {
        let began = Instant::now();
        while began.elapsed() < Duration::from_micros(20) {
            std::hint::spin_loop();
        }
    });
    // On a machine that does other things too, a verdict may take more samples.
    for _ in 0..100 {
        for _ in 0..1000 {
            drop(pool.get());
        }
        let worth = pool.stats().worth();
        assert_ne!(worth.verdict, Verdict::DoesNotPay, "{worth}");
        if worth.verdict == Verdict::Pays {
            assert!(worth.saved_ns_per_lease > 10_000.0 && worth.saved_ns_per_second > 0.0, "{worth}");
            return;
        }
    }
    panic!("no verdict: {}", pool.stats().worth());
}

#[test]
fn a_timed_lease_that_ends_in_a_panic_is_no_sample() {
    let registry = Registry::new();
    let pool = timed(&registry, Vec::<u8>::new);
    for _ in 0..200 {
        let pool = pool.clone();
        let lease = std::panic::AssertUnwindSafe(|| {
            let _guard = pool.get();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(std::panic::catch_unwind(lease).is_err());
    }
    let stats = balanced(&registry);
    assert_eq!(stats.returns_dropped[DropReason::Tainted as usize], 200);
    assert_eq!((stats.arms.pooled.samples, stats.lifetimes.total()), (0, 0));
}

#[test]
fn no_lease_is_served_fresh_on_purpose_when_memory_is_short() {
    let registry = Registry::new();
    let pool = timed(&registry, || vec![0_u8; 1000]);
    drop(pool.get());
    registry.grant().set(Some(1000));
    for _ in 0..1000 {
        drop(pool.get());
    }
    let stats = balanced(&registry);
    assert_eq!((stats.created, stats.gets.bypassed), (1, 0));
}

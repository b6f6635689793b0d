//! Two pools side by side: who gets which, whose is what, and the share that may change meanwhile.

use super::Census;
use pool_core::{
    Author, CanaryPool, Capacity, Change, DropReason, Job, Keep, Pool, Registry, Retention, Share, Side,
    Split,
};
use std::collections::BTreeSet;
use std::time::Duration;

fn rig() -> (Registry, CanaryPool<Vec<u8>>) {
    let registry = Registry::new();
    let builder = Pool::builder("bodies").registry(&registry);
    let pool = builder.build_canary_with(Vec::new, |canary| canary).expect("new names");
    (registry, pool)
}

fn set(pool: &CanaryPool<Vec<u8>>, percent: f64) {
    let share = pool.split().share().value.with_ratio(Share::percent(percent).expect("a share").ratio());
    pool.split().set(share, Change::operator("a test"));
}

/// Gets of both sides so far.
fn gets(pool: &CanaryPool<Vec<u8>>) -> (u64, u64) {
    (pool.stable().stats().gets.total(), pool.canary().stats().gets.total())
}

#[test]
fn the_share_decides_and_its_ends_are_exact() {
    let (_registry, pool) = rig();
    (0..1000).for_each(|_| drop(pool.get()));
    assert_eq!(gets(&pool), (1000, 0), "as built");
    set(&pool, 100.0);
    (0..1000).for_each(|_| drop(pool.get()));
    assert_eq!(gets(&pool), (1000, 1000));
    set(&pool, 30.0);
    (0..100_000).for_each(|_| drop(pool.get()));
    let (_, canary) = gets(&pool);
    // Five standard deviations of a fair draw.
    assert!((canary - 1000).abs_diff(30_000) < 725, "{canary}");
    set(&pool, 0.0);
    let before = gets(&pool);
    (0..1000).for_each(|_| drop(pool.get()));
    assert_eq!(gets(&pool), (before.0 + 1000, before.1), "a rollback is complete");
}

#[test]
fn the_share_holds_over_many_threads() {
    let (_registry, pool) = rig();
    set(&pool, 50.0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10_000).for_each(|_| drop(pool.get())));
        }
    });
    let (stable, canary) = gets(&pool);
    assert_eq!(stable + canary, 40_000);
    assert!((19_500..20_500).contains(&canary), "{canary}");
    // A thread a request: the first draw of each.
    for _ in 0..400 {
        std::thread::scope(|scope| _ = scope.spawn(|| drop(pool.get())));
    }
    let of_single_gets = gets(&pool).1 - canary;
    assert!((150..250).contains(&of_single_gets), "{of_single_gets}");
}

#[test]
fn a_key_stays_on_its_side_and_only_changes_over_as_the_share_grows() {
    let (_registry, pool) = rig();
    let side = |key: &str| {
        let (_, before) = gets(&pool);
        drop(pool.get_for(key));
        gets(&pool).1 > before
    };
    let keys: Vec<String> = (0..300).map(|n| format!("tenant {n}")).collect();
    let of_canary = || keys.iter().filter(|key| side(key)).cloned().collect::<BTreeSet<String>>();
    set(&pool, 10.0);
    let tenth = of_canary();
    assert_eq!(of_canary(), tenth);
    set(&pool, 30.0);
    let third = of_canary();
    assert!(tenth.is_subset(&third) && tenth.len() < third.len() && third.len() < 150);
    let share = pool.split().share().value;
    assert!(keys.iter().all(|key| share.takes(key) == third.contains(key)), "as the share says by itself");
    pool.split().set(share.salted("another"), Change::operator("a test"));
    assert_ne!(of_canary(), third, "another salt takes others");
}

#[test]
fn a_request_may_ask_for_a_side() {
    let (_registry, pool) = rig();
    drop(pool.get_by_header(Some("canary")));
    assert_eq!(gets(&pool), (0, 1), "at a share of 0, too");
    set(&pool, 100.0);
    drop(pool.get_by_header(Some("stable")));
    assert_eq!(gets(&pool), (1, 1));
    for other in [None, Some(""), Some("Canary"), Some("v2")] {
        drop(pool.get_by_header(other));
    }
    assert_eq!(gets(&pool), (1, 5), "what asks for no side gets the share's");
    assert_eq!(Side::HEADER, "x-pool-version");
}

#[test]
fn what_is_lent_goes_home_whatever_the_share_is_then() {
    let census = Census::default();
    let registry = Registry::new();
    let recycled = census.recycled.clone();
    let recycle = move |_: &mut u8, _: &Retention| {
        recycled.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Keep::Yes
    };
    let builder = Pool::builder("bytes").registry(&registry).recycle_with(recycle, |_| 0);
    let small = Capacity::new(1, 1 << 20).expect("in range");
    let pool = builder.build_canary_with(|| 7, |canary| canary.capacity(small)).expect("new names");
    let held = [Side::Stable, Side::Canary, Side::Canary].map(|side| pool.get_as(side));
    pool.split().set(Share::ALL, Change::operator("all of it"));
    drop(held);
    assert_eq!(census.recycled(), 3, "both recycle as the builder said");
    for _ in 0..2 {
        for (_, collected) in registry.pass(Job::Snapshot) {
            let stats = collected.snapshot.expect("a snapshot");
            assert_eq!((stats.imbalance, stats.duplicates, stats.lent_objects), (0, 0, 0), "{stats:?}");
        }
    }
    assert_eq!((pool.stable().stats().idle_objects, pool.canary().stats().idle_objects), (1, 1));
    let full = DropReason::Full as usize;
    assert_eq!(pool.canary().stats().returns_dropped[full], 1, "the canary has a capacity of its own");
}

#[test]
fn the_share_is_set_by_layers_and_a_persons_word_ends() {
    let (_registry, pool) = rig();
    let split = pool.split();
    assert_eq!((split.share().value.ratio().get(), split.share().generation), (0.0, 0));
    // On a busy machine the word may be over before the next line; then it gets a longer life.
    let mut life = Duration::from_millis(1);
    loop {
        assert!(split.set(Share::ALL, Change::person("look", life).expect("in range")).in_force);
        if !split.set(Share::percent(5.0).expect("a share"), Change::operator("file")).in_force {
            break;
        }
        assert!(life < Duration::from_secs(60), "a word of {life:?} changes nothing");
        life *= 2;
    }
    // Nothing but the clock ends it.
    while split.share().author == Author::Person {
        std::thread::yield_now();
    }
    assert_eq!((split.share().value.ratio().get(), split.share().reason), (0.05, "file".to_owned()));
    assert!(split.withdraw(Author::Operator) && !split.withdraw(Author::Operator));
    assert_eq!(split.share().value, split.share().built);
}

#[test]
fn both_are_in_the_registry_of_the_pool_whatever_is_said_of_the_canary() {
    let (registry, other) = (Registry::new(), Registry::new());
    let with_one = Pool::builder("bodies").registry(&registry);
    let _pool = with_one.build_canary_with(String::new, |canary| canary.registry(&other)).expect("new names");
    let _alone = Pool::builder("lines").build_canary_with(String::new, |canary| canary.registry(&other));
    let names =
        |registry: &Registry| registry.pools().iter().map(|pool| pool.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&registry), ["bodies", "bodies@canary"]);
    assert!(names(&other).is_empty() && other.splits().is_empty());
}

#[test]
fn both_are_in_the_registry_until_the_last_handle_is_gone() {
    let (registry, pool) = rig();
    let names = |registry: &Registry| {
        registry.pass(Job::Snapshot);
        registry.splits().iter().map(|split| split.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&registry), ["bodies"]);
    assert_eq!(pool.canary().name(), format!("bodies{}", Split::SUFFIX));
    let taken = Pool::builder("bodies@canary").registry(&registry).build_with(Vec::<u8>::new);
    assert!(taken.is_err());
    let again =
        Pool::builder("bodies").registry(&registry).build_canary_with(Vec::<u8>::new, |canary| canary);
    assert_eq!(
        again.err().map(|error| error.to_string()).as_deref(),
        Some("a pool named \"bodies\" is registered already")
    );
    let other = pool.clone();
    drop(pool);
    assert_eq!(names(&registry), ["bodies"]);
    drop(other);
    assert!(names(&registry).is_empty() && registry.pools().is_empty());
}

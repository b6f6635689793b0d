//! The fault `missing-put` on real pools. Failpoints are process-wide, so each test holds the lock.

use pool_chaos::faults::{FaultBox, FaultName, FaultRequest, When};
use pool_core::{Pool, Registry};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct Bench {
    registry: Registry,
    body: Pool<Vec<u8>>,
    other: Pool<Vec<u8>>,
    faults: FaultBox,
    /// Last: fields are dropped in order, and the box disarms what belongs to the process.
    _lock: MutexGuard<'static, ()>,
}

fn bench() -> Bench {
    let lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let registry = Registry::new();
    let pool =
        |name: &str| Pool::builder(name).registry(&registry).build_with(Vec::<u8>::new).expect("a pool");
    let (body, other) = (pool("http.body"), pool("zstd.ctx"));
    let faults = FaultBox::new(&registry, || None);
    Bench { registry, body, other, faults, _lock: lock }
}

fn request(pool: Option<&str>, when: &str, seed: u64, ttl: Duration) -> FaultRequest {
    let when = When::parse("when", when).expect("a when");
    FaultRequest::MissingPut { pool: pool.map(str::to_owned), when, seed, ttl: Some(ttl) }
}

const LONG: Duration = Duration::from_secs(600);

fn lent(pool: &Pool<Vec<u8>>) -> u64 {
    pool.stats().lent_objects
}

/// Which of `gets` gets lost their lease.
fn lost(bench: &Bench, gets: usize) -> Vec<usize> {
    (0..gets)
        .filter(|_| {
            let before = lent(&bench.body);
            drop(bench.body.get());
            lent(&bench.body) > before
        })
        .collect()
}

#[test]
fn leases_are_lost_at_the_rate_in_the_pool_at_the_site_and_counted() {
    let bench = bench();
    bench.faults.arm(&request(Some("http.body"), "3%return(kept)", 24_301, LONG)).expect("armed");
    for _ in 0..10_000 {
        drop(bench.other.get());
    }
    let line = line!() + 2;
    for _ in 0..10_000 {
        drop(bench.body.get());
    }
    let status = bench.faults.status();
    let hits = status.hits_total[&FaultName::MissingPut];
    assert!((240..360).contains(&hits), "{hits} of 10000 at 3 %");
    assert_eq!((lent(&bench.body), lent(&bench.other)), (hits, 0));
    let [site] = &status.sites_injected[&FaultName::MissingPut][..] else { panic!("{status:?}") };
    assert!(site.contains(&format!("missing_put.rs:{line}:")), "{site}");
    assert_eq!((status.armed[0].hits, status.armed[0].when.as_deref()), (hits, Some("3%return(kept)")));

    assert!(bench.faults.disarm(FaultName::MissingPut));
    for _ in 0..1_000 {
        drop(bench.body.get());
    }
    let after = bench.faults.status();
    assert_eq!((after.hits_total[&FaultName::MissingPut], lent(&bench.body)), (hits, hits));
    assert_eq!(after.sites_injected, status.sites_injected, "the sites stay known");
    assert!(after.armed.is_empty());
}

#[test]
fn the_same_seed_hits_the_same_leases() {
    let first = {
        let bench = bench();
        bench.faults.arm(&request(None, "10%return(dropped)", 7, LONG)).expect("armed");
        lost(&bench, 500)
    };
    let bench = bench();
    bench.faults.arm(&request(None, "10%return(dropped)", 7, LONG)).expect("armed");
    assert_eq!(lost(&bench, 500), first);
    bench.faults.arm(&request(None, "10%return(dropped)", 8, LONG)).expect("armed anew");
    assert_ne!(lost(&bench, 500), first);
}

#[test]
fn the_time_to_live_ends_it_with_nobody_calling() {
    let bench = bench();
    bench.faults.arm(&request(None, "return", 1, Duration::from_millis(50))).expect("armed");
    let give_up = Instant::now() + Duration::from_secs(60);
    while !bench.faults.status().armed.is_empty() {
        assert!(Instant::now() < give_up, "still armed");
        std::thread::yield_now();
    }
    assert!(lost(&bench, 100).is_empty());
    assert!(fail::list().iter().all(|(name, _)| name != "missing-put"), "the switch is off as well");
}

#[test]
fn a_box_that_goes_leaves_nothing_armed() {
    let Bench { registry, body, other: _other, faults, _lock } = bench();
    faults.arm(&request(None, "return", 1, LONG)).expect("armed");
    drop(body.get());
    drop(faults);
    let lost_before = lent(&body);
    drop(body.get());
    assert_eq!((lost_before, lent(&body)), (1, 1));
    assert_eq!(registry.pools().len(), 2);
}

#[test]
fn a_pool_that_does_not_exist_is_refused_and_nothing_is_armed() {
    let bench = bench();
    let e = bench.faults.arm(&request(Some("http.bdy"), "return", 1, LONG)).unwrap_err();
    assert_eq!(
        e.to_string(),
        "pool: \"http.bdy\": there is no such pool, did you mean \"http.body\"?; allowed: http.body, zstd.ctx"
    );
    assert!(bench.faults.status().armed.is_empty());
    assert!(lost(&bench, 10).is_empty());
}

#[test]
fn failpoints_of_the_environment_are_armed_without_a_time_to_live() {
    let bench = bench();
    assert_eq!(bench.faults.arm_failpoints("missing-put=2*return(dropped)"), Ok(1));
    assert_eq!(bench.faults.status().armed[0].ttl_left_ms, None);
    assert_eq!(lost(&bench, 10).len(), 2);
    let e = bench.faults.arm_failpoints("missing-putt=return").unwrap_err();
    assert!(e.to_string().contains("did you mean \"missing-put\"?"), "{e}");
}

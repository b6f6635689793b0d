//! A controller and real pools, ticked by hand through simulated time: no test here waits.

use pool_controller::decide::{Fixed, State};
use pool_controller::{Controller, LimitSource, Mode, Status};
use pool_core::{
    ByClosure, Capacity, Change, Job, Knob, LeaseLevel, Pool, Registry, Sampling, Setting, SuspectEvent,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;

/// The tests measure the memory of one process: one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // What the test before has freed is not to be taken for what the process needs.
    let _ = pool_controller::sys::malloc_trim();
    alone
}

/// Pages that are really there.
fn touched(bytes: u64) -> Vec<u8> {
    vec![1; usize::try_from(bytes).expect("small")]
}

struct Loop {
    controller: Controller,
    start: Instant,
    ticks: u32,
}

impl Loop {
    fn new(registry: &Registry, mode: Mode, limit_bytes: u64) -> Self {
        let builder = Controller::builder().registry(registry).mode(mode);
        let controller = builder.limit(LimitSource::Simulated(limit_bytes)).build().expect("a controller");
        Self { controller, start: Instant::now(), ticks: 0 }
    }

    fn tick(&mut self) -> Arc<Status> {
        self.ticks += 1;
        self.controller.tick(self.start + Duration::from_millis(250) * self.ticks)
    }
}

/// A pool whose objects keep their megabyte, `idle` of them warm.
fn pool(registry: &Registry, name: &str, idle: usize) -> Pool<Vec<u8>, ByClosure<Vec<u8>>> {
    let keep = |_: &mut Vec<u8>, _: &pool_core::Retention| pool_core::Keep::Yes;
    // Nothing is timed: a trial would serve some gets fresh although there are idle objects.
    let untimed = Setting::Sampling(Sampling::DEFAULT.with_timing_one_in(0).expect("in range"));
    let pool = Pool::builder(name)
        .registry(registry)
        .knob(untimed)
        .recycle_with(keep, Vec::capacity)
        .build_with(|| touched(MIB))
        .expect("a fresh name");
    drop((0..idle).map(|_| pool.get()).collect::<Vec<_>>());
    pool
}

fn knob(registry: &Registry) -> Knob<Capacity> {
    registry.pools()[0].capacity()
}

fn rss_bytes(registry: &Registry) -> u64 {
    let status = Loop::new(registry, Mode::Observe, 1 << 40).tick();
    status.memory.rss_bytes.expect("Linux")
}

#[test]
fn idle_objects_go_when_the_limit_is_near_and_capacity_holds() {
    let _alone = alone();
    let registry = Registry::new();
    let pool = pool(&registry, "http.body", 48);
    assert_eq!(pool.stats().idle_objects, 48);
    // Others leave room for 16 MiB below .80 of the limit.
    let others = rss_bytes(&registry) - 48 * MIB;
    let limit = (others + 16 * MIB) * 100 / 80;
    let mut control = Loop::new(&registry, Mode::Enforce, limit);
    let before = control.tick();
    // What is condemned is dropped by slices of time, however little a slice may be worth on a busy machine.
    for ticks in 0.. {
        if ticks >= 8 && pool.stats().condemned_bytes == 0 {
            break;
        }
        assert!(ticks < 60, "{:?}", pool.stats());
        control.tick();
    }
    let stats = pool.stats();
    assert!(stats.idle_bytes <= stats.capacity_bytes, "{} of {}", stats.idle_bytes, stats.capacity_bytes);
    assert!(stats.idle_bytes < 28 * MIB, "{} idle", stats.idle_bytes);
    assert!(before.memory.reclaimed_bytes_total >= 20 * MIB, "{:?}", before.memory);
    assert!(
        before.memory.grant_bytes.is_some_and(|left| left <= i64::try_from(limit * 88 / 100).expect("small"))
    );
    let reason = knob(&registry).reason;
    assert!(reason.contains("budget"), "{reason}");
    let collected = registry.pass(Job::Snapshot);
    let snapshot = collected[0].1.snapshot.as_ref().expect("a snapshot");
    assert_eq!((snapshot.imbalance, snapshot.duplicates), (0, 0));
}

#[test]
fn observing_touches_nothing_and_says_what_it_would_do() {
    let _alone = alone();
    let registry = Registry::new();
    let pool = pool(&registry, "http.body", 16);
    let mut control = Loop::new(&registry, Mode::Observe, rss_bytes(&registry));
    let mut last = control.tick();
    for _ in 0..20 {
        last = control.tick();
    }
    assert_eq!((pool.stats().idle_objects, knob(&registry).generation), (16, 0));
    assert_eq!((registry.grant().left(), last.memory.reclaimed_bytes_total), (None, 0));
    assert_eq!((last.memory.mode, last.memory.state), ("observe", State::Critical));
    assert!(last.memory.decisions_total > 0 && last.memory.budget_bytes == Some(0), "{:?}", last.memory);
    let decision = last.memory.last_decision.as_ref().expect("a decision");
    assert!(!decision.reason.is_empty());
}

#[test]
fn with_room_nothing_is_taken_and_the_budget_grows_only_with_use() {
    let _alone = alone();
    let registry = Registry::new();
    let pool = pool(&registry, "http.body", 16);
    let mut control = Loop::new(&registry, Mode::Enforce, 64 << 30);
    for _ in 0..80 {
        let status = control.tick();
        assert_eq!((status.memory.state, status.memory.reclaimed_bytes_total), (State::Normal, 0));
    }
    assert_eq!(pool.stats().idle_objects, 16);
}

#[test]
fn what_a_person_has_set_stays() {
    let _alone = alone();
    let registry = Registry::new();
    let pool = pool(&registry, "http.body", 4);
    let by_hand = Capacity::new(100, 3 * MIB).expect("in range");
    registry.pools()[0].set_capacity(by_hand, Change::operator("by hand"));
    let mut control = Loop::new(&registry, Mode::Enforce, rss_bytes(&registry));
    for _ in 0..4 {
        control.tick();
    }
    assert_eq!((knob(&registry).value, knob(&registry).generation), (by_hand, 1));
    assert!(pool.stats().idle_bytes <= 3 * MIB);
}

#[test]
fn fixed_pools_stay_as_they_were_built_whatever_happens() {
    let _alone = alone();
    let registry = Registry::new();
    let pool = pool(&registry, "http.body", 8);
    let builder =
        Controller::builder().registry(&registry).mode(Mode::Enforce).policy(Box::new(Fixed::default()));
    let mut controller =
        builder.limit(LimitSource::Simulated(rss_bytes(&registry))).build().expect("a controller");
    let status = controller.tick(Instant::now());
    assert_eq!((pool.stats().idle_objects, knob(&registry).generation), (8, 0));
    assert_eq!((status.memory.policy, status.memory.state), ("fixed", State::Critical));
    assert_eq!((status.memory.budget_bytes, status.memory.grant_bytes), (None, None));
}

#[test]
fn a_burst_beyond_the_grant_takes_idle_bytes_and_wakes_the_loop() {
    let _alone = alone();
    let registry = Registry::new();
    let (idle, busy) = (pool(&registry, "export.body", 24), pool(&registry, "http.body", 0));
    let limit = rss_bytes(&registry) * 100 / 87;
    let builder = Controller::builder().registry(&registry).mode(Mode::Enforce);
    let handle =
        builder.limit(LimitSource::Simulated(limit)).build().expect("a controller").spawn().expect("threads");
    let before = registry.grant().reclaimed_bytes_total() + handle.status().memory.reclaimed_bytes_total;
    let burst: Vec<_> = (0..24).map(|_| busy.get()).collect();
    let tick = handle.status().memory.tick;
    let later = handle.wait_newer(tick, Duration::from_secs(60)).expect("it ticks");
    assert!(
        later.memory.reclaimed_bytes_total > before || idle.stats().idle_objects == 0,
        "{:?}",
        later.memory
    );
    handle.shutdown();
    assert_eq!(registry.grant().left(), None, "nobody would refill it");
    assert!(idle.stats().capacity_bytes <= limit / 20);
    drop(burst);
    drop(busy.get());
}

#[test]
fn a_listener_hears_of_a_suspect_once_and_one_that_panics_ends_no_tick() {
    let _alone = alone();
    let registry = Registry::new();
    let builder = Pool::builder("http.body").registry(&registry).lease_level(LeaseLevel::All);
    let pool = builder.build_with(String::new).expect("a fresh name");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&heard);
    pool.on_suspect(Duration::ZERO, |_, _| panic!("a listener panics"));
    pool.on_suspect(Duration::ZERO, move |pool, event| {
        into.lock().expect("whole").push((pool.to_owned(), event.clone()));
    });
    let mut control = Loop::new(&registry, Mode::Enforce, 4 << 30);
    let held = pool.get();
    let ticks = [(); 8].map(|()| control.tick().memory.tick);
    assert_eq!(ticks[7] - ticks[0], 7, "each tick is one");
    assert!(matches!(&heard.lock().expect("whole")[..], [(_, SuspectEvent::New(s))] if s.count == 1));
    drop(held);
    for _ in 0..8 {
        control.tick();
    }
    let heard = heard.lock().expect("whole");
    assert!(
        matches!(&heard[..], [_, (name, SuspectEvent::ReturnedAfterAll { count: 1, .. })] if name == "http.body"),
        "{heard:?}"
    );
}

#[test]
fn what_nobody_wants_goes_although_memory_is_plenty() {
    let _alone = alone();
    for (mode, left) in [(Mode::Enforce, 0), (Mode::Observe, 8)] {
        let registry = Registry::new();
        let pool = pool(&registry, "aged", 8);
        let mut control = Loop::new(&registry, mode, 1 << 40);
        // Four cycles of ten seconds.
        (0..170).for_each(|_| drop(control.tick()));
        assert_eq!(pool.stats().idle_objects, left, "{mode:?}");
    }
}

use super::*;
use crate::decide::{Inputs, LeaseWish, Plan, Policy, PoolPlan, Reason, State};
use crate::fake::FakePool;
use crate::sense::scratch::new_dir;
use crate::sense::{LimitSource, MemorySensor};
use pool_core::{Change, LeaseLevel, Managed, OpenLease, Registry, Suspect};
use std::panic::Location;
use std::path::PathBuf;
use std::sync::mpsc;

const MIB: u64 = 1 << 20;

/// For what must come to pass, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A version 2 group with a limit of 200 MiB, in a directory of its own.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Self {
        let tree = Self(new_dir("loop"));
        tree.write("proc/self/cgroup", "0::/app\n");
        tree.write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        tree.write("proc/self/statm", "30000 25600 0 0 0 0 0\n");
        tree.write("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n");
        tree.write("sys/fs/cgroup/app/memory.max", &(200 * MIB).to_string());
        tree.write("sys/fs/cgroup/app/memory.stat", "inactive_file 0\n");
        tree.write("sys/fs/cgroup/app/memory.events", "max 0\noom 0\noom_kill 0\n");
        tree.usage(100 * MIB);
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, text).expect("a file");
    }

    fn usage(&self, bytes: u64) {
        self.write("sys/fs/cgroup/app/memory.current", &bytes.to_string());
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Rig {
    tree: Tree,
    registry: Registry,
    pool: Arc<FakePool>,
    controller: Controller,
    start: Instant,
    ticks: u32,
}

impl Rig {
    fn new(mode: Mode, policy: Option<Box<dyn Policy>>) -> Self {
        let (tree, registry, pool) = (Tree::new(), Registry::new(), FakePool::new("a"));
        registry.register(Arc::clone(&pool) as Arc<dyn Managed>).expect("a fresh name");
        // A lease so long that no stall of the machine brings the watchdog in.
        let builder = Controller::builder().registry(&registry).environment(None).mode(mode);
        let mut builder = builder.lease(Duration::from_secs(3600));
        if let Some(policy) = policy {
            builder = builder.policy(policy);
        }
        let mut controller = builder.build().expect("a controller");
        controller.senses.replace_memory(MemorySensor::open_at(&tree.0, LimitSource::Auto));
        Self { tree, registry, pool, controller, start: Instant::now(), ticks: 0 }
    }

    fn tick(&mut self) -> Arc<Status> {
        self.ticks += 1;
        self.controller.tick(self.start + TICK * self.ticks)
    }
}

#[test]
fn one_tick_reads_the_group_decides_and_writes_the_knobs() {
    let mut rig = Rig::new(Mode::Enforce, None);
    rig.pool.set_stats(|stats| (stats.idle_bytes, stats.idle_objects) = (30 * MIB, 30));
    let status = rig.tick();
    let memory = &status.memory;
    assert_eq!((memory.source, memory.limit_kind), ("cgroup-v2", "real"));
    assert_eq!((memory.limit_bytes, memory.usage_bytes), (Some(200 * MIB), Some(100 * MIB)));
    assert_eq!((memory.pools_idle_bytes, memory.other_bytes), (30 * MIB, 70 * MIB));
    // .82 · 200 − 70 leave room for what is idle.
    assert_eq!((memory.budget_bytes, rig.pool.capacity().value.bytes_max()), (Some(30 * MIB), 30 * MIB));
    assert_eq!(memory.grant_bytes, Some(76 << 20));
    assert_eq!((memory.decisions_total, memory.tick, memory.at_ms), (1, 1, memory.at_ms));
    let marks = memory.watermarks.expect("a limit");
    assert_eq!([marks.elevated, marks.high, marks.critical], [170, 184, 192].map(|mib| mib * MIB));
}

#[test]
fn usage_near_the_limit_trims_and_the_reason_is_told() {
    let mut rig = Rig::new(Mode::Enforce, None);
    rig.pool.set_stats(|s| (s.idle_bytes, s.idle_objects, s.depot_objects) = (60 * MIB, 60, 60));
    rig.tick();
    rig.tree.usage(190 * MIB);
    rig.tick();
    let status = rig.tick();
    assert_eq!(status.memory.state, State::High);
    assert_eq!(rig.pool.stats().idle_bytes, 34 * MIB, ".82 · 200 − 130");
    let decision = status.memory.last_decision.as_ref().expect("a decision");
    assert!(decision.reason.contains("high") && decision.reason.contains("130.0 MiB"), "{}", decision.reason);
    assert_eq!(status.memory.reclaimed_bytes_total, 26 * MIB);
}

#[test]
fn observing_decides_the_same_and_touches_nothing() {
    let mut rig = Rig::new(Mode::Observe, None);
    rig.pool.set_stats(|s| (s.idle_bytes, s.idle_objects, s.depot_objects) = (60 * MIB, 60, 60));
    rig.tree.usage(190 * MIB);
    let status = rig.tick();
    assert_eq!((status.memory.budget_bytes, status.memory.decisions_total), (Some(34 * MIB), 1));
    assert_eq!((rig.pool.capacity().generation, rig.pool.stats().idle_bytes), (0, 60 * MIB));
    assert_eq!(rig.registry.grant().left(), None);
}

#[test]
fn work_is_refused_when_the_grant_is_overdrawn_and_admitted_when_it_is_not() {
    let mut rig = Rig::new(Mode::Enforce, None);
    rig.pool.set_stats(|stats| stats.lent_bytes = 80 * MIB);
    rig.tick();
    let admission = crate::Admission::of(rig.controller.shared());
    assert!(admission.admits());
    rig.tree.usage(185 * MIB);
    rig.tick();
    assert!(!admission.admits(), "beyond high");
    rig.tree.usage(150 * MIB);
    rig.tick();
    assert!(admission.admits());
    assert_eq!(rig.controller.shared().valve.refused_total(), 1);
}

#[test]
fn an_unreadable_group_is_said_and_is_not_zero() {
    let mut rig = Rig::new(Mode::Enforce, None);
    rig.tick();
    rig.tree.write("sys/fs/cgroup/app/memory.current", "garbage");
    let status = rig.tick();
    assert_eq!((status.memory.valid, status.memory.usage_bytes), (false, None));
    let why = status.memory.invalid_reason.as_deref().expect("a reason");
    assert!(why.contains("memory.current") && why.contains("garbage"), "{why}");
    let plan = status.plan.as_ref().expect("it decides all the same");
    assert!(plan.reasons.iter().any(|reason| reason.label() == "signal_invalid"), "{:?}", plan.reasons);
}

#[test]
fn a_kill_that_the_kernel_counts_is_critical_and_counted() {
    let mut rig = Rig::new(Mode::Enforce, None);
    rig.tick();
    rig.tree.write("sys/fs/cgroup/app/memory.events", "max 9\noom 1\noom_kill 1\n");
    let status = rig.tick();
    assert_eq!((status.memory.oom_kills, status.memory.state), (1, State::Critical));
}

#[test]
fn suspects_are_looked_up_once_a_second_and_reach_the_decision() {
    let mut rig = Rig::new(Mode::Observe, None);
    let site = Location::caller();
    let lease = |id| OpenLease { id, site, age: Duration::from_secs(9), thread: None, span: None };
    let suspect = Suspect::by_site([lease(1), lease(2)]).remove(0);
    let sites = |rig: &mut Rig| {
        rig.ticks += 1;
        let now = (TICK * rig.ticks, Instant::now());
        let seen = rig.controller.senses.look(SeenPools::default(), now, &rig.registry);
        seen.pools[0].suspect_sites
    };
    assert_eq!(sites(&mut rig), 0);
    rig.pool.set_suspects(vec![suspect.clone(), Suspect { count: 0, ..suspect }]);
    assert_eq!([(); 4].map(|()| sites(&mut rig)), [0, 0, 0, 1], "those that came back do not count");
}

#[test]
fn pools_take_turns_to_be_looked_at_and_each_has_one_a_second() {
    let mut rig = Rig::new(Mode::Observe, None);
    let others = ["b", "c", "d", "e"].map(FakePool::new);
    for pool in &others {
        rig.registry.register(Arc::clone(pool) as Arc<dyn Managed>).expect("a fresh name");
    }
    let site = Location::caller();
    let suspect =
        Suspect::by_site([OpenLease { id: 1, site, age: Duration::from_secs(9), thread: None, span: None }]);
    let (mut pools, mut looks) = (SeenPools::default(), 0);
    let mut looked_at = |ms| {
        looks += 1;
        for pool in others.iter().chain([&rig.pool]) {
            pool.set_suspects(vec![suspect[0].clone(); looks]);
        }
        let now = (Duration::from_millis(ms), Instant::now());
        pools = rig.controller.senses.look(std::mem::take(&mut pools), now, &rig.registry).pools;
        let fresh = pools.iter().enumerate().filter(|(_, pool)| pool.suspect_sites == looks as u64);
        fresh.map(|(at, _)| at).collect::<Vec<_>>()
    };
    assert_eq!([0, 250, 300].map(&mut looked_at), [vec![0, 4], vec![1], vec![]]);
    let after_a_gap = [3000, 3250, 3500, 3750, 4000].map(looked_at);
    assert_eq!(
        after_a_gap,
        [vec![2], vec![3], vec![0, 4], vec![1], vec![2]],
        "a late tick has no more to do"
    );
}

/// Says what the test tells it to.
struct Told(mpsc::Receiver<Option<LeaseWish>>);

impl Policy for Told {
    fn name(&self) -> &'static str {
        "told"
    }
    fn decide(&mut self, _now: Duration, inputs: &Inputs) -> Plan {
        match self.0.try_recv() {
            Ok(None) => panic!("told to"),
            _ => Plan::unchanged(inputs, Reason::Other("nothing was said".into())),
        }
    }
}

#[test]
fn a_tick_that_panics_is_lost_and_the_next_one_goes_on() {
    let (say, told) = mpsc::channel();
    let rig = Rig::new(Mode::Enforce, Some(Box::new(Told(told))));
    let handle = rig.controller.spawn().expect("threads");
    let tick = handle.status().memory.tick;
    say.send(None).expect("it listens");
    let later = handle.wait_newer(tick + 1, PATIENCE).expect("it goes on");
    assert_eq!(later.memory.policy, "told");
    assert!(!handle.is_stalled());
}

/// Waits inside a decision until the test lets it go.
struct Stuck(mpsc::Receiver<()>);

impl Policy for Stuck {
    fn name(&self) -> &'static str {
        "stuck"
    }
    fn decide(&mut self, _now: Duration, inputs: &Inputs) -> Plan {
        let _ = self.0.recv();
        Plan { grant_bytes: Some(MIB), ..Plan::unchanged(inputs, Reason::Fixed) }
    }
}

#[test]
fn a_loop_that_hangs_leaves_the_pools_safe_and_serving_until_it_is_back() {
    let (let_go, stuck) = mpsc::channel();
    let (registry, pool) = (Registry::new(), FakePool::new("a"));
    registry.register(Arc::clone(&pool) as Arc<dyn Managed>).expect("a fresh name");
    let builder = Controller::builder().registry(&registry).environment(None).mode(Mode::Enforce);
    let builder = builder.limit(LimitSource::Simulated(200 * MIB)).policy(Box::new(Stuck(stuck)));
    let mut controller = builder.lease(Duration::from_millis(400)).build().expect("a controller");
    for _ in 0..2 {
        let_go.send(()).expect("it listens");
    }
    controller.tick(Instant::now());
    assert_eq!(registry.grant().left(), Some(1 << 20), "before there is a watchdog");
    let handle = controller.spawn().expect("threads");
    pool.wait_for_generation(1);
    assert_eq!(pool.capacity().value.bytes_max(), 10 * MIB);
    assert_eq!((registry.grant().left(), handle.is_stalled()), (None, true), "creates are free");
    let tick = handle.status().memory.tick;
    // Nobody will hold it up any more. Between two ticks it may be late again, as often as the machine likes.
    drop(let_go);
    assert!(handle.wait_newer(tick, PATIENCE).is_some());
    let until = Instant::now() + PATIENCE;
    while handle.is_stalled() {
        assert!(Instant::now() < until, "it is back");
        std::thread::yield_now();
    }
}

#[test]
fn the_last_handle_ends_it_and_leaves_the_pools_safe_and_free() {
    let rig = Rig::new(Mode::Enforce, None);
    let handle = rig.controller.spawn().expect("threads");
    assert!(rig.registry.grant().left().is_some());
    let other = handle.clone();
    drop(handle);
    assert!(other.wait_newer(1, PATIENCE).is_some(), "one is left");
    drop(other);
    assert_eq!(rig.registry.grant().left(), None);
    assert_eq!(rig.pool.capacity().value.bytes_max(), 10 * MIB, "a twentieth of the limit");
}

#[test]
fn off_starts_no_thread_and_reads_when_asked() {
    let mut rig = Rig::new(Mode::Off, None);
    let status = rig.tick();
    assert_eq!((status.memory.mode, status.memory.usage_bytes), ("off", Some(100 * MIB)));
    let handle = rig.controller.spawn().expect("nothing to start");
    rig.tree.usage(120 * MIB);
    assert_eq!(handle.status().memory.usage_bytes, Some(120 * MIB));
    assert_eq!((rig.registry.grant().left(), rig.pool.capacity().generation), (None, 0));
    assert!(handle.status().plan.is_none());
}

#[test]
fn a_wish_for_leases_is_carried_out() {
    struct Wish;
    impl Policy for Wish {
        fn name(&self) -> &'static str {
            "wish"
        }
        fn decide(&mut self, _now: Duration, inputs: &Inputs) -> Plan {
            let mut plan = Plan::unchanged(inputs, Reason::Fixed);
            plan.pools = vec![PoolPlan { capacity_bytes: Some(MIB), ..PoolPlan::unchanged("a") }];
            plan
        }
    }
    let mut rig = Rig::new(Mode::Enforce, Some(Box::new(Wish)));
    rig.pool.set_lease_level(LeaseLevel::DEFAULT, Change::policy("test"));
    // 12 leases a second are lost of 400.
    for tick in 0..200_u64 {
        rig.pool.set_stats(|stats| (stats.lent_objects, stats.gets.hit) = (30 + tick * 3, tick * 100));
        rig.tick();
    }
    assert_eq!(rig.pool.lease_level(), LeaseLevel::All);
    let status = rig.tick();
    let lost = status.pools[0].lost_estimate;
    assert!((540..=600).contains(&lost), "{lost} of 597");
    assert_eq!(rig.pool.capacity().value.bytes_max(), MIB);
}

#[test]
fn a_freeze_leaves_the_knobs_and_lifts_the_grant_until_its_time() {
    let mut rig = Rig::new(Mode::Enforce, None);
    rig.pool.set_stats(|stats| (stats.idle_bytes, stats.idle_objects) = (30 * MIB, 30));
    rig.tick();
    let before = rig.pool.capacity();
    rig.controller.shared().steering.freeze(TICK, TICK * 4).expect("in range");
    rig.tree.usage(180 * MIB);
    for _ in 0..3 {
        let status = rig.tick();
        assert_eq!((status.memory.mode, status.memory.budget_bytes < Some(30 * MIB)), ("frozen", true));
        assert_eq!((rig.pool.capacity().generation, rig.registry.grant().left()), (before.generation, None));
    }
    assert_eq!(rig.tick().memory.mode, "enforce");
    assert!(rig.pool.capacity().value.bytes_max() < 30 * MIB, "what it has seen meanwhile counts");
    assert!(rig.registry.grant().left().is_some());
}

#[test]
fn who_begins_to_observe_takes_its_hands_off() {
    let mut rig = Rig::new(Mode::Enforce, None);
    let built = rig.pool.capacity().value;
    rig.pool.set_stats(|stats| (stats.idle_bytes, stats.idle_objects) = (30 * MIB, 30));
    rig.tick();
    assert_ne!(rig.pool.capacity().value, built);
    rig.controller.shared().steering.set(Mode::Observe).expect("nothing speaks against it");
    let status = rig.tick();
    assert_eq!((status.memory.mode, rig.pool.capacity().value), ("observe", built));
    assert_eq!(rig.registry.grant().left(), None);
    rig.controller.shared().steering.set(Mode::Enforce).expect("nothing speaks against it");
    rig.tick();
    assert_ne!(rig.pool.capacity().value, built);
}

//! A controller that follows its file. Ticks are driven by hand, and their time is what the tests say it is.

use super::*;
use crate::decide::{Plan, Reason};
use crate::fake::FakePool;
use crate::sense::scratch::new_dir;
use crate::status::Status;
use crate::{BuildError, Builder, Controller};
use pool_core::{Author, Capacity, Change, Eviction, KnobKind, LeaseLevel, Managed, Priority, Setting};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

/// A mounted directory of settings: the file is a link into `..data`, which is swapped as a whole.
struct Mount {
    dir: PathBuf,
    swaps: u32,
}

impl Mount {
    fn new(text: &str) -> Self {
        let mut mount = Self { dir: new_dir("mount"), swaps: 0 };
        mount.swap(text);
        std::os::unix::fs::symlink("..data/ebbpool.yaml", mount.file()).expect("a link");
        mount
    }

    fn file(&self) -> PathBuf {
        self.dir.join("ebbpool.yaml")
    }

    /// As the kubelet does it.
    fn swap(&mut self, text: &str) {
        let old = self.dir.join(format!("..2026_{}", self.swaps));
        self.swaps += 1;
        let name = format!("..2026_{}", self.swaps);
        fs::create_dir(self.dir.join(&name)).expect("a directory");
        fs::write(self.dir.join(&name).join("ebbpool.yaml"), text).expect("a file");
        std::os::unix::fs::symlink(&name, self.dir.join("..data_tmp")).expect("a link");
        fs::rename(self.dir.join("..data_tmp"), self.dir.join("..data")).expect("swapped");
        let _ = fs::remove_dir_all(old);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

struct Rig {
    registry: Registry,
    pool: Arc<FakePool>,
    controller: Controller,
    start: Instant,
}

impl Rig {
    fn new(file: &Path) -> Self {
        Self::with(|builder| builder.config_file(file))
    }

    fn with(more: impl FnOnce(Builder) -> Builder) -> Self {
        let (registry, pool) = (Registry::new(), FakePool::new("a"));
        registry.register(Arc::clone(&pool) as Arc<dyn Managed>).expect("a fresh name");
        let builder = Controller::builder().registry(&registry).environment(None);
        let builder = more(builder.limit(LimitSource::Simulated(1 << 40)));
        let controller = builder.build().expect("a controller");
        let start = controller.shared().started;
        Self { registry, pool, controller, start }
    }

    fn tick(&mut self, at_ms: u64) -> Arc<Status> {
        self.controller.tick(self.start + Duration::from_millis(at_ms))
    }

    fn config(&mut self, at_ms: u64) -> ConfigStatus {
        ConfigStatus::clone(self.tick(at_ms).config.as_ref().expect("a configuration"))
    }

    /// Ticks within the first half minute until the configuration is as wanted: without the poll, so the system must
    /// have told. It does so before a change of the directory returns; the bound is for other systems.
    #[cfg(target_os = "linux")]
    fn until(&mut self, wanted: impl Fn(&ConfigStatus) -> bool) -> ConfigStatus {
        let mut status = self.config(1000);
        for at in 1001..20_000 {
            if wanted(&status) {
                return status;
            }
            status = self.config(at);
        }
        panic!("it never came: {status:?}");
    }

    fn reason(&self, kind: KnobKind) -> (Author, String) {
        let knobs = self.pool.knobs();
        match kind {
            KnobKind::Eviction => (knobs.eviction.author, knobs.eviction.reason),
            KnobKind::Priority => (knobs.priority.author, knobs.priority.reason),
            other => panic!("{other:?} is not asked for"),
        }
    }
}

const ONE: &str = "version: 1\npools:\n  a:\n    weight: 7\n    eviction: {cycle: 20ms}\n";
const TWO: &str = "version: 1\npools:\n  a: {weight: 8}\n";

#[cfg(target_os = "linux")]
#[test]
fn a_swapped_directory_is_followed_and_what_it_leaves_out_is_taken_back() {
    let mut mount = Mount::new(ONE);
    let mut rig = Rig::new(&mount.file());
    assert_eq!(rig.config(0).generation, 1);
    let file = mount.file().display().to_string();
    assert_eq!(rig.reason(KnobKind::Priority), (Author::Operator, format!("{file}:4")));
    assert_eq!(rig.pool.knobs().eviction.value.cycle(), Duration::from_millis(20));

    mount.swap(TWO);
    let status = rig.until(|status| status.generation == 2);
    assert_eq!((status.error, status.path), (None, Some(file)));
    assert!(status.loaded_at_ms >= 1000, "{}", status.loaded_at_ms);
    let knobs = rig.pool.knobs();
    assert_eq!(knobs.priority.value, Priority::new(8).unwrap());
    assert_eq!((knobs.eviction.value, knobs.eviction.generation), (Eviction::DEFAULT, 0));
    mount.swap(ONE);
    rig.until(|status| status.generation == 3);
    assert_eq!(rig.pool.knobs().eviction.value.cycle(), Duration::from_millis(20));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_written_or_renamed_over_is_followed_and_so_is_its_directory() {
    let dir = new_dir("plain");
    let file = dir.join("e.yaml");
    fs::write(&file, ONE).expect("a file");
    let mut rig = Rig::new(&file);
    fs::write(&file, TWO).expect("a file");
    rig.until(|status| status.generation == 2);
    fs::write(dir.join("new"), ONE).expect("a file");
    fs::rename(dir.join("new"), &file).expect("renamed");
    rig.until(|status| status.generation == 3);
    fs::rename(&dir, dir.with_extension("old")).expect("renamed");
    rig.until(|status| status.error.is_some());
    fs::rename(dir.with_extension("old"), &dir).expect("renamed");
    rig.until(|status| status.error.is_none());
    fs::write(&file, TWO).expect("a file");
    rig.until(|status| status.generation == 4);
    fs::remove_dir_all(dir).expect("removed");
}

#[test]
fn where_nobody_tells_it_is_seen_after_half_a_minute() {
    let mut mount = Mount::new(ONE);
    let mut rig = Rig::new(&mount.file());
    rig.controller.live.stop_notifying();
    mount.swap(TWO);
    assert_eq!(rig.config(29_999).generation, 1);
    assert_eq!(rig.config(30_000).generation, 2);
    mount.swap(ONE);
    assert_eq!((rig.config(59_999).generation, rig.config(60_000).generation), (2, 3));
}

#[test]
fn a_file_with_errors_changes_nothing_and_one_that_is_gone_neither() {
    let mut mount = Mount::new(ONE);
    let mut rig = Rig::new(&mount.file());
    rig.controller.live.stop_notifying();
    let before = rig.config(0);
    let generation = rig.pool.knobs().generation;
    mount.swap("version: 1\npools: {a: {weight: 0}}\n");
    let bad = rig.config(30_000);
    let error = bad.error.clone().expect("an error");
    assert!(error.ends_with(
        ":2:21: pools.a.weight: the number 0 is out of range; allowed: a whole number from 1 to 10000"
    ));
    assert_eq!((bad.generation, bad.loaded_at_ms, bad.errors_total), (1, before.loaded_at_ms, 1));
    assert_eq!(rig.config(60_000).errors_total, 1, "the same again is no other error");

    fs::remove_file(mount.file()).expect("removed");
    let gone = rig.config(90_000);
    assert!(gone.error.is_some_and(|error| error.contains("cannot be read")));
    assert_eq!((gone.generation, gone.errors_total), (1, 2));
    assert_eq!(rig.pool.knobs().generation, generation, "no knob was touched");

    fs::write(mount.file(), ONE).expect("a file");
    let back = rig.config(120_000);
    assert_eq!((back.error, back.generation, back.errors_total), (None, 1, 2));
}

#[test]
fn a_file_with_errors_at_the_start_builds_nothing() {
    let mount = Mount::new("version: 3\n");
    let builder = Controller::builder().registry(&Registry::new()).environment(None);
    let Err(BuildError::Config(error)) = builder.config_file(mount.file()).build() else { panic!("built") };
    assert_eq!(error.errors().len(), 1);
}

#[test]
fn a_hand_stands_above_the_file_and_is_not_fought() {
    let mut mount = Mount::new(ONE);
    let mut rig = Rig::new(&mount.file());
    rig.controller.live.stop_notifying();
    rig.tick(0);
    let hand = Change::person("by hand", Duration::from_secs(3600)).unwrap();
    rig.pool.set(Setting::Priority(Priority::new(99).unwrap()), hand);
    rig.pool.set(Setting::Eviction(Eviction::DEFAULT), Change::operator("the service"));
    rig.tick(500);
    assert_eq!(rig.pool.knobs().priority.value.weight(), 99);
    assert_eq!(rig.reason(KnobKind::Eviction).1, "the service", "written once");
    mount.swap(TWO);
    rig.tick(30_000);
    assert_eq!(rig.pool.knobs().priority.value.weight(), 99);
    assert!(rig.pool.withdraw(KnobKind::Priority, Author::Person));
    assert_eq!(rig.pool.knobs().priority.value.weight(), 8);
}

#[test]
fn pools_get_their_knobs_when_they_come_and_are_missed_after_a_minute() {
    let text = "version: 1\npools:\n  late: {weight: 5}\n  never: {weight: 6}\n  \"*\": {weight: 7}\n";
    let mount = Mount::new(text);
    let mut rig = Rig::new(&mount.file());
    rig.tick(0);
    assert_eq!(rig.pool.knobs().priority.value.weight(), 7, "all others");
    assert_eq!(rig.config(59_999).unused_pools, [""; 0]);
    assert_eq!(rig.config(60_000).unused_pools, ["late", "never"]);
    let late = FakePool::new("late");
    rig.registry.register(Arc::clone(&late) as Arc<dyn Managed>).expect("a fresh name");
    assert_eq!(rig.config(61_000).unused_pools, ["never"]);
    assert_eq!(late.knobs().priority.value.weight(), 5);
}

#[test]
fn what_does_not_fit_a_pool_is_told_and_the_rest_counts() {
    let floor = FakePool::OBJECTS_MAX + 1;
    let text = format!("version: 1\npools:\n  a: {{weight: 5, capacity: {{floor: {floor}}}}}\n");
    let mount = Mount::new(&text);
    let mut rig = Rig::new(&mount.file());
    let status = rig.config(0);
    let expected = format!(
        "a: capacity.objects_floor: 1001 is out of range, allowed are 0 to 1000 ({}:3)",
        mount.file().display()
    );
    assert_eq!(status.misfits, [expected]);
    let knobs = rig.pool.knobs();
    assert_eq!((knobs.priority.value.weight(), knobs.capacity.is_override()), (5, false));
}

#[test]
fn a_capacity_is_the_operators_and_a_floor_is_told_to_the_policy() {
    #[derive(Clone, Default)]
    struct Watcher(Arc<Mutex<Vec<(bool, u64)>>>);
    impl Policy for Watcher {
        fn name(&self) -> &'static str {
            "watcher"
        }
        fn decide(&mut self, _now: Duration, inputs: &Inputs) -> Plan {
            let pool = &inputs.pools[0];
            self.0.lock().unwrap().push((pool.pinned, pool.floor_bytes));
            let mut plan = Plan::unchanged(inputs, Reason::Rebalanced);
            plan.pools[0].capacity_bytes = Some(1);
            plan
        }
    }
    let mut mount = Mount::new("version: 1\npools: {a: {floor: 8MiB}}\n");
    let watcher = Watcher::default();
    let (file, policy) = (mount.file(), Box::new(watcher.clone()));
    let mut rig = Rig::with(|builder| builder.config_file(file).policy(policy).mode(Mode::Enforce));
    rig.controller.live.stop_notifying();
    rig.tick(0);
    mount.swap("version: 1\npools: {a: {capacity: {bytes: 16MiB}}}\n");
    rig.tick(30_000);
    assert_eq!(*watcher.0.lock().unwrap(), [(false, 8 << 20), (true, 0)]);
    let capacity = Capacity::new(FakePool::OBJECTS_MAX, 16 << 20).unwrap();
    assert_eq!(rig.pool.capacity().value, capacity, "and not what the policy wants");
}

#[test]
fn policy_and_suspects_change_at_once_and_come_back_to_the_builders() {
    let mut mount = Mount::new("version: 1\ncontroller: {policy: fixed, suspect_after: 5s}\n");
    let file = mount.file();
    let own = Box::<crate::decide::Tide>::default();
    let mut rig = Rig::with(|builder| builder.config_file(file).policy(own));
    rig.controller.live.stop_notifying();
    assert_eq!(rig.tick(0).memory.policy, "fixed");
    assert_eq!(rig.controller.shared().suspect_after(), Duration::from_secs(5));
    mount.swap("version: 1\n");
    assert_eq!(rig.tick(30_000).memory.policy, "tide");
    assert_eq!(rig.controller.shared().suspect_after(), Builder::LEASE_SUSPECT_AFTER_DEFAULT);
    mount.swap("version: 1\ncontroller: {policy: fixed}\n");
    assert_eq!(rig.tick(60_000).memory.policy, "fixed");
}

#[test]
fn the_mode_follows_and_the_limit_needs_a_restart() {
    let mut mount = Mount::new("version: 1\ncontroller: {mode: enforce, limit: 512MiB}\n");
    let file = mount.file();
    let mut rig = Rig::with(|builder| builder.config_file(&file).mode(Mode::Observe));
    rig.controller.live.stop_notifying();
    let status = rig.tick(0);
    assert_eq!((status.memory.mode, status.memory.limit_bytes), ("enforce", Some(512 << 20)));
    mount.swap("version: 1\ncontroller: {mode: observe, limit: 256MiB}\n");
    let status = rig.tick(30_000);
    assert_eq!((status.memory.mode, status.memory.limit_bytes), ("observe", Some(512 << 20)));
    let needs = |status: &Status| status.config.as_ref().expect("a configuration").needs_restart.clone();
    assert_eq!(needs(&status), ["controller.limit"]);

    // What a person says stands until the file says another mode than before.
    rig.controller.shared().steering.set(Mode::Enforce).unwrap();
    mount.swap("version: 1\ncontroller: {mode: observe, limit: 512MiB}\n");
    let status = rig.tick(60_000);
    assert_eq!((status.memory.mode, needs(&status).len()), ("enforce", 0));

    let mut rig = Rig::with(|builder| builder.config_file(&file).environment(Some("enforce")));
    rig.controller.live.stop_notifying();
    assert_eq!(rig.tick(0).memory.mode, "enforce", "the environment has the last word");
    mount.swap("version: 1\n");
    assert_eq!(rig.tick(30_000).memory.mode, "enforce");
}

#[test]
fn in_a_freeze_knobs_wait_for_its_end() {
    let mut mount = Mount::new(ONE);
    let mut rig = Rig::new(&mount.file());
    rig.controller.live.stop_notifying();
    rig.tick(0);
    let second = Duration::from_secs(1);
    rig.controller.shared().steering.freeze(29 * second, 10 * second).unwrap();
    mount.swap("version: 1\ncontroller: {mode: enforce}\npools: {a: {weight: 8}}\n");
    let status = rig.tick(30_000);
    assert_eq!((status.memory.mode, status.config.as_ref().unwrap().generation), ("frozen", 2));
    assert_eq!(rig.pool.knobs().priority.value.weight(), 7);
    assert_eq!(rig.tick(39_000).memory.mode, "enforce");
    assert_eq!(rig.pool.knobs().priority.value.weight(), 8);
}

#[test]
fn a_program_configures_as_a_file_does_and_off_is_off() {
    let config = || {
        let config = Config::default().controller("mode", "enforce").unwrap();
        config.pool("a", "sampling.leases", "all").unwrap()
    };
    let mut rig = Rig::with(|builder| builder.config(config()));
    let status = rig.config(0);
    assert_eq!((rig.controller.mode(), status.generation, status.path), (Mode::Enforce, 1, None));
    let knobs = rig.pool.knobs();
    assert_eq!(
        (knobs.sampling.value.leases(), knobs.sampling.reason.as_str()),
        (LeaseLevel::All, "set by the program")
    );

    let mut rig = Rig::with(|builder| builder.config(config()).environment(Some("off")));
    rig.tick(0);
    assert_eq!(rig.pool.knobs().generation, 0);
    let mut rig = Rig::with(|builder| builder);
    assert_eq!(rig.tick(0).config, None);
}

#[test]
fn a_stage_is_followed_moved_and_rolled_back() {
    let text = |staged: &str| format!("version: 1\npools: {{lines: {{weight: 7, staged: {{{staged}}}}}}}\n");
    let mut mount = Mount::new(&text("generation: 1, percent: 10, canary: {weight: 9}"));
    let mut rig = Rig::new(&mount.file());
    let builder = pool_core::Pool::builder("lines").registry(&rig.registry);
    let lines = builder.build_canary_with(String::new, |canary| canary).expect("new names");
    let percent = || (lines.split().share().value.ratio().get() * 100.0).round();
    let weights =
        || [lines.stable(), lines.canary()].map(|pool| pool.managed().knobs().priority.value.weight());
    let status = rig.config(0);
    assert_eq!((percent().to_string().as_str(), weights()), ("10", [7, 9]));
    let share = lines.split().share();
    assert!(
        share.author == Author::Operator && share.reason.ends_with("ebbpool.yaml:2 (generation 1)"),
        "{share:?}"
    );
    assert_eq!(status.staged.iter().map(|s| (s.side, s.generation)).collect::<Vec<_>>(), [("both", 1)]);
    let metrics = |status: Arc<Status>| status.config.clone().expect("a configuration").staged.clone();
    assert_eq!(metrics(rig.tick(10))[0].pool, "lines");

    // A person stands above the file, which goes on beneath.
    lines
        .split()
        .set(pool_core::Share::ALL, Change::person("look", Duration::from_secs(3600)).expect("in range"));
    mount.swap(&text("generation: 2, percent: 30, canary: {weight: 9}"));
    assert_eq!(rig.config(250).staged[0].generation, 2);
    assert_eq!(percent().to_string(), "100");
    lines.split().withdraw(Author::Person);
    assert_eq!(percent().to_string(), "30");

    mount.swap(&text("generation: 3, percent: 0, canary: {weight: 9}"));
    rig.tick(500);
    assert_eq!((percent().to_string().as_str(), weights()), ("0", [7, 9]));
    mount.swap("version: 1\n");
    rig.tick(750);
    assert_eq!(weights(), [100, 100]);
    assert_eq!(lines.split().share().generation, 0, "as built");
}

#[test]
fn across_processes_the_instance_decides_and_the_file_may_name_it() {
    let text = "version: 1\npools: {a: {staged: {percent: 50, salt: x, canary: {weight: 9}}}}\n";
    let share = pool_core::Share::percent(50.0).expect("a share").salted("x");
    let named =
        |wanted| (0..1000).map(|n| format!("pod-{n}")).find(|name| share.takes(name) == wanted).expect("one");
    let mount = Mount::new(text);
    for (instance, side, weight) in [(named(true), "canary", 9), (named(false), "stable", 100)] {
        let mut rig = Rig::with(|builder| builder.config_file(mount.file()).instance(&instance));
        let status = rig.config(0);
        assert_eq!((status.staged[0].side, status.instance, status.misfits), (side, instance, vec![]));
        assert_eq!(rig.pool.knobs().priority.value.weight(), weight);
    }
    let mount = Mount::new(&format!("{text}controller: {{instance: {}}}\n", named(true)));
    let mut rig = Rig::with(|builder| builder.config_file(mount.file()).instance(named(false)));
    assert_eq!(rig.config(0).staged[0].side, "canary", "the file has the last word");
    assert_eq!(rig.config(0).instance, named(true));
    let defaults = Defaults {
        mode: Mode::Enforce,
        limit: LimitSource::Auto,
        suspect_after: Duration::MAX,
        instance: String::new(),
    };
    let mut nameless = Live::new(Some(Config::from_text("e.yaml", text).expect("allowed")), None, defaults);
    nameless.follow(Duration::ZERO, &rig.registry, true);
    let misfit = &nameless.status().expect("a configuration").misfits[0];
    assert!(
        misfit.starts_with("a: 50 % of processes are the canary's, and this one has no name"),
        "{misfit}"
    );
}

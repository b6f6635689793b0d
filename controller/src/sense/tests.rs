//! Golden tests on what kernels and container runtimes show, and on changes under way.
//!
//! Each folder of `tests/fixtures` is a machine: its files under `proc` and `sys`, and `expected`, whose first
//! line says what is special about it. A new folder is a new test.

use super::scratch::{Scratch, fixtures};
use super::*;
use std::fmt::Write;
use std::fs;

/// What the fixtures' page counts are in.
const PAGE_BYTES: u64 = 4096;
const MIB: u64 = 1 << 20;

fn sensor(root: &Path) -> MemorySensor {
    MemorySensor::open_with(root, LimitSource::Auto, PAGE_BYTES)
}

fn rendered(sample: &MemorySample) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &dyn fmt::Display| {
        writeln!(text, "{key}: {value}").expect("a string takes all");
    };
    line("source", &sample.source);
    line("level", if sample.level.is_empty() { &"none" } else { &sample.level });
    line("limit", &sample.limit);
    line("usage", &sample.usage);
    line("usage_raw", &sample.usage_raw);
    line("rss", &sample.rss);
    match sample.kernel_peak {
        Some(bytes) => line("kernel_peak", &bytes),
        None => line("kernel_peak", &"none"),
    }
    text
}

#[test]
fn every_fixture_reads_as_expected() {
    let mut seen = Vec::new();
    for entry in fs::read_dir(fixtures()).expect("fixtures") {
        let dir = entry.expect("an entry").path();
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        let expected = fs::read_to_string(dir.join("expected")).expect("each fixture says what to expect");
        let (about, expected) = expected.split_once('\n').expect("a first line that says what it is");
        let mut sensor = sensor(&dir);
        assert_eq!(rendered(&sensor.sample()), expected, "{name}: {about}");
        assert_eq!(rendered(&sensor.sample()), expected, "{name}, read again");
        seen.push(name);
    }
    assert!(seen.len() >= 22, "fixtures are missing: {seen:?}");
}

#[test]
fn a_limit_is_lowered_at_once_and_raised_after_two_samples() {
    let tree = Scratch::copy_of("v2");
    let mut sensor = sensor(tree.path());
    let mut limit_after = |text: &str| {
        tree.write("/sys/fs/cgroup/system.slice/ingest.service/memory.max", text);
        sensor.sample().limit.value().map(|bytes| bytes / MIB)
    };
    assert_eq!(limit_after("536870912"), Some(512));
    assert_eq!(limit_after("402653184"), Some(384));
    assert_eq!([limit_after("1073741824"), limit_after("1073741824")], [Some(384), Some(1024)]);
    assert_eq!([limit_after("max"), limit_after("536870912")], [Some(1024), Some(512)]);
    assert_eq!(limit_after("banana"), None);
    assert_eq!(limit_after("536870912"), Some(512));
}

#[test]
fn another_level_binds_when_a_neighbour_grows() {
    let tree = Scratch::copy_of("nested-tighter-ancestor");
    let mut sensor = sensor(tree.path());
    let pod = "/sys/fs/cgroup/kubepods/pod1/memory.current";
    assert_eq!(sensor.sample().level, "/kubepods/pod1");
    tree.write(pod, "524288000");
    let sample = sensor.sample();
    assert_eq!((sample.level.as_str(), sample.limit.value()), ("/kubepods/pod1/box", Some(512 * MIB)));
    tree.write(pod, "1048576000");
    assert_eq!(sensor.sample().level, "/kubepods/pod1");
}

/// `docker run --memory 256m --memory-swap 256m`: two limits that are the same, whose usages are read one after the other.
#[test]
fn of_two_levels_with_the_same_room_one_binds() {
    let tree = Scratch::copy_of("v1-swap");
    let file = |name: &str| format!("/sys/fs/cgroup/memory/docker/abc/memory.{name}");
    tree.write(&file("memsw.limit_in_bytes"), "268435456");
    let mut sensor = sensor(tree.path());
    let mut level = |memory_kib: u64, with_swap_kib: u64| {
        tree.write(&file("usage_in_bytes"), &(memory_kib << 10).to_string());
        tree.write(&file("memsw.usage_in_bytes"), &(with_swap_kib << 10).to_string());
        sensor.sample().level
    };
    let noise = [(163_840, 163_840), (163_840, 163_904), (164_000, 163_840), (164_000, 165_000)];
    assert_eq!(noise.map(|(memory, with_swap)| level(memory, with_swap)), ["/docker/abc"; 4]);
    assert_eq!(level(163_840, 180_224), "/docker/abc with swap", "16 MiB are in swap");
    let noise = [(179_000, 179_000), (179_100, 179_000), (179_000, 179_100)];
    assert_eq!(noise.map(|(memory, with_swap)| level(memory, with_swap)), ["/docker/abc with swap"; 3]);
}

#[test]
fn memory_and_swap_together_reach_further_than_memory() {
    const GIB: u64 = 1 << 30;
    let tree = Scratch::copy_of("v1-swap");
    let mut sensor = sensor(tree.path());
    let mut bound_with_swap = |swap: u64| {
        tree.write(
            "/proc/meminfo",
            &format!("MemTotal: {0} kB\nMemAvailable: {0} kB\nSwapTotal: {1} kB\n", 8 << 20, swap >> 10),
        );
        for (name, bytes) in
            [("limit", 6 * GIB), ("usage", 4 * GIB), ("memsw.limit", 10 * GIB), ("memsw.usage", 9 * GIB)]
        {
            tree.write(
                &format!("/sys/fs/cgroup/memory/docker/abc/memory.{name}_in_bytes"),
                &bytes.to_string(),
            );
        }
        sensor.sample();
        let sample = sensor.sample(); // the second that sees it: a limit that is gone has risen
        (sample.level, sample.limit.value())
    };
    assert_eq!(bound_with_swap(8 * GIB), ("/docker/abc with swap".to_owned(), Some(10 * GIB)));
    assert_eq!(bound_with_swap(GIB), ("/docker/abc".to_owned(), Some(6 * GIB)), "10 GiB are out of reach");
}

#[test]
fn a_move_to_another_group_is_followed() {
    let tree = Scratch::copy_of("namespaced-host-mount");
    tree.write("/proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
    tree.write("/proc/self/cgroup", "0::/docker/abc\n");
    let mut sensor = sensor(tree.path());
    assert_eq!(sensor.sample().limit.value(), Some(512 * MIB));
    tree.write("/proc/self/cgroup", "0::/docker/def\n");
    let sample = sensor.sample();
    assert_eq!((sample.level.as_str(), sample.limit.value()), ("/docker/def", Some(64 * MIB)));
}

#[test]
fn a_usage_that_comes_back_is_a_number_again() {
    let tree = Scratch::copy_of("missing-file");
    let mut sensor = sensor(tree.path());
    assert_eq!(sensor.sample().limit.value(), Some(512 * MIB));
    assert!(!sensor.sample().usage.is_valid());
    tree.write("/sys/fs/cgroup/app/memory.current", "314572800\n");
    assert_eq!(sensor.sample().usage.value(), Some(300 * MIB));
    tree.write("/sys/fs/cgroup/app/memory.current", "0\n");
    assert_eq!(sensor.sample().usage, Reading::Invalid(Why::Zero));
    tree.write("/sys/fs/cgroup/app/memory.current", "314572800\n");
    tree.write("/sys/fs/cgroup/app/memory.stat", "anon 1\n");
    let text = "invalid: /sys/fs/cgroup/app/memory.stat makes no sense: \"no line inactive_file\"";
    assert_eq!(sensor.sample().usage.to_string(), text);
    tree.write("/sys/fs/cgroup/app/memory.stat", "inactive_file 999999999999\n");
    assert!(matches!(sensor.sample().usage, Reading::Invalid(Why::Implausible { .. })));
}

#[test]
fn version_2_events_of_a_parent_include_those_of_its_children() {
    let tree = Scratch::copy_of("nested-tighter-ancestor");
    let mut sensor = sensor(tree.path());
    let events = |group: &str, max: u64, oom: u64, kill: u64| {
        let text = format!("low 0\nhigh 0\nmax {max}\noom {oom}\noom_kill {kill}\n");
        tree.write(&format!("/sys/fs/cgroup/kubepods/{group}/memory.events"), &text);
    };
    events("pod1", 50, 4, 3); // from before we looked
    let mut counts = || {
        let sample = sensor.sample();
        (sample.max_events, sample.oom_events, sample.oom_kills)
    };
    assert_eq!(counts(), (0, 0, 0));
    events("pod1/box", 5, 1, 1);
    events("pod1", 57, 5, 4);
    assert_eq!(counts(), (7, 1, 1), "one kill, seen at two levels");
    tree.remove("/sys/fs/cgroup/kubepods/pod1/memory.events");
    assert_eq!(counts(), (7, 1, 1));
}

#[test]
fn version_1_counts_each_kill_in_one_group() {
    let tree = Scratch::copy_of("v1");
    let mut sensor = sensor(tree.path());
    assert_eq!(sensor.sample().oom_kills, 0);
    for (group, kills, failures) in [("docker/abc", 1, 10), ("docker", 2, 5)] {
        let dir = format!("/sys/fs/cgroup/memory/{group}");
        tree.write(&format!("{dir}/memory.oom_control"), &format!("under_oom 0\noom_kill {kills}\n"));
        tree.write(&format!("{dir}/memory.failcnt"), &format!("{failures}\n"));
    }
    let sample = sensor.sample();
    assert_eq!((sample.oom_kills, sample.oom_events, sample.max_events), (3, 3, 15));
}

#[test]
fn a_simulated_limit_is_held_against_our_own_memory() {
    let tree = Scratch::copy_of("v2");
    let mut sensor = MemorySensor::open_with(tree.path(), LimitSource::Simulated(128 * MIB), PAGE_BYTES);
    let sample = sensor.sample();
    assert_eq!((sample.source, sample.level.as_str()), (Source::Simulated, ""));
    assert_eq!((sample.limit.value(), sample.usage.value()), (Some(128 * MIB), Some(30_000 * PAGE_BYTES)));
    assert_eq!(sample.kernel_peak, Some(128 * MIB));
    tree.write("/proc/self/statm", "1 0 0");
    let sample = sensor.sample();
    assert_eq!((sample.limit.value(), sample.usage), (Some(128 * MIB), Reading::Invalid(Why::Zero)));
}

#[test]
fn the_available_memory_of_the_machine_falls_at_once_too() {
    let tree = Scratch::copy_of("no-limit");
    let mut sensor = sensor(tree.path());
    let mut limit_with = |available: u64| {
        tree.write("/proc/meminfo", &format!("MemTotal: 8388608 kB\nMemAvailable: {available} kB\n"));
        sensor.sample().limit.value().map(|bytes| bytes - 30_000 * PAGE_BYTES)
    };
    assert_eq!(limit_with(4096), Some(4096 * 1024));
    assert_eq!(limit_with(1024), Some(1024 * 1024));
    assert_eq!([limit_with(4096), limit_with(4096)], [Some(1024 * 1024), Some(4096 * 1024)]);
}

#[cfg(target_os = "linux")]
#[test]
fn this_machine_can_be_read() {
    let mut sensor = MemorySensor::open(LimitSource::Auto);
    let sample = sensor.sample();
    let (limit, usage) = (sample.limit.clone().into_result(), sample.usage.clone().into_result());
    assert!(limit.expect("a limit") > usage.expect("a usage") / 4);
    assert!(sample.rss.is_valid());
}

#[test]
fn without_proc_resident_memory_counts_against_a_limit_that_was_given() {
    let tree = Scratch::new();
    let sample = |source, rss| MemorySensor::open_at(tree.path(), source).without_proc(rss);
    let known = |sample: MemorySample| {
        [sample.limit, sample.usage, sample.rss]
            .map(|reading| reading.into_result().map_err(|why| why.to_string()))
    };
    let unknown = || Err("not available on this operating system".to_owned());
    let given = LimitSource::Simulated(9 << 20);
    assert_eq!(known(sample(given, Some(5 << 20))), [Ok(9 << 20), Ok(5 << 20), Ok(5 << 20)]);
    assert_eq!(known(sample(given, None)), [Ok(9 << 20), unknown(), unknown()]);
    assert_eq!(known(sample(LimitSource::Auto, Some(5 << 20))), [unknown(), unknown(), Ok(5 << 20)]);
    assert!(known(sample(given, Some(0)))[1].is_err(), "nothing runs in no memory");
}

#[cfg(not(target_os = "linux"))]
#[test]
fn elsewhere_the_limit_is_not_known_and_that_is_said() {
    let sample = MemorySensor::open(LimitSource::Auto).sample();
    assert_eq!(sample.limit, Reading::Invalid(Why::Unsupported));
    assert_eq!(sample.rss.is_valid(), cfg!(any(target_os = "macos", windows)));
}

//! Records come back as they were written, are small, and are refused where they must be.

use super::{Record, Recorder};
use pool_controller::Moment;
use pool_controller::decide::{Inputs, PauseInputs, PoolInputs};

/// A sequence that repeats: its numbers look busy and mean nothing.
struct Noise(u64);

impl Noise {
    fn up_to(&mut self, max: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % (max + 1)
    }
}

/// A service with so many pools, of which so many are busy: a moment every quarter of a second.
fn service(pools: usize, busy: usize, moments: u64) -> Vec<Moment> {
    let mut noise = Noise(7);
    let mut now = Moment { policy: "tide".into(), mode: "enforce".into(), ..Moment::default() };
    let pool = |n: usize| PoolInputs { name: format!("service.pool-{n}").into(), ..PoolInputs::default() };
    now.inputs =
        Inputs { limit_bytes: Some(1 << 30), pools: (0..pools).map(pool).collect(), ..Inputs::default() };
    let step = |tick: u64| {
        let usage = (600 << 20) + 4096 * noise.up_to(20_000);
        (now.at_ms, now.tick) = (tick * 250 + noise.up_to(3), tick);
        now.inputs.usage_bytes = (tick % 10 != 3).then_some(usage);
        now.inputs.rss_bytes = Some(usage + 4096);
        now.inputs.psi_some_ratio = Some(noise.up_to(1000) as f64 / 1e6);
        let lag = noise.up_to(3_000_000);
        now.inputs.pause =
            PauseInputs { lag_p99_ns: Some(lag), lag_p95_ns: Some(lag / 2), ..PauseInputs::default() };
        for pool in now.inputs.pools.iter_mut().take(busy) {
            pool.gets_total += noise.up_to(200);
            pool.created_total += noise.up_to(9);
            (pool.lent_objects, pool.idle_objects) = (noise.up_to(50), noise.up_to(50));
            (pool.lent_bytes, pool.idle_bytes) = (pool.lent_objects * 65_536, pool.idle_objects * 65_600);
            pool.saved_ns = Some(noise.up_to(9000) as f64);
            pool.capacity_bytes = if tick.is_multiple_of(8) { u64::MAX } else { 40 << 20 };
        }
        now.clone()
    };
    (0..moments).map(step).collect()
}

fn written(moments: &[Moment]) -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new(), "test");
    for moment in moments {
        recorder.write(moment).unwrap();
    }
    recorder.get_ref().clone()
}

#[test]
fn what_is_written_is_read_back() {
    let moments = service(5, 3, 200);
    let record = Record::parse(&written(&moments)).unwrap();
    assert_eq!((record.program.as_str(), record.notes.len()), ("test", 0));
    assert_eq!(record.context.pools.len(), 5);
    assert!(record.moments == moments);
    assert_eq!(record.peak_bytes(), moments.iter().filter_map(|m| m.inputs.usage_bytes).max());
}

#[test]
fn pools_and_policies_come_and_go() {
    let mut moments = service(3, 3, 9);
    for moment in &mut moments[3..6] {
        moment.inputs.pools.remove(1);
        moment.policy = "fixed".into();
    }
    moments[7].inputs.level = "/other".into();
    let text = written(&moments);
    assert!(Record::parse(&text).unwrap().moments == moments);
    let contexts = String::from_utf8(text).unwrap().matches("\n{").count();
    assert_eq!(contexts, 4, "each of the four changes");
}

/// A service with a pool for each connection has more names in a day than there is memory for.
#[test]
fn nothing_is_kept_of_a_pool_that_is_gone() {
    let mut moments = service(2, 2, 9);
    for moment in &mut moments[3..6] {
        moment.inputs.pools.truncate(1);
    }
    let text = written(&moments);
    assert!(Record::parse(&text).unwrap().moments == moments);
    let text = String::from_utf8(text).unwrap();
    // A header, three moments, a context, three moments, a context: the second pool is back with its whole count.
    let back = text.lines().nth(9).unwrap().split(';').nth(2).unwrap();
    let gets = moments[6].inputs.pools[1].gets_total;
    assert!(back.starts_with(&format!("{gets},")), "{back}");
}

/// The figures in docs/replay.md.
#[test]
fn a_second_takes_as_many_bytes_as_the_document_says() {
    let document = include_str!("../../../docs/replay.md");
    for (pools, busy) in [(3, 3), (100, 100), (100, 5)] {
        let (short, long) = (written(&service(pools, busy, 40)), written(&service(pools, busy, 440)));
        let per_second = (long.len() - short.len()) as f64 / 100.0;
        let rounded = (per_second / 10.0).round() * 10.0;
        let line = format!("| {pools} | {busy} | {rounded:.0} |");
        assert!(document.contains(&line), "docs/replay.md lacks {line}");
    }
}

#[test]
fn a_file_that_ends_within_a_line_is_read_up_to_there() {
    let moments = service(2, 2, 20);
    let whole = written(&moments);
    let cut = Record::parse(&whole[..whole.len() - 3]).unwrap();
    assert!(cut.moments == moments[..19]);
    assert_eq!(cut.notes, ["it ends in the middle of line 21, which is left out"]);
}

#[test]
fn what_is_no_record_is_refused_with_what_it_is() {
    let good = String::from_utf8(written(&service(2, 1, 3))).unwrap();
    let header = good.lines().next().unwrap();
    for (text, expected) in [
        (String::new(), "is empty"),
        ("at_ms,usage\n1,2\n".into(), "is no record of `ebbpool record`: its first line is no header"),
        ("{\"format\":\"ring\"}\n".into(), "does not say \"format\":\"ebbpool-record\""),
        (good.replacen("\"version\":1", "\"version\":7", 1), "is of version 7; this build reads version 1"),
        (good.replacen("\"pools\":", "\"basins\":", 1), "missing field `pools`"),
        (format!("{header}\n"), "has a header and no moment"),
        (good.replacen("service.pool-1", &"x".repeat(5000), 1), "line 1: a name of more than 4096 bytes"),
        (format!("{header}\n1,2x\n"), "line 2: \"2x\" is no difference"),
        (format!("{header}\n1;5:1\n"), "line 2: pool 5 of 2"),
        (format!("{header}\n{}1\n", ",".repeat(40)), "line 2: figure 41 of 17"),
    ] {
        let error = Record::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn figures_that_a_build_does_not_know_are_passed_over() {
    let moments = service(1, 1, 3);
    let text = String::from_utf8(written(&moments)).unwrap();
    let renamed =
        Record::parse(text.replacen("\"gets_total\"", "\"gets_of_tomorrow\"", 1).as_bytes()).unwrap();
    assert!(renamed.moments[2].inputs.pools[0].gets_total == 0);
    assert!(renamed.moments[2].inputs.pools[0].lent_objects == moments[2].inputs.pools[0].lent_objects);
}

#[test]
fn of_a_long_record_the_end_is_kept() {
    let count = Record::CELLS_MAX as u64 / 4 + 10;
    let record = Record::parse(&written(&service(4, 0, count))).unwrap();
    assert_eq!(record.moments.len() * 4, Record::CELLS_MAX);
    assert!(record.moments[0].tick == 10 && record.notes[0].contains("the first 10 moments are left out"));
}

/// A file without an end, and more than there is memory.
#[cfg(target_os = "linux")]
#[test]
fn a_file_is_not_read_at_once() {
    let error = Record::read(std::path::Path::new("/dev/zero")).unwrap_err().to_string();
    assert!(error.starts_with("/dev/zero: is no record"), "{error}");
}

#[test]
fn a_line_without_an_end_is_refused() {
    let header = String::from_utf8(written(&service(1, 1, 1))).unwrap();
    let header = header.lines().next().unwrap();
    let error = Record::parse(format!("{header}\n1{}", ",".repeat(64 << 20)).as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "line 2: it is longer than 64 MiB");
}

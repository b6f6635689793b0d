use super::*;
use crate::decide::State;
use crate::sense::scratch::new_dir;

struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn dir() -> Dir {
    Dir(new_dir("ring"))
}

fn record(tick: u64) -> Record {
    Record {
        tick,
        at_ms: tick * 250,
        limit_bytes: Some(200 << 20),
        usage_bytes: Some((100 + tick % 90) << 20),
        reasons: "budget 54.0 MiB → 0.5 MiB".into(),
        ..Record::default()
    }
}

fn at(tick: u64) -> Duration {
    EVERY * u32::try_from(tick).unwrap()
}

#[test]
fn the_last_five_minutes_stay_oldest_first() {
    let dir = dir();
    let path = dir.0.join("ring");
    let mut ring = Ring::create(&path).unwrap();
    for tick in 0..1500 {
        ring.write(at(tick), &record(tick));
        ring.write(at(tick) + EVERY / 4, &record(999_999)); // an early tick
    }
    let read = PostMortem::read(&path).unwrap();
    assert_eq!((read.pid, read.damaged, read.records.len()), (std::process::id(), 0, 1200));
    let ticks: Vec<u64> = read.records.iter().map(|record| record.tick).collect();
    assert_eq!(ticks, (300..1500).collect::<Vec<_>>());
    assert_eq!(read.records[0], record(300));
}

#[test]
fn what_was_there_is_kept_beside_it() {
    let dir = dir();
    let path = dir.0.join("ring");
    Ring::create(&path).unwrap().write(at(1), &record(7));
    let _second = Ring::create(&path).unwrap();
    assert!(PostMortem::read(&path).unwrap().records.is_empty());
    assert_eq!(PostMortem::read(&dir.0.join("ring.old")).unwrap().records[0].tick, 7);
}

#[test]
fn a_record_that_was_cut_short_is_told_and_left_out() {
    let dir = dir();
    let path = dir.0.join("ring");
    let mut ring = Ring::create(&path).unwrap();
    (0..3).for_each(|tick| ring.write(at(tick), &record(tick)));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[64 + 1024 + 40] ^= 1;
    std::fs::write(&path, &bytes[..64 + 3 * 1024 - 1000]).unwrap();
    let read = PostMortem::read(&path).unwrap();
    assert_eq!((read.records.len(), read.records[0].tick, read.damaged), (1, 0, 2));
    assert!(read.to_string().contains("2 records were cut short"), "{read}");
}

#[test]
fn what_is_too_long_loses_pools_before_reasons() {
    let pool = |n: usize| PoolRecord { name: format!("{n}{}", "x".repeat(300)), ..PoolRecord::default() };
    let long = Record { pools: (0..5).map(pool).collect(), ..record(1) };
    let bytes = framed(3, &long);
    assert_eq!(bytes.len(), RECORD_BYTES);
    let dir = dir();
    let path = dir.0.join("ring");
    Ring::create(&path).unwrap().write(at(1), &long);
    let read = PostMortem::read(&path).unwrap().records.remove(0);
    assert_eq!((read.pools.len(), read.reasons), (1, long.reasons));
}

#[test]
fn other_files_are_refused_by_name() {
    let dir = dir();
    let path = dir.0.join("other");
    std::fs::write(&path, "title: x\n").unwrap();
    let errors = [PostMortem::read(&path), PostMortem::read(&dir.0.join("none"))]
        .map(|read| read.unwrap_err().to_string());
    assert!(errors[0].ends_with("other: not a ring file of a controller (version 1)"), "{errors:?}");
    assert!(errors[1].contains("none: No such file"), "{errors:?}");
}

#[test]
fn the_story_has_the_changes_and_the_end() {
    let states = [State::Normal, State::Normal, State::High, State::High, State::Critical];
    let usage = [100, 101, 185, 186, 199];
    let record = |n: usize| Record {
        state: states[n],
        usage_bytes: Some(usage[n] << 20),
        pools: vec![PoolRecord { name: "http.body".into(), lent_bytes: 90 << 20, ..PoolRecord::default() }],
        ..record(n as u64)
    };
    let read = PostMortem { pid: 7, records: (0..5).map(record).collect(), damaged: 0 };
    let text = read.to_string();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(" | ") && line.contains('%')).collect();
    assert_eq!(lines.len(), 3, "normal, high, critical:\n{text}");
    assert!(lines[2].starts_with("     0.0 | critical | 199.0 MiB of 200.0 MiB (100 %)"), "{text}");
    assert!(text.contains("http.body: 0.0 MiB | 90.0 MiB"), "{text}");
}

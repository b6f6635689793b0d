//! A balloon's memory is real, and goes back to the system. In a binary of its own, because it reads the
//! memory of the whole process.
#![cfg(target_os = "linux")]

use pool_chaos::faults::{FaultBox, FaultName, FaultRequest, Memory};
use pool_core::Registry;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the process's status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident size");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number") * 1024
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < give_up, "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn it_takes_what_is_missing_to_its_share_and_frees_it() {
    let limit_bytes = 512 * MIB;
    let faults =
        FaultBox::new(&Registry::new(), move || Some(Memory { usage_bytes: 128 * MIB, limit_bytes }));
    let held = || faults.status().armed.first().map_or(0, |fault| fault.held_bytes);
    let before = resident_bytes();
    let balloon = |ramp, ttl| FaultRequest::MemoryBalloon { target_ratio: 0.75, ramp, ttl };

    faults.arm(&balloon(Duration::from_millis(50), Duration::from_secs(600))).expect("armed");
    wait_until("inflation", || held() == 256 * MIB);
    let during = resident_bytes();
    assert!(during > before + 250 * MIB, "{before} -> {during}");
    assert!(faults.disarm(FaultName::MemoryBalloon));
    let after = resident_bytes();
    assert!(after < before + 8 * MIB, "{before} -> {during} -> {after}");
    let hits = || faults.status().hits_total[&FaultName::MemoryBalloon];
    let hits_before = hits();
    assert!(hits_before >= 1);

    // The same when nobody disarms it. Its time may be over before anyone looks; that all of it was taken, in one
    // step, is counted.
    faults.arm(&balloon(Duration::ZERO, Duration::from_millis(50))).expect("armed");
    wait_until("expiry", || faults.status().armed.is_empty());
    assert_eq!(hits(), hits_before + 1);
    wait_until("the memory's return", || resident_bytes() < before + 8 * MIB);
}

#[test]
fn without_a_limit_or_room_it_is_refused() {
    let balloon =
        FaultRequest::MemoryBalloon { target_ratio: 0.9, ramp: Duration::ZERO, ttl: Duration::from_secs(1) };
    let none = FaultBox::new(&Registry::new(), || None);
    assert!(none.arm(&balloon).unwrap_err().to_string().contains("no limit to fill"));
    let full = FaultBox::new(&Registry::new(), || Some(Memory { usage_bytes: 95, limit_bytes: 100 }));
    assert_eq!(
        full.arm(&balloon).unwrap_err().to_string(),
        "target_ratio: \"0.9\": nothing to take: usage is 0.950 of the limit already; allowed: more than that"
    );
}

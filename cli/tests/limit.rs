//! `ebbpool demo --limit`: under a real memory limit, which needs the right to make a memory group.
//!
//! On a machine that grants none this fails, unless `EBBPOOL_WITHOUT_SUITE` says `limit`: a test that silently
//! proves nothing is worse than one that fails.

#[allow(dead_code, reason = "shared with the tests against a simulated limit")]
mod support;

use rustix::process::Signal;
use support::{Running, assert_no_service, free_address, groups, stderr, summary};

/// Whether this suite is left out on purpose.
fn left_out() -> bool {
    let without = std::env::var("EBBPOOL_WITHOUT_SUITE").unwrap_or_default();
    without.split(',').any(|suite| suite.trim() == "limit")
}

/// A run of these flags, which leaves neither service nor group.
fn run(flags: &[&str]) -> std::process::Output {
    let admin = free_address();
    let arguments = [&["demo", "--json", "--admin", &admin], flags].concat();
    let running = Running::start(&arguments);
    let pid = running.id();
    let output = running.output();
    assert_no_service(&admin);
    assert_eq!(groups(pid), Vec::<String>::new(), "{}", stderr(&output));
    output
}

#[test]
fn adaptive_pools_live_where_fixed_ones_are_killed() {
    if left_out() {
        return;
    }
    let output = run(&["--limit", "192MiB", "--for", "20s"]);
    let adaptive = summary(&output);
    assert_eq!((&adaptive["limit_kind"], &adaptive["oom_kills"]), (&"real".into(), &0.into()), "{adaptive}");
    assert!(adaptive["killed_after_s"].is_null(), "{adaptive}");
    // A debug build on a busy machine may be too slow for 99 %; then it says so, and lives all the same.
    let (completed, offered) =
        (adaptive["completed"].as_f64().unwrap(), adaptive["offered"].as_f64().unwrap());
    assert!(completed >= 0.5 * offered, "{adaptive}");
    let claims_hold = completed >= 0.99 * offered;
    assert_eq!(output.status.code(), Some(i32::from(!claims_hold)), "{adaptive} {}", stderr(&output));
    assert!(adaptive["peak_bytes"].as_u64().unwrap() < 192 << 20, "{adaptive}");

    let output = run(&["--limit", "192MiB", "--for", "60s", "--pools", "fixed"]);
    let fixed = summary(&output);
    assert_eq!(output.status.code(), Some(1), "{fixed}");
    assert!(fixed["oom_kills"].as_u64().unwrap() >= 1, "{fixed}");
    let killed_after_s = fixed["killed_after_s"].as_f64().expect("a time");
    assert!(killed_after_s < 60.0 && fixed["errors"].as_u64().unwrap() > 0, "{fixed}");
    assert!(stderr(&output).contains("the kernel killed the service for memory"), "{}", stderr(&output));
    let ends = ["completed", "shed", "errors", "timeouts"].map(|key| fixed[key].as_u64().unwrap());
    assert_eq!(ends.iter().sum::<u64>(), fixed["offered"].as_u64().unwrap(), "{fixed}");
}

#[test]
fn an_interrupted_run_leaves_no_group() {
    if left_out() {
        return;
    }
    for signal in [Signal::INT, Signal::TERM] {
        let admin = free_address();
        let mut running = Running::start(&["demo", "--rps", "60", "--limit", "192MiB", "--admin", &admin]);
        let pid = running.id();
        running.read_until("offered");
        assert_eq!(groups(pid).len(), 1, "the group exists while the service runs");
        running.signal(signal);
        let output = running.output();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_no_service(&admin);
        assert_eq!(groups(pid), Vec::<String>::new());
    }
}

#[test]
fn a_port_in_use_leaves_no_group() {
    if left_out() {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = taken.local_addr().unwrap().to_string();
    let running = Running::start(&["demo", "--limit", "192MiB", "--admin", &admin]);
    let pid = running.id();
    let output = running.output();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(groups(pid), Vec::<String>::new());
}

#[test]
fn a_service_killed_by_hand_is_no_kill_for_memory() {
    if left_out() {
        return;
    }
    let admin = free_address();
    let arguments = ["demo", "--rps", "60", "--limit", "192MiB", "--for", "60s", "--admin", &admin];
    let mut running = Running::start(&arguments);
    running.read_until("offered");
    support::kill_service(&admin);
    let output = running.output();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("SIGKILL") && said.contains("counts no kill for memory"), "{said}");
}

//! `ebbpool demo --limit`: under a real memory limit, which needs the right to make a memory group.
//!
//! The feature `limit` builds it, `cargo xtask test` runs it. On a machine that grants no group this fails, unless
//! `EBBPOOL_WITHOUT_SUITE` says `limit`: a test that silently proves nothing is worse than one that fails.

#[allow(dead_code, reason = "shared with the tests against a simulated limit")]
mod support;

use pool_controller::postmortem::{PostMortem, Record};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use support::{Running, carried, groups, stderr, summary};

/// What is shown is shown at the full rate, so one test at a time has the machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// `None`: this suite is left out on purpose.
fn turn() -> Option<MutexGuard<'static, ()>> {
    let without = std::env::var("EBBPOOL_WITHOUT_SUITE").unwrap_or_default();
    if without.split(',').any(|suite| suite.trim() == "limit") {
        eprintln!("left out: EBBPOOL_WITHOUT_SUITE={without}");
        return None;
    }
    Some(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner))
}

const DEMO: [&str; 3] = ["demo", "--admin", "127.0.0.1:0"];

/// A run of these flags, which leaves neither service nor group.
fn run(flags: &[&str]) -> std::process::Output {
    let running = Running::start(&[&DEMO, flags].concat());
    let (pid, mark) = (running.id(), running.mark());
    let output = running.output();
    mark.assert_no_service();
    assert_eq!(groups(pid), Vec::<String>::new(), "{}", stderr(&output));
    output
}

/// A post-mortem file, which ends with the value.
struct Ring(String);

impl Ring {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ebbpool-limit-{}-{name}.ring", std::process::id()));
        Self(path.to_str().expect("text").to_owned())
    }

    fn path(&self) -> &str {
        &self.0
    }

    fn read(&self) -> Vec<Record> {
        PostMortem::read(Path::new(&self.0)).expect("a ring").records
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        for file in [self.0.clone(), format!("{}.old", self.0)] {
            let _ = std::fs::remove_file(file);
        }
    }
}

fn number(summary: &Value, key: &str) -> u64 {
    summary[key].as_u64().unwrap_or_else(|| panic!("{key} in {summary}"))
}

#[test]
fn adaptive_pools_live_where_fixed_ones_are_killed() {
    let Some(_turn) = turn() else { return };
    // Whether it is carried or not, no run may be killed: that is asked of each of them.
    let lives = || {
        let output = run(&["--json", "--limit", "192MiB", "--for", "20s"]);
        let adaptive = summary(&output);
        assert_eq!(adaptive["limit_kind"], "real", "{adaptive}");
        assert_eq!(number(&adaptive, "oom_kills"), 0, "{adaptive} {}", stderr(&output));
        assert!(adaptive["killed_after_s"].is_null(), "{adaptive}");
        assert!(number(&adaptive, "peak_bytes") < 192 << 20, "{adaptive}");
        output
    };
    let output = carried(lives);
    let adaptive = summary(&output);
    assert_eq!(output.status.code(), Some(0), "{adaptive} {}", stderr(&output));
    assert!(100 * number(&adaptive, "completed") >= 99 * number(&adaptive, "offered"), "{adaptive}");

    let ring = Ring::new("killed");
    let fixed =
        ["--json", "--limit", "192MiB", "--for", "60s", "--pools", "fixed", "--postmortem", ring.path()];
    let output = carried(|| run(&fixed));
    let fixed = summary(&output);
    assert_eq!(output.status.code(), Some(1), "{fixed}");
    assert!(number(&fixed, "oom_kills") >= 1, "{fixed}");
    let killed_after_s = fixed["killed_after_s"].as_f64().expect("a time");
    assert!(killed_after_s < 60.0 && number(&fixed, "errors") > 0, "{fixed}");
    assert!(stderr(&output).contains("the kernel killed the service for memory"), "{}", stderr(&output));
    let records = ring.read();
    let last = records.last().expect("it ticked before it was killed");
    assert!(last.share().is_some_and(|share| share > 0.7), "{last:?}");
    assert!(last.pools.iter().any(|pool| pool.name == "zstd.ctx" && pool.idle_bytes > 0), "{last:?}");
    assert!(stderr(&output).contains(&format!("ebbpool postmortem {}", ring.path())), "{}", stderr(&output));
    let ends = ["completed", "shed", "errors", "timeouts"].map(|key| number(&fixed, key));
    assert_eq!(ends.iter().sum::<u64>(), number(&fixed, "offered"), "{fixed}");
}

#[test]
fn a_limit_that_falls_while_it_runs_is_followed() {
    const FALLEN: u64 = 160 << 20;
    let Some(_turn) = turn() else { return };
    let ring = Ring::new("fall");
    let mut flags = vec!["--json", "--limit", "256MiB", "--limit-after", "15s=160MiB", "--for", "40s"];
    flags.extend(["--postmortem", ring.path()]);
    let output = carried(|| {
        let output = run(&flags);
        assert_eq!(number(&summary(&output), "oom_kills"), 0, "{}", stderr(&output));
        output
    });
    let summary = summary(&output);
    assert_eq!(output.status.code(), Some(0), "{summary} {}", stderr(&output));
    assert_eq!(number(&summary, "limit_after_bytes"), FALLEN, "{summary}");
    assert!(100 * number(&summary, "completed") >= 99 * number(&summary, "offered"), "{summary}");

    let records = ring.read();
    let fell = records.iter().position(|r| r.limit_bytes == Some(FALLEN)).expect("it saw the new limit");
    let after = &records[fell..];
    assert!(after.iter().all(|r| r.limit_bytes == Some(FALLEN)), "{after:?}");
    let late = after.iter().filter(|r| r.at_ms - after[0].at_ms >= 5000);
    assert!(late.clone().count() > 40, "it ticked on");
    assert!(late.map(Record::share).all(|share| share.is_some_and(|share| share < 0.9)), "{after:?}");
}

#[test]
fn an_interrupted_run_leaves_no_group() {
    let Some(_turn) = turn() else { return };
    for signal in [Signal::INT, Signal::TERM] {
        let output = carried(|| {
            let mut running = Running::start(&[&DEMO[..], &["--rps", "60", "--limit", "192MiB"]].concat());
            let (pid, mark) = (running.id(), running.mark());
            running.read_until("offered");
            assert_eq!(groups(pid).len(), 1, "the group exists while the service runs");
            running.signal(signal);
            let output = running.output();
            mark.assert_no_service();
            assert_eq!(groups(pid), Vec::<String>::new());
            output
        });
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
}

#[test]
fn a_port_in_use_leaves_no_group() {
    let Some(_turn) = turn() else { return };
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
    let Some(_turn) = turn() else { return };
    let mut running = Running::start(&[&DEMO[..], &["--rps", "60", "--limit", "192MiB"]].concat());
    running.read_until("offered");
    running.mark().kill_service();
    let output = running.output();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("SIGKILL") && said.contains("counts no kill for memory"), "{said}");
}

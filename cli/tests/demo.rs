//! `ebbpool demo` against a simulated limit: what it says, how it ends, and that nothing is left behind.

#[allow(dead_code, reason = "shared with the tests under a real limit")]
mod support;

use rustix::process::Signal;
use support::{Running, carried, output, stderr, summary};

/// Little enough for a debug build on a busy machine.
const CALM: [&str; 5] = ["demo", "--rps", "60", "--admin", "127.0.0.1:0"];
const RPS: f64 = 60.0;

fn calm<'a>(more: &[&'a str]) -> Vec<&'a str> {
    CALM.iter().chain(more).copied().collect()
}

#[test]
fn json_is_the_summary_and_nothing_else() {
    let output = carried(|| {
        let running = Running::start(&calm(&["--for", "4s", "--json", "--seed", "7"]));
        let mark = running.mark();
        let output = running.output();
        mark.assert_no_service();
        output
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary = summary(&output);
    let number = |key: &str| summary[key].as_f64().unwrap_or_else(|| panic!("{key} in {summary}"));
    assert_eq!((&summary["pools"], &summary["limit_kind"]), (&"adaptive".into(), &"simulated".into()));
    assert_eq!(summary["seed"], 7);
    // A run that ends late offers more, as long as it lasts and not one request beside the plan.
    assert!(number("duration_s") >= 4.0, "{summary}");
    assert!((number("offered") - RPS * number("duration_s")).abs() <= 1.0, "{summary}");
    let ends = ["completed", "shed", "errors", "timeouts"].map(number);
    assert!((ends.iter().sum::<f64>() - number("offered")).abs() < 0.5, "{summary}");
    assert!(number("completed") >= 0.99 * number("offered"), "{summary}");
    assert!(
        number("hit_rate") > 0.0 && number("peak_bytes") > 4e6 && number("lent_peak_bytes") > 0.0,
        "{summary}"
    );
    assert_eq!(summary["oom_kills"], 0);
    for null in ["killed_after_s", "fault", "recovered_after_s"] {
        assert!(summary[null].is_null(), "{summary}");
    }
}

#[test]
fn without_a_terminal_there_is_a_line_a_second_and_the_command_for_a_real_limit() {
    let output = carried(|| {
        let mut running = Running::start(&calm(&[]));
        for _ in 0..3 {
            running.read_until("zstd.ctx idle");
        }
        running.signal(Signal::INT);
        running.output()
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("live page: http://127.0.0.1:"), "{text}");
    let lines = text.lines().filter(|line| line.contains(" s  offered ")).count();
    let lasted =
        text.split(" offered in ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a summary");
    let lasted_s: f64 = lasted.parse().expect("seconds");
    // A busy machine has fewer; nobody has more. (Looks come each quarter of a second, and one counts as the last.)
    assert!(lines as f64 <= (lasted_s + 0.05) / 0.95, "{text}");
    assert!(text.contains("simulated") && text.contains("demo --limit 192MiB"), "{text}");
    assert!(!text.contains('\x1b'), "no control sequences where there is no terminal");
}

/// At the full rate: what the demo is for. Whether a busy machine answers all requests in time is not asked here.
#[test]
fn a_watermark_is_crossed_and_the_reason_is_said() {
    let mut running = Running::start(&["demo", "--admin", "127.0.0.1:0"]);
    while !["normal → ", "pools shrink"].iter().all(|part| running.text().contains(part)) {
        running.read_until("");
    }
    running.signal(Signal::INT);
    let text = String::from_utf8(running.output().stdout).unwrap();
    let crossed = text.lines().find(|line| line.contains("normal → ")).unwrap_or_else(|| panic!("{text}"));
    assert!(crossed.contains("watermark") && crossed.contains("of 140.0 MiB"), "{crossed}");
    let shrink = text.lines().find(|line| line.contains("pools shrink")).unwrap_or_else(|| panic!("{text}"));
    assert!(shrink.contains("idle instead of") && shrink.contains("; "), "with its reason: {shrink}");
}

#[test]
fn every_mode_of_pools_runs() {
    for pools in ["none", "fixed"] {
        let output = carried(|| output(&calm(&["--for", "2s", "--json", "--pools", pools])));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let summary = summary(&output);
        assert_eq!(summary["pools"], pools);
        assert_eq!(summary["hit_rate"].as_f64().unwrap() > 0.0, pools == "fixed", "{summary}");
    }
}

#[test]
fn bad_input_is_refused_with_status_2_and_what_is_allowed() {
    for (flags, expected) in [
        (&["--limt", "192MiB"][..], "--limit"),
        (&["--limit", "lots"], "192MiB"),
        (&["--limit", "8MiB"], "too small to run in"),
        (&["--for", "60"], "60s"),
        (&["--pools", "some"], "adaptive"),
        (&["--fault", "mising-put=3%"], "did you mean \"missing-put\"?"),
        (&["--fault", "memory-balloon=2"], "0.95"),
        (&["--admin", "0.0.0.0:9901"], "loopback"),
        (&["--rps", "0"], "1..=5000"),
    ] {
        let output = output(&[&["demo"], flags].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{flags:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_port_in_use_is_said_and_leaves_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = taken.local_addr().unwrap().to_string();
    let running = Running::start(&["demo", "--for", "5s", "--admin", &admin]);
    let mark = running.mark();
    let output = running.output();
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains(&format!("cannot listen on {admin}")) && said.contains("--admin"), "{said}");
    assert!(said.to_lowercase().contains("in use"), "{said}");
    mark.assert_no_service();
}

#[test]
fn a_controller_that_does_not_exist_is_said() {
    let output =
        support::ebbpool(&calm(&["--for", "5s"])).env("EBBPOOL_CONTROLLER", "sometimes").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("off, observe and enforce"), "{}", stderr(&output));
}

#[test]
fn an_interruption_ends_with_the_summary_and_leaves_no_service() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let output = carried(|| {
            let mut running = Running::start(&calm(&[]));
            let mark = running.mark();
            running.read_until("offered");
            assert_eq!(mark.services().len(), 1);
            running.signal(signal);
            let output = running.output();
            mark.assert_no_service();
            output
        });
        assert_eq!(output.status.code(), Some(0), "{signal:?}: {}", stderr(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("completed, 0 shed, 0 errors, "), "{text}");
    }
}

#[test]
fn a_demo_that_is_killed_leaves_no_service() {
    let mut running = Running::start(&calm(&[]));
    let mark = running.mark();
    running.read_until("offered");
    assert_eq!(mark.services().len(), 1);
    running.signal(Signal::KILL);
    assert_eq!(running.output().status.code(), None);
    mark.assert_no_service();
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let output = carried(|| {
        let mut running = Running::start(&calm(&[]));
        let mark = running.mark();
        running.stop_reading();
        let output = running.output();
        mark.assert_no_service();
        output
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn faults_can_be_armed_only_where_that_is_allowed() {
    for (flags, status) in [(&["--allow-faults"][..], "200"), (&[], "404")] {
        let output = carried(|| {
            let mut running = Running::start(&[&calm(&[]), flags].concat());
            let page = running.read_until("live page: http://");
            let admin = page.trim_end().trim_end_matches('/').rsplit('/').next().unwrap();
            running.read_until("offered");
            let answer = get(admin, "/v1/faults");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
            running.signal(Signal::INT);
            running.output()
        });
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
}

/// The whole answer, head and all.
fn get(address: &str, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

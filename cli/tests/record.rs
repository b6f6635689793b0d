//! `ebbpool record`, and what is done with a record: against a demo that runs, as a user meets it.

#[allow(dead_code, reason = "shared with the tests of the demo")]
mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};
use support::{Running, output, stderr, summary};

/// For what must come to pass, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Little enough for a debug build on a busy machine.
const CALM: [&str; 5] = ["demo", "--rps", "60", "--admin", "127.0.0.1:0"];

/// A file of its own that is not there yet, gone when dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("ebbpool-record-{}-{name}", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).expect("a record")
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A demo that runs, and where its admin routes are.
fn demo(arguments: &[&str]) -> (Running, String) {
    let mut running = Running::start(arguments);
    let line = running.read_until("live page: http://");
    let url = line.trim_end().rsplit(' ').next().expect("an address").to_owned();
    (running, url)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// The plant is near the truth: both peaks are of the same recorded moments, whatever the machine made of the load.
#[test]
fn a_live_run_replayed_has_the_live_peak_within_a_tenth() {
    let file = Temporary::new("live");
    let (running, url) = demo(&["demo", "--admin", "127.0.0.1:0"]);
    let recorded = output(&["record", &url, "--for", "18s", "--out", file.path()]);
    running.signal(Signal::INT);
    drop(running.output());
    assert_eq!(recorded.status.code(), Some(0), "{}", stderr(&recorded));
    assert!(stderr(&recorded).contains("pools: 3, "), "{}", stderr(&recorded));
    let replay = summary(&output(&["simulate", "--trace", file.path(), "--policy", "tide", "--json"]));
    let peak = |row: &Value| row["peak_bytes"].as_f64().expect("a number");
    let (live, replayed) = (peak(&replay["recorded"]), peak(&replay["rows"][0]));
    assert!(live > 20e6, "{replay}");
    assert!((replayed / live - 1.0).abs() <= 0.10, "{:.1} % off: {replay}", 100.0 * (replayed / live - 1.0));
}

#[test]
fn an_interruption_leaves_a_whole_file_and_a_service_that_goes_away_is_said() {
    let (first, second) = (Temporary::new("interrupted"), Temporary::new("gone"));
    let (running, url) = demo(&CALM);
    let interrupted = Running::start(&["record", &url, "--out", first.path()]);
    lines_of(&first, 4);
    interrupted.signal(Signal::INT);
    let interrupted = interrupted.output();
    assert_eq!(interrupted.status.code(), Some(0), "{}", stderr(&interrupted));
    assert!(first.text().ends_with('\n'), "it is whole");
    let again = output(&["record", &url, "--out", first.path()]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("is there already, and nothing is written over"), "{}", stderr(&again));

    let left = Running::start(&["record", &url, "--out", second.path()]);
    lines_of(&second, 4);
    running.signal(Signal::INT);
    drop(running.output());
    let left = left.output();
    assert_eq!(left.status.code(), Some(1));
    assert!(stderr(&left).contains("the service went away"), "{}", stderr(&left));
    let replayed = output(&["simulate", "--trace", second.path(), "--policy", "tide"]);
    assert_eq!(replayed.status.code(), Some(0), "{}", stderr(&replayed));
    assert!(stdout(&replayed).lines().count() >= 3, "{}", stdout(&replayed));
}

/// Waits until a file has so many lines.
fn lines_of(file: &Temporary, lines: usize) {
    let until = Instant::now() + PATIENCE;
    while std::fs::read_to_string(&file.0).map_or(0, |text| text.lines().count()) < lines {
        assert!(Instant::now() < until, "nothing is recorded");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_record_goes_to_stdout_until_nobody_reads_and_a_service_is_checked() {
    let (running, url) = demo(&CALM);
    let mut piped = Running::start(&["record", &url, "--out", "-"]);
    piped.read_until("\"format\":\"ebbpool-record\"");
    piped.read_until("\n");
    piped.stop_reading();
    let piped = piped.output();
    assert_eq!(piped.status.code(), Some(0), "{}", stderr(&piped));

    let until = Instant::now() + PATIENCE;
    // Until there were gets, it is said that there were none.
    let good = loop {
        let checked = output(&["check", "--service", &url]);
        if checked.status.code() == Some(0) {
            break checked;
        }
        assert!(checked.status.code() == Some(1) && Instant::now() < until, "{}", stdout(&checked));
    };
    let whats: Vec<String> = stdout(&good).lines().map(|line| line.chars().take(16).collect()).collect();
    let expected = ["health", "mode", "loop", "limit", "pools", "leases", "reuse", "metrics"];
    assert_eq!(whats, expected.map(|what| format!("ok      {what:8}")));
    running.signal(Signal::INT);
    drop(running.output());

    let (running, url) = demo(&[&CALM[..], &["--pools", "none"]].concat());
    let bad = output(&["check", "--service", &url]);
    running.signal(Signal::INT);
    drop(running.output());
    assert_eq!(bad.status.code(), Some(1), "{}", stderr(&bad));
    assert!(stdout(&bad).contains("not ok  pools    none: build pools with"), "{}", stdout(&bad));
}

#[test]
fn what_is_no_controller_is_said_with_status_2() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let other = format!("http://{}", taken.local_addr().expect("its address"));
    let serving = std::thread::spawn(move || {
        for _ in 0..2 {
            let (stream, _) = taken.accept().expect("a connection");
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
                line.clear();
            }
            let mut stream = reader.into_inner();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")
                .expect("sent");
            // Until the client has gone: closing earlier could take the answer back.
            let _ = stream.read(&mut [0; 16]);
        }
    });
    let file = Temporary::new("none");
    let cases = [
        (vec!["record", &other, "--out", file.path()], "not the admin routes of an Ebbpool controller"),
        (vec!["check", "--service", &other], "not what an Ebbpool controller answers"),
    ];
    for (arguments, expected) in cases {
        let output = output(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    serving.join().expect("served");
    // A port that nobody listens at, and nobody else can meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let nobody = format!("http://{}", socket.local_addr().expect("its address"));
    for (arguments, expected) in [
        (vec!["record", &nobody, "--out", file.path()], "cannot connect"),
        (vec!["check", "--service", &nobody], "cannot connect"),
        (vec!["record", "127.0.0.1:9901"], "expected http://host:port"),
        (vec!["record", "https://127.0.0.1:9901"], "plain HTTP"),
        (vec!["record"], "<URL>"),
        (vec!["simulate", "--trace", "no/such.record"], "no/such.record: No such file"),
        (vec!["simulate", "step", "--limit", "1GiB"], "cannot be used with"),
        (vec!["simulate", "--limit", "1GiB"], "--trace"),
        (vec!["advise", "Cargo.toml"], "is no record of `ebbpool record`"),
    ] {
        let output = output(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
    assert!(!file.0.exists(), "a file is made when there is something to write");
}

#[test]
fn a_file_that_was_cut_is_used_and_said_and_too_little_is_refused() {
    let demo = include_str!("../../chaos/tests/records/demo.record");
    let (cut, short) = (Temporary::new("cut"), Temporary::new("short"));
    std::fs::write(&cut.0, &demo[..demo.len() - 5]).expect("a file");
    let replayed =
        output(&["simulate", "--trace", cut.path(), "--policy", "tide,fixed", "--limit", "160MiB"]);
    assert_eq!(replayed.status.code(), Some(0), "{}", stderr(&replayed));
    assert!(stdout(&replayed).contains("note: it ends in the middle of line"), "{}", stdout(&replayed));
    let lines: Vec<&str> = demo.lines().take(20).collect();
    std::fs::write(&short.0, lines.join("\n") + "\n").expect("a file");
    let refused = output(&["advise", short.path()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("too little to advise from: it lasts"), "{}", stderr(&refused));
    assert!(refused.stdout.is_empty());
}

#[test]
fn what_is_advised_is_accepted_by_check() {
    let (record, config) = (Temporary::new("advised"), Temporary::new("advised.yaml"));
    std::fs::write(&record.0, include_str!("../../chaos/tests/records/demo.record")).expect("a file");
    let advised = output(&["advise", record.path(), "--config"]);
    assert_eq!(advised.status.code(), Some(0), "{}", stderr(&advised));
    std::fs::write(&config.0, &advised.stdout).expect("a file");
    let checked = output(&["check", config.path()]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    assert!(stdout(&checked).contains("export.body: floor "), "{}", stdout(&checked));
    let json = summary(&output(&["advise", record.path(), "--json"]));
    assert_eq!(json["config"].as_str().map(str::as_bytes), Some(&advised.stdout[..]));
}

/// The commands in docs/replay.md, run as they stand there, say what stands beneath them.
#[test]
fn the_document_shows_what_the_commands_say() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = std::fs::read_to_string(root.join("docs/replay.md")).expect("the document");
    let mut shown = 0;
    for block in
        document.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("console\n$ ebbpool "))
    {
        let (command, expected) = block.split_once('\n').expect("a command and what it says");
        if !command.contains("chaos/tests/records/") {
            continue;
        }
        let words: Vec<&str> = command.split_whitespace().collect();
        let said = support::ebbpool(&words).current_dir(&root).output().expect("it runs");
        assert_eq!(stdout(&said), expected, "docs/replay.md: what `ebbpool {command}` says is another");
        shown += 1;
    }
    assert_eq!(shown, 2, "a replay and an advice");
}

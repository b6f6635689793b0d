//! `ebbpool knobs` against a controller of this process: what it prints, and with which exit status.

#[path = "support/served.rs"]
mod served;

use pool_core::Author;
use served::Served;
use std::process::{Command, Output, Stdio};

/// Exit status, stdout and stderr.
fn knobs(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebbpool"));
    command.arg("knobs").args(arguments).env("USER", "ann").stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn knobs_are_shown_set_and_taken_back() {
    let served = Served::start();
    let (status, all, _) = knobs(&[served.url.as_str()]);
    assert_eq!(status, Some(0));
    assert!(
        all.contains(
            "http body\n  capacity.bytes 64MiB, capacity.floor 0, capacity.objects 1024: as built\n"
        ),
        "{all}"
    );
    assert!(all.contains("\nhttp body@canary\n"), "{all}");

    let set =
        ["http body", "set", "capacity.bytes", "1MiB", "weight", "7", "--for", "10m", "--because", "a look"];
    let (status, shown, said) = knobs(&[&[served.url.as_str()], &set[..]].concat());
    assert_eq!((status, said.as_str()), (Some(0), ""));
    let priority = shown.lines().find(|line| line.contains("weight 7")).unwrap_or_default();
    assert!(priority.starts_with("  pinned false, weight 7: person, "), "{shown}");
    assert!(priority.ends_with(" s left: ann: a look"), "{shown}");
    let capacity = served.pool.stable().managed().capacity();
    assert_eq!((capacity.value.bytes_max(), capacity.author), (1 << 20, Author::Person));

    let (status, shown, _) = knobs(&[served.url.as_str(), "http body", "clear", "capacity.bytes"]);
    assert_eq!((status, shown.contains("capacity.bytes 64MiB")), (Some(0), true), "{shown}");
}

#[test]
fn the_share_of_a_canary_is_set_and_taken_back() {
    let served = Served::start();
    let (status, shown, said) =
        knobs(&[served.url.as_str(), "http body", "set", "canary.percent", "100", "--because", "all"]);
    assert_eq!((status, said.as_str()), (Some(0), ""));
    assert!(shown.starts_with("http body\n  canary.percent 100: person, "), "{shown}");
    assert!(shown.ends_with(" s left: ann: all\n"), "{shown}");
    drop(served.pool.get());
    assert_eq!(served.pool.canary().stats().gets.total(), 1);
    for of in [&[served.url.as_str(), "http body"][..], &[served.url.as_str()]] {
        let (_, shown, _) = knobs(of);
        assert!(shown.contains("\n  canary.percent 100: person, "), "{of:?}: {shown}");
        assert_eq!(shown.matches("canary.percent").count(), 1, "{of:?}: {shown}");
    }
    let (status, shown, _) = knobs(&[served.url.as_str(), "http body", "clear", "canary.percent"]);
    assert_eq!((status, shown.as_str()), (Some(0), "http body\n  canary.percent 0: as built\n"));
}

#[test]
fn what_is_refused_says_what_is_allowed_and_changes_nothing() {
    let served = Served::start();
    for (arguments, status, says) in [
        (
            &["http body", "set", "wieght", "7", "--because", "x"][..],
            1,
            "did you mean \"weight\"?; allowed: capacity.objects",
        ),
        (
            &["http body", "set", "weight", "0", "--because", "x"],
            1,
            "set.weight: not allowed here; allowed: a whole number from 1 to 10000",
        ),
        (
            &["http body", "set", "weight", "7", "--for", "25h", "--because", "x"],
            1,
            "for: out of range; allowed: ",
        ),
        (
            &["htp body", "set", "weight", "7", "--because", "x"],
            1,
            "did you mean \"http body\"?; allowed: http body, ",
        ),
        (&["http body", "clear", "weight"], 1, "nobody has set it by hand"),
        (&["http body", "set", "weight", "7"], 2, "--because"),
        (&["http body", "set", "weight", "--because", "x"], 2, "2 values"),
    ] {
        let (found, stdout, stderr) = knobs(&[&[served.url.as_str()], arguments].concat());
        assert_eq!((found, stdout.as_str()), (Some(status), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
    assert_eq!(served.pool.stable().managed().knobs().generation, 0);
    assert!(served.handle.overrides().is_empty());
    let (status, _, stderr) = knobs(&["https://example.org"]);
    assert_eq!((status, stderr.contains("expected http://host:port")), (Some(2), true), "{stderr}");
}

#[test]
fn who_does_not_answer_is_named_with_the_whole_address() {
    // A port that nobody listens at, and nobody else can meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let url = format!("http://{}", socket.local_addr().expect("its address"));
    for (arguments, path) in [(&[url.as_str()][..], "/v1/pools"), (&[&url, "a"], "/v1/pools/a/knobs")] {
        let (status, _, stderr) = knobs(arguments);
        assert_eq!(status, Some(1));
        assert!(stderr.contains(&format!("{url}{path}: cannot connect")), "{stderr}");
    }
}

//! `ebbpool knobs` against a controller of this process: what it prints, and with which exit status.

use pool_controller::{Controller, Handle, LimitSource, Mode, admin};
use pool_core::{Author, CanaryPool, Pool, Registry};
use std::process::{Command, Output, Stdio};

/// A controller with a pool and its canary, and its routes on a port of their own.
struct Served {
    pool: CanaryPool<Vec<u8>>,
    url: String,
    _handle: Handle,
    // Dropping it ends the server.
    _runtime: tokio::runtime::Runtime,
}

impl Served {
    fn start() -> Self {
        let registry = Registry::new();
        let builder = Pool::builder("http body").registry(&registry);
        let pool = builder.build_canary_with(Vec::new, |canary| canary).expect("new names");
        let controller = Controller::builder().registry(&registry).mode(Mode::Observe);
        let controller = controller.limit(LimitSource::Simulated(4 << 30)).build().expect("a controller");
        let handle = controller.spawn().expect("threads");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (ready, address) = std::sync::mpsc::channel();
        let router = handle.router();
        runtime.spawn(async move {
            let any = ([127, 0, 0, 1], 0).into();
            admin::serve(any, router, |address| ready.send(address).expect("someone waits")).await
        });
        let url = format!("http://{}/", address.recv().expect("it serves"));
        Self { pool, url, _handle: handle, _runtime: runtime }
    }

    /// Exit status, stdout and stderr.
    fn knobs(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        knobs(&[&[self.url.as_str()], arguments].concat())
    }
}

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
    let (status, all, _) = served.knobs(&[]);
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
    let (status, shown, said) = served.knobs(&set);
    assert_eq!((status, said.as_str()), (Some(0), ""));
    let priority = shown.lines().find(|line| line.contains("weight 7")).unwrap_or_default();
    assert!(priority.starts_with("  pinned false, weight 7: person, "), "{shown}");
    assert!(priority.ends_with(" s left: ann: a look"), "{shown}");
    let capacity = served.pool.stable().managed().capacity();
    assert_eq!((capacity.value.bytes_max(), capacity.author), (1 << 20, Author::Person));

    let (status, shown, _) = served.knobs(&["http body", "clear", "capacity.bytes"]);
    assert_eq!((status, shown.contains("capacity.bytes 64MiB")), (Some(0), true), "{shown}");
}

#[test]
fn the_share_of_a_canary_is_set_and_taken_back() {
    let served = Served::start();
    let (status, shown, said) =
        served.knobs(&["http body", "set", "canary.percent", "100", "--because", "all"]);
    assert_eq!((status, said.as_str()), (Some(0), ""));
    assert!(shown.starts_with("http body\n  canary.percent 100: person, "), "{shown}");
    assert!(shown.ends_with(" s left: ann: all\n"), "{shown}");
    drop(served.pool.get());
    assert_eq!(served.pool.canary().stats().gets.total(), 1);
    let (status, shown, _) = served.knobs(&["http body", "clear", "canary.percent"]);
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
        let (found, stdout, stderr) = served.knobs(arguments);
        assert_eq!((found, stdout.as_str()), (Some(status), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
    assert_eq!(served.pool.stable().managed().knobs().generation, 0);
    let (status, _, stderr) = knobs(&["https://example.org"]);
    assert_eq!((status, stderr.contains("allowed: http://127.0.0.1:PORT")), (Some(2), true), "{stderr}");
}

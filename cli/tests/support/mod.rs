//! The command as a child of the test: bounded in time, and checked for what it leaves behind.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// `ebbpool` with these arguments; what the caller's environment says of controllers and faults is not for it.
pub(crate) fn ebbpool(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebbpool"));
    command.args(arguments).env_remove("EBBPOOL_CONTROLLER").env_remove("FAILPOINTS").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    Running::start(arguments).output()
}

/// Repeats a run that refused requests or answered them too late, and nothing worse: the machine was too busy to
/// carry the load, so the run proves nothing. It says so each time, and fails if that never changes.
pub(crate) fn carried(mut run: impl FnMut() -> Output) -> Output {
    const TRIES: u32 = 5;
    for _ in 0..TRIES {
        let output = run();
        let said = stderr(&output);
        if !said.contains("requests were completed") || !said.contains(" 0 errors") {
            return output;
        }
        eprintln!("inconclusive, and repeated: {said}");
    }
    panic!("inconclusive {TRIES} times: this machine is too busy for the load");
}

/// The one line of stdout.
pub(crate) fn summary(output: &Output) -> Value {
    let text = std::str::from_utf8(&output.stdout).expect("UTF-8");
    assert_eq!(text.lines().count(), 1, "{text}{}", stderr(output));
    serde_json::from_str(text).expect("a JSON object")
}

/// What was said on stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A run under way. Dropping it kills it; its service ends with it.
pub(crate) struct Running {
    child: Child,
    mark: Mark,
    stdout: Option<BufReader<ChildStdout>>,
    read: Vec<u8>,
    errors: Option<JoinHandle<Vec<u8>>>,
    /// Ends the watch when it is dropped.
    _watched: mpsc::Sender<()>,
}

/// No test runs a command for longer. Every wait in a run ends with it.
const RUN_TIME_MAX: Duration = Duration::from_secs(300);

impl Running {
    /// Starts it.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mark = Mark::new();
        let mut child = mark
            .put_on(&mut ebbpool(arguments))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let errors = read_aside(child.stderr.take().expect("a pipe"));
        let watched = watch(&child);
        Self { child, mark, stdout: Some(stdout), read: Vec::new(), errors: Some(errors), _watched: watched }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// By what its service is known.
    pub(crate) fn mark(&self) -> Mark {
        self.mark.clone()
    }

    /// Reads stdout up to a line that contains `text`, and returns that line.
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        let stdout = self.stdout.as_mut().expect("it is read");
        loop {
            let start = self.read.len();
            let bytes = stdout.read_until(b'\n', &mut self.read).expect("a pipe");
            let line = String::from_utf8_lossy(&self.read[start..]).into_owned();
            assert!(bytes > 0, "stdout ended before {text:?}:\n{}", String::from_utf8_lossy(&self.read));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// What was read of stdout so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// Reads no more, as a reader that has gone away.
    pub(crate) fn stop_reading(&mut self) {
        self.stdout = None;
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it is running");
    }

    /// Waits for its end and takes what it said.
    pub(crate) fn output(mut self) -> Output {
        let mut stdout = std::mem::take(&mut self.read);
        if let Some(mut rest) = self.stdout.take() {
            rest.read_to_end(&mut stdout).expect("a pipe");
        }
        let status = self.child.wait().expect("it ends");
        let stderr = self.errors.take().expect("taken once").join().expect("the reader ends");
        Output { status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; waiting takes it off the process table in either case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a stream to its end, so that who writes to it never waits.
fn read_aside(mut stream: ChildStderr) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut read = Vec::new();
        stream.read_to_end(&mut read).expect("a pipe");
        read
    })
}

/// Kills a run that hangs from beside, which ends its streams.
fn watch(child: &Child) -> mpsc::Sender<()> {
    let pid = Pid::from_child(child);
    let (watched, ended) = mpsc::channel();
    thread::spawn(move || {
        if ended.recv_timeout(RUN_TIME_MAX) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    watched
}

/// A word in the environment of a run that its service inherits. Both are known by it, whatever becomes of the
/// other; a port would have to be free, and stay so until it is listened at.
#[derive(Clone, Debug)]
pub(crate) struct Mark(String);

impl Mark {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(format!("EBBPOOL_TEST_RUN={}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed)))
    }

    fn put_on<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.0.split_once('='))
    }

    /// Services of the run: process ids and command lines.
    pub(crate) fn services(&self) -> Vec<(i32, String)> {
        let processes = std::fs::read_dir("/proc").expect("proc").flatten();
        processes
            .filter_map(|process| {
                let pid = process.file_name().to_str()?.parse().ok()?;
                let words = |file: &str| {
                    let text = std::fs::read(process.path().join(file)).ok()?;
                    Some(String::from_utf8_lossy(&text).split('\0').map(str::to_owned).collect::<Vec<_>>())
                };
                let line = words("cmdline")?;
                let is_service = line.iter().any(|word| word == "demo-service");
                (is_service && words("environ")?.contains(&self.0)).then(|| (pid, line.join(" ")))
            })
            .collect()
    }

    /// Kills the run's service.
    pub(crate) fn kill_service(&self) {
        let services = self.services();
        let [(pid, _)] = services.as_slice() else { panic!("one service, not {services:?}") };
        kill_process(Pid::from_raw(*pid).expect("a process id"), Signal::KILL).expect("it is running");
    }

    /// Waits until no service of the run is left.
    pub(crate) fn assert_no_service(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.services().is_empty() {
            assert!(Instant::now() < deadline, "left behind: {:?}", self.services());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Memory groups that the process `pid` has made.
pub(crate) fn groups(pid: u32) -> Vec<String> {
    fn below(dir: &Path, prefix: &str, depth: u32, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir && entry.file_name().to_string_lossy().starts_with(prefix) {
                found.push(entry.path().display().to_string());
            } else if is_dir && depth > 0 {
                below(&entry.path(), prefix, depth - 1, found);
            }
        }
    }
    let mut found = Vec::new();
    below(Path::new("/sys/fs/cgroup"), &format!("ebbpool-{pid}-"), 12, &mut found);
    found
}

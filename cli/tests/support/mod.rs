//! The command as a child of the test: bounded in time, and checked for what it leaves behind.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
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
    stdout: BufReader<ChildStdout>,
    read: Vec<u8>,
}

/// No test runs a command for longer.
const RUN_TIME_MAX: Duration = Duration::from_secs(100);

impl Running {
    /// Starts it.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = ebbpool(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, stdout, read: Vec::new() }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads stdout up to a line that contains `text`.
    pub(crate) fn read_until(&mut self, text: &str) {
        loop {
            let start = self.read.len();
            let bytes = self.stdout.read_until(b'\n', &mut self.read).expect("a pipe");
            let line = String::from_utf8_lossy(&self.read[start..]).into_owned();
            assert!(bytes > 0, "stdout ended before {text:?}:\n{}", String::from_utf8_lossy(&self.read));
            if line.contains(text) {
                return;
            }
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it is running");
    }

    /// Waits for its end and takes what it said.
    pub(crate) fn output(mut self) -> Output {
        let deadline = Instant::now() + RUN_TIME_MAX;
        let mut stderr = self.child.stderr.take().expect("a pipe");
        let errors = std::thread::spawn(move || {
            let mut read = Vec::new();
            stderr.read_to_end(&mut read).map(|_| read)
        });
        // A run that hangs is killed from beside, which ends its stdout.
        let pid = Pid::from_child(&self.child);
        let (ended, wait) = std::sync::mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            let left = deadline.saturating_duration_since(Instant::now());
            if wait.recv_timeout(left) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let mut stdout = std::mem::take(&mut self.read);
        self.stdout.read_to_end(&mut stdout).expect("a pipe");
        let status = self.child.wait().expect("it ends");
        drop(ended);
        watch.join().expect("the watch ends");
        let stderr = errors.join().expect("the reader ends").expect("a pipe");
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

/// Services of demos that were started with `admin`: process ids and command lines.
pub(crate) fn services(admin: &str) -> Vec<(i32, String)> {
    let flag = format!("--admin={admin}");
    let processes = std::fs::read_dir("/proc").expect("proc").flatten();
    processes
        .filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(process.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (line.contains("demo-service") && line.contains(&flag)).then_some((pid, line))
        })
        .collect()
}

/// Kills the service of the demo that was started with `admin`.
pub(crate) fn kill_service(admin: &str) {
    let services = services(admin);
    let [(pid, _)] = services.as_slice() else { panic!("one service, not {services:?}") };
    kill_process(Pid::from_raw(*pid).expect("a process id"), Signal::KILL).expect("it is running");
}

/// Waits until no such service is left.
pub(crate) fn assert_no_service(admin: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !services(admin).is_empty() {
        assert!(Instant::now() < deadline, "left behind: {:?}", services(admin));
        std::thread::sleep(Duration::from_millis(20));
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

/// An address on loopback that was just free.
pub(crate) fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}

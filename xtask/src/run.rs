//! Runs a command, passes its output on, reads what test runners print in it, and never waits for ever.

use crate::counts::Counts;
use crate::workspace::{self, Workspace};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

/// A command may take this long unless it says otherwise: a hang must not become a CI job that never ends.
const LIMIT: Duration = Duration::from_secs(60 * 60);
/// Output that is still open this long after a command's end belongs to a process it left behind. Long enough for
/// the thread that reads it to have its turn on a busy machine.
const LINGER: Duration = Duration::from_secs(30);

/// A command line, shown before it runs so that it can be repeated by hand.
#[derive(Clone)]
pub(crate) struct Job {
    program: OsString,
    name: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    limit: Duration,
    is_quiet: bool,
}

/// How a command that ran without a word ended.
pub(crate) struct Quiet {
    /// `None`: it was ended.
    pub(crate) succeeded: Option<bool>,
    /// What it wrote to stdout.
    pub(crate) output: String,
}

/// How a command ended.
#[derive(Debug)]
enum End {
    Exited(ExitStatus),
    TimedOut,
    /// It exited, but something that it started still holds its output.
    LeftBehind,
}

/// A cargo command; its arguments are the words of `line`.
pub(crate) fn cargo(line: &str) -> Job {
    Job { program: workspace::cargo(), ..plain("cargo") }.args(line.split_whitespace())
}

/// Any command.
pub(crate) fn plain(program: &str) -> Job {
    Job {
        program: program.into(),
        name: program.to_owned(),
        arguments: Vec::new(),
        variables: Vec::new(),
        limit: LIMIT,
        is_quiet: false,
    }
}

impl Job {
    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(arguments.into_iter().map(str::to_owned));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Adds to the `RUSTFLAGS` of our own environment.
    pub(crate) fn rustflags(self, flags: &str) -> Self {
        let own = std::env::var("RUSTFLAGS").unwrap_or_default();
        self.env("RUSTFLAGS", format!("{own} {flags}").trim())
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it as a test runner: what its result lines say, and one failure if it failed otherwise.
    pub(crate) fn tests(&self, workspace: &Workspace) -> Result<Counts> {
        let mut counts = Counts::default();
        let passed = self.each_line(workspace, |line| {
            if let Some(more) = Counts::from_result_line(line) {
                counts += more;
            }
        })?;
        if !passed && counts.failed == 0 {
            counts += Counts::FAIL; // it did not compile, a test took its process down, or it hung
        }
        Ok(counts)
    }

    /// Runs it; whether it succeeded.
    pub(crate) fn passes(&self, workspace: &Workspace) -> Result<bool> {
        self.each_line(workspace, |_| ())
    }

    /// Runs it without a word, and returns what it said.
    pub(crate) fn quietly(&self, workspace: &Workspace) -> Result<Quiet> {
        let mut output = String::new();
        let mut job = self.clone();
        job.is_quiet = true;
        let end = job.run_in(&workspace.root, |line| output.push_str(line));
        let succeeded = match end.with_context(|| format!("`{self}` cannot be run"))? {
            End::Exited(status) => Some(status.success()),
            End::TimedOut | End::LeftBehind => None,
        };
        Ok(Quiet { succeeded, output })
    }

    /// Runs it in the workspace's root, passes on its output and shows each line of stdout to `seen`.
    pub(crate) fn each_line(&self, workspace: &Workspace, seen: impl FnMut(&str)) -> Result<bool> {
        println!("   $ {self}");
        let end = self.run_in(&workspace.root, seen).with_context(|| format!("`{self}` cannot be run"))?;
        match end {
            End::Exited(status) if status.success() => return Ok(true),
            End::Exited(status) => println!("   `{self}` failed: {status}"),
            End::TimedOut => println!("   `{self}` was ended: it ran longer than {} s", self.limit.as_secs()),
            End::LeftBehind => println!("   `{self}` left a process behind that holds its output"),
        }
        Ok(false)
    }

    fn run_in(&self, folder: &Path, seen: impl FnMut(&str)) -> Result<End> {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            // What `cargo run` set for us would reach the build scripts of what we build; what somebody has set for
            // a service of theirs would reach the pools, controllers and demos of our tests.
            let foreign = ["CARGO_PKG_", "CARGO_MANIFEST_", "EBBPOOL_", "FAILPOINTS"];
            if name.to_str().is_some_and(|n| foreign.iter().any(|prefix| n.starts_with(prefix))) {
                command.env_remove(name);
            }
        }
        command.args(&self.arguments).envs(self.variables.iter().map(|(k, v)| (k, v)));
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped());
        if self.is_quiet {
            command.stderr(Stdio::null());
        }
        let mut child = command.spawn()?;
        let lines = child.stdout.take().map(lines_of).context("no pipe")?;
        self.watch(&mut child, &lines, seen)
    }

    fn watch(&self, child: &mut Child, lines: &Receiver<String>, mut seen: impl FnMut(&str)) -> Result<End> {
        let deadline = Instant::now() + self.limit;
        let mut exited: Option<(ExitStatus, Instant)> = None;
        loop {
            match lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => {
                    self.pass_on(&line);
                    seen(&line);
                }
                Err(RecvTimeoutError::Disconnected) if exited.is_none() => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(_) => {}
            }
            if exited.is_none() {
                exited = child.try_wait()?.map(|status| (status, Instant::now()));
            }
            match exited {
                Some((status, at)) => {
                    let open = self.drain(lines, &mut seen);
                    if !open {
                        return Ok(End::Exited(status));
                    } else if at.elapsed() > LINGER {
                        return Ok(End::LeftBehind);
                    }
                }
                None if Instant::now() > deadline => {
                    end_tree(child)?;
                    return Ok(End::TimedOut);
                }
                None => {}
            }
        }
    }

    fn pass_on(&self, line: &str) {
        if !self.is_quiet {
            print!("{line}");
        }
    }

    /// Passes on what is there already; whether more may come.
    fn drain(&self, lines: &Receiver<String>, seen: &mut impl FnMut(&str)) -> bool {
        loop {
            match lines.try_recv() {
                Ok(line) => {
                    self.pass_on(&line);
                    seen(&line);
                }
                Err(ended) => return ended == TryRecvError::Empty,
            }
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={} ", quoted(value))?;
        }
        write!(f, "{}", self.name)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

/// As a shell would have to be told it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

/// Lines with their line ends, read by a thread of its own.
fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (send, receive) = mpsc::sync_channel(1024);
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while matches!(output.read_until(b'\n', &mut line), Ok(n) if n > 0) {
            if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
            line.clear();
        }
    });
    receive
}

/// Ends a child with everything that it started: cargo's death alone would leave a hung test running. All of it is
/// stopped first, until nothing new is found, because what runs can start more while it is looked for.
fn end_tree(child: &mut Child) -> Result<()> {
    let mut tree = vec![child.id()];
    let mut at = 0;
    while at < tree.len() {
        signal("STOP", &tree[at..])?;
        at = tree.len();
        let grown: Vec<_> = parents()
            .into_iter()
            .filter(|(pid, parent)| tree.contains(parent) && !tree.contains(pid))
            .map(|(pid, _)| pid)
            .collect();
        tree.extend(grown);
    }
    signal("KILL", &tree)?;
    child.kill().ok();
    child.wait()?;
    Ok(())
}

/// To each of them; one that is gone is none the worse.
fn signal(name: &str, pids: &[u32]) -> Result<()> {
    let pids = pids.iter().map(u32::to_string);
    Command::new("sh").args(["-c", "kill -s \"$0\" \"$@\" 2>&1", name]).args(pids).output()?;
    Ok(())
}

/// Each process with its parent, as far as the system tells.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let processes = entries.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // `pid (any name at all) state parent …`
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, parent))
    });
    processes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(job: &Job) -> (End, Vec<String>) {
        let mut lines = Vec::new();
        let end = job.run_in(Path::new("."), |line| lines.push(line.trim_end().to_owned())).unwrap();
        (end, lines)
    }

    #[test]
    fn output_is_seen_line_by_line() {
        let (end, lines) = run(&plain("sh").args(["-c", "echo one; printf two; exit 3"]));
        assert!(matches!(end, End::Exited(status) if status.code() == Some(3)));
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_hang_ends_with_all_it_started() {
        // A busy machine may need longer to start the shell than a short limit leaves it.
        let mut limit = Duration::from_millis(100);
        let sleeper: u32 = loop {
            let job = plain("sh").args(["-c", "sleep 600 & echo $!; wait"]).limit(limit);
            let (end, lines) = run(&job);
            assert!(matches!(end, End::TimedOut));
            match lines.first() {
                Some(line) => break line.parse().unwrap(),
                None => assert!(limit < Duration::from_secs(60), "nothing was said within {limit:?}"),
            }
            limit *= 2;
        };
        let state = || std::fs::read_to_string(format!("/proc/{sleeper}/stat")).unwrap_or_default();
        let is_gone = |state: &str| state.is_empty() || state.contains(") Z ") || state.contains(") X ");
        // A signal has been sent; when it is carried out is the kernel's business.
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_gone(&state()) {
            assert!(Instant::now() < deadline, "the sleeper still runs: {}", state());
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let job = cargo("test -p x").env("A", "--cfg b").arg("");
        assert_eq!(job.to_string(), "A='--cfg b' cargo test -p x ''");
    }
}

//! A limit without root: a transient scope of the user's systemd.
//!
//! A scope is gone as soon as its process is, and the kernel's counts with it. So the scope is put into a slice
//! of its own, which stays until we stop it: version 2 counts a kill at every level above it too.
//!
//! Knows systemd and version 2 only: on version 1 a user's systemd holds no memory controller and would take
//! the limit without a word.

use super::error::{Attempt, LimitError};
use super::group::real;
use crate::units::exact_size;
use pool_controller::sense::{Version, locate};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Starts processes in scopes of one slice. Dropping it stops the slice and what still runs in it.
pub(super) struct Scope {
    tools: Tools,
    limit_bytes: u64,
    slice: String,
    /// The slice's directory.
    dir: PathBuf,
}

/// The programs, each with the words that go before our arguments.
pub(super) struct Tools {
    pub(super) systemd_run: Vec<OsString>,
    pub(super) systemctl: Vec<OsString>,
}

impl Default for Tools {
    fn default() -> Self {
        Self { systemd_run: vec!["systemd-run".into()], systemctl: vec!["systemctl".into()] }
    }
}

fn tool(words: &[OsString]) -> Command {
    let (program, first) = words.split_first().expect("a program");
    let mut command = Command::new(program);
    command.args(first).arg("--user");
    command
}

/// Prints the group that it runs in and that group's limit; `$0` is where the hierarchy is mounted.
const PROBE: &str =
    r#"group=$(sed -n 's/^0:://p' /proc/self/cgroup); echo "$group"; cat "$0$group/memory.max""#;

impl Scope {
    /// Proves with a short process that the limit is in force.
    pub(super) fn create(root: &Path, tools: Tools, limit_bytes: u64) -> Result<Self, Attempt> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let failed = |why: String| Attempt::new("systemd-run --user --scope", why);
        let mount = match locate(root) {
            Ok(Some(found)) if found.version == Version::V2 => found.mount,
            _ => return Err(failed("needs the memory controller on cgroup version 2".to_owned())),
        };
        // A dash in the name of a slice would make it a child of another one.
        let slice = format!("ebbpool_{}_{}.slice", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut scope = Self { tools, limit_bytes, slice, dir: PathBuf::new() };
        scope.dir = scope.prove(root, &mount).map_err(failed)?;
        Ok(scope)
    }

    /// The directory of the slice, if a process in it has the limit.
    fn prove(&self, root: &Path, mount: &Path) -> Result<PathBuf, String> {
        let mut probe = self.command(OsStr::new("/bin/sh"));
        probe.args(["-c", PROBE]).arg(real(root, mount));
        let (status, said, complained) = output(probe).map_err(|e| format!("cannot be run: {e}"))?;
        if !status.success() {
            return Err(format!("{status}: {}", complained.trim()));
        }
        let (group, max) = said.trim().split_once('\n').ok_or_else(|| format!("gave no group: {said:?}"))?;
        let in_force = max.trim().parse().ok().filter(|bytes| self.limit_bytes.abs_diff(*bytes) < 64 << 10);
        if in_force.is_none() {
            let asked = exact_size(self.limit_bytes);
            return Err(format!(
                "{asked} was accepted and not set: memory.max of {group} is {:?}",
                max.trim()
            ));
        }
        let dir = Path::new(group).parent().filter(|dir| dir.ends_with(&self.slice));
        let dir = dir.ok_or_else(|| format!("the process ran in {group}, not in {}", self.slice))?;
        let dir = real(root, mount).join(dir.strip_prefix("/").unwrap_or(dir));
        if dir.join("memory.events").exists() {
            return Ok(dir);
        }
        Err(format!("{} keeps no count of kills", dir.display()))
    }

    pub(super) fn command(&self, program: &OsStr) -> Command {
        let mut command = tool(&self.tools.systemd_run);
        command.args(["--scope", "--quiet", "--collect"]);
        command.arg(format!("--slice={}", self.slice));
        command.arg(format!("--property=MemoryMax={}", self.limit_bytes));
        command.args(["--property=MemorySwapMax=0", "--"]).arg(program);
        command
    }

    pub(super) fn oom_kills(&self) -> Result<u64, LimitError> {
        let path = self.dir.join("memory.events");
        let text = fs::read_to_string(&path).map_err(|e| LimitError::io(&path, "read it", &e))?;
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok());
        let why = || "it has no line oom_kill".to_owned();
        kills.ok_or_else(|| LimitError::Group { path, what: "read it".to_owned(), why: why() })
    }

    /// Why the limit stays.
    pub(super) fn unchangeable(&self) -> LimitError {
        let why = "the limit of a systemd scope is systemd's; a live change needs a group of our own (root)";
        LimitError::Group { path: self.dir.clone(), what: "change the limit".to_owned(), why: why.to_owned() }
    }

    pub(super) fn peak_bytes(&self) -> Option<u64> {
        fs::read_to_string(self.dir.join("memory.peak")).ok()?.trim().parse().ok()
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let mut stop = tool(&self.tools.systemctl);
        stop.args(["--quiet", "stop", &self.slice]);
        // Where systemd cannot be reached there was never a slice.
        let _ = output(stop);
    }
}

/// Runs a short command to its end; one that hangs is ended after 10 s.
fn output(mut command: Command) -> std::io::Result<(ExitStatus, String, String)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer within 10 s"));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let (out, err) = pipes(&mut child)?;
    Ok((status, out, err))
}

/// What a command that has ended has written; these commands write less than a pipe holds.
fn pipes(child: &mut Child) -> std::io::Result<(String, String)> {
    let (mut out, mut err) = (String::new(), String::new());
    if let Some(pipe) = &mut child.stdout {
        pipe.read_to_string(&mut out)?;
    }
    if let Some(pipe) = &mut child.stderr {
        pipe.read_to_string(&mut err)?;
    }
    Ok((out, err))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::fake::Tree;

    const LIMIT: u64 = 192 << 20;

    /// A `systemd-run` that runs nothing and answers as a probe would; it writes down what it was asked.
    fn tools(tree: &Tree, answer: &str) -> Tools {
        let script = |body: &str| -> Vec<OsString> {
            let asked = r#"echo "$@" >> "$0/asked""#;
            vec!["/bin/sh".into(), "-c".into(), format!("{asked}\n{body}").into(), tree.path().into()]
        };
        Tools { systemd_run: script(answer), systemctl: script("") }
    }

    /// Answers with a group in the slice that was asked for.
    const IN_SLICE: &str = r#"for a; do case $a in --slice=*) s=${a#--slice=};; esac; done
base=$0/sys/fs/cgroup
mkdir -p "$base/user/$s"; printf 'oom 0\noom_kill 2\n' > "$base/user/$s/memory.events"; echo 4096 > "$base/user/$s/memory.peak"
echo "/user/$s/run-1.scope"; echo 201326592"#;

    #[test]
    fn a_scope_in_a_slice_of_its_own() {
        let tree = Tree::v2("0::/user/session\n", &["user", "user/session"]);
        let scope = Scope::create(tree.path(), tools(&tree, IN_SLICE), LIMIT).expect("a scope");
        assert_eq!((scope.oom_kills().expect("a count"), scope.peak_bytes()), (2, Some(4096)));
        let slice = scope.slice.clone();
        let command = scope.command(OsStr::new("service"));
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        assert_eq!(
            arguments[3..],
            [
                "--user",
                "--scope",
                "--quiet",
                "--collect",
                &format!("--slice={slice}"),
                "--property=MemoryMax=201326592",
                "--property=MemorySwapMax=0",
                "--",
                "service"
            ]
        );
        drop(scope);
        let asked = fs::read_to_string(tree.path().join("asked")).expect("asked");
        assert!(asked.ends_with(&format!("--user --quiet stop {slice}\n")), "{asked}");
    }

    #[test]
    fn each_way_in_which_systemd_says_no() {
        let tree = Tree::v2("0::/user/session\n", &["user", "user/session"]);
        let why = |answer: &str| {
            let attempt = Scope::create(tree.path(), tools(&tree, answer), LIMIT).err().expect("refused");
            assert_eq!(attempt.at, "systemd-run --user --scope");
            attempt.why
        };
        let no_bus = why("echo 'Failed to connect to bus' >&2; exit 1");
        assert_eq!(no_bus, "exit status: 1: Failed to connect to bus");
        let not_set = why("echo /user/x.slice/run-1.scope; echo max");
        assert!(not_set.contains("192MiB was accepted and not set"), "{not_set}");
        let elsewhere = why("echo /user/x.slice/run-1.scope; echo 201326592");
        assert!(elsewhere.starts_with("the process ran in /user/x.slice/run-1.scope, not in"), "{elsewhere}");
        let missing = Tools { systemd_run: vec!["/nonexistent".into()], systemctl: vec!["true".into()] };
        let attempt = Scope::create(tree.path(), missing, LIMIT).err().expect("refused");
        assert!(attempt.why.starts_with("cannot be run"), "{}", attempt.why);
    }

    #[test]
    fn version_1_is_refused_before_systemd_is_asked() {
        let tree = Tree::v1("4:memory:/a\n", &["a"]);
        let attempt = Scope::create(tree.path(), tools(&tree, IN_SLICE), LIMIT).err().expect("refused");
        assert!(attempt.why.contains("version 2"), "{}", attempt.why);
        assert!(!tree.path().join("asked").exists());
    }
}

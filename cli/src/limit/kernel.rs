//! The four things that are done to a cgroup file system. Behind a trait, because a kernel's answers (a busy
//! parent, a read-only mount, a group that may not be entered) cannot all be had on the machine of a test.
//!
//! Reading is not among them: it needs no play-acting. Knows nothing of limits.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// What changes a cgroup tree.
pub(super) trait Kernel: Send + Sync {
    /// Makes a group.
    fn make(&self, dir: &Path) -> io::Result<()>;
    /// Writes to a file of a group; the file must be there.
    fn write(&self, file: &Path, text: &str) -> io::Result<()>;
    /// Removes a group without processes.
    fn remove(&self, dir: &Path) -> io::Result<()>;
    /// Whether a process of ours may move into the group with this `cgroup.procs`. The right to make a group
    /// does not include it: the closest common ancestor has a say.
    fn admits_us(&self, procs: &Path) -> io::Result<()>;
}

/// The real one.
pub(super) struct Cgroupfs;

/// Enters the group of `$0` before it becomes the program of `$1`. Nothing runs outside the limit, and the
/// process id stays.
pub(super) const ENTER_AND_BECOME: &str = r#"echo $$ > "$0" || exit 125; exec "$@""#;

impl Kernel for Cgroupfs {
    fn make(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir(dir)
    }

    fn write(&self, file: &Path, text: &str) -> io::Result<()> {
        fs::OpenOptions::new()
            .write(true)
            .open(file)
            .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
    }

    fn remove(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir(dir)
    }

    fn admits_us(&self, procs: &Path) -> io::Result<()> {
        let mut probe = Command::new("/bin/sh");
        probe.args(["-c", ENTER_AND_BECOME]).arg(procs).arg("true");
        let done = probe.stdin(Stdio::null()).output()?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        Err(io::Error::other(format!("no process may enter it: {}", said.trim())))
    }
}

//! Real kills by the real kernel. The feature `limit` builds these tests.

use super::*;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

/// A launcher of this machine. Where there can be none the test fails and says why, unless it was told so.
fn real() -> Option<Launcher> {
    match launcher(LIMIT_BYTES_MIN) {
        Ok(launcher) => Some(launcher),
        Err(why) => {
            let without = std::env::var("EBBPOOL_WITHOUT_SUITE").unwrap_or_default();
            assert!(
                without.split([',', ' ']).any(|suite| suite == "limit"),
                "needs a real memory limit: {why}"
            );
            None
        }
    }
}

#[test]
fn the_kernel_kills_what_grows_beyond_a_real_limit() {
    let Some(launcher) = real() else { return };
    assert_eq!(launcher.oom_kills().expect("a count"), 0);
    // `tail` keeps the last line, and this one has no end. Without a limit it stops at 1 GiB by itself.
    let mut hungry = launcher.command("/bin/sh");
    hungry.args(["-c", "ulimit -v 1048576; exec tail /dev/zero"]).stdout(Stdio::null()).stderr(Stdio::null());
    let status = hungry.status().expect("started");
    assert_eq!(status.signal(), Some(9), "{status} instead of SIGKILL, under {}", launcher.kind());
    assert_eq!(launcher.oom_kills().expect("a count"), 1);
    if let Some(peak) = launcher.peak_bytes() {
        assert!((LIMIT_BYTES_MIN / 2..=LIMIT_BYTES_MIN).contains(&peak), "{peak}");
    }
    if let Way::Group(group) = &launcher.way {
        let dir = group.procs().parent().expect("a group").to_owned();
        assert!(dir.exists());
        drop(launcher);
        assert!(!dir.exists(), "{} is left behind", dir.display());
    }
}

#[test]
fn a_program_is_under_the_limit_from_its_start_and_sees_it() {
    let Some(launcher) = real() else { return };
    let output = launcher.command("cat").arg("/proc/self/cgroup").output().expect("started");
    let groups = String::from_utf8(output.stdout).expect("text");
    assert!(groups.contains("/ebbpool"), "{groups}");
    let status = launcher.command("/nonexistent/program").stderr(Stdio::null()).status().expect("a shell");
    assert!(!status.success());
}

#[test]
fn a_group_can_grow_and_shrink_around_a_running_process() {
    let Some(launcher) = real() else { return };
    let mut cat = launcher.command("cat");
    let mut child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("started");
    let mut stdin = child.stdin.take().expect("a pipe");
    // What it writes back shows that it has become what it is.
    stdin.write_all(b"here\n").expect("it reads");
    let mut here = [0; 5];
    child.stdout.take().expect("a pipe").read_exact(&mut here).expect("it writes");
    // A scope's limit is systemd's to change.
    if let Way::Group(group) = &launcher.way {
        let inside = fs::read_to_string(group.procs()).expect("processes");
        assert_eq!(inside.trim(), child.id().to_string());
        group.set_limit(2 * LIMIT_BYTES_MIN).expect("raised");
        group.set_limit(LIMIT_BYTES_MIN).expect("lowered");
    }
    drop(stdin);
    assert!(child.wait().expect("ended").success());
    assert_eq!(launcher.oom_kills().expect("a count"), 0);
}

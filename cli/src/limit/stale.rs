//! Names of our groups, and the removal of groups that a killed run left behind.

use super::group::real;
use super::kernel::Kernel;
use std::fs;
use std::path::Path;

const PREFIX: &str = "ebbpool-";

/// `ebbpool-<our process id>-<n>`.
pub(super) fn name(n: u32) -> String {
    format!("{PREFIX}{}-{n}", std::process::id())
}

/// Removes what is named like our groups below `parent`, if the process that made it is gone and no other
/// lives in it. What cannot be removed stays: it is not in the way of a new name.
pub(super) fn sweep(root: &Path, kernel: &dyn Kernel, parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(maker) else { continue };
        let alive = real(root, Path::new("/proc")).join(pid.to_string()).exists();
        let empty =
            fs::read_to_string(entry.path().join("cgroup.procs")).is_ok_and(|text| text.trim().is_empty());
        if !alive && empty {
            let _ = kernel.remove(&entry.path());
        }
    }
}

/// The process that made a group of this name, if it is one of ours.
fn maker(name: &str) -> Option<u32> {
    let (pid, n) = name.strip_prefix(PREFIX)?.split_once('-')?;
    n.parse::<u32>().ok()?;
    pid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_count() {
        assert_eq!(maker("ebbpool-12-0"), Some(12));
        assert_eq!(maker(&name(7)), Some(std::process::id()));
        assert_eq!(["ebbpool-12", "ebbpool-x-0", "ebbpool-12-y", "docker-12-0"].map(maker), [None; 4]);
    }
}

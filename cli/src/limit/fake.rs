//! A tree of files that behaves as cgroup file systems do, for answers that the machine of a test cannot give.

use super::kernel::Kernel;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A fixture tree, removed when dropped.
pub(super) struct Tree(PathBuf);

pub(super) const V1_NONE: &str = "9223372036854771712";

impl Tree {
    /// Groups of a version 2 hierarchy; the root offers cpu and memory and hands nothing down.
    pub(super) fn v2(own: &str, groups: &[&str]) -> Self {
        let tree = Self::new(own, "31 1 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
        tree.write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
        tree.write("sys/fs/cgroup/cgroup.subtree_control", "");
        tree.write("sys/fs/cgroup/cgroup.procs", "");
        for group in groups {
            FakeKernel::v2().add(&tree.group(group)).expect("a group");
        }
        tree
    }

    /// Groups of a version 1 memory hierarchy.
    pub(super) fn v1(own: &str, groups: &[&str]) -> Self {
        let tree = Self::new(own, "31 1 0:28 / /sys/fs/cgroup rw - cgroup cgroup rw,memory\n");
        for group in groups {
            FakeKernel::v1().add(&tree.group(group)).expect("a group");
        }
        tree
    }

    fn new(own: &str, mounts: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let tree = loop {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("ebbpool-limit-{}-{n}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => break Self(path),
                // A killed run with our process id has left it.
                Err(e) => assert_eq!(e.kind(), io::ErrorKind::AlreadyExists, "{}: {e}", path.display()),
            }
        };
        tree.write("proc/self/cgroup", own);
        tree.write("proc/self/mountinfo", mounts);
        fs::create_dir_all(tree.0.join("sys/fs/cgroup")).expect("a mount");
        tree
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn group(&self, name: &str) -> PathBuf {
        self.0.join("sys/fs/cgroup").join(name)
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, text).expect("a file");
    }

    /// What is made by us below a group.
    pub(super) fn ours(&self, group: &str) -> Vec<String> {
        let entries = fs::read_dir(self.group(group)).expect("a group");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("ebbpool-")).collect();
        names.sort();
        names
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The rules of the kernel that matter here. Errors are by directory name.
#[derive(Clone, Default)]
pub(super) struct FakeKernel {
    pub(super) version_1: bool,
    /// Groups below which nothing may be made.
    pub(super) denied: Vec<&'static str>,
    /// Groups below which a group can be made and not entered.
    pub(super) not_to_be_entered: Vec<&'static str>,
    pub(super) read_only: bool,
    /// Version 1: whether a new group inherits that nothing is killed.
    pub(super) kill_disabled: bool,
    /// Files in the order in which they were written.
    pub(super) written: Arc<std::sync::Mutex<Vec<String>>>,
}

impl FakeKernel {
    pub(super) fn v2() -> Self {
        Self::default()
    }

    pub(super) fn v1() -> Self {
        Self { version_1: true, ..Self::default() }
    }

    fn add(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir(dir)?;
        fs::write(dir.join("cgroup.procs"), "")?;
        if self.version_1 {
            fs::write(dir.join("memory.limit_in_bytes"), V1_NONE)?;
            fs::write(dir.join("memory.memsw.limit_in_bytes"), V1_NONE)?;
            fs::write(dir.join("memory.max_usage_in_bytes"), "8192\n")?;
            fs::write(
                dir.join("memory.oom_control"),
                format!("oom_kill_disable {}\nunder_oom 0\noom_kill 3\n", u8::from(self.kill_disabled)),
            )?;
            let inherited = fs::read_to_string(dir.with_file_name("memory.stat"));
            let none = || format!("cache 0\nhierarchical_memory_limit {V1_NONE}\n");
            return fs::write(dir.join("memory.stat"), inherited.unwrap_or_else(|_| none()));
        }
        let handed = fs::read_to_string(dir.with_file_name("cgroup.subtree_control"))?;
        fs::write(dir.join("cgroup.controllers"), &handed)?;
        fs::write(dir.join("cgroup.subtree_control"), "")?;
        if handed.contains("memory") { Self::add_memory(dir) } else { Ok(()) }
    }

    fn add_memory(dir: &Path) -> io::Result<()> {
        fs::write(dir.join("cgroup.controllers"), "memory\n")?;
        fs::write(dir.join("memory.max"), "max\n")?;
        fs::write(dir.join("memory.swap.max"), "max\n")?;
        fs::write(dir.join("memory.events"), "oom 4\noom_kill 3\noom_group_kill 0\n")?;
        fs::write(dir.join("memory.peak"), "8192\n")
    }
}

fn named(dir: &Path, names: &[&str]) -> bool {
    dir.file_name().is_some_and(|name| names.iter().any(|n| name == *n))
}

fn occupied(dir: &Path) -> bool {
    fs::read_to_string(dir.join("cgroup.procs")).is_ok_and(|procs| !procs.trim().is_empty())
}

impl Kernel for FakeKernel {
    fn make(&self, dir: &Path) -> io::Result<()> {
        if self.read_only {
            return Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem));
        }
        if named(dir.parent().expect("a parent"), &self.denied) {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        self.add(dir)
    }

    fn write(&self, file: &Path, text: &str) -> io::Result<()> {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let dir = file.parent().expect("a group");
        if !file.exists() {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        if name == "cgroup.subtree_control" {
            assert_eq!(text, "+memory");
            if occupied(dir) {
                return Err(io::Error::from(io::ErrorKind::ResourceBusy));
            }
            for child in fs::read_dir(dir)?.flatten().filter(|child| child.path().is_dir()) {
                Self::add_memory(&child.path())?;
            }
            return fs::write(file, "memory\n");
        }
        self.written.lock().expect("not poisoned").push(name);
        fs::write(file, text)
    }

    fn remove(&self, dir: &Path) -> io::Result<()> {
        if occupied(dir) {
            Err(io::Error::from(io::ErrorKind::ResourceBusy))
        } else {
            fs::remove_dir_all(dir)
        }
    }

    fn admits_us(&self, procs: &Path) -> io::Result<()> {
        let parent = procs.parent().and_then(Path::parent).expect("a group");
        let denied = named(parent, &self.not_to_be_entered);
        if denied { Err(io::Error::from(io::ErrorKind::PermissionDenied)) } else { Ok(()) }
    }
}

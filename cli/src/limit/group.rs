//! A memory cgroup of our own: made under the nearest group that lets us, removed when dropped.
//!
//! Knows how the two versions of cgroups want to be asked; knows nothing of the process that will live in it.

use super::LIMIT_BYTES_MIN;
use super::error::{Attempt, LimitError};
use super::kernel::{Cgroupfs, Kernel};
use super::stale;
use pool_controller::sense::{Hierarchy, Version, locate};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A memory cgroup with a limit. Dropping it removes it; it kills nothing, so whoever started a process in it
/// ends and reaps that first.
pub(crate) struct Group {
    kernel: Box<dyn Kernel>,
    version: Version,
    dir: PathBuf,
    /// The same directory as a service would name it: without the root of a fixture tree.
    shown: PathBuf,
}

impl Group {
    /// Makes a group of at most `limit_bytes`, without swap, below our own group or the nearest of its
    /// ancestors where that is possible. Groups that dead runs left there are removed.
    ///
    /// On version 2 this may switch the memory controller on for the children of that ancestor, and leaves it
    /// on: other groups may rely on it by the time we end.
    ///
    /// # Errors
    /// If the limit is below [`LIMIT_BYTES_MIN`], above what is allowed around us, or cannot be set anywhere.
    pub(crate) fn create(limit_bytes: u64) -> Result<Self, LimitError> {
        Self::create_in(Path::new("/"), || Box::new(Cgroupfs), limit_bytes)
    }

    pub(super) fn create_in(
        root: &Path,
        kernel: impl Fn() -> Box<dyn Kernel>,
        limit_bytes: u64,
    ) -> Result<Self, LimitError> {
        if limit_bytes < LIMIT_BYTES_MIN {
            return Err(LimitError::TooSmall { limit_bytes });
        }
        let unavailable = |attempts| LimitError::Unavailable { limit_bytes, attempts };
        let found =
            locate(root).map_err(|why| unavailable(vec![Attempt::new("cgroups", why.to_string())]))?;
        let Some(hierarchy) = found else {
            let why = "no hierarchy that accounts for memory is mounted here";
            return Err(unavailable(vec![Attempt::new("cgroups", why)]));
        };
        let mut attempts = Vec::new();
        for parent in &hierarchy.groups {
            match Self::make_below(root, kernel(), &hierarchy, parent) {
                Err(why) => attempts.push(Attempt::new(parent.display().to_string(), why)),
                // From here on the group removes itself when an error drops it.
                Ok(group) => match group.equip(root, &hierarchy, parent, limit_bytes) {
                    Ok(()) => return Ok(group),
                    Err(LimitError::Group { what, why, .. }) => {
                        attempts.push(Attempt::new(
                            parent.display().to_string(),
                            format!("cannot {what}: {why}"),
                        ));
                    }
                    Err(other) => return Err(other),
                },
            }
        }
        Err(unavailable(attempts))
    }

    /// A new, empty group with the memory controller; the error says why not.
    fn make_below(
        root: &Path,
        kernel: Box<dyn Kernel>,
        hierarchy: &Hierarchy,
        parent: &Path,
    ) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let real = real(root, parent);
        stale::sweep(root, &*kernel, &real);
        let (name, dir) = loop {
            let name = stale::name(NEXT.fetch_add(1, Ordering::Relaxed));
            let dir = real.join(&name);
            match kernel.make(&dir) {
                Ok(()) => break (name, dir),
                // Left by a dead run that had our process id.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(format!("cannot make a group: {e}")),
            }
        };
        let group = Self { kernel, version: hierarchy.version, dir, shown: parent.join(&name) };
        if hierarchy.version == Version::V2 && !group.dir.join("memory.max").exists() {
            group.enable_memory(&real)?;
        }
        Ok(group)
    }

    /// Hands the memory controller down from `parent`. A group with processes of its own may not do that,
    /// unless it is the root.
    fn enable_memory(&self, parent: &Path) -> Result<(), String> {
        let controllers = fs::read_to_string(parent.join("cgroup.controllers")).unwrap_or_default();
        if !controllers.split_whitespace().any(|c| c == "memory") {
            return Err(format!("the memory controller is not available here, only: {}", controllers.trim()));
        }
        let file = parent.join("cgroup.subtree_control");
        self.kernel.write(&file, "+memory").map_err(|e| match e.kind() {
            io::ErrorKind::ResourceBusy => {
                "it has processes of its own, so it can limit no groups below".to_owned()
            }
            _ => format!("cannot hand the memory controller down: {e}"),
        })?;
        if self.dir.join("memory.max").exists() {
            return Ok(());
        }
        Err("a group here gets no memory.max".to_owned())
    }

    /// Limit, no swap, and proof that both hold and that we may enter.
    fn equip(&self, root: &Path, hierarchy: &Hierarchy, parent: &Path, limit: u64) -> Result<(), LimitError> {
        let outer = match self.version {
            // The new group has no limit yet, so this is what its ancestors allow, visible or not.
            Version::V1 => {
                self.keyed("memory.stat", "hierarchical_memory_limit").ok().map(|b| (b, parent.to_owned()))
            }
            Version::V2 => hierarchy
                .groups
                .iter()
                .filter(|g| parent.starts_with(g))
                .filter_map(|g| v2_limit(root, g))
                .min(),
        };
        if let Some((outer_bytes, path)) = outer.filter(|(bytes, _)| *bytes < limit) {
            return Err(LimitError::Outer { limit_bytes: limit, outer_bytes, path });
        }
        self.set_limit(limit)?;
        self.no_swap()?;
        self.let_kill()?;
        self.kernel.admits_us(&self.procs()).map_err(|e| LimitError::io(&self.shown, "use the group", &e))
    }

    /// Changes the limit. Version 1 refuses less than what is in use and cannot be reclaimed; version 2 kills.
    ///
    /// # Errors
    /// If the limit is below [`LIMIT_BYTES_MIN`], or the kernel does not take it.
    pub(crate) fn set_limit(&self, limit_bytes: u64) -> Result<(), LimitError> {
        if limit_bytes < LIMIT_BYTES_MIN {
            return Err(LimitError::TooSmall { limit_bytes });
        }
        let file = match self.version {
            Version::V2 => "memory.max",
            Version::V1 => "memory.limit_in_bytes",
        };
        let text = limit_bytes.to_string();
        // Memory with swap may never be below memory alone: whichever moves out of the way goes first.
        let with_swap = self.version == Version::V1 && self.dir.join(MEMSW).exists();
        let rises = with_swap && self.number(MEMSW)? < limit_bytes;
        if rises {
            self.write(MEMSW, &text)?;
        }
        self.write(file, &text)?;
        if with_swap && !rises {
            self.write(MEMSW, &text)?;
        }
        let in_force = self.number(file)?;
        // The kernel rounds down to whole pages, of 64 KiB at most.
        if in_force <= limit_bytes && limit_bytes - in_force < 64 << 10 {
            return Ok(());
        }
        let why = format!("it reads {in_force} afterwards");
        Err(LimitError::Group { path: self.shown.join(file), what: format!("write {limit_bytes}"), why })
    }

    /// Whether more than that is charged to the group now.
    pub(super) fn uses_more_than(&self, bytes: u64) -> bool {
        let file = match self.version {
            Version::V1 => "memory.usage_in_bytes",
            Version::V2 => "memory.current",
        };
        self.number(file).is_ok_and(|usage| usage > bytes)
    }

    /// With swap a process that grows would crawl instead of being killed.
    fn no_swap(&self) -> Result<(), LimitError> {
        let (file, text) = match self.version {
            Version::V2 => ("memory.swap.max", "0"),
            Version::V1 if self.dir.join(MEMSW).exists() => return Ok(()), // set together with the limit
            Version::V1 => ("memory.swappiness", "0"),
        };
        // Without the file there is no swap to account for.
        if self.dir.join(file).exists() { self.write(file, text) } else { Ok(()) }
    }

    /// A group of version 1 inherits whether the kernel kills or lets processes hang at the limit.
    fn let_kill(&self) -> Result<(), LimitError> {
        let hangs = self.version == Version::V1
            && self.keyed("memory.oom_control", "oom_kill_disable").is_ok_and(|disabled| disabled == 1);
        if hangs { self.write("memory.oom_control", "0") } else { Ok(()) }
    }

    /// The interface in use: `cgroup-v1` or `cgroup-v2`.
    #[must_use]
    pub(crate) fn kind(&self) -> &'static str {
        match self.version {
            Version::V1 => "cgroup-v1",
            Version::V2 => "cgroup-v2",
        }
    }

    /// Processes of the group that the kernel has killed for memory.
    ///
    /// # Errors
    /// If the kernel does not say (Linux before 4.13).
    pub(crate) fn oom_kills(&self) -> Result<u64, LimitError> {
        match self.version {
            Version::V1 => self.keyed("memory.oom_control", "oom_kill"),
            Version::V2 => self.keyed("memory.events", "oom_kill"),
        }
    }

    /// The most that was ever charged, page cache included. `None` before Linux 5.19 on version 2.
    #[must_use]
    pub(crate) fn peak_bytes(&self) -> Option<u64> {
        match self.version {
            Version::V1 => self.number("memory.max_usage_in_bytes").ok(),
            Version::V2 => self.number("memory.peak").ok(),
        }
    }

    /// Where a process enters the group.
    pub(super) fn procs(&self) -> PathBuf {
        self.dir.join("cgroup.procs")
    }

    fn write(&self, file: &str, text: &str) -> Result<(), LimitError> {
        let written = self.kernel.write(&self.dir.join(file), text);
        written.map_err(|e| LimitError::io(&self.shown.join(file), format!("write {text}"), &e))
    }

    fn number(&self, file: &str) -> Result<u64, LimitError> {
        let text = self.read(file)?;
        let unparsable = |_| self.unreadable(file, format!("it says {:?}", text.trim()));
        text.trim().parse().map_err(unparsable)
    }

    fn keyed(&self, file: &str, key: &str) -> Result<u64, LimitError> {
        let text = self.read(file)?;
        let value =
            text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok());
        value.ok_or_else(|| self.unreadable(file, format!("it has no line {key}")))
    }

    fn read(&self, file: &str) -> Result<String, LimitError> {
        fs::read_to_string(self.dir.join(file)).map_err(|e| self.unreadable(file, e.to_string()))
    }

    fn unreadable(&self, file: &str, why: String) -> LimitError {
        LimitError::Group { path: self.shown.join(file), what: "read it".to_owned(), why }
    }
}

const MEMSW: &str = "memory.memsw.limit_in_bytes";

impl Drop for Group {
    fn drop(&mut self) {
        // The last process may be reaped and not yet gone from the group.
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            match self.kernel.remove(&self.dir) {
                Ok(()) => return,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return,
                Err(e) if Instant::now() >= deadline => {
                    let procs = fs::read_to_string(self.procs()).unwrap_or_default();
                    let procs: Vec<&str> = procs.lines().collect();
                    eprintln!(
                        "ebbpool: {} cannot be removed: {e}; processes in it: {procs:?}; the next run with --limit tries again",
                        self.shown.display()
                    );
                    return;
                }
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

/// The lower of `memory.max` and `memory.high` of a group, if it has either.
fn v2_limit(root: &Path, group: &Path) -> Option<(u64, PathBuf)> {
    let limit = |name: &str| {
        let path = group.join(name);
        Some((fs::read_to_string(real(root, &path)).ok()?.trim().parse().ok()?, path))
    };
    ["memory.max", "memory.high"].into_iter().filter_map(limit).min()
}

/// Where `shown` is below `root`.
pub(super) fn real(root: &Path, shown: &Path) -> PathBuf {
    root.join(shown.strip_prefix("/").unwrap_or(shown))
}

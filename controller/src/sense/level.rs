//! One cgroup on the way from ours up to the mount: its limit, its usage, its events.
//!
//! Limit and usage of one level belong together: the usage of our group says nothing about the limit of its
//! parent, which neighbours fill as well. Knows nothing of other levels, nor of this process.

use super::file::{KernelFile, Root};
use super::locate::Version;
use super::process::Machine;
use super::reading::{Why, at_most, nonzero};
use std::path::Path;

/// A level with its files kept open.
#[derive(Debug)]
pub(super) struct Level {
    /// The group relative to the mount, `/` for the mount itself.
    pub(super) name: String,
    /// Whether it bounds memory and swap together.
    with_swap: bool,
    files: Files,
    hold: LimitHold,
    events: Events,
}

/// What is charged to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// All of it.
    pub(super) raw_bytes: u64,
    /// Without the page cache that the kernel can drop at once.
    pub(super) bytes: u64,
}

/// Cumulative counts of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Events {
    pub(super) oom_kills: u64,
    pub(super) max: u64,
    pub(super) oom: u64,
}

#[derive(Debug)]
enum Files {
    V1 { limit: KernelFile, hidden: Option<&'static str>, usage: KernelFile, stat: KernelFile, rest: V1Rest },
    V2 { max: KernelFile, high: KernelFile, usage: KernelFile, stat: KernelFile, rest: V2Rest },
}

#[derive(Debug)]
struct V1Rest {
    failures: KernelFile,
    /// Memory and swap together have none: kills are counted once, by memory.
    oom: Option<KernelFile>,
    peak: KernelFile,
}

#[derive(Debug)]
struct V2Rest {
    events: KernelFile,
    peak: KernelFile,
}

/// Where version 1 says in `memory.stat` what bounds a group from above: of memory, and of memory and swap together.
const HIDDEN: [&str; 2] = ["hierarchical_memory_limit", "hierarchical_memsw_limit"];

/// Version 1 says "none" with the largest multiple of the page size. Half of it is beyond any machine.
const SENTINEL_BYTES: u64 = 1 << 62;

impl Level {
    /// `None` if this group has no memory accounting: the controller is not enabled here, or it is the root.
    /// `topmost`: nothing above this group can be seen, so what bounds it from there is read here.
    pub(super) fn open(
        root: &Root,
        version: Version,
        dir: &Path,
        name: String,
        topmost: bool,
    ) -> Option<Self> {
        let file = |name: &str| root.file(dir.join(name));
        let (files, visible) = match version {
            Version::V1 => {
                let (limit, usage) = (file("memory.limit_in_bytes"), file("memory.usage_in_bytes"));
                let visible = limit.exists() || usage.exists();
                let rest = V1Rest {
                    failures: file("memory.failcnt"),
                    oom: Some(file("memory.oom_control")),
                    peak: file("memory.max_usage_in_bytes"),
                };
                let hidden = topmost.then_some(HIDDEN[0]);
                (Files::V1 { limit, hidden, usage, stat: file("memory.stat"), rest }, visible)
            }
            Version::V2 => {
                let (max, usage) = (file("memory.max"), file("memory.current"));
                let visible = max.exists() || usage.exists();
                let rest = V2Rest { events: file("memory.events"), peak: file("memory.peak") };
                (
                    Files::V2 { max, high: file("memory.high"), usage, stat: file("memory.stat"), rest },
                    visible,
                )
            }
        };
        visible.then(|| Self::of(name, files, false))
    }

    /// Version 1 can bound memory and swap together as well, and kills at that limit however little memory is in use.
    /// It is a pair of its own. `None` if swap is not accounted for.
    pub(super) fn open_with_swap(root: &Root, dir: &Path, name: &str, topmost: bool) -> Option<Self> {
        let file = |name: &str| root.file(dir.join(name));
        let limit = file("memory.memsw.limit_in_bytes");
        if !limit.exists() {
            return None;
        }
        let rest = V1Rest {
            failures: file("memory.memsw.failcnt"),
            oom: None,
            peak: file("memory.memsw.max_usage_in_bytes"),
        };
        let (usage, stat) = (file("memory.memsw.usage_in_bytes"), file("memory.stat"));
        let files = Files::V1 { limit, hidden: topmost.then_some(HIDDEN[1]), usage, stat, rest };
        Some(Self::of(format!("{name} with swap"), files, true))
    }

    fn of(name: String, files: Files, with_swap: bool) -> Self {
        let (hold, events) = (LimitHold::default(), Events::default());
        let mut level = Self { name, with_swap, files, hold, events };
        level.events = level.read_events();
        level
    }

    /// Whether version 1 lets this group bound the groups below it.
    pub(super) fn bounds_children(root: &Root, dir: &Path) -> bool {
        root.file(dir.join("memory.use_hierarchy")).number() != Ok(0)
    }

    /// The limit in force: a lower one at once, a higher one when two reads in a row agree that it rose.
    /// `None`: there is none, or one that the machine cannot reach.
    pub(super) fn limit_bytes(&mut self, machine: &Machine) -> Result<Option<u64>, Why> {
        let lowest = self.files.lowest_limit_bytes()?;
        let reach = machine.reach_bytes(self.with_swap);
        let out_of_reach =
            |bytes: &u64| *bytes >= SENTINEL_BYTES || reach.is_some_and(|reach| *bytes > reach);
        let limit = lowest.filter(|bytes| !out_of_reach(bytes)).map(nonzero).transpose()?;
        Ok(self.hold.next(limit))
    }

    /// What is charged, checked against the limit that it belongs to.
    pub(super) fn usage(&mut self, limit_bytes: u64) -> Result<Usage, Why> {
        let (usage, stat, key) = match &mut self.files {
            Files::V1 { usage, stat, .. } => (usage, stat, "total_inactive_file"),
            Files::V2 { usage, stat, .. } => (usage, stat, "inactive_file"),
        };
        let raw_bytes = nonzero(usage.number()?)?;
        let [inactive_file] = stat.keyed([key])?;
        let inactive_file = inactive_file.ok_or_else(|| stat.lacks(key))?;
        at_most(inactive_file, "inactive_file above usage,", raw_bytes)?;
        let bytes = nonzero(raw_bytes - inactive_file)?;
        at_most(bytes, "above 4 times the limit,", limit_bytes.saturating_mul(4))?;
        Ok(Usage { raw_bytes, bytes })
    }

    /// The highest raw usage since the group was made, page cache included.
    pub(super) fn peak_bytes(&mut self) -> Option<u64> {
        let file = match &mut self.files {
            Files::V1 { rest, .. } => &mut rest.peak,
            Files::V2 { rest, .. } => &mut rest.peak,
        };
        file.number().ok().filter(|bytes| *bytes > 0)
    }

    /// What has happened since the last call. An unreadable count stays what it was.
    pub(super) fn new_events(&mut self) -> Events {
        let now = self.read_events();
        let before = std::mem::replace(&mut self.events, now);
        Events {
            oom_kills: now.oom_kills.saturating_sub(before.oom_kills),
            max: now.max.saturating_sub(before.max),
            oom: now.oom.saturating_sub(before.oom),
        }
    }

    fn read_events(&mut self) -> Events {
        let before = self.events;
        match &mut self.files {
            Files::V1 { rest, .. } => {
                let kills = rest.oom.as_mut().and_then(|oom| oom.keyed(["oom_kill"]).ok()?[0]);
                let oom_kills = kills.unwrap_or(before.oom_kills);
                // Version 1 counts no out-of-memory events apart from kills.
                Events { oom_kills, max: rest.failures.number().unwrap_or(before.max), oom: oom_kills }
            }
            Files::V2 { rest, .. } => {
                let [kills, max, oom] = rest.events.keyed(["oom_kill", "max", "oom"]).unwrap_or_default();
                Events {
                    oom_kills: kills.unwrap_or(before.oom_kills),
                    max: max.unwrap_or(before.max),
                    oom: oom.unwrap_or(before.oom),
                }
            }
        }
    }
}

impl Files {
    fn lowest_limit_bytes(&mut self) -> Result<Option<u64>, Why> {
        match self {
            Self::V1 { limit, hidden, stat, .. } => {
                let own = limit.number()?;
                let Some(key) = *hidden else { return Ok(Some(own)) };
                let [hidden] = stat.keyed([key])?;
                Ok(Some(hidden.map_or(own, |hidden| own.min(hidden))))
            }
            Self::V2 { max, high, .. } => {
                let max = max.number_or("max")?;
                let high = match high.number_or("max") {
                    // Kernels without it exist; one that cannot be read is another matter.
                    Err(Why::Missing(_)) => None,
                    other => other?,
                };
                Ok([max, high].into_iter().flatten().min())
            }
        }
    }
}

/// Lets a limit fall at once and rise only on the second read: a misread that is too high kills.
#[derive(Debug, Default)]
pub(super) struct LimitHold {
    /// `None` before the first read. Here and below no limit is the highest of all, [`NO_LIMIT`].
    current: Option<u64>,
    /// What the last read said, if it was above `current`.
    higher: Option<u64>,
}

const NO_LIMIT: u64 = u64::MAX;

impl LimitHold {
    /// Takes a read and returns what is in force.
    pub(super) fn next(&mut self, read: Option<u64>) -> Option<u64> {
        let read = read.unwrap_or(NO_LIMIT);
        let accepted = match self.current {
            // What two reads in a row agree on.
            Some(current) if read > current => self.higher.map_or(current, |higher| read.min(higher)),
            _ => read,
        };
        // What rose by two reads may go on rising: the second read begins the next rise.
        self.higher = (read > accepted).then_some(read);
        self.current = Some(accepted);
        (accepted != NO_LIMIT).then_some(accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_falls_at_once_and_rises_on_the_second_read() {
        let mut hold = LimitHold::default();
        let mut next = |read: u64| hold.next(Some(read)).expect("a limit");
        assert_eq!([next(100), next(80), next(120), next(80), next(120)], [100, 80, 80, 80, 80]);
        assert_eq!([next(110), next(110), next(130), next(50), next(130)], [110, 110, 110, 50, 50]);
    }

    #[test]
    fn a_steady_rise_is_followed_one_read_late() {
        let mut hold = LimitHold::default();
        let seen: Vec<_> = (10..15).map(|read| hold.next(Some(read)).expect("a limit")).collect();
        assert_eq!(seen, [10, 10, 11, 12, 13]);
    }

    #[test]
    fn losing_the_limit_is_a_rise() {
        let mut hold = LimitHold::default();
        assert_eq!([hold.next(None), hold.next(Some(7)), hold.next(None)], [None, Some(7), Some(7)]);
        assert_eq!([hold.next(Some(7)), hold.next(None), hold.next(None)], [Some(7), Some(7), None]);
    }
}

//! The groups that bound this process, from our own up to the last one that can be seen, and which of them
//! leaves the least room.
//!
//! Knows nothing of this process' own memory.

use super::Source;
use super::file::{KernelFile, Root};
use super::level::{Events, Level, Usage};
use super::locate::{self, CGROUP, Hierarchy, Membership, Version};
use super::process::Machine;
use super::reading::Why;

/// The levels, looked up anew whenever the process has moved to another group.
#[derive(Debug)]
pub(super) struct Chain {
    root: Root,
    file: KernelFile,
    /// The text that the levels were looked up for.
    text: Option<String>,
    source: Source,
    levels: Vec<Level>,
    /// Which of them bound last.
    bound: Option<usize>,
    events: Events,
}

/// Limit and usage of one level.
#[derive(Clone, Copy, Debug)]
struct Pair {
    at: usize,
    limit: u64,
    usage: Usage,
}

/// The level that binds.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) source: Source,
    pub(super) level: String,
    pub(super) limit: Result<u64, Why>,
    pub(super) usage: Result<Usage, Why>,
    pub(super) peak_bytes: Option<u64>,
}

impl Chain {
    pub(super) fn new(root: Root) -> Self {
        let file = root.file(CGROUP);
        Self {
            root,
            file,
            text: None,
            source: Source::Process,
            levels: Vec::new(),
            bound: None,
            events: Events::default(),
        }
    }

    /// The level with the least bytes between usage and limit; `None` if none has a limit. A level that may
    /// have a limit and cannot be read goes before all others: it could be the tightest.
    ///
    /// Which one binds changes only for one that is clearly tighter. Levels are read one after the other, so where two
    /// leave the same room (a container alone in its pod, or memory with and without swap while none is used) noise
    /// would choose, and each change starts the law's memory anew.
    pub(super) fn tightest(&mut self, machine: &Machine) -> Result<Option<Found>, Why> {
        self.follow()?;
        let (mut tightest, mut last): (Option<Pair>, Option<Pair>) = (None, None);
        for (at, level) in self.levels.iter_mut().enumerate() {
            let limit = match level.limit_bytes(machine) {
                Ok(None) => continue,
                Ok(Some(limit)) => limit,
                Err(why) => return Ok(Some(self.unreadable(at, Err(why.clone()), why))),
            };
            let usage = match level.usage(limit) {
                Ok(usage) => usage,
                Err(why) => return Ok(Some(self.unreadable(at, Ok(limit), why))),
            };
            let pair = Pair { at, limit, usage };
            if tightest.is_none_or(|tightest| pair.room() < tightest.room()) {
                tightest = Some(pair);
            }
            if self.bound == Some(at) {
                last = Some(pair);
            }
        }
        let binds = last
            .filter(|last| tightest.is_some_and(|other| !other.is_clearly_tighter_than(last)))
            .or(tightest);
        self.bound = binds.map(|pair| pair.at);
        Ok(binds.map(|pair| self.found(pair.at, Ok(pair.limit), Ok(pair.usage))))
    }

    /// What has happened at any level since the first look.
    pub(super) fn events(&mut self) -> Events {
        let news = self.levels.iter_mut().map(Level::new_events);
        let new = match self.source {
            // Version 2 counts an event at every level above it too: the largest count has them all.
            Source::CgroupV2 => news.fold(Events::default(), |sum, new| Events {
                oom_kills: sum.oom_kills.max(new.oom_kills),
                max: sum.max.max(new.max),
                oom: sum.oom.max(new.oom),
            }),
            _ => news.fold(Events::default(), added),
        };
        self.events = added(self.events, new);
        self.events
    }

    /// Looks the levels up, if the process has moved or this is the first time.
    fn follow(&mut self) -> Result<(), Why> {
        if self.text.is_none() && !self.file.exists() {
            return Ok(()); // a kernel without cgroups
        }
        let text = self.file.read()?;
        if self.text.as_deref() == Some(text) {
            return Ok(());
        }
        let text = text.to_owned();
        let membership = Membership::parse(&text).map_err(|line| self.file.unparsable(&line))?;
        let hierarchy = locate::find(&self.root, &membership)?;
        self.source = hierarchy.as_ref().map_or(Source::Process, |found| match found.version {
            Version::V1 if found.hybrid => Source::Hybrid,
            Version::V1 => Source::CgroupV1,
            Version::V2 => Source::CgroupV2,
        });
        self.levels = hierarchy.map_or_else(Vec::new, |found| levels(&self.root, &found));
        self.bound = None;
        self.text = Some(text);
        Ok(())
    }

    fn found(&mut self, at: usize, limit: Result<u64, Why>, usage: Result<Usage, Why>) -> Found {
        let level = &mut self.levels[at];
        Found { source: self.source, level: level.name.clone(), limit, usage, peak_bytes: level.peak_bytes() }
    }

    fn unreadable(&mut self, at: usize, limit: Result<u64, Why>, why: Why) -> Found {
        self.found(at, limit, Err(why))
    }
}

/// Rooms that differ by less than one in this of the lower limit are the same.
const SAME_ROOM: u64 = 64;

impl Pair {
    fn room(&self) -> u64 {
        self.limit.saturating_sub(self.usage.bytes)
    }

    fn is_clearly_tighter_than(&self, other: &Self) -> bool {
        self.room() + self.limit.min(other.limit) / SAME_ROOM < other.room()
    }
}

fn added(a: Events, b: Events) -> Events {
    Events { oom_kills: a.oom_kills + b.oom_kills, max: a.max + b.max, oom: a.oom + b.oom }
}

fn levels(root: &Root, hierarchy: &Hierarchy) -> Vec<Level> {
    let v1 = hierarchy.version == Version::V1;
    let mut levels = Vec::new();
    for (at, dir) in hierarchy.groups.iter().enumerate() {
        if at > 0 && v1 && !Level::bounds_children(root, dir) {
            break;
        }
        let inside = dir.strip_prefix(&hierarchy.mount).unwrap_or(dir);
        let topmost = at + 1 == hierarchy.groups.len();
        let name = format!("/{}", inside.display());
        // Second: where both leave the same room, it is memory that binds.
        let with_swap = if v1 { Level::open_with_swap(root, dir, &name, topmost) } else { None };
        levels.extend(Level::open(root, hierarchy.version, dir, name, topmost));
        levels.extend(with_swap);
    }
    levels
}

//! Sense: how much memory there may be, how much is used, and whether that is to be believed.
//!
//! ```text
//!  /proc/self/cgroup ─┐                      ┌─ level: own group    limit ─ usage ─┐
//!  /proc/self/mountinfo ─► locate ─► chain ──┼─ level: its parent   limit ─ usage ─┼─► least headroom ─► sample
//!                                            └─ …                                  │
//!  statm, meminfo ────────► process ─────────── min(MemTotal, RSS + MemAvailable) ─┘ where no group has a limit
//! ```
//!
//! Limit and usage are always a pair of one level. A figure that is zero, unreadable or contradicts another one
//! is [`Reading::Invalid`] and says why. Knows nothing of pools, decisions or HTTP.

mod chain;
mod file;
pub(crate) mod host;
pub(crate) mod lag;
mod level;
mod locate;
pub(crate) mod pause;
mod process;
mod reading;
#[cfg(test)]
pub(crate) mod scratch;
mod stalls;
#[cfg(test)]
mod tests;

pub use lag::Lag;
pub use locate::{Hierarchy, Version, locate};
pub use pause::PauseSample;
pub use reading::{Reading, Why};
pub use stalls::{StallSample, StallSensor};

use chain::{Chain, Found};
use file::Root;
use level::LimitHold;
use process::{Machine, ProcessFiles};
use reading::{at_most, nonzero};
use std::fmt;
use std::path::Path;

/// Where the limit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitSource {
    /// The tightest cgroup limit, or without one what the machine has available.
    Auto,
    /// This many bytes, with the resident memory of this process as usage. Nothing is killed at it.
    Simulated(u64),
}

/// What limit and usage of a sample were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A version 1 hierarchy.
    CgroupV1,
    /// The unified hierarchy.
    CgroupV2,
    /// A version 1 hierarchy with a version 2 hierarchy beside it that does not account for memory.
    Hybrid,
    /// The process and the machine: no group has a limit.
    Process,
    /// A limit that was given, and the process.
    Simulated,
}

impl Source {
    /// The name in logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CgroupV1 => "cgroup-v1",
            Self::CgroupV2 => "cgroup-v2",
            Self::Hybrid => "hybrid",
            Self::Process => "process",
            Self::Simulated => "simulated",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was seen at one moment. All figures are bytes or counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemorySample {
    /// Where limit and usage come from.
    pub source: Source,
    /// The limit that binds. A lower limit shows at once, a higher one when two samples in a row have seen it.
    pub limit: Reading<u64>,
    /// What counts against that limit: what is charged to the group, neighbours included, without clean page
    /// cache (`inactive_file`), which the kernel drops before it kills.
    pub usage: Reading<u64>,
    /// The same with page cache.
    pub usage_raw: Reading<u64>,
    /// Resident memory of this process.
    pub rss: Reading<u64>,
    /// The highest `usage_raw` that the kernel has seen: of the group since it was made, page cache included,
    /// or of the process since it began. `None` on kernels that do not say.
    pub kernel_peak: Option<u64>,
    /// Processes killed for memory in our group or one that bounds it, since the sensor was opened.
    pub oom_kills: u64,
    /// How often a group ran into its limit, since the sensor was opened. Page cache alone makes it rise.
    pub max_events: u64,
    /// How often reclaim failed at a limit, since the sensor was opened. Version 1 counts kills only.
    pub oom_events: u64,
    /// Which group binds, relative to the mount of its hierarchy (`/` is the mount itself). When it changes,
    /// usage and limit jump to another pair. Empty if no group binds.
    pub level: String,
}

/// Reads usage and limit again and again. Files stay open; a sample costs some 10 µs per visible group.
#[derive(Debug)]
pub struct MemorySensor {
    source: LimitSource,
    process: ProcessFiles,
    chain: Chain,
    machine_hold: LimitHold,
    supported: bool,
}

impl MemorySensor {
    /// A sensor for this process.
    #[must_use]
    pub fn open(source: LimitSource) -> Self {
        let mut sensor = Self::open_at(Path::new("/"), source);
        sensor.supported = cfg!(target_os = "linux");
        sensor
    }

    /// A sensor for a tree that holds copies of `/proc/self/…`, `/proc/meminfo` and `/sys/fs/cgroup/…`.
    #[must_use]
    pub fn open_at(root: &Path, source: LimitSource) -> Self {
        Self::open_with(root, source, crate::sys::page_bytes())
    }

    fn open_with(root: &Path, source: LimitSource, page_bytes: u64) -> Self {
        let root = Root::new(root);
        let process = ProcessFiles::new(&root, page_bytes);
        let machine_hold = LimitHold::default();
        Self { source, process, chain: Chain::new(root), machine_hold, supported: true }
    }

    /// Reads everything once.
    pub fn sample(&mut self) -> MemorySample {
        if !self.supported {
            return self.without_proc(crate::sys::resident_bytes());
        }
        let machine = self.process.machine();
        let rss = self.process.rss_bytes(&machine);
        match self.source {
            LimitSource::Simulated(limit) => self.simulated(limit, rss),
            LimitSource::Auto => match self.chain.tightest(&machine) {
                Ok(None) => {
                    let limit = self.without_limit(&rss, &machine);
                    self.of_process(Source::Process, limit, rss.clone(), rss)
                }
                Ok(Some(found)) => self.of_group(found, rss),
                Err(why) => self.of_process(Source::Process, Err(why.clone()), Err(why), rss),
            },
        }
    }

    /// As far as this process could grow: what it has and what the machine could still give it.
    fn without_limit(&mut self, rss: &Result<u64, Why>, machine: &Machine) -> Result<u64, Why> {
        let (total, available) = (machine.total_bytes.clone()?, machine.available_bytes.clone()?);
        let limit = self.machine_hold.next(Some(total.min(rss.clone()?.saturating_add(available))));
        nonzero(limit.unwrap_or(total))
    }

    fn of_process(
        &mut self,
        source: Source,
        limit: Result<u64, Why>,
        usage: Result<u64, Why>,
        rss: Result<u64, Why>,
    ) -> MemorySample {
        let events = self.chain.events();
        MemorySample {
            source,
            limit: limit.into(),
            usage: usage.clone().into(),
            usage_raw: usage.into(),
            rss: rss.into(),
            kernel_peak: self.process.rss_peak_bytes(),
            oom_kills: events.oom_kills,
            max_events: events.max,
            oom_events: events.oom,
            level: String::new(),
        }
    }

    fn of_group(&mut self, found: Found, rss: Result<u64, Why>) -> MemorySample {
        let events = self.chain.events();
        MemorySample {
            source: found.source,
            limit: found.limit.into(),
            usage: found.usage.clone().map(|usage| usage.bytes).into(),
            usage_raw: found.usage.map(|usage| usage.raw_bytes).into(),
            rss: rss.into(),
            kernel_peak: found.peak_bytes,
            oom_kills: events.oom_kills,
            max_events: events.max,
            oom_events: events.oom,
            level: found.level,
        }
    }

    /// Where there is no `/proc`: resident memory against a limit that was given. Without one nothing is known, and the
    /// pools get their safe capacity.
    fn without_proc(&mut self, rss_bytes: Option<u64>) -> MemorySample {
        let rss = rss_bytes.ok_or(Why::Unsupported).and_then(nonzero);
        match self.source {
            LimitSource::Auto => {
                self.of_process(Source::Process, Err(Why::Unsupported), Err(Why::Unsupported), rss)
            }
            LimitSource::Simulated(limit) => self.simulated(limit, rss),
        }
    }

    fn simulated(&mut self, limit: u64, rss: Result<u64, Why>) -> MemorySample {
        let usage =
            rss.clone().and_then(|rss| at_most(rss, "above 4 times the limit,", limit.saturating_mul(4)));
        self.of_process(Source::Simulated, nonzero(limit), usage, rss)
    }
}

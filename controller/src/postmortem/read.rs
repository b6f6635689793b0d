//! Reads a ring back, and tells what it says.

use super::{HEADER_BYTES, MAGIC, PREFIX_BYTES, RECORD_BYTES, Record, checksum};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// The last five minutes of a process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PostMortem {
    /// Its process id.
    pub pid: u32,
    /// What it wrote, oldest first.
    pub records: Vec<Record>,
    /// Records that were cut short or damaged.
    pub damaged: usize,
}

/// Why a file could not be read as a ring.
#[derive(Debug)]
#[non_exhaustive]
pub enum PostMortemError {
    /// The operating system would not give it.
    Unreadable(PathBuf, std::io::Error),
    /// It is something else, or was written by another version.
    NotARing(PathBuf),
}

impl PostMortem {
    /// Reads `path`. The process may still be running.
    ///
    /// # Errors
    /// If the file cannot be read, or is no ring of this version.
    pub fn read(path: &Path) -> Result<Self, PostMortemError> {
        let bytes =
            std::fs::read(path).map_err(|error| PostMortemError::Unreadable(path.to_owned(), error))?;
        if bytes.len() < HEADER_BYTES || !bytes.starts_with(MAGIC) {
            return Err(PostMortemError::NotARing(path.to_owned()));
        }
        let pid = u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]);
        let (mut numbered, mut damaged) = (Vec::new(), 0);
        for block in bytes[HEADER_BYTES..].chunks(RECORD_BYTES) {
            match record(block) {
                Some(found) => numbered.push(found),
                None if block.iter().any(|byte| *byte != 0) => damaged += 1,
                None => {}
            }
        }
        numbered.sort_by_key(|(number, _)| *number);
        Ok(Self { pid, records: numbered.into_iter().map(|(_, record)| record).collect(), damaged })
    }
}

fn record(block: &[u8]) -> Option<(u64, Record)> {
    let number = u64::from_le_bytes(block.get(..8)?.try_into().ok()?);
    let length = usize::try_from(u32::from_le_bytes(block.get(8..12)?.try_into().ok()?)).ok()?;
    let sum = u32::from_le_bytes(block.get(12..PREFIX_BYTES)?.try_into().ok()?);
    let text = block.get(PREFIX_BYTES..PREFIX_BYTES.checked_add(length)?)?;
    if length == 0 || checksum(number, text) != sum {
        return None;
    }
    Some((number, serde_json::from_slice(text).ok()?))
}

impl fmt::Display for PostMortem {
    /// What happened, for a terminal: how it ended, and each change of state on the way.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = self.records.last() else {
            return write!(f, "process {}: the ring is empty, it ended before its first tick", self.pid);
        };
        let first = &self.records[0];
        let seconds = |record: &Record| last.at_ms.saturating_sub(record.at_ms) as f64 / 1000.0;
        writeln!(f, "process {}, {} records of {:.1} s", self.pid, self.records.len(), seconds(first))?;
        if self.damaged > 0 {
            writeln!(f, "{} records were cut short or damaged and are left out", self.damaged)?;
        }
        let peak = self.records.iter().max_by_key(|record| record.usage_bytes);
        if let Some(peak) = peak.filter(|peak| peak.usage_bytes.is_some()) {
            writeln!(f, "highest usage {}, {:.1} s before the end", Usage(peak), seconds(peak))?;
        }
        writeln!(f, "\n  seconds before the end | state | usage of limit | idle | lent | budget | why")?;
        let mut before: Option<&Record> = None;
        for record in &self.records {
            let is_last = std::ptr::eq(record, last);
            if is_last || before.is_none_or(|before| tells_more(before, record)) {
                writeln!(
                    f,
                    "  {:>6.1} | {} | {} | {} | {} | {} | {}",
                    seconds(record),
                    record.state,
                    Usage(record),
                    Mib(Some(record.idle_bytes)),
                    Mib(Some(record.lent_bytes)),
                    Mib(record.budget_bytes),
                    if record.invalid.is_empty() { &record.reasons } else { &record.invalid },
                )?;
                before = Some(record);
            }
        }
        writeln!(f, "\n  pools at the end: idle | lent | capacity | lost leases")?;
        for pool in &last.pools {
            let (idle, lent) = (Mib(Some(pool.idle_bytes)), Mib(Some(pool.lent_bytes)));
            writeln!(
                f,
                "  {}: {idle} | {lent} | {} | {}",
                pool.name,
                Mib(Some(pool.capacity_bytes)),
                pool.lost
            )?;
        }
        write!(f, "  creates that went on without a grant: {}", last.grant_exceeded_total)
    }
}

/// Whether a line of its own is due: another state, a kill, another limit, a reading lost or back, or usage that has
/// moved by a twentieth of the limit.
fn tells_more(before: &Record, record: &Record) -> bool {
    let moved = match (before.share(), record.share()) {
        (Some(then), Some(now)) => (now - then).abs() >= 0.05,
        (then, now) => then.is_some() != now.is_some(),
    };
    let signs = |r: &Record| (r.state, r.limit_bytes, r.oom_kills, r.mode.clone(), r.invalid.is_empty());
    moved || signs(before) != signs(record)
}

struct Mib(Option<u64>);

impl fmt::Display for Mib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // A capacity that nobody has set.
            Some(bytes) if bytes >= 1 << 50 => f.write_str("no bound"),
            Some(bytes) => write!(f, "{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
            None => f.write_str("unknown"),
        }
    }
}

struct Usage<'a>(&'a Record);

impl fmt::Display for Usage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", Mib(self.0.usage_bytes), Mib(self.0.limit_bytes))?;
        self.0.share().map_or(Ok(()), |share| write!(f, " ({:.0} %)", share * 100.0))
    }
}

impl fmt::Display for PostMortemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NotARing(path) => {
                write!(f, "{}: not a ring file of a controller (version 1)", path.display())
            }
        }
    }
}

impl std::error::Error for PostMortemError {}

//! The last five minutes of a controller, in a file that survives the process.
//!
//! A ring of records in a file of fixed size: each tick overwrites the oldest. What was written is in the kernel's page
//! cache, so it survives a kill; it does not survive the machine. A record carries its number and a checksum, so that one
//! that was half written when the process died is told apart. A write that fails is counted and tried again with the
//! next tick: nobody waits for it.
//!
//! ```text
//!  header (64 B) │ record 0 │ record 1 │ … │ record 1199     each 1 KiB: number, length, CRC-32, JSON
//! ```

mod read;
mod record;

pub use read::{PostMortem, PostMortemError};
pub use record::{PoolRecord, Record};

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a file begins with: a name and the version of the format.
const MAGIC: &[u8; 16] = b"ebbpool-ring-v1\n";
const HEADER_BYTES: usize = 64;
/// Number (8), length (4), CRC-32 of number, length and text (4), text.
const RECORD_BYTES: usize = 1024;
const PREFIX_BYTES: usize = 16;
/// Five minutes of ticks.
const RECORDS: u64 = 1200;
/// Early ticks come closer together and would push out what is older.
const EVERY: Duration = Duration::from_millis(250);

/// Writes the ring.
#[derive(Debug)]
pub(crate) struct Ring {
    file: File,
    path: PathBuf,
    next: u64,
    last: Option<Duration>,
    failed: u64,
}

impl Ring {
    /// Makes the file anew; what an earlier process left there is kept beside it as `FILE.old`.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        if path.exists() {
            let mut old = path.as_os_str().to_owned();
            old.push(".old");
            std::fs::rename(path, old)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.set_len(place(RECORDS))?;
        let mut header = [0; HEADER_BYTES];
        header[..16].copy_from_slice(MAGIC);
        header[16..20].copy_from_slice(&std::process::id().to_le_bytes());
        write_at(&file, &header, 0)?;
        Ok(Self { file, path: path.to_owned(), next: 0, last: None, failed: 0 })
    }

    /// Writes a record, if the last one is a tick old. A failure is told once.
    pub(crate) fn write(&mut self, at: Duration, record: &Record) {
        if self.last.is_some_and(|last| at < last + EVERY.mul_f64(0.9)) {
            return;
        }
        self.last = Some(at);
        let record = framed(self.next, record);
        match write_at(&self.file, &record, place(self.next % RECORDS)) {
            Ok(()) => self.next += 1,
            Err(error) => {
                if self.failed == 0 {
                    // A disk that is full may be that of stderr, too: then it is left at that.
                    let path = self.path.display();
                    let _ = writeln!(stderr(), "ebbpool: {path}: cannot be written: {error}");
                }
                self.failed += 1;
            }
        }
    }
}

/// Where a record begins.
const fn place(at: u64) -> u64 {
    HEADER_BYTES as u64 + at * RECORD_BYTES as u64
}

/// Milliseconds since 1970, for people who compare with other logs.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A record as it stands in the file. What is too long loses its pools, then its reasons.
fn framed(number: u64, record: &Record) -> Vec<u8> {
    let mut record = record.clone();
    let text = loop {
        let text = serde_json::to_string(&record).unwrap_or_default();
        if text.len() <= RECORD_BYTES - PREFIX_BYTES {
            break text;
        }
        if record.pools.pop().is_none() {
            record.reasons.clear();
            record.level.clear();
        }
    };
    let mut bytes = Vec::with_capacity(RECORD_BYTES);
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(&checksum(number, text.as_bytes()).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.resize(RECORD_BYTES, 0);
    bytes
}

/// Of the number and the text, so that no empty or foreign block passes for a record.
fn checksum(number: u64, text: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(MAGIC);
    hasher.update(&number.to_le_bytes());
    hasher.update(text);
    hasher.finalize()
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests;

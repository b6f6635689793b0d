//! The process's memory as the kernel shows it.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// A byte that zeroed or fresh memory does not hold.
pub(crate) const SECRET: u8 = 0xA7;
/// Small enough that the allocator keeps it mapped, and in this thread's own list, when it is freed.
pub(crate) const LEN: usize = 600;

/// This process's memory, whoever it belongs to.
pub(crate) struct Memory(File);

impl Memory {
    pub(crate) fn open() -> Self {
        Self(File::open("/proc/self/mem").unwrap())
    }

    /// How often `byte` stands in the `len` bytes at `address`.
    pub(crate) fn count(&self, address: usize, len: usize, byte: u8) -> usize {
        let mut seen = [0; 2 * LEN];
        self.0.read_exact_at(&mut seen[..len], address as u64).unwrap();
        seen[..len].split(|seen| *seen == byte).count() - 1
    }
}

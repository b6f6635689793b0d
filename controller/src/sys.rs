//! Calls into the C library: the allocator and the page size; and, behind features, into other allocators. The only
//! unsafe code of this crate.
//!
//! What is public concerns glibc's allocator. A program whose global allocator is another one may call them all the same:
//! what they then reach is only what C code in the process has allocated. Knows nothing of pools or pressure.
#![allow(unsafe_code)]

#[cfg(feature = "jemalloc")]
pub(crate) mod jemalloc;
#[cfg(feature = "mimalloc")]
pub(crate) mod mimalloc;

use std::fmt;

/// What [`malloc_trim`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trimmed {
    /// Memory went back to the kernel.
    Released,
    /// There was nothing to give back.
    Nothing,
    /// The C library is not glibc.
    Unsupported,
}

/// What glibc's allocator has from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocatorUse {
    /// Bytes in blocks that the program holds, those mapped one by one included.
    pub allocated_bytes: u64,
    /// Bytes in free blocks that the allocator keeps. Not all of them are resident: a trim leaves them mapped
    /// and gives their pages back.
    pub retained_bytes: u64,
}

/// Gives free pages of all arenas back to the kernel.
///
/// Locks one arena after the other and visits every free block: from microseconds to hundreds of milliseconds,
/// while threads that allocate from that arena wait. Call it from a thread of its own.
#[must_use]
pub fn malloc_trim() -> Trimmed {
    imp::malloc_trim()
}

/// What the allocator holds and keeps. `None` before glibc 2.33 and with other C libraries.
///
/// Locks one arena after the other and counts its free blocks; call it some times a second at most.
#[must_use]
pub fn allocator_use() -> Option<AllocatorUse> {
    imp::allocator_use()
}

/// Lets every block of at least `bytes` be mapped on its own, and a heap's free end of that size be cut off,
/// so that what is freed leaves the resident memory at once instead of waiting for a trim.
///
/// Opt-in, because each such allocation then costs two system calls and fresh pages (about 0.25 µs per 4 KiB):
/// it suits programs whose large blocks live in pools. It also ends glibc's own adjustment of both thresholds.
/// Call it at the start of `main`, before threads allocate: blocks that exist keep their place.
///
/// # Errors
/// If `bytes` is out of range (4096 to 32 MiB), or the C library is not glibc.
pub fn set_mmap_threshold(bytes: u64) -> Result<(), ThresholdError> {
    if !(THRESHOLD_BYTES_MIN..=THRESHOLD_BYTES_MAX).contains(&bytes) {
        return Err(ThresholdError::OutOfRange { bytes });
    }
    imp::set_mmap_threshold(bytes)
}

const THRESHOLD_BYTES_MIN: u64 = 4096;
/// glibc refuses more: half of the largest heap of a thread.
const THRESHOLD_BYTES_MAX: u64 = 32 << 20;

/// Why the threshold was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdError {
    /// Out of range.
    OutOfRange {
        /// The value that was asked for.
        bytes: u64,
    },
    /// glibc did not take it.
    Refused {
        /// The value that was asked for.
        bytes: u64,
    },
    /// The C library is not glibc.
    Unsupported,
}

impl fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { bytes } => write!(
                f,
                "mmap threshold: {bytes} is out of range, allowed are {THRESHOLD_BYTES_MIN} to {THRESHOLD_BYTES_MAX} bytes"
            ),
            Self::Refused { bytes } => write!(f, "mmap threshold: the allocator refused {bytes} bytes"),
            Self::Unsupported => f.write_str("mmap threshold: only glibc has one"),
        }
    }
}

impl std::error::Error for ThresholdError {}

/// Resident bytes of this process, on systems that have no `/proc` and say it otherwise: macOS and Windows. Some
/// microseconds.
#[must_use]
pub(crate) fn resident_bytes() -> Option<u64> {
    #[cfg(any(target_os = "macos", windows))]
    return memory_stats::memory_stats().and_then(|stats| u64::try_from(stats.physical_mem).ok());
    #[cfg(not(any(target_os = "macos", windows)))]
    None
}

/// Bytes in a page of memory.
#[must_use]
pub(crate) fn page_bytes() -> u64 {
    imp::page_bytes()
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod imp {
    use super::{AllocatorUse, ThresholdError, Trimmed};
    use std::sync::LazyLock;

    pub(super) use super::unix::page_bytes;

    pub(super) fn malloc_trim() -> Trimmed {
        // SAFETY: takes an integer and no pointers; glibc documents it as safe to call from any thread, and it
        // touches only blocks that are free.
        let released = unsafe { libc::malloc_trim(0) };
        if released == 1 { Trimmed::Released } else { Trimmed::Nothing }
    }

    type Mallinfo2 = unsafe extern "C" fn() -> libc::mallinfo2;

    /// Looked up at run time: linking to it would tie the whole program to glibc 2.33.
    static MALLINFO2: LazyLock<Option<Mallinfo2>> = LazyLock::new(|| {
        // SAFETY: the name is a C string with its terminator, and RTLD_DEFAULT is a handle that dlsym accepts.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"mallinfo2".as_ptr()) };
        // SAFETY: a symbol of this name is glibc's function, which has had this one signature since it exists;
        // null becomes `None` by the layout that is guaranteed for optional function pointers.
        unsafe { std::mem::transmute::<*mut libc::c_void, Option<Mallinfo2>>(symbol) }
    });

    pub(super) fn allocator_use() -> Option<AllocatorUse> {
        let mallinfo2 = (*MALLINFO2)?;
        // SAFETY: takes nothing, returns plain numbers, and locks each arena while it reads it.
        let info = unsafe { mallinfo2() };
        let bytes = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Some(AllocatorUse {
            allocated_bytes: bytes(info.uordblks).saturating_add(bytes(info.hblkhd)),
            retained_bytes: bytes(info.fordblks),
        })
    }

    pub(super) fn set_mmap_threshold(bytes: u64) -> Result<(), ThresholdError> {
        let value = libc::c_int::try_from(bytes).map_err(|_| ThresholdError::OutOfRange { bytes })?;
        for parameter in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
            // SAFETY: takes two integers. It stores a word under the lock of the main arena; an allocation that
            // runs at the same time sees the old or the new threshold, and both are fine for it.
            if unsafe { libc::mallopt(parameter, value) } != 1 {
                return Err(ThresholdError::Refused { bytes });
            }
        }
        Ok(())
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod imp {
    use super::{AllocatorUse, ThresholdError, Trimmed};

    #[cfg(unix)]
    pub(super) use super::unix::page_bytes;

    #[cfg(not(unix))]
    pub(super) fn page_bytes() -> u64 {
        4096
    }

    pub(super) fn malloc_trim() -> Trimmed {
        Trimmed::Unsupported
    }

    pub(super) fn allocator_use() -> Option<AllocatorUse> {
        None
    }

    pub(super) fn set_mmap_threshold(_bytes: u64) -> Result<(), ThresholdError> {
        Err(ThresholdError::Unsupported)
    }
}

#[cfg(unix)]
mod unix {
    pub(super) fn page_bytes() -> u64 {
        // SAFETY: takes an integer and returns one.
        let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        // Every Unix knows this name; should one not, 4096 is the smallest page of any of them.
        u64::try_from(bytes).ok().filter(|bytes| *bytes > 0).unwrap_or(4096)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_out_of_range_is_refused_with_its_range() {
        let text = set_mmap_threshold(1).expect_err("too small").to_string();
        assert_eq!(text, "mmap threshold: 1 is out of range, allowed are 4096 to 33554432 bytes");
        assert!(set_mmap_threshold(THRESHOLD_BYTES_MAX + 1).is_err());
    }

    #[test]
    fn pages_are_a_power_of_two() {
        assert!(page_bytes().is_power_of_two() && page_bytes() >= 4096);
    }
}

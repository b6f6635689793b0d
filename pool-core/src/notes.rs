//! What the pool notes beside each value.

use crate::lease::LeaseId;
use std::time::Duration;

/// With the pointer to the inside 32 bytes.
#[repr(C)]
pub(crate) struct Notes {
    /// The lease's record, if it is one of those on record.
    pub(crate) lease: Option<LeaseId>,
    /// Bytes, when last weighed. While a fresh object is lent for the first time: what is expected of it.
    pub(crate) weight: u64,
    /// Strikes of retention by use.
    pub(crate) strikes: u8,
    /// What the return path must see to beside recycling.
    pub(crate) special: Special,
    /// When a timed lease began.
    pub(crate) started: Started,
}

impl Notes {
    /// Of a value that was not weighed yet.
    pub(crate) fn new() -> Self {
        Self { lease: None, weight: 0, strikes: 0, special: Special::Nothing, started: Started::default() }
    }
}

/// What a snapshot has of a node that it leaves where it is: the address, and the weight in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) address: usize,
    pub(crate) weight: u64,
}

/// A moment in a pool's life: the lowest 48 bits of its age in ns. They repeat after 78 hours.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Started([u16; 3]);

impl Started {
    pub(crate) fn at(age_ns: u64) -> Self {
        // The bits asked for, and no others.
        #[allow(clippy::cast_possible_truncation)]
        let part = |i: u32| (age_ns >> (16 * i)) as u16;
        Self([part(0), part(1), part(2)])
    }

    /// How long ago that was.
    pub(crate) fn elapsed(self, age_ns: u64) -> Duration {
        let [a, b, c] = self.0.map(u64::from);
        Duration::from_nanos(age_ns.wrapping_sub(a | b << 16 | c << 32) & ((1 << 48) - 1))
    }
}

/// Why a return takes the slow path. One byte, so that the fast path asks one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Special {
    Nothing = 0,
    /// A lease on record ends.
    Recorded,
    /// Served fresh on purpose: dropped on return.
    Bypassed,
    /// Timed, as always.
    TimedPooled,
    /// Timed, served fresh on purpose: dropped on return.
    TimedFresh,
    /// A fault makes this lease one that never returns: its value is dropped.
    #[cfg(feature = "failpoints")]
    LostDropped,
    /// A fault makes this lease one that never returns: its value stays.
    #[cfg(feature = "failpoints")]
    LostKept,
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_kept_to_the_nanosecond() {
        for age in [0, 1, 0xFFFF, 0x1234_5678_9ABC, (1 << 48) - 1, (1 << 48) + 7] {
            let started = Started::at(age);
            assert_eq!(started.elapsed(age), Duration::ZERO);
            assert_eq!(started.elapsed(age + 1_000_003), Duration::from_nanos(1_000_003));
        }
    }

    #[test]
    fn they_are_within_their_budget() {
        assert!(size_of::<Notes>() <= 24, "{} bytes", size_of::<Notes>());
    }
}

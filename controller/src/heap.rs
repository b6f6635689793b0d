//! The allocator's free blocks, read no more often than is cheap.
//!
//! glibc counts them by walking every free block under its locks, which takes from microseconds to milliseconds;
//! so a reading stands for at least a tick and for two hundred times what it cost. Decides nothing.

use crate::sys;
use std::time::{Duration, Instant};

/// A reading stands for this long, at least.
const READ_EVERY: Duration = Duration::from_millis(250);
/// And for this many times its cost: half a per cent of the time is spent on it at most.
const COST_TIMES: u32 = 200;

/// The last reading and when the next one is due.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    free_bytes: Option<u64>,
    due: Option<Duration>,
}

impl Heap {
    /// Bytes in free blocks, resident or not; `None` if the allocator does not say.
    pub(crate) fn free_bytes(&mut self, at: Duration) -> Option<u64> {
        if self.due.is_none_or(|due| at >= due) {
            let began = Instant::now();
            self.free_bytes = sys::allocator_use().map(|heap| heap.retained_bytes);
            self.due = Some(at + stands_for(began.elapsed()));
        }
        self.free_bytes
    }
}

fn stands_for(cost: Duration) -> Duration {
    READ_EVERY.max(cost * COST_TIMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_costly_reading_stands_for_longer() {
        assert_eq!(stands_for(Duration::from_micros(20)), Duration::from_millis(250));
        assert_eq!(stands_for(Duration::from_millis(10)), Duration::from_secs(2));
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn a_reading_is_kept_until_it_is_due() {
        let mut heap = Heap::default();
        assert!(heap.free_bytes(Duration::ZERO).is_some());
        heap.free_bytes = Some(1);
        assert_eq!(heap.free_bytes(Duration::from_millis(249)), Some(1));
        assert_ne!(heap.free_bytes(Duration::from_secs(3600)), Some(1));
    }
}

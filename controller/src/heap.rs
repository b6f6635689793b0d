//! The allocator's free blocks, read no more often than is cheap.
//!
//! An allocator counts them under its locks (glibc walks every free block), which takes from microseconds to
//! milliseconds; so a reading stands for at least a tick and for two hundred times what it cost. Decides nothing.

use crate::allocator::Allocator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A reading stands for this long, at least.
const READ_EVERY: Duration = Duration::from_millis(250);
/// And for this many times its cost: half a per cent of the time is spent on it at most.
const COST_TIMES: u32 = 200;

/// The last reading and when the next one is due.
#[derive(Debug)]
pub(crate) struct Heap {
    allocator: Arc<dyn Allocator>,
    name: &'static str,
    free_bytes: Option<u64>,
    due: Option<Duration>,
}

impl Heap {
    pub(crate) fn of(allocator: Arc<dyn Allocator>) -> Self {
        let name = allocator.name();
        Self { allocator, name, free_bytes: None, due: None }
    }

    /// Whose blocks they are.
    pub(crate) fn allocator(&self) -> Arc<dyn Allocator> {
        Arc::clone(&self.allocator)
    }

    /// The allocator's name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Bytes that are free and that the allocator keeps; `None` if the allocator does not say.
    pub(crate) fn free_bytes(&mut self, at: Duration) -> Option<u64> {
        if self.due.is_none_or(|due| at >= due) {
            let began = Instant::now();
            // It is somebody's code: what panics there has been printed, and must not cost the tick.
            self.free_bytes = catch_unwind(AssertUnwindSafe(|| self.allocator.kept_bytes())).unwrap_or(None);
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
    use crate::fake::{BrokenAllocator, FakeAllocator};

    #[test]
    fn a_costly_reading_stands_for_longer() {
        assert_eq!(stands_for(Duration::from_micros(20)), Duration::from_millis(250));
        assert_eq!(stands_for(Duration::from_millis(10)), Duration::from_secs(2));
    }

    #[test]
    fn a_reading_is_kept_until_it_is_due() {
        let fake = Arc::new(FakeAllocator::keeps([Some(7), Some(9), None]));
        let mut heap = Heap::of(fake);
        assert_eq!(heap.free_bytes(Duration::ZERO), Some(7));
        assert_eq!(heap.free_bytes(Duration::from_millis(249)), Some(7));
        assert_eq!(heap.free_bytes(Duration::from_secs(3600)), Some(9));
        assert_eq!(heap.free_bytes(Duration::from_secs(7200)), None, "an old reading stands for nothing");
    }

    #[test]
    fn a_reading_that_panics_is_none() {
        let mut heap = Heap::of(Arc::new(BrokenAllocator));
        assert_eq!((heap.name(), heap.free_bytes(Duration::ZERO)), ("broken", None));
    }
}

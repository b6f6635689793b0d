//! Purges: the allocator gives free memory back, on a thread of its own.
//!
//! A purge can take hundreds of milliseconds and holds up whoever allocates meanwhile; done by the loop it would
//! delay the very readings that decide. So there is at most one at a time, at most every ten seconds (two in
//! critical), and less often while it costs much or gives little. Knows nothing of pools.

use crate::allocator::Allocator;
use crate::decide::State;
use crate::sense::{LimitSource, MemorySensor};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

/// What purges have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Purged {
    pub(super) total: u64,
    /// Free blocks of the allocator at the end of the last one, bytes.
    pub(super) heap_clean_bytes: u64,
}

/// Runs purges.
#[derive(Debug)]
pub(super) struct Purger {
    allocator: Arc<dyn Allocator>,
    gate: Gate,
    running: Option<Receiver<Purge>>,
    purged: Purged,
}

/// One purge that has ended.
#[derive(Clone, Copy, Debug)]
struct Purge {
    /// Whether there was a way to ask; otherwise nothing has happened.
    was_asked: bool,
    cost: Duration,
    /// By how much resident memory fell, if it could be read.
    freed_bytes: Option<u64>,
    heap_clean_bytes: u64,
}

impl Purger {
    pub(super) fn of(allocator: Arc<dyn Allocator>) -> Self {
        Self { allocator, gate: Gate::default(), running: None, purged: Purged::default() }
    }

    /// Starts a purge if it is time for one.
    pub(super) fn ask(&mut self, at: Duration, state: State) {
        let _ = self.outcome();
        if self.running.is_some() || !self.gate.is_open(at, state) {
            return;
        }
        let (done, running) = channel();
        let thread = std::thread::Builder::new().name("ebbpool-purge".into()).stack_size(STACK_BYTES);
        self.gate.begin(at);
        let allocator = Arc::clone(&self.allocator);
        // No thread to be had is a purge that gave nothing.
        match thread.spawn(move || done.send(purge(&*allocator))) {
            Ok(_) => self.running = Some(running),
            Err(_) => self.gate.ended(Duration::ZERO, Some(0)),
        }
    }

    /// What has ended so far.
    pub(super) fn outcome(&mut self) -> Purged {
        let Some(running) = &self.running else { return self.purged };
        match running.try_recv() {
            Err(TryRecvError::Empty) => return self.purged,
            // The allocator has panicked, and may do so each time.
            Err(TryRecvError::Disconnected) => self.gate.ended(Duration::ZERO, Some(0)),
            Ok(purge) => {
                self.gate.ended(purge.cost, purge.freed_bytes);
                if purge.was_asked {
                    self.purged.total += 1;
                    self.purged.heap_clean_bytes = purge.heap_clean_bytes;
                }
            }
        }
        self.running = None;
        self.purged
    }
}

/// Enough for reading a few small files.
const STACK_BYTES: usize = 256 << 10;

fn purge(allocator: &dyn Allocator) -> Purge {
    // For resident memory only; the limit does not matter.
    let mut sensor = MemorySensor::open(LimitSource::Simulated(u64::MAX));
    let before = sensor.sample().rss.value();
    let began = Instant::now();
    let was_asked = allocator.give_back();
    let cost = began.elapsed();
    let after = sensor.sample().rss.value();
    let fell = before.zip(after).map(|(before, after)| before.saturating_sub(after));
    // What fell although nobody was asked is not its doing.
    let freed_bytes = if was_asked { fell } else { Some(0) };
    Purge { was_asked, cost, freed_bytes, heap_clean_bytes: allocator.kept_bytes().unwrap_or(0) }
}

/// When the next purge may begin.
#[derive(Clone, Copy, Debug, Default)]
struct Gate {
    last: Option<Duration>,
    doublings: u32,
}

impl Gate {
    const APART: Duration = Duration::from_secs(10);
    const APART_CRITICAL: Duration = Duration::from_secs(2);
    const COST_MAX: Duration = Duration::from_millis(50);
    const FREED_BYTES_MIN: u64 = 1 << 20;
    /// 10 s become 320 s at most, 2 s become 64 s.
    const DOUBLINGS_MAX: u32 = 5;

    fn is_open(&self, at: Duration, state: State) -> bool {
        let apart = if state == State::Critical { Self::APART_CRITICAL } else { Self::APART };
        self.last.is_none_or(|last| at >= last + apart * 2_u32.pow(self.doublings))
    }

    fn begin(&mut self, at: Duration) {
        self.last = Some(at);
    }

    fn ended(&mut self, cost: Duration, freed_bytes: Option<u64>) {
        let poor = cost > Self::COST_MAX || freed_bytes.is_some_and(|bytes| bytes < Self::FREED_BYTES_MIN);
        self.doublings = if poor { (self.doublings + 1).min(Self::DOUBLINGS_MAX) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocator::Unknown;
    use crate::fake::{BrokenAllocator, FakeAllocator};

    const GOOD: (Duration, Option<u64>) = (Duration::from_millis(3), Some(9 << 20));

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn after(ends: &[(Duration, Option<u64>)]) -> Gate {
        let mut gate = Gate::default();
        gate.begin(s(100));
        for (cost, freed) in ends {
            gate.ended(*cost, *freed);
        }
        gate
    }

    fn opens_after_s(gate: Gate, state: State) -> Option<u64> {
        (0..1000).find(|n| gate.is_open(s(100 + n), state))
    }

    #[test]
    fn ten_seconds_apart_and_two_in_critical() {
        assert!(Gate::default().is_open(s(0), State::Normal), "the first at once");
        assert_eq!(opens_after_s(after(&[GOOD]), State::High), Some(10));
        assert_eq!(opens_after_s(after(&[GOOD]), State::Critical), Some(2));
    }

    #[test]
    fn a_purge_that_costs_much_or_frees_little_is_repeated_later() {
        let (slow, poor) = ((Duration::from_millis(51), Some(9 << 20)), (Duration::ZERO, Some(1 << 10)));
        assert_eq!(opens_after_s(after(&[slow]), State::High), Some(20));
        assert_eq!(opens_after_s(after(&[slow, poor]), State::High), Some(40));
        assert_eq!(opens_after_s(after(&[poor; 40]), State::High), Some(320));
        assert_eq!(opens_after_s(after(&[poor; 40]), State::Critical), Some(64));
        assert_eq!(opens_after_s(after(&[poor, poor, GOOD]), State::High), Some(10));
    }

    #[test]
    fn a_purge_runs_on_its_own_thread_and_is_counted_when_it_has_ended() {
        let mut purger = Purger::of(Arc::new(FakeAllocator::keeps([Some(5)])));
        purger.ask(s(0), State::Normal);
        let purge = purger.running.take().expect("one runs").recv().expect("it ends");
        assert_eq!((purge.was_asked, purge.heap_clean_bytes), (true, 5));
        assert_eq!(purger.outcome().total, 0);
        let (done, running) = channel();
        purger.running = Some(running);
        purger.ask(s(1000), State::Critical);
        assert_eq!(purger.gate.last, Some(s(0)), "one at a time");
        done.send(Purge { heap_clean_bytes: 77, ..purge }).expect("it is awaited");
        assert_eq!(purger.outcome(), Purged { total: 1, heap_clean_bytes: 77 });
    }

    #[test]
    fn a_purge_that_panics_ends_alone_and_the_next_one_comes_later() {
        let mut purger = Purger::of(Arc::new(BrokenAllocator));
        purger.ask(s(0), State::High);
        assert!(purger.running.take().expect("one runs").recv().is_err(), "it has ended without a word");
        purger.running = Some(channel().1);
        assert_eq!(purger.outcome(), Purged::default());
        assert_eq!((purger.running.is_none(), purger.gate.doublings), (true, 1));
        purger.ask(s(20), State::High);
        assert!(purger.running.is_some(), "the next one");
    }

    #[test]
    fn an_allocator_that_cannot_be_asked_is_not_counted_as_asked() {
        let mut purger = Purger::of(Arc::new(Unknown));
        purger.ask(s(0), State::High);
        let purge = purger.running.take().expect("one runs").recv().expect("it ends");
        assert!(!purge.was_asked && purge.freed_bytes == Some(0));
        let (done, running) = channel();
        purger.running = Some(running);
        done.send(purge).expect("it is awaited");
        assert_eq!(purger.outcome(), Purged::default());
        assert_eq!(purger.gate.doublings, 1, "tried again, and less often");
    }
}

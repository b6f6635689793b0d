//! The fault `memory-balloon` while it is armed: an anonymous mapping whose pages are touched over the ramp,
//! held, and unmapped. A mapping of its own, because what an allocator frees need not leave the process.
//!
//! Knows nothing of pools: only they can make room for it.

use super::timer::Latch;
use memmap2::MmapMut;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often more pages are touched.
const STEP: Duration = Duration::from_millis(50);
/// One write in so many bytes touches every page on any machine with pages of at least 4 KiB.
const PAGE_BYTES: usize = 4096;

/// A balloon on its own thread.
#[derive(Debug)]
pub(crate) struct Balloon {
    gauge: Arc<Gauge>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Gauge {
    held_bytes: AtomicU64,
    steps: AtomicU64,
    stop: Latch,
}

impl Balloon {
    /// Begins to inflate up to `bytes` over `ramp`. When `ttl` is over it deflates by itself and calls `expired`.
    pub(crate) fn inflate(
        bytes: usize,
        ramp: Duration,
        ttl: Duration,
        expired: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let mut map = MmapMut::map_anon(bytes)?;
        let gauge = Arc::new(Gauge::default());
        let shown = Arc::clone(&gauge);
        let thread = thread::Builder::new().name("ebbpool-balloon".into()).spawn(move || {
            let stopped = hold(&mut map, &shown, ramp, ttl);
            drop(map);
            shown.held_bytes.store(0, Relaxed);
            if !stopped {
                expired();
            }
        })?;
        Ok(Self { gauge, thread: Some(thread) })
    }

    /// Bytes whose pages have been touched and are held now.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.gauge.held_bytes.load(Relaxed)
    }

    /// How often it took more.
    pub(crate) fn steps(&self) -> u64 {
        self.gauge.steps.load(Relaxed)
    }

    /// Lets the thread end by itself: for its own expiry, in which it cannot wait for itself.
    pub(crate) fn detach(mut self) {
        self.thread = None;
    }
}

/// The memory is back with the system when this returns.
impl Drop for Balloon {
    fn drop(&mut self) {
        self.gauge.stop.open();
        if let Some(thread) = self.thread.take() {
            // It cannot panic, and if it had, its mapping would be gone all the same.
            let _ = thread.join();
        }
    }
}

/// Inflates and holds; returns whether it was stopped (else its time was over).
fn hold(map: &mut MmapMut, gauge: &Gauge, ramp: Duration, ttl: Duration) -> bool {
    let start = Instant::now();
    let mut held = 0;
    while held < map.len() {
        let due = due_bytes(map.len(), start.elapsed(), ramp);
        if due > held {
            for page in map[held..due].iter_mut().step_by(PAGE_BYTES) {
                *page = 1;
            }
            held = due;
            gauge.held_bytes.store(held as u64, Relaxed);
            gauge.steps.fetch_add(1, Relaxed);
        }
        let left = ttl.saturating_sub(start.elapsed());
        if gauge.stop.wait(STEP.min(left)) {
            return true;
        }
        if left.is_zero() {
            return false;
        }
    }
    gauge.stop.wait(ttl.saturating_sub(start.elapsed()))
}

/// What should be held after `elapsed`: whole pages of a straight line from 0 to all.
fn due_bytes(bytes: usize, elapsed: Duration, ramp: Duration) -> usize {
    if elapsed >= ramp {
        return bytes;
    }
    let share = elapsed.as_secs_f64() / ramp.as_secs_f64();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let due = (bytes as f64 * share) as usize;
    due / PAGE_BYTES * PAGE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn it_inflates_along_its_ramp() {
        let second = Duration::from_secs(1);
        assert_eq!(due_bytes(100 * PAGE_BYTES, second / 2, second), 50 * PAGE_BYTES);
        assert_eq!(due_bytes(100 * PAGE_BYTES + 7, second, second), 100 * PAGE_BYTES + 7);
        assert_eq!(due_bytes(10, Duration::ZERO, second), 0);
        assert_eq!(due_bytes(10, Duration::ZERO, Duration::ZERO), 10);
    }

    #[test]
    fn its_time_to_live_needs_nobody() {
        let (tx, rx) = mpsc::channel();
        let ms = Duration::from_millis;
        let balloon = Balloon::inflate(1 << 20, ms(1), ms(20), move || tx.send(()).unwrap()).unwrap();
        assert_eq!(rx.recv_timeout(Duration::from_secs(60)), Ok(()));
        assert_eq!(balloon.held_bytes(), 0);
    }
}

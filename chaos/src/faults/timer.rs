//! A deadline that keeps itself: expiry needs nobody to call.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A latch that opens once; whoever waits sees it at once.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Latch {
    pub(crate) fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    /// Waits until it is open or `timeout` is over; returns whether it is open.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (open, _) = self
            .opened
            .wait_timeout_while(open, timeout, |open| !*open)
            .unwrap_or_else(PoisonError::into_inner);
        *open
    }
}

/// Calls back once after its time, on a thread of its own, unless it is dropped before.
#[derive(Debug)]
pub(crate) struct Timer(Arc<Latch>);

impl Timer {
    pub(crate) fn start(after: Duration, expired: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let latch = Arc::new(Latch::default());
        let timer = Self(Arc::clone(&latch));
        let deadline = Instant::now() + after;
        thread::Builder::new().name("ebbpool-fault-ttl".into()).spawn(move || {
            if !latch.wait(deadline.saturating_duration_since(Instant::now())) {
                expired();
            }
        })?;
        Ok(timer)
    }
}

/// Not joined: the callback itself may be what drops the timer.
impl Drop for Timer {
    fn drop(&mut self) {
        self.0.open();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_timer_expires_by_itself() {
        let (tx, rx) = mpsc::channel();
        let _timer = Timer::start(Duration::from_millis(5), move || tx.send("expired").unwrap()).unwrap();
        assert_eq!(rx.recv_timeout(Duration::from_secs(60)), Ok("expired"));
    }

    #[test]
    fn a_dropped_timer_never_calls() {
        let (tx, rx) = mpsc::channel::<()>();
        drop(Timer::start(Duration::from_secs(3600), move || tx.send(()).unwrap()).unwrap());
        // The sender goes with the thread: that is the thread's end, without a message.
        assert_eq!(rx.recv_timeout(Duration::from_secs(60)), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}

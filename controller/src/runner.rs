//! Runs a controller: the control thread, the watchdog beside it, and the handle by which both are seen and ended.

use crate::act::watchdog;
use crate::admission::Admission;
use crate::control_loop::{Controller, TICK};
use crate::mode::Mode;
use crate::sense::lag;
use crate::shared::{Shared, lock};
use crate::status::Status;
use crate::steering::ModeRefused;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A view of a running controller, cheap to clone. When the last one is gone (routes hold one too), the
/// controller ends, as with [`shutdown`](Self::shutdown).
#[derive(Clone)]
pub struct Handle {
    runner: Arc<Runner>,
}

impl Handle {
    /// What the last tick has published. In mode [`Off`](Mode::Off) it is read now.
    #[must_use]
    pub fn status(&self) -> Arc<Status> {
        self.runner.status()
    }

    /// Waits until a status with a tick above `tick` is published, for at most `timeout`. In mode
    /// [`Off`](Mode::Off) there are no ticks to wait for: it reads now.
    #[must_use]
    pub fn wait_newer(&self, tick: u64, timeout: Duration) -> Option<Arc<Status>> {
        match self.mode() {
            Mode::Off => Some(self.status()),
            Mode::Observe | Mode::Enforce | Mode::Frozen => self.shared().wait_newer(tick, timeout),
        }
    }

    /// Calls `listener` with each new status until it returns `false`. It runs on the control thread and must
    /// not wait.
    pub fn on_status(&self, listener: impl FnMut(&Arc<Status>) -> bool + Send + 'static) {
        self.shared().listen(Box::new(listener));
    }

    /// The mode in force.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shared().mode()
    }

    /// Changes the mode to [`Observe`](Mode::Observe) or [`Enforce`](Mode::Enforce), from the next tick on, and ends a
    /// freeze. Who begins to observe takes its hands off: the pools get the knobs back that they were built with, and
    /// creates are not limited any more.
    ///
    /// # Errors
    /// [`ModeRefused`] if the environment has said otherwise, the controller was built switched off, or for other modes.
    pub fn set_mode(&self, mode: Mode) -> Result<(), ModeRefused> {
        self.shared().steering.set(mode)
    }

    /// Leaves every knob as it is, from the next tick on, for `time`: more than nothing, and seven days at most. Creates
    /// are not limited meanwhile, nothing is trimmed or aged. Decisions are still made and shown. Then it goes on as
    /// before.
    ///
    /// ```
    /// # use pool_controller::{Controller, Mode};
    /// # use std::time::Duration;
    /// # let registry = pool_core::Registry::new();
    /// let handle = Controller::builder().registry(&registry).build()?.spawn()?;
    /// handle.freeze(Duration::from_secs(600))?;
    /// assert_eq!(handle.mode(), Mode::Frozen);
    /// assert!(handle.thaw());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ModeRefused`] if the time is out of range, or the controller was built switched off.
    pub fn freeze(&self, time: Duration) -> Result<(), ModeRefused> {
        self.shared().steering.freeze(self.shared().started.elapsed(), time)
    }

    /// For how much longer it is frozen, if it is.
    #[must_use]
    pub fn frozen_for(&self) -> Option<Duration> {
        let until = self.shared().steering.frozen_until()?;
        until.checked_sub(self.shared().started.elapsed())
    }

    /// Ends a freeze before its time; whether there was one.
    #[allow(clippy::must_use_candidate, reason = "who thaws need not care whether it was frozen")]
    pub fn thaw(&self) -> bool {
        self.shared().steering.thaw()
    }

    /// Tells the service whether there is room for more work.
    #[must_use]
    pub fn admission(&self) -> Admission {
        Admission::of(self.shared())
    }

    /// Whether ticks are late by more than a plan holds (5 s), so that the watchdog has stepped in.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.mode() != Mode::Off && self.shared().lease.is_over(Instant::now())
    }

    /// Ends the threads and waits for them, unless the loop hangs. What was enforced ends too: the pools get their safe capacity and
    /// creates are not limited any more; both keep serving. A second call does nothing.
    pub fn shutdown(&self) {
        self.runner.stop();
    }

    /// Waits for `token` to be cancelled and then ends as [`shutdown`](Self::shutdown) does, on a thread that may block.
    /// To be spawned, or awaited beside the server that the same token ends.
    ///
    /// ```
    /// # use pool_controller::Controller;
    /// # use tokio_util::sync::CancellationToken;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// # let registry = pool_core::Registry::new();
    /// let token = CancellationToken::new();
    /// let handle = Controller::builder().registry(&registry).build()?.spawn()?;
    /// let ended = tokio::spawn(handle.ends_with(token.clone()));
    /// token.cancel();
    /// ended.await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn ends_with(self, token: CancellationToken) {
        token.cancelled().await;
        // An error here is the runtime's own end, which ends this handle too.
        let _ = tokio::task::spawn_blocking(move || self.shutdown()).await;
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.runner.shared
    }

    pub(crate) fn runner(&self) -> &Arc<Runner> {
        &self.runner
    }

    pub(crate) fn from_runner(runner: Arc<Runner>) -> Self {
        Self { runner }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("mode", &self.mode()).finish_non_exhaustive()
    }
}

/// The threads.
pub(crate) struct Runner {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    signals: Arc<Signals>,
    /// In mode off, the controller, to be ticked when someone asks.
    resting: Mutex<Option<Controller>>,
}

/// What the threads are told. Relaxed: each word stands for itself, and whoever sets one wakes the thread.
#[derive(Default)]
struct Signals {
    stop: AtomicBool,
    early: AtomicBool,
    control: Mutex<Option<Thread>>,
}

impl Runner {
    pub(crate) fn start(controller: Controller) -> io::Result<Handle> {
        let shared = Arc::clone(controller.shared());
        let signals = Arc::new(Signals::default());
        let mut runner = Self { shared, threads: Mutex::default(), signals, resting: Mutex::new(None) };
        match runner.shared.mode() {
            Mode::Off => *lock(&runner.resting) = Some(controller),
            Mode::Observe | Mode::Enforce | Mode::Frozen => runner.start_threads(controller)?,
        }
        Ok(Handle { runner: Arc::new(runner) })
    }

    /// If the second thread cannot be had, dropping the runner ends the first.
    fn start_threads(&mut self, mut controller: Controller) -> io::Result<()> {
        let (probe, signals) = (controller.watch_lag(), Arc::clone(&self.signals));
        let probe = spawn("ebbpool-lag", move || lag::probe_thread(&probe, || !signals.stop.load(Relaxed)))?;
        lock(&self.threads).push(probe);
        let signals = Arc::clone(&self.signals);
        let control = spawn("ebbpool-control", move || run(controller, &signals))?;
        let thread = control.thread().clone();
        lock(&self.threads).push(control);
        *lock(&self.signals.control) = Some(thread.clone());
        let (shared, signals) = (Arc::clone(&self.shared), Arc::clone(&self.signals));
        let watch = spawn("ebbpool-watchdog", move || watch(&shared, &signals))?;
        lock(&self.threads).push(watch);
        let signals = Arc::clone(&self.signals);
        // Never called while there is no grant, as when it only observes.
        self.shared.registry.on_grant_used_up(move || {
            if !signals.early.swap(true, Relaxed) {
                thread.unpark();
            }
        });
        Ok(())
    }

    fn status(&self) -> Arc<Status> {
        if let Some(controller) = lock(&self.resting).as_mut() {
            return controller.tick(Instant::now());
        }
        // `spawn` does the first tick before there is a handle.
        self.shared.status().expect("the first tick is done before there is a handle")
    }

    fn stop(&self) {
        let mode = self.shared.mode();
        if self.signals.stop.swap(true, Relaxed) || mode == Mode::Off {
            return;
        }
        self.shared.registry.on_grant_used_up(|| {});
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in &threads {
            thread.thread().unpark();
        }
        // The last handle may go away on one of these threads, inside a listener: that one ends by itself. A loop
        // that hangs in someone's policy or pool is not waited for either.
        let stalled = self.shared.lease.is_over(Instant::now());
        for thread in threads.into_iter().filter(|t| !stalled && t.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
        self.shared.forget_listeners();
        if mode == Mode::Enforce {
            watchdog::fall_back_at_end(&self.shared.lease, &self.shared.registry);
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(run)
}

/// The control thread. A tick that panics is lost, and the next one tries again: the panic is the policy's or a
/// pool's, and the watchdog steps in if no tick succeeds for long.
fn run(mut controller: Controller, signals: &Signals) {
    let mut pace = Pace::new(Instant::now());
    while !signals.stop.load(Relaxed) {
        let early = signals.early.load(Relaxed);
        let wait = pace.wait(Instant::now(), early);
        if !wait.is_zero() {
            thread::park_timeout(wait);
            continue;
        }
        signals.early.store(false, Relaxed);
        pace.ticked(Instant::now(), early);
        let _ = catch_unwind(AssertUnwindSafe(|| controller.tick(Instant::now())));
    }
}

fn watch(shared: &Shared, signals: &Signals) {
    while !signals.stop.load(Relaxed) {
        // It must outlive whatever a pool's code does.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            // What is not enforced is not the watchdog's to undo.
            if shared.mode() == Mode::Enforce {
                watchdog::look(&shared.lease, &shared.registry, Instant::now());
            }
        }));
        thread::park_timeout(shared.lease.look_every());
    }
}

/// When the next tick is due: a tick after the last one, or early when creates ask for it, but then no faster
/// than a gap that doubles while it is of no use.
#[derive(Clone, Copy, Debug)]
struct Pace {
    last: Instant,
    gap: Duration,
}

impl Pace {
    const GAP_MIN: Duration = Duration::from_millis(10);
    const GAP_MAX: Duration = Duration::from_millis(80);

    fn new(now: Instant) -> Self {
        Self { last: now, gap: Self::GAP_MIN }
    }

    /// Zero: now.
    fn wait(&self, now: Instant, early: bool) -> Duration {
        let due = self.last + if early { self.gap } else { TICK };
        due.saturating_duration_since(now)
    }

    fn ticked(&mut self, now: Instant, early: bool) {
        let in_a_row = early && now < self.last + TICK;
        self.gap = if in_a_row { (self.gap * 2).min(Self::GAP_MAX) } else { Self::GAP_MIN };
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_ticks_slow_down_while_they_come_in_a_row() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut now = start;
        let mut gaps = Vec::new();
        for _ in 0..5 {
            let wait = pace.wait(now, true);
            gaps.push(wait.as_millis());
            now += wait;
            assert!(pace.wait(now, true).is_zero());
            pace.ticked(now, true);
        }
        assert_eq!(gaps, [10, 20, 40, 80, 80]);
        assert_eq!(pace.wait(now, false), TICK);
        now += TICK;
        pace.ticked(now, false);
        assert_eq!(pace.wait(now, true), Pace::GAP_MIN);
    }
}

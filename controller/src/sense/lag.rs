//! Lag: by how much a timer is late. What a request waits for beside its own work shows here, whatever it is.
//!
//! A probe sleeps a while, looks how much too late it woke, and writes that down. One probe is a thread of its own,
//! another a task of the service's runtime, which its blocking tasks hold up as well. A probe that does not wake at
//! all is late by as much as it has been overdue: nobody has to notice that separately.
//!
//! The thread also reads how long the scheduler let it wait for a processor: lag that is all of that, while this
//! process itself uses few processors, is somebody else's doing.

use super::file::{KernelFile, Root};
use crate::shared::lock;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// Time between two looks: 80 samples in a window, at a cost of some 0.02 % of a processor.
const PERIOD: Duration = Duration::from_millis(25);
/// What is remembered.
pub(crate) const WINDOW: Duration = Duration::from_secs(2);
/// A percentile of fewer samples says nothing.
const SAMPLES_MIN: usize = 20;
const SAMPLES_MAX: usize = 80;

/// What one probe has seen in the last two seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// The 95th percentile, ns.
    pub p95_ns: u64,
    /// The 99th percentile, ns.
    pub p99_ns: u64,
    /// For how long the probe was overdue in all, ns.
    pub sum_ns: u64,
}

impl Lag {
    /// The worse of two probes, figure by figure.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        Self {
            p95_ns: self.p95_ns.max(other.p95_ns),
            p99_ns: self.p99_ns.max(other.p99_ns),
            sum_ns: self.sum_ns.max(other.sum_ns),
        }
    }
}

/// Where a probe writes and the senses read. Held for moments by both.
#[derive(Debug, Default)]
pub(crate) struct Lags {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When each sample was taken, and how late it was.
    samples: VecDeque<(Instant, u64)>,
    due: Option<Instant>,
    run_delay_ns: Option<u64>,
}

impl Lags {
    /// What was seen in the window before `now`; `None` before there is enough.
    pub(crate) fn look(&self, now: Instant) -> Option<Lag> {
        let state = lock(&self.state);
        let recent = state.samples.iter().filter(|(at, _)| now.saturating_duration_since(*at) <= WINDOW);
        let mut late: Vec<u64> = recent.map(|(_, late)| *late).collect();
        let overdue = state.due.map_or(0, |due| nanos(now.saturating_duration_since(due)));
        drop(state);
        let is_stuck = overdue > nanos(PERIOD);
        if is_stuck {
            late.push(overdue);
        }
        if late.len() < SAMPLES_MIN && !is_stuck {
            return None;
        }
        late.sort_unstable();
        let rank = |percent: usize| late[(late.len() * percent).div_ceil(100) - 1];
        Some(Lag { p95_ns: rank(95), p99_ns: rank(99), sum_ns: late.iter().sum() })
    }

    /// For how long the probe's thread was ready to run and had no processor, ns, cumulative.
    pub(crate) fn run_delay_ns(&self) -> Option<u64> {
        lock(&self.state).run_delay_ns
    }

    /// The probe goes to sleep; returns when it is to wake.
    fn sleeps(&self, now: Instant) -> Instant {
        let due = now + PERIOD;
        lock(&self.state).due = Some(due);
        due
    }

    fn woke(&self, now: Instant, due: Instant, run_delay_ns: Option<u64>) {
        let mut state = lock(&self.state);
        state.due = None;
        if state.samples.len() == SAMPLES_MAX {
            state.samples.pop_front();
        }
        state.samples.push_back((now, nanos(now.saturating_duration_since(due))));
        state.run_delay_ns = run_delay_ns.or(state.run_delay_ns);
    }
}

#[cfg(test)]
impl Lags {
    /// One look of a probe that went to sleep at `now` and woke `late`; returns when.
    pub(super) fn wake_late(&self, now: Instant, late: Duration, run_delay: Duration) -> Instant {
        let due = self.sleeps(now);
        self.woke(due + late, due, Some(nanos(run_delay)));
        due + late
    }
}

/// The probe of the operating system's timers, on a thread of its own: runs until it is told not to go on, or nobody
/// reads it any more.
pub(crate) fn probe_thread(lags: &Weak<Lags>, goes_on: impl Fn() -> bool) {
    let mut schedstat = Root::new(Path::new("/")).file("/proc/thread-self/schedstat");
    while let Some(due) = lags.upgrade().filter(|_| goes_on()).map(|lags| lags.sleeps(Instant::now())) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        let Some(lags) = lags.upgrade() else { return };
        lags.woke(now, due, run_delay_ns(&mut schedstat));
    }
}

/// The probe of a runtime: runs until nobody reads it any more, as a task.
pub(crate) async fn probe_task(lags: Weak<Lags>) {
    while let Some(due) = lags.upgrade().map(|lags| lags.sleeps(Instant::now())) {
        tokio::time::sleep_until(due.into()).await;
        let now = Instant::now();
        let Some(lags) = lags.upgrade() else { return };
        lags.woke(now, due, None);
    }
}

/// The probes of a controller, each with what it has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes {
    pub(crate) thread: Option<Arc<Lags>>,
    pub(crate) runtime: Option<Arc<Lags>>,
}

/// The second number of the file; kernels without scheduler statistics have none.
fn run_delay_ns(file: &mut KernelFile) -> Option<u64> {
    file.read().ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Wakes `n` times, each `late` after it was due.
    fn woken(late: impl Fn(u64) -> Duration, n: u64) -> (Lags, Instant) {
        let (lags, mut now) = (Lags::default(), Instant::now());
        for wake in 0..n {
            let due = lags.sleeps(now);
            now = due + late(wake);
            lags.woke(now, due, Some(wake));
        }
        lags.sleeps(now);
        (lags, now)
    }

    #[test]
    fn percentiles_are_of_the_last_two_seconds() {
        let (lags, now) = woken(|wake| if wake == 3 { ms(900) } else { ms(0) }, 20);
        assert_eq!(lags.look(now).map(|lag| (lag.p95_ns, lag.p99_ns)), Some((0, 900_000_000)));
        assert_eq!(lags.run_delay_ns(), Some(19));
        let (lags, now) = woken(|wake| if wake == 3 { ms(900) } else { ms(0) }, 95);
        assert_eq!(lags.look(now).map(|lag| (lag.p99_ns, lag.sum_ns)), Some((0, 0)), "it is long ago");
    }

    #[test]
    fn few_samples_say_nothing_and_a_probe_that_hangs_says_much() {
        let (lags, now) = woken(|_| ms(1), 19);
        assert_eq!(lags.look(now), None);
        let hangs = now + PERIOD + ms(300);
        assert_eq!(lags.look(hangs).map(|lag| lag.p99_ns), Some(300_000_000));
    }

    #[test]
    fn both_probes_run_and_end_with_their_readers() {
        let lags = Arc::new(Lags::default());
        let weak = Arc::downgrade(&lags);
        let thread = std::thread::spawn(move || probe_thread(&weak, || true));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let of_runtime = Arc::new(Lags::default());
        let task = runtime.spawn(probe_task(Arc::downgrade(&of_runtime)));
        let both = || [&lags, &of_runtime].iter().all(|lags| lags.look(Instant::now()).is_some());
        let deadline = Instant::now() + Duration::from_secs(60);
        while !both() {
            assert!(Instant::now() < deadline, "no samples");
            runtime.block_on(async { tokio::time::sleep(ms(30)).await });
        }
        drop((lags, of_runtime));
        thread.join().unwrap();
        runtime.block_on(task).unwrap();
    }
}

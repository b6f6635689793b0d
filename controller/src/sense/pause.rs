//! Pauses: how late things were of late, and whether that can be our own memory's doing.
//!
//! Puts stalls and lags together over the last two seconds. A lag counts as somebody else's while the group's share of
//! the processors is used up, or while threads wait for processors that this process does not use itself.

use super::lag::{Lag, Probes, WINDOW};
use super::reading::{Reading, Why};
use super::stalls::{Recent, StallSample, StallSensor};
use std::time::{Duration, Instant};

/// Between two looks at the kernel's totals.
const STALLS_EVERY: Duration = Duration::from_secs(1);
/// Of the processors that this process may use, what it must use itself for a wait for them to be its own doing.
const OWN_CPU_SHARE: f64 = 0.8;

/// What was seen of the last two seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct PauseSample {
    /// The share of the time in which some task waited for memory, 0 to 1.
    pub psi_some_ratio: Reading<f64>,
    /// Whether that is of our own group, and not of the whole machine.
    pub psi_is_own: bool,
    /// By how much timers were late; `None` without a probe or before it has seen enough.
    pub lag: Option<Lag>,
    /// Faults for which a page had to be read, per second.
    pub major_faults_per_s: Option<f64>,
    /// Whether the lags are somebody else's doing.
    pub cpu_is_taken: bool,
}

impl PauseSample {
    /// The time that a sample is about.
    pub const WINDOW: Duration = WINDOW;
}

/// Follows the totals.
#[derive(Debug)]
pub(crate) struct Pauses {
    stalls: StallSensor,
    last: Option<StallSample>,
    due: Duration,
    psi: Recent,
    throttled: Recent,
    cpu: Recent,
    faults: Recent,
    run_delay: Recent,
    cpus: f64,
    shares: Shares,
}

/// What the totals mean, until the next look at them.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    psi: Option<f64>,
    is_throttled: bool,
    own_cpu: Option<f64>,
    faults_per_s: Option<f64>,
    run_delay_ns: Option<u64>,
}

impl Pauses {
    pub(crate) fn open() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1.0, |n| n.get() as f64);
        Self::with(StallSensor::open(), cpus)
    }

    fn with(stalls: StallSensor, cpus: f64) -> Self {
        Self {
            stalls,
            last: None,
            due: Duration::ZERO,
            psi: Recent::new(WINDOW),
            throttled: Recent::new(WINDOW),
            cpu: Recent::new(WINDOW),
            faults: Recent::new(WINDOW),
            run_delay: Recent::new(WINDOW),
            cpus,
            shares: Shares::default(),
        }
    }

    /// `at` is the time since the start, `now` the same moment of the clock that the probes use.
    pub(crate) fn look(&mut self, at: Duration, now: Instant, probes: &Probes) -> PauseSample {
        if at >= self.due || self.last.is_none() {
            self.due = at + STALLS_EVERY;
            self.follow(at, probes.thread.as_ref().and_then(|lags| lags.run_delay_ns()));
        }
        let lag = [&probes.thread, &probes.runtime].into_iter().flatten().filter_map(|lags| lags.look(now));
        let lag = lag.reduce(Lag::or_worse);
        PauseSample {
            psi_some_ratio: self.psi_some_ratio(),
            psi_is_own: self.last.as_ref().is_some_and(|last| last.psi_is_own),
            cpu_is_taken: self.shares.is_throttled || lag.as_ref().is_some_and(|lag| self.is_neighbours(lag)),
            lag,
            major_faults_per_s: self.shares.faults_per_s,
        }
    }

    fn follow(&mut self, at: Duration, run_delay_ns: Option<u64>) {
        let sample = self.stalls.sample();
        let share = |(rise_us, took): (u64, Duration)| rise_us as f64 / 1e6 / took.as_secs_f64();
        self.shares = Shares {
            psi: self.psi.push(at, sample.psi_some_us.value()).map(|risen| share(risen).min(1.0)),
            is_throttled: self.throttled.push(at, sample.throttled_total.value()).is_some_and(|(n, _)| n > 0),
            own_cpu: self.cpu.push(at, sample.cpu_us.value()).map(|risen| share(risen) / self.cpus),
            faults_per_s: self
                .faults
                .push(at, sample.major_faults.value())
                .map(|(faults, took)| faults as f64 / took.as_secs_f64()),
            run_delay_ns: self.run_delay.push(at, run_delay_ns).map(|(risen, _)| risen),
        };
        self.last = Some(sample);
    }

    fn psi_some_ratio(&self) -> Reading<f64> {
        let why = self.last.as_ref().and_then(|last| last.psi_some_us.why());
        match (self.shares.psi, why) {
            (Some(share), _) => Reading::Valid(share),
            (None, Some(why)) => Reading::Invalid(why.clone()),
            (None, None) => Reading::Invalid(Why::TooFew),
        }
    }

    /// Most of the lag was a wait for a processor, and it was not this process that had them.
    fn is_neighbours(&self, lag: &Lag) -> bool {
        let waited = self.shares.run_delay_ns.is_some_and(|ns| ns >= lag.sum_ns / 2);
        lag.sum_ns > 0 && waited && self.shares.own_cpu.is_some_and(|share| share < OWN_CPU_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense::scratch::Scratch;
    use std::sync::Arc;

    /// A process on two processors that uses `own_cpu_ms` of them a second, while its probe is late by 10 ms at every
    /// wake, of which `waited` is a wait for a processor.
    fn seen(own_cpu_ms: u64, waited: Duration, throttled_per_s: u64) -> PauseSample {
        let tree = Scratch::new();
        tree.write("/proc/self/cgroup", "0::/\n");
        tree.write("/proc/self/mountinfo", "2 1 0:2 / /cg rw - cgroup2 cgroup2 rw\n");
        tree.write("/cg/memory.pressure", "");
        let mut pauses = Pauses::with(StallSensor::open_at(tree.path()), 2.0);
        let lags = Arc::new(super::super::lag::Lags::default());
        let probes = Probes { thread: Some(Arc::clone(&lags)), runtime: None };
        let start = Instant::now();
        let mut now = start;
        let mut delay = Duration::ZERO;
        let mut sample = None;
        for second in 0..4_u64 {
            tree.write("/cg/memory.pressure", &format!("some total={}\n", second * 100_000));
            tree.write("/cg/cpu.stat", &format!("nr_throttled {}\n", second * throttled_per_s));
            let ticks = second * own_cpu_ms / 10;
            tree.write("/proc/self/stat", &format!("1 (a) S 1 2 3 4 5 6 7 8 {} 10 {ticks} 0", second * 5));
            sample = Some(pauses.look(now - start, now, &probes));
            for _ in 0..28 {
                delay += waited;
                now = lags.wake_late(now, Duration::from_millis(10), delay);
            }
            now = start + Duration::from_secs(second + 1);
        }
        sample.expect("four looks")
    }

    #[test]
    fn a_lag_with_processors_free_is_ours() {
        let sample = seen(200, Duration::ZERO, 0);
        assert!((sample.psi_some_ratio.value().expect("two seconds") - 0.1).abs() < 1e-9);
        assert_eq!(sample.major_faults_per_s, Some(5.0));
        assert_eq!(sample.lag.map(|lag| lag.p99_ns), Some(10_000_000));
        assert!(!sample.cpu_is_taken);
    }

    #[test]
    fn a_wait_for_processors_that_others_use_is_theirs() {
        assert!(seen(200, Duration::from_millis(9), 0).cpu_is_taken);
        assert!(!seen(1900, Duration::from_millis(9), 0).cpu_is_taken, "we use them ourselves");
        assert!(!seen(200, Duration::from_millis(4), 0).cpu_is_taken, "most of the lag is something else");
    }

    #[test]
    fn a_group_that_has_used_up_its_share_says_nothing_of_memory() {
        assert!(seen(1900, Duration::ZERO, 1).cpu_is_taken);
    }
}

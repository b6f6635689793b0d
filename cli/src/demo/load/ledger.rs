//! What became of every request: each one offered ends in exactly one column.

use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answered in full with success.
    Completed,
    /// Answered with 503: the service had no room for it.
    Shed,
    /// Anything else: another status, a broken connection, no service.
    Error,
    /// No complete answer within [`TIMEOUT`](crate::demo::workload::TIMEOUT).
    Timeout,
}

/// Counts and delays. Shared by all requests under way; each figure is cumulative.
#[derive(Debug)]
pub(crate) struct Ledger {
    offered: AtomicU64,
    ended: [AtomicU64; 4],
    delays_us: Mutex<Histogram<u64>>,
    first_error: Mutex<Option<String>>,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Requests whose time had come.
    pub(crate) offered: u64,
    /// Of these, by [`Outcome`]; the rest is under way.
    pub(crate) completed: u64,
    pub(crate) shed: u64,
    pub(crate) errors: u64,
    pub(crate) timeouts: u64,
}

/// Quantiles of the delays of completed requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Delays {
    /// Requests that these are the delays of.
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Longer delays are counted as this long.
const DELAY_US_MAX: u64 = 60_000_000;

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            offered: AtomicU64::new(0),
            ended: Default::default(),
            delays_us: Mutex::new(histogram()),
            first_error: Mutex::new(None),
        }
    }

    /// A request's time has come.
    pub(crate) fn offer(&self) {
        self.offered.fetch_add(1, Relaxed);
    }

    /// A request ended; `delay` is the time that it took beyond what the load itself planned for it.
    pub(crate) fn end(&self, outcome: Outcome, delay: Duration) {
        if outcome == Outcome::Completed {
            let us = u64::try_from(delay.as_micros()).unwrap_or(DELAY_US_MAX).clamp(1, DELAY_US_MAX);
            self.delays_us.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(us);
        }
        self.ended[outcome as usize].fetch_add(1, Relaxed);
    }

    /// Remembers the first error, for the report.
    pub(crate) fn explain(&self, error: &dyn std::fmt::Display) {
        self.first_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| error.to_string());
    }

    pub(crate) fn first_error(&self) -> Option<String> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn totals(&self) -> Totals {
        let ended = |outcome: Outcome| self.ended[outcome as usize].load(Relaxed);
        let [completed, shed, errors, timeouts] =
            [Outcome::Completed, Outcome::Shed, Outcome::Error, Outcome::Timeout].map(ended);
        // Last: a request is offered before it ends, so what is read here covers what was read above.
        Totals { offered: self.offered.load(Relaxed), completed, shed, errors, timeouts }
    }

    /// Delays since the start.
    pub(crate) fn delays(&self) -> Delays {
        quantiles(&self.delays_us.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All delays: how many took how many microseconds (upper end of a bucket).
    pub(crate) fn delays_us(&self) -> Vec<(u64, u64)> {
        let delays_us = self.delays_us.lock().unwrap_or_else(PoisonError::into_inner);
        delays_us.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect()
    }

    /// Begins to read delays by intervals.
    pub(crate) fn windows(&self) -> Windows {
        Windows { seen: self.delays_us.lock().unwrap_or_else(PoisonError::into_inner).clone() }
    }
}

impl Totals {
    /// Requests that have been offered and have not ended.
    #[cfg(test)]
    pub(crate) const fn under_way(&self) -> u64 {
        self.offered.saturating_sub(self.completed + self.shed + self.errors + self.timeouts)
    }
}

/// One reader's place in the delays.
#[derive(Debug)]
pub(crate) struct Windows {
    seen: Histogram<u64>,
}

impl Windows {
    /// Delays since the last call.
    pub(crate) fn next(&mut self, ledger: &Ledger) -> Delays {
        let now = ledger.delays_us.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut window = now.clone();
        // Counts only rise and the ranges are equal, so this cannot fail.
        let _ = window.subtract(&self.seen);
        self.seen = now;
        quantiles(&window)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, DELAY_US_MAX, 2).unwrap_or_else(|e| unreachable!("constant bounds: {e:?}"))
}

fn quantiles(delays_us: &Histogram<u64>) -> Delays {
    let ms = |q| delays_us.value_at_quantile(q) as f64 / 1000.0;
    Delays { count: delays_us.len(), p50_ms: ms(0.50), p99_ms: ms(0.99) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_ends_in_one_column() {
        let ledger = Ledger::new();
        for outcome in
            [Outcome::Completed, Outcome::Completed, Outcome::Shed, Outcome::Error, Outcome::Timeout]
        {
            ledger.offer();
            ledger.end(outcome, Duration::from_millis(1));
        }
        ledger.offer();
        let totals = ledger.totals();
        assert_eq!(totals, Totals { offered: 6, completed: 2, shed: 1, errors: 1, timeouts: 1 });
        assert_eq!(totals.under_way(), 1);
        assert_eq!(ledger.delays().count, 2, "only answers have a delay");
    }

    #[test]
    fn windows_see_what_is_new() {
        let ledger = Ledger::new();
        let mut windows = ledger.windows();
        ledger.end(Outcome::Completed, Duration::from_millis(500));
        assert!((495.0..505.0).contains(&windows.next(&ledger).p50_ms));
        for _ in 0..100 {
            ledger.end(Outcome::Completed, Duration::from_millis(2));
        }
        let window = windows.next(&ledger);
        assert_eq!(window.count, 100);
        assert!(window.p99_ms < 2.1, "{}", window.p99_ms);
        assert_eq!(windows.next(&ledger).count, 0);
        assert!(ledger.delays().p99_ms < 510.0);
    }

    #[test]
    fn a_delay_beyond_the_range_counts_as_the_longest() {
        let ledger = Ledger::new();
        ledger.end(Outcome::Completed, Duration::from_secs(3600));
        ledger.end(Outcome::Completed, Duration::ZERO);
        assert_eq!(ledger.delays().count, 2);
    }

    #[test]
    fn buckets_have_all_delays() {
        let ledger = Ledger::new();
        for ms in [1, 1, 40] {
            ledger.end(Outcome::Completed, Duration::from_millis(ms));
        }
        let buckets = ledger.delays_us();
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 3);
        assert!(buckets.iter().all(|(us, _)| (1000..1010).contains(us) || (40_000..40_400).contains(us)));
    }

    #[test]
    fn the_first_error_is_kept() {
        let ledger = Ledger::new();
        ledger.explain(&"connection refused");
        ledger.explain(&"later");
        assert_eq!(ledger.first_error().as_deref(), Some("connection refused"));
    }
}

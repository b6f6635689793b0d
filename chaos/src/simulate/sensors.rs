//! What a controller reads of the plant: late, wrong, or not at all, as a scenario has it.
//!
//! Sensing is not what is simulated, but two of its rules are kept, since policies rely on them: what cannot be zero
//! and reads zero is passed on as missing, and a higher limit counts after two reads.

use super::random::Random;
use super::scenario::{Lie, Readings, Signal, SignalFault, whole};
use pool_controller::decide::Inputs;
use std::collections::VecDeque;

/// One reading in so many spikes.
const SPIKE_EVERY: u64 = 8;

/// The readings of one controller.
#[derive(Clone, Debug)]
pub(super) struct Sensors {
    readings: Readings,
    random: Random,
    ticks: u64,
    past: VecDeque<(u64, Option<u64>, Option<u64>)>,
    /// What was read of pools and the allocator when they were last read.
    held: Option<Inputs>,
    /// The readings when the signal began to lie.
    stuck: Option<Inputs>,
    limit: Option<u64>,
    higher: Option<u64>,
}

impl Sensors {
    pub(super) fn new(readings: Readings, random: Random) -> Self {
        let (past, held, stuck) = (VecDeque::new(), None, None);
        Self { readings, random, ticks: 0, past, held, stuck, limit: None, higher: None }
    }

    /// What is read of `truth` at this tick.
    pub(super) fn read(&mut self, now_ms: u64, truth: Inputs) -> Inputs {
        let mut seen = truth;
        self.delay(now_ms, &mut seen);
        if self.readings.noise > 0.0 {
            let factor = 1.0 + self.readings.noise * self.random.normal();
            seen.usage_bytes = seen.usage_bytes.map(|bytes| whole(bytes as f64 * factor));
        }
        self.hold(&mut seen);
        self.lie(now_ms, &mut seen);
        seen.limit_bytes = seen.limit_bytes.map(|limit| self.confirmed(limit));
        self.ticks += 1;
        seen
    }

    /// Limit and usage as they were some time ago.
    fn delay(&mut self, now_ms: u64, seen: &mut Inputs) {
        self.past.push_back((now_ms, seen.limit_bytes, seen.usage_bytes));
        let old_enough = |at: u64| at + self.readings.delay_ms <= now_ms;
        while self.past.get(1).is_some_and(|(at, ..)| old_enough(*at)) {
            self.past.pop_front();
        }
        if let Some((_, limit, usage)) = self.past.front() {
            (seen.limit_bytes, seen.usage_bytes) = (*limit, *usage);
        }
    }

    /// Pools and the allocator as they were when they were last read.
    fn hold(&mut self, seen: &mut Inputs) {
        match &self.held {
            Some(held) if !self.ticks.is_multiple_of(self.readings.unmatched_ticks) => {
                (seen.heap_free_bytes, seen.pools) = (held.heap_free_bytes, held.pools.clone());
            }
            _ if self.readings.unmatched_ticks > 1 => self.held = Some(seen.clone()),
            _ => {}
        }
    }

    fn lie(&mut self, now_ms: u64, seen: &mut Inputs) {
        let is_on = |f: &SignalFault| (f.from_s..f.to_s).contains(&(now_ms as f64 / 1000.0));
        let Some(SignalFault { signal, lie, .. }) = self.readings.fault.filter(is_on) else { return };
        let before = self.stuck.get_or_insert_with(|| seen.clone()).clone();
        let spikes = self.ticks.is_multiple_of(SPIKE_EVERY);
        let number = |now: Option<u64>, then: Option<u64>, percent: u64| match lie {
            Lie::Zero | Lie::Missing => None,
            Lie::Stuck => then,
            Lie::Spiking => now.map(|n| if spikes { n * percent / 100 } else { n }),
        };
        let share = |now: Option<f64>, then: Option<f64>, factor: f64| match lie {
            Lie::Zero => Some(0.0),
            Lie::Missing => None,
            Lie::Stuck => then,
            Lie::Spiking => now.map(|n| if spikes { (n.max(0.01) * factor).min(1.0) } else { n }),
        };
        let or_zero = |n: Option<u64>| if lie == Lie::Zero { Some(0) } else { n };
        match signal {
            Signal::Limit => seen.limit_bytes = number(seen.limit_bytes, before.limit_bytes, 150),
            Signal::Usage => seen.usage_bytes = number(seen.usage_bytes, before.usage_bytes, 200),
            Signal::Rss => seen.rss_bytes = number(seen.rss_bytes, before.rss_bytes, 200),
            Signal::Heap => {
                seen.heap_free_bytes = or_zero(number(seen.heap_free_bytes, before.heap_free_bytes, 400));
            }
            Signal::Psi => seen.psi_some_ratio = share(seen.psi_some_ratio, before.psi_some_ratio, 100.0),
            Signal::Pause => {
                let (now, then) = (&mut seen.pause, &before.pause);
                now.lag_p99_ns = or_zero(number(now.lag_p99_ns, then.lag_p99_ns, 10_000));
                now.lag_p95_ns = or_zero(number(now.lag_p95_ns, then.lag_p95_ns, 10_000));
                now.lag_ratio = share(now.lag_ratio, then.lag_ratio, 100.0);
            }
        }
    }

    /// A lower limit counts at once, a higher one when it is read again.
    fn confirmed(&mut self, limit: u64) -> u64 {
        let known = *self.limit.get_or_insert(limit);
        let again = self.higher.take().is_some_and(|higher| limit >= higher);
        if limit <= known || again {
            self.limit = Some(limit);
        } else {
            self.higher = Some(limit);
        }
        self.limit.unwrap_or(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Readings = Readings { noise: 0.0, delay_ms: 0, unmatched_ticks: 1, fault: None };

    fn read(readings: Readings, usages: &[u64]) -> Vec<Option<u64>> {
        let mut sensors = Sensors::new(readings, Random::new(1, 1));
        let truth = |usage| Inputs { limit_bytes: Some(1000), usage_bytes: Some(usage), ..Inputs::default() };
        (0_u64..).zip(usages).map(|(n, usage)| sensors.read(n * 250, truth(*usage)).usage_bytes).collect()
    }

    fn lying(lie: Lie) -> Readings {
        Readings { fault: Some(SignalFault { signal: Signal::Usage, lie, from_s: 0.5, to_s: 1.0 }), ..FINE }
    }

    #[test]
    fn signals_lie_while_they_are_to() {
        let truth = [1, 2, 3, 4, 5];
        assert_eq!(read(FINE, &truth), truth.map(Some));
        assert_eq!(read(lying(Lie::Zero), &truth), [Some(1), Some(2), None, None, Some(5)]);
        assert_eq!(read(lying(Lie::Missing), &truth), [Some(1), Some(2), None, None, Some(5)]);
        assert_eq!(read(lying(Lie::Stuck), &truth), [1, 2, 3, 3, 5].map(Some));
        let always = SignalFault { signal: Signal::Usage, lie: Lie::Spiking, from_s: 0.0, to_s: 9.0 };
        let seen = read(Readings { fault: Some(always), ..FINE }, &[7; 10]);
        assert_eq!(seen, [14, 7, 7, 7, 7, 7, 7, 7, 14, 7].map(Some));
    }

    #[test]
    fn readings_are_late_or_noisy() {
        assert_eq!(read(Readings { delay_ms: 500, ..FINE }, &[1, 2, 3, 4, 5]), [1, 1, 1, 2, 3].map(Some));
        let noisy = read(Readings { noise: 0.01, ..FINE }, &[100_000; 50]);
        assert!(noisy.iter().flatten().all(|u| u.abs_diff(100_000) < 6000) && noisy[0] != noisy[1]);
    }

    #[test]
    fn a_higher_limit_counts_when_it_is_read_again() {
        let mut sensors = Sensors::new(FINE, Random::new(1, 1));
        let seen = [100, 150, 100, 150, 160, 90].map(|limit| sensors.confirmed(limit));
        assert_eq!(seen, [100, 100, 100, 100, 160, 90]);
    }

    #[test]
    fn pools_may_be_read_more_seldom_than_usage() {
        let mut sensors = Sensors::new(Readings { unmatched_ticks: 3, ..FINE }, Random::new(1, 1));
        let seen: Vec<_> = (0..5)
            .map(|n| {
                sensors
                    .read(n * 250, Inputs { heap_free_bytes: Some(n), ..Inputs::default() })
                    .heap_free_bytes
            })
            .collect();
        assert_eq!(seen, [0, 0, 0, 3, 3].map(Some));
    }
}

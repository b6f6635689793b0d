//! From raw readings to a view that can be acted upon: which figures are good, what stands in for those that are
//! not, the state they mean.
//!
//! The order of what stands in: the pair of limit and usage of this tick; for three ticks the last good pair;
//! then resident memory against the last limit (or the last usage, whichever is higher: neighbours in the group
//! are not in our resident memory). Nothing here sizes a pool.

use super::Inputs;
use super::filters::{Median3, Slope};
use super::state::{Evidence, State, StateMachine, Transition};
use std::time::Duration;

/// Ticks for which the last good pair stands in.
const STALE_TICKS_MAX: u32 = 3;
/// The slope is taken over this much time.
const SLOPE_WINDOW: Duration = Duration::from_secs(2);

/// What can be acted upon.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    pub(super) limit_bytes: u64,
    /// Of this tick, unfiltered: for what must not be late.
    pub(super) usage_bytes: u64,
    /// The median of three.
    pub(super) smooth_bytes: u64,
    /// Bytes per second, once a window of valid readings has been seen.
    pub(super) slope: Option<f64>,
    /// Time since the last good pair; `None`: this is one.
    pub(super) missing_for: Option<Duration>,
    /// Another group binds: figures before this one say nothing about those after it.
    pub(super) jumped: bool,
    /// The limit before, if it changed.
    pub(super) limit_before_bytes: Option<u64>,
    pub(super) state: State,
    pub(super) transition: Option<Transition>,
}

impl View {
    /// 0 at .80 of the limit, 1 at .95.
    pub(super) fn pressure(&self) -> f64 {
        let ratio = self.usage_bytes as f64 / self.limit_bytes.max(1) as f64;
        ((ratio - 0.80) / 0.15).clamp(0.0, 1.0)
    }
}

/// Follows the readings.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    good: Option<Good>,
    missing_ticks: u32,
    median: Median3,
    slope: Slope,
    states: StateMachine,
}

#[derive(Clone, Debug)]
struct Good {
    at: Duration,
    limit_bytes: u64,
    usage_bytes: u64,
    smooth_bytes: u64,
    level: String,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            good: None,
            missing_ticks: 0,
            median: Median3::default(),
            slope: Slope::new(SLOPE_WINDOW),
            states: StateMachine::default(),
        }
    }
}

impl Signals {
    /// The view of this tick; `None` until there was a first good pair.
    pub(super) fn look(&mut self, now: Duration, inputs: &Inputs) -> Option<View> {
        let mut view = match (inputs.limit_bytes, inputs.usage_bytes) {
            (Some(limit), Some(usage)) => self.fresh(now, limit, usage, &inputs.level),
            _ => self.stand_in(now, inputs)?,
        };
        view.transition = self.states.step(
            now,
            &Evidence {
                usage_bytes: view.smooth_bytes,
                limit_bytes: view.limit_bytes,
                slope: view.slope,
                oom_total: inputs.oom_total,
                max_total: inputs.max_total,
            },
        );
        view.state = self.states.state();
        Some(view)
    }

    /// The last limit that was good.
    pub(super) fn last_limit_bytes(&self) -> Option<u64> {
        self.good.as_ref().map(|good| good.limit_bytes)
    }

    fn fresh(&mut self, now: Duration, limit_bytes: u64, usage_bytes: u64, level: &str) -> View {
        let before = self.good.as_ref();
        let jumped = before.is_some_and(|good| good.level != level);
        let limit_before_bytes = before.map(|good| good.limit_bytes).filter(|before| *before != limit_bytes);
        if jumped || self.missing_ticks > STALE_TICKS_MAX {
            self.median = Median3::default();
        }
        if jumped || self.missing_ticks > 0 {
            self.slope.clear();
        }
        self.missing_ticks = 0;
        let smooth_bytes = self.median.push(usage_bytes);
        let slope = self.slope.push(now, smooth_bytes);
        self.good = Some(Good { at: now, limit_bytes, usage_bytes, smooth_bytes, level: level.to_owned() });
        View {
            limit_bytes,
            usage_bytes,
            smooth_bytes,
            slope,
            missing_for: None,
            jumped,
            limit_before_bytes,
            state: State::Normal,
            transition: None,
        }
    }

    fn stand_in(&mut self, now: Duration, inputs: &Inputs) -> Option<View> {
        let good = self.good.as_ref()?;
        self.missing_ticks = self.missing_ticks.saturating_add(1);
        let rss = inputs.rss_bytes.filter(|_| self.missing_ticks > STALE_TICKS_MAX);
        let at_least = |bytes: u64| rss.map_or(bytes, |rss| rss.max(bytes));
        // A limit that is readable counts even if usage is not, as long as it is lower.
        let limit_bytes = inputs.limit_bytes.map_or(good.limit_bytes, |limit| limit.min(good.limit_bytes));
        Some(View {
            limit_bytes,
            usage_bytes: at_least(good.usage_bytes),
            smooth_bytes: at_least(good.smooth_bytes),
            slope: None,
            missing_for: Some(now.saturating_sub(good.at)),
            jumped: false,
            limit_before_bytes: None,
            state: State::Normal,
            transition: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(limit: Option<u64>, usage: Option<u64>, rss: u64) -> Inputs {
        Inputs { limit_bytes: limit, usage_bytes: usage, rss_bytes: Some(rss), ..Inputs::default() }
    }

    fn tick(n: u64) -> Duration {
        Duration::from_millis(250 * n)
    }

    #[test]
    fn nothing_is_known_before_the_first_good_pair() {
        let mut signals = Signals::default();
        assert_eq!(signals.look(tick(0), &inputs(None, Some(5), 5)), None);
        assert_eq!(signals.look(tick(1), &inputs(Some(100), None, 5)), None);
        assert!(signals.look(tick(2), &inputs(Some(100), Some(5), 5)).is_some());
    }

    #[test]
    fn the_last_pair_stands_in_for_three_ticks_and_then_resident_memory() {
        let mut signals = Signals::default();
        let _ = signals.look(tick(0), &inputs(Some(100), Some(50), 40));
        let mut used = Vec::new();
        for n in 1..=6 {
            let view = signals.look(tick(n), &inputs(None, None, 40 + 5 * n)).expect("a stand-in");
            assert_eq!((view.limit_bytes, view.missing_for), (100, Some(tick(n))));
            used.push(view.usage_bytes);
        }
        assert_eq!(used, [50, 50, 50, 60, 65, 70]);
        let low = signals.look(tick(7), &inputs(None, None, 10)).expect("a stand-in");
        assert_eq!(low.usage_bytes, 50, "never less than what was known");
    }

    #[test]
    fn a_lower_limit_counts_even_without_usage() {
        let mut signals = Signals::default();
        let _ = signals.look(tick(0), &inputs(Some(100), Some(50), 40));
        let limits = [Some(80), Some(120), None]
            .map(|limit| signals.look(tick(1), &inputs(limit, None, 40)).map(|view| view.limit_bytes));
        assert_eq!(limits, [Some(80), Some(100), Some(100)]);
    }

    #[test]
    fn a_slope_does_not_reach_across_a_gap() {
        let mut signals = Signals::default();
        let slope = |signals: &mut Signals, n: u64, usage: Option<u64>| {
            signals.look(tick(n), &inputs(Some(1000), usage, 1)).and_then(|view| view.slope)
        };
        for n in 0..8 {
            assert_eq!(slope(&mut signals, n, Some(100)), None);
        }
        assert_eq!(slope(&mut signals, 8, Some(100)), Some(0.0));
        for n in 9..13 {
            assert_eq!(slope(&mut signals, n, None), None);
        }
        for n in 13..21 {
            assert_eq!(slope(&mut signals, n, Some(500)), None);
        }
        assert_eq!(slope(&mut signals, 21, Some(500)), Some(0.0));
    }

    #[test]
    fn one_misread_does_not_change_the_state() {
        let mut signals = Signals::default();
        let states: Vec<State> = [10, 10, 99, 10, 10]
            .into_iter()
            .enumerate()
            .filter_map(|(n, usage)| signals.look(tick(n as u64), &inputs(Some(100), Some(usage), 10)))
            .map(|view| view.state)
            .collect();
        assert_eq!(states, [State::Normal; 5]);
    }

    #[test]
    fn pressure_is_zero_at_eighty_percent_and_one_at_ninety_five() {
        let pressure = |usage| {
            let view = Signals::default().look(tick(0), &inputs(Some(1000), Some(usage), 1));
            view.map(|view| (view.pressure() * 1000.0).round())
        };
        assert_eq!([700, 800, 875, 950, 1000].map(pressure), [0.0, 0.0, 500.0, 1000.0, 1000.0].map(Some));
    }

    #[test]
    fn another_group_starts_the_filters_anew() {
        let mut signals = Signals::default();
        for n in 0..3 {
            let _ = signals.look(tick(n), &inputs(Some(1000), Some(100), 1));
        }
        let other = Inputs { level: "/parent".into(), ..inputs(Some(5000), Some(4000), 1) };
        let view = signals.look(tick(3), &other).expect("valid");
        assert_eq!((view.jumped, view.smooth_bytes), (true, 4000));
        assert_eq!(view.limit_before_bytes, Some(1000));
    }
}

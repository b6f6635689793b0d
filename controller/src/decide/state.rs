//! The state: how near the limit is, with hysteresis. States gate actions and alarms; they set no capacity,
//! except that entering critical halves the budget once.
//!
//! | state | enter at | leave below |
//! | --- | --- | --- |
//! | elevated | .85 | .80 |
//! | high | .92 | .88 |
//! | critical | .96, or by an [event](Cause) | .93 |
//!
//! Up at once, by as many levels as it takes. Down one level at a time, after the ratio was below the leave
//! mark for [`DOWN_AFTER`] without a break. Knows nothing of pools or budgets.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How near the limit usage is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Below every watermark.
    #[default]
    Normal,
    /// Growth stops.
    Elevated,
    /// Free memory of the allocator is given back.
    High,
    /// A kill is near.
    Critical,
}

impl State {
    /// All states, from far to near.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Elevated, Self::High, Self::Critical];

    /// The name in metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Elevated => "elevated",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The watermark: usage, in thousandths of the limit, at which this state is entered. 0 for normal.
    #[must_use]
    pub const fn enter_permille(self) -> u64 {
        match self {
            Self::Normal => 0,
            Self::Elevated => 850,
            Self::High => 920,
            Self::Critical => 960,
        }
    }

    /// Usage, in thousandths of the limit, below which this state is left. 0 for normal, which nothing leaves.
    #[must_use]
    pub const fn leave_permille(self) -> u64 {
        match self {
            Self::Normal => 0,
            Self::Elevated => 800,
            Self::High => 880,
            Self::Critical => 930,
        }
    }

    const fn down(self) -> Self {
        match self {
            Self::Normal | Self::Elevated => Self::Normal,
            Self::High => Self::Elevated,
            Self::Critical => Self::High,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Time below the leave mark before a state is left by one level.
pub const DOWN_AFTER: Duration = Duration::from_secs(2);

/// A limit that would be reached sooner than this makes the state critical.
pub const TIME_TO_LIMIT_MIN: Duration = Duration::from_secs(2);

/// Usage, in thousandths of the limit, from which on time-to-limit counts. Below it a step of demand that fits
/// looks, over the two seconds of the slope, like a ramp into the limit: two demands that swap would halve the
/// budget at every swap. What is still far from the limit is the budget's and the grant's business.
pub const TIME_TO_LIMIT_FROM_PERMILLE: u64 = 800;

/// What a step of the state looks at. Event counts are cumulative; the first step takes them as its baseline.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Bytes used.
    pub usage_bytes: u64,
    /// The limit that usage counts against, bytes.
    pub limit_bytes: u64,
    /// Change of usage, bytes per second, if known.
    pub slope: Option<f64>,
    /// Kills for memory, and reclaims that failed, in our group.
    pub oom_total: u64,
    /// How often the group ran into its limit.
    pub max_total: u64,
}

impl Evidence {
    /// Compares usage with a mark in thousandths of the limit, exactly.
    fn at_least(&self, permille: u64) -> bool {
        u128::from(self.usage_bytes) * 1000 >= u128::from(self.limit_bytes) * u128::from(permille)
    }

    fn time_to_limit(&self) -> Option<Duration> {
        let slope = self.slope.filter(|slope| *slope > 0.0)?;
        let left = self.limit_bytes.saturating_sub(self.usage_bytes) as f64;
        Duration::try_from_secs_f64(left / slope).ok()
    }
}

/// Why a state was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Usage crossed a watermark.
    Usage,
    /// At the present slope the limit would be reached within [`TIME_TO_LIMIT_MIN`].
    TimeToLimit,
    /// The kernel killed a process of the group, or failed to reclaim.
    OutOfMemory,
    /// The group ran into its limit with usage above high: not page cache alone.
    RanIntoLimit,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usage => "usage crossed a watermark",
            Self::TimeToLimit => "the limit is less than 2 s away at this slope",
            Self::OutOfMemory => "the kernel ran out of memory in this group",
            Self::RanIntoLimit => "the group ran into its limit",
        })
    }
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why; for a way down, always usage.
    pub cause: Cause,
}

/// The state and what its hysteresis remembers.
#[derive(Clone, Debug, Default)]
pub struct StateMachine {
    state: State,
    below_since: Option<Duration>,
    seen: Option<(u64, u64)>,
}

impl StateMachine {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// One look. `now` must not fall.
    pub fn step(&mut self, now: Duration, evidence: &Evidence) -> Option<Transition> {
        let from = self.state;
        let (wanted, cause) = self.wanted(evidence);
        if wanted > from {
            self.below_since = None;
            self.state = wanted;
            return Some(Transition { from, to: wanted, cause });
        }
        let holds = wanted == from || evidence.at_least(from.leave_permille());
        if from == State::Normal || holds {
            self.below_since = None;
            return None;
        }
        let since = *self.below_since.get_or_insert(now);
        if now < since + DOWN_AFTER {
            return None;
        }
        self.below_since = Some(now);
        self.state = from.down();
        Some(Transition { from, to: self.state, cause: Cause::Usage })
    }

    /// The state that this evidence alone would enter.
    fn wanted(&mut self, evidence: &Evidence) -> (State, Cause) {
        let counts = (evidence.oom_total, evidence.max_total);
        let (oom_before, max_before) = self.seen.replace(counts).unwrap_or(counts);
        let by_usage = State::ALL.into_iter().rev().find(|s| evidence.at_least(s.enter_permille()));
        let by_usage = by_usage.unwrap_or_default();
        let event = if evidence.oom_total > oom_before {
            Some(Cause::OutOfMemory)
        } else if evidence.max_total > max_before && by_usage >= State::High {
            Some(Cause::RanIntoLimit)
        } else if evidence.at_least(TIME_TO_LIMIT_FROM_PERMILLE)
            && evidence.time_to_limit().is_some_and(|left| left < TIME_TO_LIMIT_MIN)
        {
            Some(Cause::TimeToLimit)
        } else {
            None
        };
        event
            .filter(|_| by_usage < State::Critical)
            .map_or((by_usage, Cause::Usage), |c| (State::Critical, c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 100_000;

    fn at(usage_bytes: u64) -> Evidence {
        Evidence { usage_bytes, limit_bytes: LIMIT, ..Evidence::default() }
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn each_mark_is_entered_exactly_at_its_share_of_the_limit() {
        for (usage, state) in [
            (84_999, State::Normal),
            (85_000, State::Elevated),
            (91_999, State::Elevated),
            (92_000, State::High),
            (95_999, State::High),
            (96_000, State::Critical),
            (250_000, State::Critical),
        ] {
            let mut machine = StateMachine::default();
            let _ = machine.step(ms(0), &at(usage));
            assert_eq!(machine.state(), state, "usage {usage} of {LIMIT}");
        }
    }

    #[test]
    fn each_state_is_left_only_below_its_leave_mark_and_after_two_seconds() {
        for (enter, stay, leave, below) in [
            (85_000, 80_000, 79_999, State::Normal),
            (92_000, 88_000, 87_999, State::Elevated),
            (96_000, 93_000, 92_999, State::High),
        ] {
            let mut machine = StateMachine::default();
            let _ = machine.step(ms(0), &at(enter));
            let entered = machine.state();
            assert_eq!(machine.step(ms(60_000), &at(stay)), None);
            assert_eq!(machine.step(ms(60_250), &at(leave)), None);
            assert_eq!(machine.step(ms(62_249), &at(leave)), None);
            let down = Transition { from: entered, to: below, cause: Cause::Usage };
            assert_eq!(machine.step(ms(62_250), &at(leave)), Some(down));
        }
    }

    #[test]
    fn up_by_several_levels_at_once_and_down_one_level_per_two_seconds() {
        let mut machine = StateMachine::default();
        assert_eq!(machine.step(ms(0), &at(97_000)).map(|t| t.to), Some(State::Critical));
        let mut seen = Vec::new();
        for tick in 1..=40 {
            if let Some(change) = machine.step(ms(tick * 250), &at(10_000)) {
                seen.push((tick * 250, change.to));
            }
        }
        assert_eq!(seen, [(2250, State::High), (4250, State::Elevated), (6250, State::Normal)]);
    }

    #[test]
    fn a_moment_above_the_leave_mark_starts_the_two_seconds_anew() {
        let mut machine = StateMachine::default();
        let _ = machine.step(ms(0), &at(86_000));
        assert_eq!(machine.step(ms(1000), &at(70_000)), None);
        assert_eq!(machine.step(ms(2900), &at(80_000)), None);
        assert_eq!(machine.step(ms(3100), &at(70_000)), None);
        assert_eq!(machine.step(ms(5000), &at(70_000)), None);
        assert_eq!(machine.step(ms(5100), &at(70_000)).map(|t| t.to), Some(State::Normal));
    }

    #[test]
    fn a_limit_less_than_two_seconds_away_is_critical_from_eighty_percent_on() {
        let step = |usage, slope| {
            let mut machine = StateMachine::default();
            let _ = machine.step(ms(0), &Evidence { slope: Some(slope), ..at(usage) });
            machine.state()
        };
        assert_eq!(step(80_000, 10_000.0), State::Normal, "exactly 2 s away");
        assert_eq!(step(80_000, 10_001.0), State::Critical);
        assert_eq!(step(79_999, 90_000.0), State::Normal, "a step of demand that fits");
        assert_eq!(step(90_000, -50_000.0), State::Elevated, "falling");
    }

    #[test]
    fn a_kill_is_critical_whatever_usage_says_and_only_when_it_is_new() {
        let mut machine = StateMachine::default();
        let old = Evidence { oom_total: 3, ..at(1000) };
        assert_eq!(machine.step(ms(0), &old), None, "kills from before are the baseline");
        let new = Evidence { oom_total: 4, ..at(1000) };
        let change = machine.step(ms(250), &new);
        assert_eq!(change.map(|t| (t.to, t.cause)), Some((State::Critical, Cause::OutOfMemory)));
        assert_eq!(machine.step(ms(500), &new), None);
    }

    #[test]
    fn running_into_the_limit_counts_only_with_usage_above_high() {
        for (usage, state) in [(91_999, State::Elevated), (92_000, State::Critical)] {
            let mut machine = StateMachine::default();
            let _ = machine.step(ms(0), &at(usage));
            let _ = machine.step(ms(250), &Evidence { max_total: 1, ..at(usage) });
            assert_eq!(machine.state(), state);
        }
    }
}

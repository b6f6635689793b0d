//! Pressure: how near trouble is, from three sides, and what it turns beside capacity.
//!
//! | part | 0 | 1 | turns |
//! | --- | --- | --- | --- |
//! | memory | usage .80 of the limit | .95 | how fast idle objects age, growth |
//! | psi | no task waited for memory | for a fifth of the time | the same, and the budget's trim |
//! | pause | timers and creates 5 ms late | 50 ms | how much is sampled, how long a turn of dropping is, growth |
//!
//! Capacity follows memory alone: a service that is late is not helped by pools that hold less. While processors are
//! taken by others, or the group's share of them is used up, lateness says nothing, and pause is 0.
//!
//! Levels go up at once and down by one after a while, so that a knob does not follow each reading. Sizes no pool.

use super::signals::View;
use super::{Inputs, PauseInputs, PoolInputs, PoolPlan, Pressure};
use std::time::Duration;

/// Waiting for this share of the time is a pressure of 1.
const PSI_FULL: f64 = 0.20;
/// Up to here nothing is late.
const PAUSE_FROM_NS: f64 = 5e6;
/// By so much later, the pressure is 1.
const PAUSE_SPAN_NS: f64 = 45e6;
/// From this pressure on, nothing grows.
const VETO_FROM: f64 = 0.1;
/// Steps between 0 and 1.
const LEVELS: u32 = 4;
/// A level is left downwards after this long below it.
const DOWN_AFTER: Duration = Duration::from_secs(2);

/// All parts of one moment.
pub(super) fn pressure(view: &View, inputs: &Inputs) -> Pressure {
    Pressure {
        memory: view.pressure(),
        psi: inputs.psi_some_ratio.map_or(0.0, |ratio| (ratio / PSI_FULL).clamp(0.0, 1.0)),
        pause: pause(&inputs.pause),
    }
}

fn pause(inputs: &PauseInputs) -> f64 {
    if inputs.cpu_is_taken {
        return 0.0;
    }
    let worst = inputs.lag_p99_ns.max(inputs.create_p99_ns).unwrap_or(0) as f64;
    ((worst - PAUSE_FROM_NS) / PAUSE_SPAN_NS).clamp(0.0, 1.0)
}

impl Pressure {
    /// Whether a part beside usage, which the states speak for, forbids growth.
    pub(super) fn forbids_growth(self) -> bool {
        self.psi.max(self.pause) >= VETO_FROM
    }
}

/// Turns the knobs beside capacity.
#[derive(Clone, Debug, Default)]
pub(super) struct Turner {
    scarcity: Level,
    lateness: Level,
}

impl Turner {
    /// Takes the pressure of this tick; whether a level moved.
    pub(super) fn follow(&mut self, now: Duration, pressure: Pressure) -> bool {
        let scarcity = self.scarcity.follow(now, pressure.memory.max(pressure.psi));
        self.lateness.follow(now, pressure.pause) | scarcity
    }

    /// What that means for a pool.
    pub(super) fn plan(&self, pool: &PoolInputs) -> PoolPlan {
        let scarcity = f64::from(self.scarcity.now) / f64::from(LEVELS);
        let rest = 1.0 - pool.evict_ratio;
        PoolPlan {
            // Twice as rare for each level of lateness: what is watched costs, and late is late enough.
            sampling_thinner: Some(1 << self.lateness.now),
            // Half as long: the same work, in smaller turns.
            slice_us: Some((pool.slice_us >> self.lateness.now).max(SLICE_US_MIN.min(pool.slice_us))),
            evict_ratio: Some((pool.evict_ratio + rest * scarcity).min(1.0)),
            // Up to four times as often.
            cycle_ms: Some((pool.cycle_ms / u64::from(1 + self.scarcity.now * 3 / LEVELS)).max(1)),
            ..PoolPlan::unchanged(&pool.name)
        }
    }
}

/// The shortest turn that is still worth its clock reading.
const SLICE_US_MIN: u64 = 50;

#[derive(Clone, Copy, Debug, Default)]
struct Level {
    now: u32,
    low_since: Option<Duration>,
}

impl Level {
    fn follow(&mut self, now: Duration, pressure: f64) -> bool {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1")]
        let wanted = (pressure.clamp(0.0, 1.0) * f64::from(LEVELS)).ceil() as u32;
        if wanted >= self.now {
            self.low_since = None;
            let moved = wanted > self.now;
            self.now = wanted;
            return moved;
        }
        if now < *self.low_since.get_or_insert(now) + DOWN_AFTER {
            return false;
        }
        self.low_since = Some(now);
        self.now -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late(lag: Option<u64>, create: Option<u64>, cpu_is_taken: bool) -> f64 {
        pause(&PauseInputs { lag_p99_ns: lag, create_p99_ns: create, cpu_is_taken, ..PauseInputs::default() })
    }

    #[test]
    fn lateness_is_zero_up_to_5_ms_and_one_at_50() {
        let ms = |n: u64| late(Some(n * 1_000_000), None, false);
        let permille = |n| (ms(n) * 1000.0).round().to_string();
        assert_eq!([0, 5, 14, 50, 900].map(permille), ["0", "0", "200", "1000", "1000"]);
        assert!((late(None, Some(14_000_000), false) - 0.2).abs() < 1e-9, "creates count alike");
        assert_eq!((late(None, None, false), late(Some(u64::MAX), None, true)), (0.0, 0.0));
    }

    #[test]
    fn a_tenth_of_waiting_or_lateness_holds_growth_and_memory_has_its_states() {
        let of = |psi, pause| Pressure { memory: 1.0, psi, pause }.forbids_growth();
        assert_eq!([of(0.09, 0.09), of(0.1, 0.0), of(0.0, 0.1)], [false, true, true]);
    }

    #[test]
    fn turns_are_never_longer_than_the_pool_was_built_with() {
        let mut turner = Turner::default();
        turner.follow(Duration::ZERO, Pressure { pause: 1.0, ..Pressure::default() });
        let slice = |slice_us| turner.plan(&PoolInputs { slice_us, ..PoolInputs::default() }).slice_us;
        assert_eq!([10, 50, 400, 1600].map(slice), [10, 50, 50, 100].map(Some));
    }

    #[test]
    fn a_level_goes_up_at_once_and_down_one_by_one() {
        let (mut level, s) = (Level::default(), Duration::from_secs);
        let mut seen = Vec::new();
        for (at, pressure) in
            [(0, 0.0), (1, 0.26), (2, 0.9), (3, 0.0), (4, 0.0), (5, 0.0), (7, 0.8), (8, 0.0), (10, 0.0)]
        {
            level.follow(s(at), pressure);
            seen.push(level.now);
        }
        assert_eq!(seen, [0, 2, 4, 4, 4, 3, 4, 4, 3]);
    }

    #[test]
    fn scarcity_ages_faster_and_lateness_watches_less() {
        let pool = PoolInputs { evict_ratio: 0.5, cycle_ms: 10_000, slice_us: 1000, ..PoolInputs::default() };
        let planned = |memory, psi, pause| {
            let mut turner = Turner::default();
            turner.follow(Duration::ZERO, Pressure { memory, psi, pause });
            let plan = turner.plan(&pool);
            (plan.sampling_thinner, plan.slice_us, plan.evict_ratio, plan.cycle_ms)
        };
        assert_eq!(planned(0.0, 0.0, 0.0), (Some(1), Some(1000), Some(0.5), Some(10_000)));
        assert_eq!(planned(0.0, 0.0, 1.0), (Some(16), Some(62), Some(0.5), Some(10_000)));
        assert_eq!(planned(0.5, 0.0, 0.0), (Some(1), Some(1000), Some(0.75), Some(5000)));
        assert_eq!(planned(0.0, 1.0, 0.0), (Some(1), Some(1000), Some(1.0), Some(2500)));
    }
}

//! The figures of a run, taken while it goes on.

use super::demand::STEP_MS;
use super::plant::{Level, Process};
use super::world::World;
use pool_controller::decide::filters::Turns;

/// Usage above this counts as time above, thousandths of the limit.
const HIGH_PERMILLE: u64 = 900;
/// A capacity that moves back by less than one in this of the limit has not turned around: as the controller counts its
/// own knobs' turns.
const TURN_LIMIT_ONE_IN: u64 = 50;

/// The figures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measure {
    /// Highest usage, a share of the limit of that moment.
    pub(super) peak: f64,
    /// The same, bytes.
    pub(super) peak_bytes: u64,
    /// Seconds with usage above .90 of the limit.
    pub(super) seconds_over_090: f64,
    /// From the start of the disturbance until a capacity was cut, idle objects were taken back, or cycles and reuse
    /// were turned.
    pub(super) first_action_ms: Option<u64>,
    /// From the end of the disturbance until nine tenths of the capacity before were back.
    pub(super) recovery_s: Option<f64>,
    turns: Vec<Turns>,
    seen_s: f64,
    disturbance: Option<(f64, Option<f64>)>,
    before: Option<Before>,
    capacity: u64,
    is_back: bool,
}

/// The moment before the disturbance.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Before {
    capacity: u64,
    reclaimed: u64,
    reuse: f64,
    evict_ratio: f64,
}

impl Measure {
    pub(super) fn new(world: &dyn World) -> Self {
        let pools = world.starts().len() * usize::try_from(world.processes()).unwrap_or(1);
        Self {
            peak: 0.0,
            peak_bytes: 0,
            seconds_over_090: 0.0,
            first_action_ms: None,
            recovery_s: None,
            turns: vec![Turns::default(); pools],
            seen_s: 0.0,
            disturbance: world.disturbance(),
            before: None,
            capacity: 0,
            is_back: false,
        }
    }

    /// Takes the figures of a step.
    pub(super) fn see(&mut self, now_s: f64, level: Level, processes: &[Process]) {
        self.peak = self.peak.max(level.ratio());
        self.peak_bytes = self.peak_bytes.max(level.usage);
        if level.is_above(HIGH_PERMILLE) {
            self.seconds_over_090 += STEP_MS as f64 / 1000.0;
        }
        self.seen_s = now_s;
        let pools = processes.iter().flat_map(|p| &p.pools);
        for (turns, pool) in self.turns.iter_mut().zip(pools) {
            turns.see(pool.room().saturating_mul(pool.weight), level.limit / TURN_LIMIT_ONE_IN);
        }
        self.see_disturbance(now_s, processes);
    }

    fn see_disturbance(&mut self, now_s: f64, processes: &[Process]) {
        let Some((from_s, to_s)) = self.disturbance else { return };
        let capacity = processes.iter().map(Process::capacity_bytes).sum();
        let earlier = std::mem::replace(&mut self.capacity, capacity);
        if now_s < from_s {
            return;
        }
        let now = Before::of(capacity, processes);
        let before = *self.before.get_or_insert(Before { capacity: earlier, ..now });
        if self.first_action_ms.is_none() && (capacity < earlier || before.is_followed_by_action(&now)) {
            self.first_action_ms = Some(super::scenario::whole((now_s - from_s) * 1000.0));
        }
        if let Some(ended_s) = to_s.filter(|to_s| now_s >= *to_s && !self.is_back) {
            self.is_back = u128::from(capacity) * 10 >= u128::from(before.capacity) * 9;
            self.recovery_s = Some(now_s - ended_s);
        }
    }

    /// How often the most restless capacity turned around, per minute.
    pub(super) fn reversals_per_min(&self) -> f64 {
        let most = self.turns.iter().map(Turns::count).max().unwrap_or(0);
        most as f64 / (self.seen_s / 60.0).max(1.0 / 60.0)
    }
}

impl Before {
    fn of(capacity: u64, processes: &[Process]) -> Self {
        let pools = || processes.iter().flat_map(|p| &p.pools);
        Self {
            capacity,
            reclaimed: processes.iter().map(|p| p.reclaimed).sum(),
            reuse: pools().map(|p| p.pace().0).fold(1.0, f64::min),
            evict_ratio: pools().map(|p| p.pace().1).fold(0.0, f64::max),
        }
    }

    /// Idle objects were taken back, fewer gets reuse, or cycles take more.
    fn is_followed_by_action(&self, now: &Self) -> bool {
        now.reclaimed > self.reclaimed || now.reuse < self.reuse || now.evict_ratio > self.evict_ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::demand::Demand;
    use crate::simulate::plant::Plant;
    use crate::simulate::scenario_by_name;

    #[test]
    fn action_and_recovery_are_taken_from_the_disturbance_on() {
        let scenario = scenario_by_name("step").unwrap();
        let demand = Demand::of(scenario, 1);
        let mut plant = Plant::new(scenario, &demand, 1);
        let mut measure = Measure::new(scenario);
        let level = Level { usage: 95, limit: 100 };
        let usual = plant.processes[0].pools[0].capacity_bytes;
        for (now_s, capacity) in [
            (59.0, usual),
            (60.0, usual),
            (60.5, usual / 2),
            (110.0, usual / 2),
            (120.0, usual / 2),
            (123.0, usual),
        ] {
            plant.processes[0].pools[0].capacity_bytes = capacity;
            measure.see(now_s, level, &plant.processes);
        }
        assert_eq!((measure.first_action_ms, measure.recovery_s), (Some(500), Some(13.0)));
        assert!((measure.seconds_over_090 - 0.03).abs() < 1e-9 && (measure.peak - 0.95).abs() < 1e-9);
        measure.see(130.0, level, &plant.processes);
        assert_eq!(measure.recovery_s, Some(13.0), "it is over");
    }
}

//! Drives policies through a scenario: virtual time, ticks as the shipping loop has them, the watchdog.

use super::demand::{Demand, STEP_MS, ms, seconds};
use super::measure::Measure;
use super::plant::{Level, Plant, Process};
use super::random::Random;
use super::scenario::{Trouble, whole};
use super::sensors::Sensors;
use super::world::World;
use pool_controller::decide::{Inputs, Plan, Policy, safe_bytes};
use std::time::Duration;

/// Time between two ticks, ms.
const TICK_MS: u64 = 250;
/// The least and the most time between two early ticks, ms.
const GAP_MS: (u64, u64) = (10, 80);
/// How long a plan holds without the next one, ms.
const LEASE_MS: u64 = 5000;

/// What became of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// Saved by reuse after the warm-up, ns.
    pub(super) saved_ns: f64,
    /// Gets after the warm-up, and those of them that created.
    pub(super) gets: (u64, u64),
    pub(super) measure: Measure,
    /// A look at each tick of the first process, and at the end.
    pub(super) looks: Vec<Look>,
    /// The kernel killed it; the run ended there.
    pub(super) is_killed: bool,
}

/// A moment of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    pub(super) ms: u64,
    pub(super) level: Level,
    /// What the pools of all processes may hold.
    pub(super) capacity: u64,
    /// What they hold idle.
    pub(super) idle: u64,
}

/// Something that hears of each decision.
pub(super) trait Listener {
    fn decided(&mut self, inputs: &Inputs, plan: &Plan);
}

impl Listener for () {
    fn decided(&mut self, _: &Inputs, _: &Plan) {}
}

/// A controller: its policy, what it reads, when it ticks.
struct Controller {
    policy: Box<dyn Policy>,
    sensors: Sensors,
    random: Random,
    trouble: Trouble,
    last_ms: Option<u64>,
    /// The next regular tick.
    due_ms: u64,
    gap_ms: u64,
    fell_back: bool,
    last_limit: Option<u64>,
}

/// Runs a world with one policy for each process.
pub(super) fn run(
    world: &dyn World,
    demand: &Demand,
    seed: u64,
    policies: impl FnMut() -> Box<dyn Policy>,
) -> Outcome {
    run_heard(world, demand, seed, policies, &mut ())
}

/// The same, with someone who hears of each decision.
pub(super) fn run_heard(
    world: &dyn World,
    demand: &Demand,
    seed: u64,
    mut policies: impl FnMut() -> Box<dyn Policy>,
    listener: &mut dyn Listener,
) -> Outcome {
    let mut plant = Plant::new(world, demand, seed);
    let mut controllers: Vec<_> =
        (0..plant.processes.len()).map(|n| Controller::new(world, seed, n, policies())).collect();
    let mut measure = Measure::new(world);
    let mut looks = Vec::new();
    for step in 0..demand.steps {
        let now_ms = ms(step);
        for (n, controller) in controllers.iter_mut().enumerate() {
            let ticked = controller.turn(now_ms, &mut plant, n, listener);
            if ticked && n == 0 {
                looks.push(look(now_ms, plant.level(), &plant.processes));
            }
        }
        let level = plant.step();
        measure.see(seconds(step), level, &plant.processes);
        if plant.is_killed {
            looks.push(look(now_ms, level, &plant.processes));
            break;
        }
    }
    Outcome { saved_ns: plant.saved_ns, gets: plant.gets, measure, looks, is_killed: plant.is_killed }
}

fn look(ms: u64, level: Level, processes: &[Process]) -> Look {
    let capacity = processes.iter().map(Process::capacity_bytes).sum();
    let idle = processes.iter().flat_map(|p| &p.pools).map(|pool| pool.idle() * pool.weight).sum();
    Look { ms, level, capacity, idle }
}

impl Controller {
    fn new(world: &dyn World, seed: u64, n: usize, policy: Box<dyn Policy>) -> Self {
        let stream = 2000 + 2 * n as u64;
        Self {
            policy,
            sensors: Sensors::new(world.readings(), Random::new(seed, stream)),
            random: Random::new(seed, stream + 1),
            trouble: world.trouble(),
            last_ms: None,
            // Processes do not start at the same moment.
            due_ms: n as u64 * 125,
            gap_ms: GAP_MS.0,
            fell_back: false,
            last_limit: None,
        }
    }

    /// Ticks if it is time to, and else lets the watchdog look. Returns whether it ticked.
    fn turn(&mut self, now_ms: u64, plant: &mut Plant, n: usize, listener: &mut dyn Listener) -> bool {
        let seconds = now_ms as f64 / 1000.0;
        if matches!(self.trouble, Trouble::Dead(from, to) if (from..to).contains(&seconds)) {
            self.watch(now_ms, plant, n);
            return false;
        }
        let early = plant.processes[n].wants_tick && self.last_ms.is_none_or(|l| now_ms >= l + self.gap_ms);
        if !early && now_ms < self.due_ms {
            return false;
        }
        let in_a_row = early && now_ms < self.due_ms;
        self.gap_ms = if in_a_row { (self.gap_ms * 2).min(GAP_MS.1) } else { GAP_MS.0 };
        self.last_ms = Some(now_ms);
        self.due_ms = now_ms + self.apart_ms();
        self.fell_back = false;
        let inputs = self.sensors.read(now_ms, plant.inputs(n));
        self.last_limit = inputs.limit_bytes.or(self.last_limit);
        let plan = self.policy.decide(self.clock(now_ms), &inputs);
        listener.decided(&inputs, &plan);
        plant.carry_out(n, &plan);
        true
    }

    fn watch(&mut self, now_ms: u64, plant: &mut Plant, n: usize) {
        let is_over = self.last_ms.is_some_and(|last| now_ms > last + LEASE_MS);
        if is_over && !self.fell_back {
            self.fell_back = true;
            plant.fall_back(n, safe_bytes(self.last_limit));
        }
    }

    fn apart_ms(&mut self) -> u64 {
        match self.trouble {
            Trouble::Jitter(most) => TICK_MS - most + self.random.up_to(2 * most / STEP_MS) * STEP_MS,
            _ => TICK_MS,
        }
    }

    /// What time it takes it to be.
    fn clock(&self, now_ms: u64) -> Duration {
        let jump_ms = match self.trouble {
            Trouble::ClockJump(at_s, by_s) if now_ms as f64 >= at_s * 1000.0 => whole(by_s * 1000.0),
            _ => 0,
        };
        Duration::from_millis(now_ms + jump_ms)
    }
}

//! The plant: processes with pools under one limit. Gets and returns come by the millisecond; usage is looked at every
//! 5 ms.
//!
//! ```text
//! usage = others + Σ (idle + lent) · weight + what allocators hold          clean page cache gives way and is not in it
//! ```
//!
//! A usage above what kills ends the run. Above .97 of the limit the kernel reclaims, and tasks wait for it.

use super::allocator::Heap;
use super::demand::{Demand, Round, SLOTS, STEP_MS, Trace, ms};
use super::pool::Pool;
use super::random::Random;
use super::world::World;
use pool_controller::decide::{Inputs, Plan};
use std::collections::VecDeque;

/// The mark of the optimum, and of what spoils idle objects: thousandths of the limit.
pub(super) const MARK_PERMILLE: u64 = 950;
/// From here on the kernel reclaims, thousandths of the limit.
const RECLAIM_PERMILLE: u64 = 970;
/// Waiting is told as a share of so many steps.
const PSI_STEPS: usize = (2000 / STEP_MS) as usize;

/// A process: its pools, its allocator, its grant.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pools: Vec<Pool>,
    pub(super) heap: Heap,
    grant: Option<i64>,
    /// Creates found the grant used up.
    pub(super) wants_tick: bool,
    /// Idle bytes that creates have taken back.
    pub(super) reclaimed: u64,
    random: Random,
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Plant<'a> {
    world: &'a dyn World,
    demand: &'a Demand,
    pub(super) processes: Vec<Process>,
    step: usize,
    waited: VecDeque<bool>,
    ran_into_limit: u64,
    /// Saved since the warm-up, ns.
    pub(super) saved_ns: f64,
    /// Gets since the warm-up, and those of them that created.
    pub(super) gets: (u64, u64),
    pub(super) is_killed: bool,
}

/// Bytes of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) usage: u64,
    pub(super) limit: u64,
}

impl Level {
    /// Whether usage is above so many thousandths of the limit.
    pub(super) fn is_above(self, permille: u64) -> bool {
        u128::from(self.usage) * 1000 > u128::from(self.limit) * u128::from(permille)
    }

    /// Usage as a share of the limit.
    pub(super) fn ratio(self) -> f64 {
        self.usage as f64 / self.limit as f64
    }
}

impl<'a> Plant<'a> {
    pub(super) fn new(world: &'a dyn World, demand: &'a Demand, seed: u64) -> Self {
        let process = |n: u32| Process {
            pools: world.starts().iter().map(Pool::new).collect(),
            heap: Heap::new(world.allocator()),
            grant: None,
            wants_tick: false,
            reclaimed: 0,
            random: Random::new(seed, 1000 + u64::from(n)),
        };
        let processes = (0..world.processes()).map(process).collect();
        let waited = std::iter::repeat_n(false, PSI_STEPS).collect();
        let (ran_into_limit, saved_ns, gets) = (0, 0.0, (0, 0));
        Self { world, demand, processes, step: 0, waited, ran_into_limit, saved_ns, gets, is_killed: false }
    }

    /// One step: gets and returns slot by slot, the allocator's time, the limit.
    pub(super) fn step(&mut self) -> Level {
        let now_ms = ms(self.step);
        let counts = self.step >= warm_up_steps(self.world);
        for (n, process) in self.processes.iter_mut().enumerate() {
            self.world.change(self.step, process);
            let pools_each = process.pools.len();
            let traces = &self.demand.pools[n * pools_each..][..pools_each];
            for slot in self.step * SLOTS..(self.step + 1) * SLOTS {
                let done = process.serve(traces, slot, now_ms);
                if counts {
                    self.saved_ns += done.saved_ns;
                    self.gets = (self.gets.0 + done.gets, self.gets.1 + done.created);
                }
            }
            process.heap.age(now_ms);
        }
        let level = self.level();
        if level.is_above(MARK_PERMILLE) {
            self.processes.iter_mut().flat_map(|p| &mut p.pools).for_each(Pool::spoil);
        }
        self.waited.pop_front();
        self.waited.push_back(level.is_above(RECLAIM_PERMILLE));
        let cache = self.world.cache_bytes(self.step);
        self.ran_into_limit += u64::from(level.usage + cache >= level.limit);
        self.is_killed |= level.usage > self.world.kills_above_bytes(self.step);
        self.step += 1;
        level
    }

    /// Usage and limit now.
    pub(super) fn level(&self) -> Level {
        let pools: u64 = self.processes.iter().map(Process::bytes).sum();
        let (others, limit) = (self.world.others_bytes(self.step), self.world.limit_bytes(self.step));
        Level { usage: pools.saturating_add_signed(others), limit }
    }

    /// What can be read truly in a process now.
    pub(super) fn inputs(&self, process: usize) -> Inputs {
        let own = &self.processes[process];
        let level = self.level();
        let others = self.world.others_bytes(self.step) / i64::from(self.world.processes());
        let waited = self.waited.iter().filter(|waited| **waited).count() as f64 / PSI_STEPS as f64;
        let (purges_total, heap_clean_bytes) = own.heap.purges();
        let (pause, psi_some_ratio) = self.world.pauses(self.step, waited);
        let mut inputs = Inputs {
            limit_bytes: Some(level.limit),
            usage_bytes: Some(level.usage),
            rss_bytes: Some(own.bytes().saturating_add_signed(others)),
            level: String::new(),
            oom_total: 0,
            max_total: self.ran_into_limit,
            grant_left_bytes: own.grant,
            heap_free_bytes: own.heap.free_bytes(),
            heap_clean_bytes,
            purges_total,
            psi_some_ratio,
            pause,
            pools: own.pools.iter().map(Pool::inputs).collect(),
        };
        self.world.hide(self.step, &mut inputs);
        inputs
    }

    /// Does what a plan wants.
    pub(super) fn carry_out(&mut self, process: usize, plan: &Plan) {
        let now_ms = ms(self.step);
        let process = &mut self.processes[process];
        process.wants_tick = false;
        process.grant = plan.grant_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        for (pool, planned) in process.pools.iter_mut().zip(&plan.pools) {
            pool.apply(planned);
            // What cycles and trims free only brings usage back, and is nobody's to spend before the next reading.
            let dropped = pool.cycle(now_ms) + pool.trim();
            process.heap.free(dropped * pool.weight, now_ms);
        }
        if plan.purge {
            process.heap.purge(now_ms, plan.state);
        }
    }

    /// The watchdog: no plan for too long.
    pub(super) fn fall_back(&mut self, process: usize, safe_bytes: u64) {
        let now_ms = ms(self.step);
        let process = &mut self.processes[process];
        process.grant = None;
        let share = safe_bytes / process.pools.len().max(1) as u64;
        for pool in process.pools.iter_mut().filter(|pool| !pool.is_pinned) {
            pool.capacity_bytes = pool.capacity_bytes.min(share);
            process.heap.free(pool.trim() * pool.weight, now_ms);
        }
    }
}

impl Process {
    /// The gets and returns of a slot, pool by pool; what is returned can serve the next get.
    fn serve(&mut self, traces: &[Trace], slot: usize, now_ms: u64) -> Done {
        let mut done = Done::default();
        for round in 0..traces.iter().map(|trace| trace.rounds(slot)).max().unwrap_or(0) {
            let rounds = || traces.iter().map(|trace| trace.round(slot, round)).enumerate();
            for (pool, Round { gets, .. }) in rounds().filter(|(_, round)| round.gets > 0) {
                done.add(self.get(pool, gets, now_ms), gets);
            }
            for (pool, Round { returns, .. }) in rounds().filter(|(_, round)| round.returns > 0) {
                self.put(pool, returns, now_ms);
            }
            for (pool, Round { gets, again, .. }) in rounds().filter(|(_, round)| round.again > 0) {
                let (served, kept) = self.pools[pool].repeat(again, gets, &mut self.random);
                self.allocate(kept * self.pools[pool].weight, now_ms);
                let saved_ns = served.counted as f64 * self.pools[pool].saved_ns;
                done.add((saved_ns, served.created), again * gets);
            }
        }
        done
    }

    /// Serves gets; returns what they saved, ns, and how many of them created.
    fn get(&mut self, pool: usize, gets: u64, now_ms: u64) -> (f64, u64) {
        let served = self.pools[pool].get(gets, &mut self.random);
        self.allocate(served.created * self.pools[pool].weight, now_ms);
        (served.counted as f64 * self.pools[pool].saved_ns, served.created)
    }

    fn allocate(&mut self, bytes: u64, now_ms: u64) {
        if bytes > 0 {
            self.charge(bytes, now_ms);
            self.heap.take(bytes);
        }
    }

    /// A create without a grant first takes its weight back from what is idle, the least worth per byte first. Pinned pools
    /// keep theirs; so do those whose capacity someone has set, though a service takes from them: a record does not tell
    /// the two apart, and what is not there to take asks for more of a limit.
    fn charge(&mut self, bytes: u64, now_ms: u64) {
        let Some(grant) = &mut self.grant else { return };
        *grant = grant.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.wants_tick |= *grant < 0;
        while let Some(missing) = grant.checked_neg().filter(|missing| *missing > 0) {
            let per_byte = |p: &Pool| p.saved_ns / p.weight as f64;
            let idle = self.pools.iter_mut().filter(|p| p.idle() > 0 && !p.is_pinned);
            let Some(pool) = idle.min_by(|a, b| per_byte(a).total_cmp(&per_byte(b))) else { return };
            let wanted = u64::try_from(missing).unwrap_or(0).div_ceil(pool.weight);
            let freed = pool.drop_oldest(wanted) * pool.weight;
            self.reclaimed += freed;
            self.heap.free(freed, now_ms);
            *grant = grant.saturating_add(i64::try_from(freed).unwrap_or(i64::MAX));
        }
    }

    fn put(&mut self, pool: usize, returned: u64, now_ms: u64) {
        let pool = &mut self.pools[pool];
        let freed = pool.put(returned) * pool.weight;
        self.heap.free(freed, now_ms);
        if let Some(grant) = &mut self.grant {
            *grant = grant.saturating_add(i64::try_from(freed).unwrap_or(i64::MAX));
        }
    }

    /// What its pools and its allocator hold.
    fn bytes(&self) -> u64 {
        self.heap.dirty_bytes() + self.pools.iter().map(Pool::bytes).sum::<u64>()
    }

    /// What its pools may hold, bytes.
    pub(super) fn capacity_bytes(&self) -> u64 {
        self.pools.iter().map(|pool| pool.room() * pool.weight).sum()
    }
}

/// What a slot came to.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    saved_ns: f64,
    gets: u64,
    created: u64,
}

impl Done {
    fn add(&mut self, (saved_ns, created): (f64, u64), gets: u64) {
        self.saved_ns += saved_ns;
        self.gets += gets;
        self.created += created;
    }
}

/// Steps in which hits do not count.
pub(super) fn warm_up_steps(world: &dyn World) -> usize {
    usize::try_from(u64::from(world.warm_up_s()) * 1000 / STEP_MS).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::scenario_by_name;
    use pool_controller::decide::Reason;

    fn plan(plant: &Plant, grant_bytes: Option<u64>) -> Plan {
        Plan { grant_bytes, ..Plan::unchanged(&plant.inputs(0), Reason::Steady) }
    }

    #[test]
    fn usage_is_what_is_there() {
        let scenario = scenario_by_name("turns").unwrap();
        let demand = Demand::of(scenario, 1);
        let mut plant = Plant::new(scenario, &demand, 1);
        for _ in 0..8000 {
            plant.step();
        }
        let inputs = plant.inputs(0);
        let owned: u64 = inputs.pools.iter().map(|p| p.idle_bytes + p.lent_bytes).sum();
        let heap = plant.processes[0].heap.dirty_bytes();
        assert_eq!(
            inputs.usage_bytes,
            Some(owned + heap + crate::simulate::Scenario::others_bytes(scenario, 40.0))
        );
        assert!(inputs.pools.iter().all(|p| p.idle_bytes <= p.capacity_bytes && p.lent_objects > 0));
    }

    #[test]
    fn a_create_without_a_grant_takes_from_the_least_worth_first() {
        let scenario = scenario_by_name("turns").unwrap();
        let demand = Demand::of(scenario, 1);
        let mut plant = Plant::new(scenario, &demand, 1);
        for pool in &mut plant.processes[0].pools {
            pool.get(20, &mut Random::new(1, 1));
            pool.put(20);
        }
        plant.carry_out(0, &plan(&plant, Some(0)));
        let before: Vec<u64> = plant.processes[0].pools.iter().map(Pool::idle).collect();
        plant.processes[0].charge(2560 << 10, 0);
        let after: Vec<u64> = plant.processes[0].pools.iter().map(Pool::idle).collect();
        // 15 µs for 256 KiB are less worth per byte than 40 µs for 512 KiB.
        assert_eq!((before, after), (vec![20, 20], vec![20, 10]));
        assert!(plant.processes[0].wants_tick && plant.processes[0].reclaimed == 2560 << 10);
        plant.carry_out(0, &plan(&plant, None));
        plant.processes[0].charge(1 << 40, 0);
        assert!(!plant.processes[0].wants_tick, "no grant, no charge");
    }

    #[test]
    fn nothing_is_taken_from_what_is_pinned() {
        let scenario = scenario_by_name("turns").unwrap();
        let demand = Demand::of(scenario, 1);
        let mut plant = Plant::new(scenario, &demand, 1);
        for (n, pool) in plant.processes[0].pools.iter_mut().enumerate() {
            pool.get(20, &mut Random::new(1, 1));
            pool.put(20);
            pool.is_pinned = n == 1;
        }
        let capacity = plant.processes[0].pools[1].capacity_bytes;
        plant.carry_out(0, &plan(&plant, Some(0)));
        plant.processes[0].charge(1 << 40, 0);
        let idle = |plant: &Plant| plant.processes[0].pools.iter().map(Pool::idle).collect::<Vec<_>>();
        assert_eq!(idle(&plant), [0, 20]);
        plant.fall_back(0, 0);
        assert_eq!((idle(&plant), plant.processes[0].pools[1].capacity_bytes), (vec![0, 20], capacity));
        assert_eq!(plant.processes[0].pools[0].capacity_bytes, 0);
    }

    #[test]
    fn a_usage_above_the_limit_is_killed_but_not_above_one_that_throttles() {
        for (name, killed) in [("limit-down", false), ("burst-50ms", true)] {
            let scenario = scenario_by_name(name).unwrap();
            let demand = Demand::of(scenario, 1);
            let mut plant = Plant::new(scenario, &demand, 1);
            let mut above = false;
            for _ in 0..demand.steps {
                above |= plant.step().is_above(1000);
                if plant.is_killed {
                    break;
                }
            }
            assert!(above, "{name} is above its limit without a controller");
            assert_eq!(plant.is_killed, killed, "{name}");
        }
    }
}

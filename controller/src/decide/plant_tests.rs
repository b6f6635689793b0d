//! Tide against a plant: a service whose usage is its base, what is lent, what is idle and what the allocator
//! has not given back, with two demands that swap every few seconds under a limit that they cannot both fill.

use super::filters::Turns;
use super::tests_support::Random;
use super::*;
use std::collections::VecDeque;

const MIB: u64 = 1 << 20;
const LIMIT: u64 = 192 * MIB;
const BASE: u64 = 35 * MIB;

struct PlantPool {
    weight: u64,
    idle: u64,
    lent: VecDeque<u64>,
    capacity: u64,
    gets: u64,
    created: u64,
}

struct Plant {
    random: Random,
    base: u64,
    /// Freed by pools, still resident.
    retained: u64,
    /// Free blocks whose pages a purge has given back.
    clean: u64,
    grant_left: i64,
    pools: [PlantPool; 2],
    usage_max: u64,
    purged_ms: u64,
    purges: u64,
    /// `clean` as the last purge left it.
    cleaned: u64,
}

impl Plant {
    fn new(seed: u64, capacity: u64) -> Self {
        let pool =
            |weight| PlantPool { weight, idle: 0, lent: VecDeque::new(), capacity, gets: 0, created: 0 };
        let pools = [pool(MIB), pool(256 << 10)];
        let random = Random::new(seed);
        let (base, grant_left) = (BASE, i64::MAX / 2);
        Self {
            random,
            base,
            retained: 0,
            clean: 0,
            grant_left,
            pools,
            usage_max: 0,
            purged_ms: 0,
            purges: 0,
            cleaned: 0,
        }
    }

    fn owned(&self) -> u64 {
        self.pools.iter().map(|p| (p.idle + p.lent.len() as u64) * p.weight).sum()
    }

    fn usage(&self) -> u64 {
        self.base + self.owned() + self.retained
    }

    /// A millisecond in which each pool returns what is due and serves `demand` gets, each for up to `held_ms`.
    fn step(&mut self, ms: u64, demand: [(f64, u64); 2]) {
        for (i, (gets, held_ms)) in demand.into_iter().enumerate() {
            let due = self.pools[i].lent.iter().filter(|at| **at <= ms).count() as u64;
            self.pools[i].lent.retain(|at| *at > ms);
            for _ in 0..due {
                let pool = &mut self.pools[i];
                if (pool.idle + 1) * pool.weight <= pool.capacity {
                    pool.idle += 1;
                } else {
                    self.retained += pool.weight;
                }
            }
            let more = u64::from(self.random.chance(gets.fract()));
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            for _ in 0..gets as u64 + more {
                let back_at = ms + 1 + held_ms / 2 + self.random.up_to(held_ms);
                self.get(i, back_at);
            }
        }
        self.usage_max = self.usage_max.max(self.usage());
    }

    fn get(&mut self, i: usize, back_at: u64) {
        self.pools[i].gets += 1;
        self.pools[i].lent.push_back(back_at);
        if self.pools[i].idle > 0 {
            self.pools[i].idle -= 1;
            return;
        }
        self.pools[i].created += 1;
        let weight = self.pools[i].weight;
        self.grant_left -= i64::try_from(weight).expect("small");
        // Direct reclaim: a create without a grant first takes its weight back from what is idle.
        while self.grant_left < 0 && self.pools.iter().any(|p| p.idle > 0) {
            let pool = self.pools.iter_mut().find(|p| p.idle > 0).expect("an idle object");
            pool.idle -= 1;
            self.grant_left += i64::try_from(pool.weight).expect("small");
            self.retained += pool.weight;
        }
        // A twentieth of the free memory is too fragmented to be used again.
        let reused = weight.min(self.retained * 19 / 20);
        self.retained -= reused;
        self.clean -= (weight - reused).min(self.clean * 19 / 20);
    }

    fn inputs(&self) -> Inputs {
        let pools = self.pools.iter().zip(["ingest", "export"]).map(|(p, name)| PoolInputs {
            name: name.into(),
            idle_objects: p.idle,
            idle_bytes: p.idle * p.weight,
            lent_objects: p.lent.len() as u64,
            lent_bytes: p.lent.len() as u64 * p.weight,
            gets_total: p.gets,
            expected_weight_bytes: p.weight,
            capacity_bytes: p.capacity,
            capacity_objects: 1 << 20,
            ..PoolInputs::default()
        });
        Inputs {
            limit_bytes: Some(LIMIT),
            usage_bytes: Some(self.usage()),
            rss_bytes: Some(self.usage()),
            grant_left_bytes: Some(self.grant_left),
            heap_free_bytes: Some(self.retained + self.clean),
            heap_clean_bytes: self.cleaned,
            purges_total: self.purges,
            pools: pools.collect(),
            ..Inputs::default()
        }
    }

    fn carry_out(&mut self, ms: u64, plan: &Plan) {
        self.grant_left = plan.grant_bytes.map_or(i64::MAX / 2, |b| i64::try_from(b).expect("small"));
        for (pool, planned) in self.pools.iter_mut().zip(&plan.pools) {
            pool.capacity = planned.capacity_bytes.unwrap_or(pool.capacity);
            let keep = (pool.capacity / pool.weight).min(pool.idle);
            self.retained += (pool.idle - keep) * pool.weight;
            pool.idle = keep;
        }
        let apart_ms = if plan.state == State::Critical { 2000 } else { 10_000 };
        if plan.purge && ms >= self.purged_ms + apart_ms {
            self.purged_ms = ms;
            self.clean += std::mem::take(&mut self.retained);
            self.cleaned = self.clean;
            self.purges += 1;
        }
    }
}

/// What became of a run.
struct Outcome {
    usage_max: u64,
    /// Largest number of times that a pool's capacity turned around by more than a tenth.
    reversals: u64,
    /// Share of gets that were not creates, in the last sixth.
    hit_ratio: f64,
    budgets: Vec<u64>,
    states: Vec<State>,
}

/// `demand(second)` gives, per pool, gets a millisecond and for how long an object is held, ms.
fn run(
    policy: &mut dyn Policy,
    seed: u64,
    seconds: u64,
    demand: impl Fn(u64) -> [(f64, u64); 2],
    base: impl Fn(u64) -> u64,
) -> Outcome {
    let mut plant = Plant::new(seed, 64 * MIB);
    let mut turns = [Turns::default(); 2];
    let (mut budgets, mut states) = (Vec::new(), Vec::new());
    let mut counted = (0, 0);
    for ms in 0..seconds * 1000 {
        plant.base = base(ms);
        if ms % 250 == 0 {
            let plan = policy.decide(Duration::from_millis(ms), &plant.inputs());
            plant.carry_out(ms, &plan);
            for (turns, pool) in turns.iter_mut().zip(&plant.pools) {
                turns.see(pool.capacity, LIMIT / 50);
            }
            budgets.push(plan.budget_bytes.unwrap_or(0));
            states.push(plan.state);
        }
        plant.step(ms, demand(ms / 1000));
        if ms == seconds * 1000 * 5 / 6 {
            counted = (plant.pools.iter().map(|p| p.gets).sum(), plant.pools.iter().map(|p| p.created).sum());
        }
    }
    let gets: u64 = plant.pools.iter().map(|p| p.gets).sum::<u64>() - counted.0;
    let created: u64 = plant.pools.iter().map(|p| p.created).sum::<u64>() - counted.1;
    Outcome {
        usage_max: plant.usage_max,
        reversals: turns.iter().map(Turns::count).max().unwrap_or(0),
        hit_ratio: 1.0 - created as f64 / gets as f64,
        budgets,
        states,
    }
}

/// Ingest lends some 72 objects of 1 MiB, export some 290 of 256 KiB; they swap every `phase_s`.
fn swapping(phase_s: u64) -> impl Fn(u64) -> [(f64, u64); 2] {
    move |second| {
        if (second / phase_s).is_multiple_of(2) {
            [(0.6, 120), (0.05, 100)]
        } else {
            [(0.02, 60), (1.44, 200)]
        }
    }
}

#[test]
fn fixed_pools_hoard_until_they_are_killed() {
    let outcome = run(&mut Fixed::default(), 1, 60, swapping(4), |_| BASE);
    assert!(outcome.usage_max > LIMIT, "{} MiB", outcome.usage_max / MIB);
}

#[test]
fn tide_stays_below_the_limit_and_does_not_oscillate() {
    for phase_s in [2, 4, 5, 8, 12] {
        for seed in 1..=2 {
            let outcome = run(&mut Tide::default(), seed, 150, swapping(phase_s), |_| BASE);
            let percent = outcome.usage_max * 100 / LIMIT;
            assert!(outcome.usage_max < LIMIT * 9 / 10, "phase {phase_s} s: {percent} % of the limit");
            // One down from the first budget's growth, and few others: bands would turn at every swap.
            assert!(outcome.reversals <= 4, "phase {phase_s} s: {} reversals", outcome.reversals);
            assert!(outcome.hit_ratio > 0.85, "phase {phase_s} s: {:.3}", outcome.hit_ratio);
        }
    }
}

#[test]
fn a_balloon_takes_the_pools_bytes_and_gives_them_back() {
    let base = |ms: u64| match ms {
        60_000..80_000 => BASE + (ms - 60_000) * 30 * MIB / 20_000,
        80_000..140_000 => BASE + 30 * MIB,
        _ => BASE,
    };
    let outcome = run(&mut Tide::default(), 7, 220, swapping(4), base);
    let budget_at = |second: usize| outcome.budgets[second * 4];
    assert!(outcome.usage_max < LIMIT * 97 / 100, "{} %", outcome.usage_max * 100 / LIMIT);
    assert!(budget_at(120) < 2 * MIB, "next to nothing is left for the pools");
    let before = (30..60).map(budget_at).sum::<u64>() / 30;
    let after = (140..200).map(budget_at).max().unwrap_or(0);
    assert!(after * 10 >= before * 9, "{} and {} MiB", before / MIB, after / MIB);
    assert!(outcome.reversals <= 4, "{} reversals", outcome.reversals);
    assert!(outcome.hit_ratio > 0.8);
}

#[test]
fn a_calm_service_is_never_alarmed() {
    let outcome = run(&mut Tide::default(), 3, 120, |_| [(0.2, 60), (0.2, 60)], |_| BASE);
    assert!(outcome.states.iter().all(|s| *s == State::Normal));
    assert!(outcome.hit_ratio > 0.99, "{}", outcome.hit_ratio);
}

//! What holds for tide whatever it sees: units scale, and more use never means larger pools.

use super::tests_support::Random;
use super::*;

/// Divides by 1000 without a remainder, as shares of a limit do.
const UNIT: u64 = 1 << 10;
const LIMIT: u64 = 200_000 * UNIT;

/// A service that wanders: what others use, and what two pools hold and lend, all in `unit` bytes.
struct Wander {
    random: Random,
    unit: u64,
    others: u64,
    capacities: [u64; 2],
}

impl Wander {
    fn new(seed: u64, unit: u64) -> Self {
        Self { random: Random::new(seed), unit, others: 60_000, capacities: [20_000 * unit; 2] }
    }

    fn inputs(&mut self, n: u64) -> Inputs {
        let (random, unit) = (&mut self.random, self.unit);
        self.others = (self.others + random.up_to(6000)).saturating_sub(3000).min(170_000);
        let mut pool = |name: &str, capacity: u64, weight: u64| PoolInputs {
            name: name.into(),
            idle_bytes: (random.up_to(30_000) * unit).min(capacity),
            lent_bytes: random.up_to(10_000) * unit,
            gets_total: n * (100 + weight),
            created_total: n * 10,
            ghost_hits_total: n * weight,
            saved_ns: Some(1000.0 * weight as f64),
            expected_weight_bytes: weight * unit,
            capacity_bytes: capacity,
            capacity_objects: 1 << 40,
            ..PoolInputs::default()
        };
        let pools = vec![pool("a", self.capacities[0], 4), pool("b", self.capacities[1], 16)];
        let owned: u64 = pools.iter().map(|pool| pool.idle_bytes + pool.lent_bytes).sum();
        let usage = self.others * unit + owned;
        let (limit_bytes, usage_bytes) = (Some(LIMIT / UNIT * unit), Some(usage));
        let psi_some_ratio = Some(if random.chance(0.1) { 0.3 } else { 0.0 });
        Inputs {
            limit_bytes,
            usage_bytes,
            rss_bytes: usage_bytes,
            psi_some_ratio,
            pools,
            ..Inputs::default()
        }
    }

    fn follow(&mut self, plan: &Plan) {
        for (capacity, planned) in self.capacities.iter_mut().zip(&plan.pools) {
            *capacity = planned.capacity_bytes.unwrap_or(*capacity);
        }
    }
}

fn at(n: u64) -> Duration {
    Duration::from_millis(250 * n)
}

/// The same but for what rounding leaves: a ten-thousandth of the limit.
fn is_near(small: Option<u64>, large: Option<u64>, times: u64) -> bool {
    small.zip(large).is_some_and(|(small, large)| (small * times).abs_diff(large) <= LIMIT / 10_000 * times)
}

#[test]
fn sixteen_times_the_bytes_are_sixteen_times_the_plan() {
    for seed in 0..40 {
        let (mut small, mut large) = (Wander::new(seed, UNIT), Wander::new(seed, 16 * UNIT));
        let (mut tide, mut sixteenfold) = (Tide::default(), Tide::default());
        for n in 0..400 {
            let (plan, larger) =
                (tide.decide(at(n), &small.inputs(n)), sixteenfold.decide(at(n), &large.inputs(n)));
            assert_eq!((plan.state, plan.purge), (larger.state, larger.purge), "seed {seed}, tick {n}");
            assert!(is_near(plan.budget_bytes, larger.budget_bytes, 16), "{plan:?} {larger:?}");
            assert!(is_near(plan.grant_bytes, larger.grant_bytes, 16), "{plan:?} {larger:?}");
            for (pool, same) in plan.pools.iter().zip(&larger.pools) {
                assert!(is_near(pool.capacity_bytes, same.capacity_bytes, 16), "{plan:?} {larger:?}");
                assert_eq!((pool.cycle_ms, pool.sampling_thinner), (same.cycle_ms, same.sampling_thinner));
            }
            small.follow(&plan);
            large.follow(&larger);
        }
    }
}

#[test]
fn more_use_never_means_a_larger_budget_or_grant() {
    for seed in 0..200 {
        let (mut wander, mut tide) = (Wander::new(seed, UNIT), Tide::default());
        for n in 0..40 + seed % 60 {
            let plan = tide.decide(at(n), &wander.inputs(n));
            wander.follow(&plan);
        }
        let next = 40 + seed % 60;
        let inputs = wander.inputs(next);
        let plans: Vec<_> = (0..8)
            .map(|more| {
                let usage_bytes = inputs.usage_bytes.map(|bytes| bytes + more * 5000 * UNIT);
                let mut inputs = Inputs { usage_bytes, rss_bytes: usage_bytes, ..inputs.clone() };
                // The median lets nothing through before the second reading.
                let mut tide = tide.clone();
                let first = tide.decide(at(next), &inputs);
                for (pool, planned) in inputs.pools.iter_mut().zip(&first.pools) {
                    pool.capacity_bytes = planned.capacity_bytes.unwrap_or(pool.capacity_bytes);
                }
                tide.decide(at(next + 1), &inputs)
            })
            .collect();
        for pair in plans.windows(2) {
            assert!(pair[1].budget_bytes <= pair[0].budget_bytes, "seed {seed}: {pair:?}");
            assert!(pair[1].grant_bytes <= pair[0].grant_bytes, "seed {seed}: {pair:?}");
            assert!(pair[1].state >= pair[0].state && pair[1].pressure.memory >= pair[0].pressure.memory);
            for (pool, later) in pair[0].pools.iter().zip(&pair[1].pools) {
                assert!(later.evict_ratio >= pool.evict_ratio && later.cycle_ms <= pool.cycle_ms);
            }
        }
    }
}

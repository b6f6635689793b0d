//! What must hold whatever happens: through the plant, in each of a sample of scenarios.

use super::demand::Demand;
use super::optimum::optimum_ns;
use super::run::{Listener, Outcome, run, run_heard};
use super::{SCENARIOS, Scenario, scenario_by_name};
use pool_controller::decide::{Inputs, POLICIES, Plan, Policy, PoolName, Reason, policy_by_name, safe_bytes};
use std::collections::BTreeMap;
use std::time::Duration;

/// What decisions have in common, checked at each of them.
#[derive(Default)]
struct Checks {
    /// What each pool may hold, as far as a plan has said so: bytes, objects, share of gets that reuse.
    before: BTreeMap<PoolName, (u64, u64, f64)>,
    decisions: u64,
    invalid: u64,
}

impl Listener for Checks {
    fn decided(&mut self, inputs: &Inputs, plan: &Plan) {
        self.decisions += 1;
        assert!(!plan.reasons.is_empty(), "a plan without a reason: {plan:?}");
        assert!(plan.reasons.iter().all(|reason| !reason.to_string().is_empty()));
        for pressure in [plan.pressure.memory, plan.pressure.psi, plan.pressure.pause] {
            assert!((0.0..=1.0).contains(&pressure), "{:?}", plan.pressure);
        }
        if let (Some(budget), Some(sum)) = (plan.budget_bytes, sum_of_capacities(plan)) {
            assert!(sum <= budget, "{sum} bytes of a budget of {budget}");
        }
        let is_valid = inputs.limit_bytes.is_some() && inputs.usage_bytes.is_some();
        self.invalid += u64::from(!is_valid);
        for (pool, planned) in inputs.pools.iter().zip(&plan.pools) {
            let ratio = |value: Option<f64>| value.is_none_or(|value| (0.0..=1.0).contains(&value));
            assert!(ratio(planned.evict_ratio) && ratio(planned.reuse), "{planned:?}");
            let before = self.before.entry(pool.name.clone()).or_insert((pool.capacity_bytes, u64::MAX, 1.0));
            let now = (
                planned.capacity_bytes.unwrap_or(before.0),
                planned.capacity_objects.unwrap_or(before.1),
                planned.reuse.unwrap_or(before.2),
            );
            if !is_valid {
                let grows = now.0 > before.0 || now.1 > before.1 || now.2 > before.2;
                assert!(!grows, "{before:?} to {now:?} on an invalid reading: {:?}", plan.reasons);
            }
            *before = now;
        }
    }
}

fn sum_of_capacities(plan: &Plan) -> Option<u64> {
    plan.pools.iter().map(|pool| pool.capacity_bytes).sum()
}

fn checked(scenario: &Scenario, policy: &str) -> (Outcome, Checks) {
    let demand = Demand::of(scenario, 1);
    let mut checks = Checks::default();
    let outcome = run_heard(scenario, &demand, 1, || policy_by_name(policy).unwrap(), &mut checks);
    (outcome, checks)
}

#[test]
fn plans_keep_their_bounds_and_nothing_grows_on_an_invalid_reading() {
    for name in ["step", "saw", "ten-zipf", "usage-missing", "limit-zero", "usage-spiking", "pause-missing"] {
        let scenario = scenario_by_name(name).unwrap();
        for policy in POLICIES {
            let (outcome, checks) = checked(scenario, policy);
            assert!(
                checks.decisions > 100 || outcome.is_killed,
                "{name}, {policy}: {} decisions",
                checks.decisions
            );
            let lies = matches!(name, "usage-missing" | "limit-zero") && !outcome.is_killed;
            assert!(checks.invalid > 0 || !lies, "{name}, {policy}: every reading was good");
        }
    }
}

/// After 3 s the budget goes down, and is at its safe value before the five seconds end that a plan holds.
#[test]
fn without_a_signal_tide_falls_to_its_safe_capacity() {
    struct Late(Vec<u64>);
    impl Listener for Late {
        fn decided(&mut self, inputs: &Inputs, plan: &Plan) {
            let lost = plan.reasons.iter().find_map(|reason| match reason {
                Reason::SignalInvalid { since } => Some(*since),
                _ => None,
            });
            if inputs.usage_bytes.is_none() && lost.is_some_and(|since| since >= Duration::from_secs(5)) {
                self.0.push(sum_of_capacities(plan).expect("tide plans each pool"));
            }
        }
    }
    let scenario = scenario_by_name("usage-missing").unwrap();
    let demand = Demand::of(scenario, 1);
    let mut late = Late(Vec::new());
    run_heard(scenario, &demand, 1, || policy_by_name("tide").unwrap(), &mut late);
    let safe = safe_bytes(Some(super::LIMIT_BYTES));
    assert!(late.0.len() > 40 && late.0.iter().all(|sum| *sum <= safe), "{safe}: {:?}", late.0);
}

#[test]
fn no_policy_saves_more_than_the_optimum() {
    // One of each that has an optimum of its own, and those that keep usage high in different ways.
    for scenario in SCENARIOS.iter().filter(|s| !s.name.contains('-') || s.name.starts_with("allocator")) {
        let demand = Demand::of(scenario, 1);
        let optimum = optimum_ns(scenario, &demand);
        for policy in POLICIES {
            let saved = run(scenario, &demand, 1, || policy_by_name(policy).unwrap()).saved_ns;
            assert!(saved <= optimum * (1.0 + 1e-9), "{}, {policy}: {saved} of {optimum}", scenario.name);
        }
        let best = super::best::best_fixed(scenario, &demand, 1).outcome.saved_ns;
        assert!(best <= optimum * (1.0 + 1e-9), "{}: {best} of {optimum}", scenario.name);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    for name in ["noise-3", "tick-jitter", "two-processes"] {
        let scenario = scenario_by_name(name).unwrap();
        let once = |seed| {
            let demand = Demand::of(scenario, seed);
            run(scenario, &demand, seed, || policy_by_name("tide").unwrap())
        };
        let (first, again) = (once(7), once(7));
        assert!(first == again, "{name}");
        assert!(first.looks != once(8).looks, "{name}");
    }
}

/// A policy, and beside it another one that is told the same in a unit a thousand times as small.
struct InTwoUnits {
    plain: Box<dyn Policy>,
    large: Box<dyn Policy>,
    /// The last plans.
    plans: Option<(Plan, Plan)>,
}

const FACTOR: u64 = 1000;

impl InTwoUnits {
    fn of(policy: &str) -> Box<dyn Policy> {
        let [plain, large] = [(); 2].map(|()| policy_by_name(policy).unwrap());
        Box::new(Self { plain, large, plans: None })
    }

    fn enlarged(&self, inputs: &Inputs) -> Inputs {
        let mut large = inputs.clone();
        let of_bytes = [
            &mut large.limit_bytes,
            &mut large.usage_bytes,
            &mut large.rss_bytes,
            &mut large.heap_free_bytes,
        ];
        of_bytes.into_iter().flatten().for_each(|bytes| *bytes *= FACTOR);
        large.heap_clean_bytes *= FACTOR;
        large.grant_left_bytes = large.grant_left_bytes.map(|bytes| bytes.saturating_mul(1000));
        for (n, pool) in large.pools.iter_mut().enumerate() {
            pool.idle_bytes *= FACTOR;
            pool.lent_bytes *= FACTOR;
            pool.expected_weight_bytes *= FACTOR;
            // What it planned itself, to the byte: a policy that finds less takes it for somebody's doing.
            let planned =
                self.plans.as_ref().map(|(a, b)| (a.pools[n].capacity_bytes, b.pools[n].capacity_bytes));
            pool.capacity_bytes = match planned {
                Some((Some(plain), Some(large))) if plain == pool.capacity_bytes => large,
                _ => pool.capacity_bytes * FACTOR,
            };
        }
        large
    }
}

impl Policy for InTwoUnits {
    fn name(&self) -> &'static str {
        "in-two-units"
    }

    fn decide(&mut self, now: Duration, inputs: &Inputs) -> Plan {
        let mut inputs = inputs.clone();
        // What a reuse saves is judged by what one of that weight usually does, ns for each byte: not a matter of units.
        inputs.pools.iter_mut().for_each(|pool| pool.saved_ns = None);
        let enlarged = self.enlarged(&inputs);
        let (plain, large) = (self.plain.decide(now, &inputs), self.large.decide(now, &enlarged));
        // Whole bytes are lost in divisions, one at each step that a budget grows.
        let near = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => a.abs_diff(b / FACTOR) <= 2000,
            (a, b) => a == b,
        };
        assert!(near(plain.budget_bytes, large.budget_bytes), "{plain:?}\n{large:?}");
        assert!(near(plain.grant_bytes, large.grant_bytes), "{plain:?}\n{large:?}");
        for (a, b) in plain.pools.iter().zip(&large.pools) {
            assert!(near(a.capacity_bytes, b.capacity_bytes), "{now:?}: {a:?}\n{b:?}");
            assert_eq!(
                (a.capacity_objects, a.reuse, a.evict_ratio),
                (b.capacity_objects, b.reuse, b.evict_ratio)
            );
        }
        assert_eq!((plain.state, plain.purge), (large.state, large.purge));
        self.plans = Some((plain.clone(), large));
        plain
    }
}

#[test]
fn shares_do_not_depend_on_the_unit() {
    for name in ["step", "swap", "slow-leak", "pause"] {
        let scenario = scenario_by_name(name).unwrap();
        let demand = Demand::of(scenario, 1);
        for policy in POLICIES {
            run(scenario, &demand, 1, || InTwoUnits::of(policy));
        }
    }
}

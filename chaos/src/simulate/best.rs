//! The best fixed capacities in hindsight: what a person who had seen the run would have written down.
//!
//! Pools of fixed capacity do not touch each other, so each one's hits at each capacity are counted alone (without the
//! cycles, which drop what nobody wants for long). A sum of
//! bytes is then split where another byte earns most, for each of some sums; each split runs through the plant, and the
//! one that saves most without a kill is the best. Where every one is killed, it is the one that saved most until then.

use super::demand::{Demand, SLOTS, Trace};
use super::plant::warm_up_steps;
use super::run::{Outcome, run};
use super::world::{Start, World};
use pool_controller::decide::Fixed;

/// Sums that are tried: so many parts of the limit.
const SUMS: u64 = 32;
/// Capacities of one pool that are looked at, parts of its useful one.
const STEPS: u64 = 24;

/// A choice of fixed capacities.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Best {
    /// Bytes of each pool, by name; processes have the same.
    pub(super) capacities: Vec<(String, u64)>,
    pub(super) outcome: Outcome,
}

/// Finds it.
pub(super) fn best_fixed(world: &dyn World, demand: &Demand, seed: u64) -> Best {
    let starts = world.starts();
    let curves = starts.iter().zip(&demand.pools).map(|(start, trace)| Curve::of(world, start, trace));
    let curves: Vec<Curve> = curves.collect();
    let most_bytes = world.limit_max_bytes() / u64::from(world.processes());
    let splits = (0..=SUMS).map(|n| split(most_bytes * n / SUMS, &curves));
    let usual = starts.iter().map(|start| start.capacity_bytes).collect();
    let mut tried: Vec<Vec<u64>> = splits.chain([usual]).collect();
    tried.dedup();
    let run_with = |bytes: Vec<u64>| {
        let names = starts.iter().map(|start| start.name.clone());
        let capacities: Vec<_> = names.zip(bytes).collect();
        let outcome = run(world, demand, seed, || Box::new(Fixed::at(capacities.clone())));
        Best { capacities, outcome }
    };
    let better = |a: Best, b: Best| {
        let rank = |best: &Best| (!best.outcome.is_killed, best.outcome.saved_ns);
        let ((a_lives, a_saved), (b_lives, b_saved)) = (rank(&a), rank(&b));
        if a_lives.cmp(&b_lives).then(a_saved.total_cmp(&b_saved)).is_lt() { b } else { a }
    };
    let first = run_with(vec![0; starts.len()]);
    tried.into_iter().map(run_with).fold(first, better)
}

/// What a pool saves at each capacity.
#[derive(Debug)]
struct Curve {
    /// Bytes, and what is saved with them, ns; rising.
    points: Vec<(u64, f64)>,
}

impl Curve {
    fn of(world: &dyn World, start: &Start, trace: &Trace) -> Self {
        let useful = most_idle(trace).max(1);
        let counts_from = warm_up_steps(world) * SLOTS;
        let mut objects: Vec<u64> = (0..=STEPS).map(|n| (useful * n).div_ceil(STEPS)).collect();
        objects.dedup();
        let point =
            |objects| (objects * start.weight, hits(trace, objects, counts_from) as f64 * start.saved_ns);
        Self { points: objects.into_iter().map(point).collect() }
    }

    /// The next step worth taking after point `at`: the one that earns most per byte, however long.
    fn next(&self, at: usize) -> Option<(usize, f64)> {
        let (bytes, saved) = self.points[at];
        let per_byte = |n: usize| (self.points[n].1 - saved) / (self.points[n].0 - bytes) as f64;
        (at + 1..self.points.len()).map(|n| (n, per_byte(n))).max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Bytes of each pool: the step that earns most per byte first, as long as there are bytes for it.
fn split(sum_bytes: u64, curves: &[Curve]) -> Vec<u64> {
    let mut at = vec![0; curves.len()];
    let mut left = sum_bytes;
    loop {
        let cost = |pool: usize, to: usize| curves[pool].points[to].0 - curves[pool].points[at[pool]].0;
        let steps = (0..curves.len()).filter_map(|pool| Some((pool, curves[pool].next(at[pool])?)));
        let affordable = steps.filter(|(pool, (to, _))| cost(*pool, *to) <= left);
        let Some((pool, (to, _))) = affordable.max_by(|a, b| a.1.1.total_cmp(&b.1.1)) else { break };
        left -= cost(pool, to);
        at[pool] = to;
    }
    at.iter().zip(curves).map(|(at, curve)| curve.points[*at].0).collect()
}

/// The most that a pool would ever hold idle.
fn most_idle(trace: &Trace) -> u64 {
    let mut idle = trace.at_start.0;
    let mut most = idle;
    trace.each_round(0..trace.gets.len(), |_, round| {
        idle = idle.saturating_sub(round.gets) + round.returns;
        most = most.max(idle);
    });
    most
}

/// Hits from a slot on of a pool that may hold so many objects.
fn hits(trace: &Trace, objects: u64, counts_from: usize) -> u64 {
    let (mut idle, mut hits) = (trace.at_start.0.min(objects), 0);
    trace.each_round(0..trace.gets.len(), |slot, round| {
        let served = round.gets.min(idle);
        idle = (idle - served + round.returns).min(objects);
        let served_again = round.again * round.gets.min(idle);
        hits += if slot >= counts_from { served + served_again } else { 0 };
    });
    hits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::demand::tests::{busy_trace, one_by_one};
    use crate::simulate::scenario_by_name;

    #[test]
    fn bytes_go_where_they_earn_most() {
        let curve = |points: &[(u64, f64)]| Curve { points: points.to_vec() };
        let steep = curve(&[(0, 0.0), (10, 100.0), (20, 110.0)]);
        let late = curve(&[(0, 0.0), (10, 0.0), (20, 80.0)]);
        let split = |sum| split(sum, &[curve(&steep.points), curve(&late.points)]);
        assert_eq!([split(9), split(10), split(30), split(40)], [[0, 0], [10, 0], [10, 20], [20, 20]]);
        assert_eq!(split(20), [20, 0], "what is left goes where it helps at all");
    }

    #[test]
    fn rounds_that_come_again_hit_as_one_by_one() {
        let mut random = crate::simulate::random::Random::new(4, 4);
        for _ in 0..300 {
            let trace = busy_trace(&mut random);
            let (apart, each) = one_by_one(&trace);
            assert_eq!(most_idle(&trace), most_idle(&apart), "{trace:?}");
            for objects in 0..9 {
                assert_eq!(hits(&trace, objects, 5), hits(&apart, objects, 5 * each), "{objects}: {trace:?}");
            }
        }
    }

    #[test]
    fn it_saves_at_least_as_much_as_the_usual_capacities_if_those_live() {
        let scenario = scenario_by_name("turns").unwrap();
        let demand = Demand::of(scenario, 1);
        let usual = run(scenario, &demand, 1, || Box::new(Fixed::default()));
        let best = best_fixed(scenario, &demand, 1);
        assert!(!best.outcome.is_killed);
        assert!(usual.is_killed || best.outcome.saved_ns >= usual.saved_ns);
    }
}

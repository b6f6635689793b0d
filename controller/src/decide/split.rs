//! One budget over many pools: floors first, then by the square root of demand.
//!
//! The square root because the gain of another idle byte falls with what a pool already has: it is what
//! minimises the expected number of misses over pools whose misses fall like demand over capacity. Knows
//! nothing of limits and usage.

use super::filters::Ewma;
use super::{PerPool, PoolInputs};
use std::time::Duration;

/// What one pool may claim of a budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// Bytes that it gets before demand counts.
    pub floor_bytes: u64,
    /// Bytes that it can make use of at most.
    pub ceiling_bytes: u64,
    /// Demand, in any unit that is the same for all.
    pub demand: f64,
}

/// Splits `budget_bytes`. The sum of the result is never above it; what no pool can make use of is given to
/// none. If the floors alone are more than the budget, each gets the same part of its floor.
///
/// ```
/// use pool_controller::decide::{Claim, split};
/// let claim = |demand| Claim { floor_bytes: 10, ceiling_bytes: u64::MAX, demand };
/// assert_eq!(split(120, &[claim(4.0), claim(16.0), claim(0.0)]), [40, 70, 10]);
/// ```
#[must_use]
pub fn split(budget_bytes: u64, claims: &[Claim]) -> Vec<u64> {
    let floors: Vec<u64> = claims.iter().map(|s| s.floor_bytes.min(s.ceiling_bytes)).collect();
    let floor_sum: u128 = floors.iter().map(|f| u128::from(*f)).sum();
    if floor_sum > u128::from(budget_bytes) {
        let part = |floor: u64| u128::from(floor) * u128::from(budget_bytes) / floor_sum;
        return floors.into_iter().map(|floor| u64::try_from(part(floor)).unwrap_or(0)).collect();
    }
    let mut given = floors;
    let mut left = budget_bytes - u64::try_from(floor_sum).unwrap_or(budget_bytes);
    let mut weights: Vec<f64> = claims.iter().map(|s| s.demand.max(0.0).sqrt()).collect();
    if weights.iter().all(|w| *w <= 0.0) {
        weights.fill(1.0);
    }
    // Each round either fills a pool to its ceiling or is the last one.
    for _ in 0..claims.len() {
        let open = |i: usize, given: &[u64]| weights[i] > 0.0 && given[i] < claims[i].ceiling_bytes;
        let sum: f64 = (0..claims.len()).filter(|&i| open(i, &given)).map(|i| weights[i]).sum();
        if left == 0 || sum <= 0.0 {
            break;
        }
        let (round, mut filled) = (left, false);
        for i in 0..claims.len() {
            if !open(i, &given) {
                continue;
            }
            let fair = fraction(round, weights[i] / sum).min(left);
            let room = claims[i].ceiling_bytes - given[i];
            filled |= fair >= room;
            given[i] += fair.min(room);
            left -= fair.min(room);
        }
        if !filled {
            break;
        }
    }
    given
}

/// `part` (0..=1) of `bytes`, rounded down.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 <= part <= 1")]
fn fraction(bytes: u64, part: f64) -> u64 {
    (bytes as f64 * part.clamp(0.0, 1.0)) as u64
}

/// Recent demand of each pool: bytes lent per second, weighted, a mean over [`Demand::TAU`].
///
/// What it reports stays where it is until the pools' shares have really moved, so that capacities do not follow
/// each swing of a demand that comes and goes.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    pools: PerPool<Followed>,
    first: Option<Duration>,
    last: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Followed {
    gets: u64,
    mean: Ewma,
    reported: f64,
    /// Square roots of the two.
    mean_root: f64,
    reported_root: f64,
}

impl Demand {
    /// Long enough that demands which swap every few seconds all count as present.
    pub const TAU: Duration = Duration::from_secs(60);
    /// Until this much has been seen, all pools count the same: the first to be busy is not the only one.
    pub const WARM_UP: Duration = Duration::from_secs(15);
    /// A share that differs by more than one in this from what is reported has really moved.
    const MOVED_ONE_IN: f64 = 4.0;
    /// Objects that a floor has room for.
    const FLOOR_OBJECTS: u64 = 4;
    /// A floor for pools whose objects have no weight yet.
    const FLOOR_BYTES: u64 = 256 << 10;

    /// Takes the counters of a tick and returns what each pool may claim, in the order of `pools`.
    pub fn update(&mut self, now: Duration, pools: &[PoolInputs]) -> Vec<Claim> {
        let dt = self.last.replace(now).map_or(Duration::ZERO, |last| now.saturating_sub(last));
        self.pools.align(pools.iter().map(|pool| &pool.name), |at| Followed::new(&pools[at]));
        let mean_worth = mean_worth(pools);
        let (kept, seconds) = (Ewma::kept(Self::TAU, dt), dt.as_secs_f64());
        for (pool, followed) in pools.iter().zip(self.pools.values_mut()) {
            let gets = pool.gets_total.saturating_sub(std::mem::replace(&mut followed.gets, pool.gets_total));
            if !dt.is_zero() {
                let bytes = gets as f64 * pool.expected_weight_bytes as f64;
                let per_second = bytes * value(pool, mean_worth) / seconds;
                followed.mean_root = followed.mean.push_keeping(kept, per_second).sqrt();
            }
        }
        let warm = now >= *self.first.get_or_insert(now) + Self::WARM_UP;
        if warm && self.has_moved() {
            self.pools.values_mut().iter_mut().for_each(Followed::report);
        }
        pools.iter().zip(self.pools.values()).map(|(pool, followed)| Self::claim(pool, followed)).collect()
    }

    fn has_moved(&self) -> bool {
        let all = self.pools.values();
        let reported: f64 = all.iter().map(|f| f.reported_root).sum();
        let mean: f64 = all.iter().map(|f| f.mean_root).sum();
        let moved = |f: &Followed| {
            let (then, now) = (f.reported_root / reported.max(1e-9), f.mean_root / mean.max(1e-9));
            (now - then).abs() > then / Self::MOVED_ONE_IN
        };
        mean > 0.0 && all.iter().any(moved)
    }

    fn claim(pool: &PoolInputs, followed: &Followed) -> Claim {
        let weight = pool.expected_weight_bytes;
        let least = if weight == 0 { Self::FLOOR_BYTES } else { weight.saturating_mul(Self::FLOOR_OBJECTS) };
        let floor_bytes = least.max(pool.floor_bytes);
        // Twice the mean weight, because what a pool keeps may be heavier than what passes through it.
        let ceiling = pool.capacity_objects.saturating_mul(weight.saturating_mul(2));
        let ceiling_bytes = if weight == 0 { u64::MAX } else { ceiling.max(floor_bytes) };
        Claim { floor_bytes, ceiling_bytes, demand: followed.reported }
    }
}

impl Followed {
    fn new(pool: &PoolInputs) -> Self {
        let mean = Ewma::new(Demand::TAU);
        Self { gets: pool.gets_total, mean, reported: 0.0, mean_root: 0.0, reported_root: 0.0 }
    }

    fn report(&mut self) {
        (self.reported, self.reported_root) = (self.mean.value(), self.mean_root);
    }
}

/// What a reuse saves per byte, on the average of the pools in which it was measured.
fn mean_worth(pools: &[PoolInputs]) -> Option<f64> {
    let measured = pools.iter().filter_map(worth_of_byte);
    let (sum, count) = measured.fold((0.0, 0_u32), |(sum, count), worth| (sum + worth, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

fn worth_of_byte(pool: &PoolInputs) -> Option<f64> {
    Some(pool.saved_ns? / pool.expected_weight_bytes.max(1) as f64)
}

/// What a byte of this pool's demand counts: its weight among pools, and what a reuse saves there per byte beside the
/// other pools, if it was measured. Within a factor of ten, so that a measurement that went wrong starves nobody.
fn value(pool: &PoolInputs, mean_worth: Option<f64>) -> f64 {
    let beside = |(own, mean): (f64, f64)| if mean > 0.0 { (own / mean).clamp(0.1, 10.0) } else { 1.0 };
    worth_of_byte(pool).zip(mean_worth).map_or(1.0, beside) * f64::from(pool.weight) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::tests_support::Random;

    fn claim(floor_bytes: u64, ceiling_bytes: u64, demand: f64) -> Claim {
        Claim { floor_bytes, ceiling_bytes, demand }
    }

    #[test]
    fn floors_come_first_and_are_scaled_when_they_do_not_fit() {
        assert_eq!(split(30, &[claim(20, 99, 0.0), claim(40, 99, 9.0)]), [10, 20]);
        assert_eq!(split(0, &[claim(20, 99, 0.0), claim(40, 99, 9.0)]), [0, 0]);
    }

    #[test]
    fn four_times_the_demand_is_twice_the_share() {
        assert_eq!(split(300, &[claim(0, 999, 4.0), claim(0, 999, 1.0)]), [200, 100]);
    }

    #[test]
    fn without_any_demand_all_get_the_same() {
        assert_eq!(split(100, &[claim(0, 999, 0.0), claim(0, 999, 0.0)]), [50, 50]);
    }

    #[test]
    fn what_one_cannot_use_goes_to_the_others() {
        assert_eq!(split(300, &[claim(0, 50, 4.0), claim(0, 999, 1.0)]), [50, 250]);
        assert_eq!(split(300, &[claim(0, 50, 4.0), claim(0, 60, 1.0)]), [50, 60]);
    }

    #[test]
    fn never_more_than_the_budget_nor_below_what_it_could_give() {
        let mut random = Random::new(11);
        for _ in 0..20_000 {
            let budget = random.up_to(1 << 40);
            let n = 1 + random.up_to(6);
            let claims: Vec<Claim> = (0..n)
                .map(|_| {
                    let floor = random.up_to(1 << 38);
                    let ceiling = floor + random.up_to(1 << 40);
                    claim(floor, ceiling, random.up_to(1000) as f64)
                })
                .collect();
            let given = split(budget, &claims);
            let sum: u64 = given.iter().sum();
            assert!(sum <= budget, "{given:?} of {budget}");
            assert!(given.iter().zip(&claims).all(|(g, s)| *g <= s.ceiling_bytes));
            let floors: u64 = claims.iter().map(|s| s.floor_bytes).sum();
            if floors <= budget {
                assert!(given.iter().zip(&claims).all(|(g, s)| *g >= s.floor_bytes));
                let open = given.iter().zip(&claims).any(|(g, s)| *g < s.ceiling_bytes && s.demand > 0.0);
                assert!(!open || budget - sum <= n, "{} bytes given to none", budget - sum);
            }
        }
    }

    #[test]
    fn demand_is_bytes_per_second() {
        let mut demand = Demand::default();
        let pool = |gets_total, expected_weight_bytes| PoolInputs {
            gets_total,
            expected_weight_bytes,
            capacity_objects: 1000,
            ..PoolInputs::default()
        };
        let _ = demand.update(Duration::ZERO, &[pool(1000, 512)]);
        let early = demand.update(Duration::from_millis(14_999), &[pool(1100, 512)]);
        assert!(early[0].demand.abs() < 1e-6, "{early:?}");
        let mut demand = Demand::default();
        let _ = demand.update(Duration::ZERO, &[pool(1000, 512)]);
        let claims = demand.update(Duration::from_secs(20), &[pool(9000, 512)]);
        assert!((claims[0].demand - 400.0 * 512.0).abs() < 1e-6, "{claims:?}");
        assert_eq!((claims[0].floor_bytes, claims[0].ceiling_bytes), (4 * 512, 1000 * 1024));
    }

    #[test]
    fn what_a_reuse_saves_counts_within_a_factor_of_ten_of_the_mean() {
        let of = |saved_ns: &[f64]| {
            let pools = |gets_total| {
                let pool = |(n, saved_ns): (usize, &f64)| PoolInputs {
                    name: n.to_string().into(),
                    gets_total,
                    expected_weight_bytes: 512,
                    saved_ns: Some(*saved_ns),
                    ..PoolInputs::default()
                };
                saved_ns.iter().enumerate().map(pool).collect::<Vec<_>>()
            };
            let mut demand = Demand::default();
            let _ = demand.update(Duration::ZERO, &pools(0));
            let claims = demand.update(Duration::from_secs(20), &pools(20_000));
            claims
                .into_iter()
                .map(|claim| (claim.demand / 512_000.0 * 100.0).round() / 100.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&[300.0, 100.0]), [1.5, 0.5]);
        assert_eq!(of(&[1000.0, 0.001]), [2.0, 0.1], "a measurement that went wrong starves nobody");
        let mut many = vec![0.0; 39];
        many.push(1e15);
        assert!((of(&many)[39] - 10.0).abs() < 1e-9, "nor does it take all");
    }

    #[test]
    fn a_demand_that_comes_and_goes_does_not_move_shares() {
        let mut demand = Demand::default();
        let mut gets = [0, 0];
        let mut seen = Vec::new();
        for tick in 0..1200_u64 {
            gets[usize::from((tick / 40).is_multiple_of(2))] += 100;
            let pools: Vec<_> = ["a", "b"]
                .into_iter()
                .zip(gets)
                .map(|(name, gets_total)| PoolInputs {
                    name: name.into(),
                    gets_total,
                    expected_weight_bytes: 512,
                    capacity_objects: 1 << 20,
                    ..PoolInputs::default()
                })
                .collect();
            let claims = demand.update(Duration::from_millis(tick * 250), &pools);
            if tick > 480 {
                seen.push(split(1 << 30, &claims));
            }
        }
        seen.dedup();
        assert!(seen.len() <= 2, "{seen:?}");
    }
}

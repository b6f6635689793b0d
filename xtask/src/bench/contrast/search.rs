//! The smallest limit under which a service holds what is asked of it: halved down by single runs, then confirmed by many.

use super::super::demo::Outcome;
use anyhow::Result;
use std::fmt;

/// Lower limits are not tried.
pub(super) const LEAST_MIB: u64 = 64;

/// Where and how it is searched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    /// Begins here: at [`LEAST_MIB`], or above it where less is known not to do.
    pub(super) least_mib: u64,
    /// Higher ones are not tried.
    pub(super) most_mib: u64,
    pub(super) step_mib: u64,
    /// Runs that must all live.
    pub(super) confirm: u64,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Smallest {
    /// `None`: it did not hold even under the most. [`LEAST_MIB`]: perhaps it holds under less.
    pub(super) limit_mib: Option<u64>,
    /// Completed there by the worst run, or under the most.
    pub(super) completed_share_min: f64,
    pub(super) most_mib: u64,
}

impl fmt::Display for Smallest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let completed = 100.0 * self.completed_share_min;
        match self.limit_mib {
            Some(limit) => {
                let most = if limit == LEAST_MIB { "≤ " } else { "" };
                write!(f, "{most}{limit} MiB ({completed:.2} % completed)")
            }
            None => write!(f, "more than {} MiB ({completed:.2} % completed)", self.most_mib),
        }
    }
}

impl Search {
    fn steps(&self) -> u64 {
        (self.most_mib - self.least_mib) / self.step_mib
    }

    /// Single runs on the way down, at most.
    #[cfg(test)]
    pub(super) fn probes_max(&self) -> u64 {
        u64::from(64 - self.steps().leading_zeros())
    }
}

/// `run` is told a limit and a seed, and each run must hold. Under the limit one step below the result some run did not hold,
/// unless the result is where the search began. That is an estimate: the way down is decided by single runs, and it takes for
/// granted that less memory is never better.
pub(super) fn smallest(
    search: &Search,
    holds: impl Fn(&Outcome) -> bool,
    run: &mut impl FnMut(u64, u64) -> Result<Outcome>,
) -> Result<Smallest> {
    let limit_of = |step| search.least_mib + step * search.step_mib;
    let (mut low, mut high) = (0, search.steps());
    while low < high {
        let middle = low.midpoint(high);
        if holds(&run(limit_of(middle), 1)?) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let mut completed_share_min = 0.0;
    for step in low..=search.steps() {
        completed_share_min = 1.0;
        let mut held = true;
        for seed in 1..=search.confirm {
            let outcome = run(limit_of(step), seed)?;
            completed_share_min = f64::min(completed_share_min, outcome.completed_share);
            held = holds(&outcome);
            if !held {
                break;
            }
        }
        if held {
            return Ok(Smallest {
                limit_mib: Some(limit_of(step)),
                completed_share_min,
                most_mib: search.most_mib,
            });
        }
    }
    Ok(Smallest { limit_mib: None, completed_share_min, most_mib: search.most_mib })
}

#[cfg(test)]
mod tests {
    use super::super::super::demo::tests::outcome;
    use super::*;

    const SEARCH: Search = Search { least_mib: LEAST_MIB, most_mib: 320, step_mib: 8, confirm: 10 };

    /// A service that is killed as told; the runs that it took, and what was found.
    fn found(killed: impl Fn(u64, u64) -> bool) -> (usize, Smallest) {
        let mut runs = 0;
        let mut run = |limit_mib, seed| {
            runs += 1;
            let is_killed = killed(limit_mib, seed);
            let completed_share = if is_killed { 0.4 } else { 1.0 - seed as f64 / 1000.0 };
            Ok(Outcome { is_killed, completed_share, ..outcome() })
        };
        let smallest = smallest(&SEARCH, |outcome| !outcome.is_killed, &mut run).unwrap();
        (runs, smallest)
    }

    #[test]
    fn the_smallest_of_those_that_live_is_found_in_few_runs() {
        for needed in (64..=320).step_by(8) {
            let (runs, smallest) = found(|limit, _| limit < needed);
            assert_eq!(smallest.limit_mib, Some(needed));
            assert!((smallest.completed_share_min - 0.99).abs() < 1e-12, "the worst of ten");
            assert!(runs as u64 <= SEARCH.probes_max() + 10, "{runs}");
        }
    }

    #[test]
    fn one_death_in_ten_is_not_survived() {
        let (_, smallest) = found(|limit, seed| limit < 120 || limit == 120 && seed == 10);
        assert_eq!(smallest.limit_mib, Some(128));
    }

    #[test]
    fn who_dies_under_the_most_has_no_smallest() {
        let (_, smallest) = found(|_, _| true);
        assert_eq!((smallest.limit_mib, smallest.most_mib), (None, 320));
        assert_eq!(smallest.to_string(), "more than 320 MiB (40.00 % completed)");
    }

    #[test]
    fn who_lives_under_the_least_may_need_less_and_it_is_said() {
        assert_eq!(found(|_, _| false).1.to_string(), "≤ 64 MiB (99.00 % completed)");
        assert_eq!(found(|limit, _| limit < 72).1.to_string(), "72 MiB (99.00 % completed)");
    }
}

//! What is run, how long, how often; and which size of fixed pools would have been best.

use super::super::demo::{ALLOCATORS, Outcome};
use super::search::{LEAST_MIB, Search};

/// Requests per second at the fixed rate: the demo's own.
pub(super) const RPS: u64 = 400;
/// Sizes of fixed pools, per cent of what suits the peaks.
pub(super) const PERCENTS: [u32; 5] = [75, 60, 45, 30, 15];

/// How the service gets its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// No pools, and the allocator keeps what it likes.
    NoneAsItComes,
    None,
    Fixed,
    FixedBest,
    Adaptive,
}

impl Way {
    const ALL: [Self; 5] = [Self::NoneAsItComes, Self::None, Self::Fixed, Self::FixedBest, Self::Adaptive];

    /// As the page calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NoneAsItComes => "none, allocator as it comes",
            Self::None => "none",
            Self::Fixed => "fixed",
            Self::FixedBest => "fixed-best",
            Self::Adaptive => "adaptive",
        }
    }

    /// As the demo calls it.
    pub(super) const fn pools(self) -> &'static str {
        match self {
            Self::NoneAsItComes | Self::None => "none",
            Self::Fixed | Self::FixedBest => "fixed",
            Self::Adaptive => "adaptive",
        }
    }

    pub(super) const fn is_pool(self) -> bool {
        !matches!(self, Self::NoneAsItComes | Self::None)
    }
}

/// A kind of run.
pub(super) struct Run {
    pub(super) load: &'static str,
    pub(super) seconds: u64,
}

/// Everything that is to be done.
pub(super) struct Plan {
    pub(super) allocators: Vec<&'static str>,
    pub(super) ways: Vec<Way>,
    pub(super) rounds: u64,
    /// A limit under which nobody is killed, for what is timed.
    pub(super) ample_mib: u64,
    /// The limit for which fixed-best is the best: that of `bench limits`.
    pub(super) hindsight_mib: u64,
    pub(super) hindsight_runs: u64,
    pub(super) saturated: Run,
    pub(super) paced: Run,
    pub(super) searched: Run,
    pub(super) search: Search,
}

impl Plan {
    pub(super) fn full() -> Self {
        Self {
            allocators: ALLOCATORS.to_vec(),
            ways: Way::ALL.to_vec(),
            rounds: 3,
            ample_mib: 512,
            hindsight_mib: 160,
            hindsight_runs: 2,
            saturated: Run { load: "saturate", seconds: 5 },
            paced: Run { load: "swap", seconds: 14 },
            searched: Run { load: "swap", seconds: 16 },
            search: Search { least_mib: LEAST_MIB, most_mib: 312, step_mib: 8, confirm: 10 },
        }
    }

    pub(super) fn quick() -> Self {
        Self {
            allocators: vec![ALLOCATORS[0]],
            rounds: 1,
            hindsight_runs: 1,
            saturated: Run { load: "saturate", seconds: 2 },
            paced: Run { load: "swap", seconds: 8 },
            searched: Run { load: "swap", seconds: 7 },
            search: Search { least_mib: LEAST_MIB, most_mib: 320, step_mib: 64, confirm: 1 },
            ..Self::full()
        }
    }

    pub(super) fn sample() -> Self {
        Self {
            ways: vec![Way::NoneAsItComes, Way::Adaptive],
            search: Search { least_mib: LEAST_MIB, most_mib: 192, step_mib: 64, confirm: 1 },
            ..Self::quick()
        }
    }
}

/// Of runs by size: the size of which no run was killed and that reused most, by its worst run. The smallest of all, if each
/// of them had a run that was killed.
pub(super) fn best_of(runs: &[(u32, Outcome)]) -> u32 {
    let smallest = runs.iter().map(|(percent, _)| *percent).min().unwrap_or(100);
    let of = |percent: u32| runs.iter().filter(move |(p, _)| *p == percent).map(|(_, outcome)| outcome);
    let lived = runs.iter().map(|(percent, _)| *percent).filter(|p| of(*p).all(|outcome| !outcome.is_killed));
    let reused = |percent: u32| of(percent).map(|outcome| outcome.hit_rate).fold(1.0, f64::min);
    lived.max_by(|a, b| reused(*a).total_cmp(&reused(*b))).unwrap_or(smallest)
}

#[cfg(test)]
mod tests {
    use super::super::super::demo::tests::outcome;
    use super::*;

    #[test]
    fn the_best_size_is_the_one_that_lives_and_reuses_most() {
        let run = |percent, is_killed, hit_rate| (percent, Outcome { is_killed, hit_rate, ..outcome() });
        let runs = [
            run(75, true, 0.95),
            run(75, false, 0.95),
            run(45, false, 0.8),
            run(45, false, 0.9),
            run(30, false, 0.85),
            run(30, false, 0.86),
        ];
        assert_eq!(best_of(&runs), 30, "45 has a worse run, and 75 died in one");
        assert_eq!(best_of(&runs[..2]), 75, "the smallest there is");
    }

    /// An estimate, without builds: a limit that fails in a later run costs the runs of another one, and a service that is
    /// killed ends sooner. It took 65 minutes.
    #[test]
    fn the_whole_of_it_takes_about_an_hour() {
        let plan = Plan::full();
        let rows = plan.allocators.len() as u64 * plan.ways.len() as u64;
        let start_s = 1;
        let timed = rows * plan.rounds * (plan.saturated.seconds + plan.paced.seconds + 2 * start_s);
        let sizes = plan.allocators.len() as u64 * PERCENTS.len() as u64 * plan.hindsight_runs;
        // As a rule adaptive pools alone shed so much that they serve under a larger limit than they live under.
        let rows_searched = rows + plan.allocators.len() as u64;
        let searched = rows_searched * (plan.search.probes_max() + plan.search.confirm) + sizes;
        let seconds = timed + searched * (plan.searched.seconds + start_s) / 2;
        assert!(seconds < 3600, "{seconds}");
    }
}

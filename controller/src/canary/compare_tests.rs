//! The rule against what it promises: seeded trials with pools whose truth is known.

use super::*;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How many of `n` come up with this chance.
    fn of(&mut self, n: u64, chance: f64) -> u64 {
        (0..n).filter(|_| self.next() < chance).count() as u64
    }

    fn side(&mut self, gets: u64, miss: f64) -> RoundSide {
        let missed = self.of(gets, miss);
        RoundSide { gets, missed, evicted: self.of(gets, miss / 2.0) }
    }
}

/// What the pools are truly like, and how many gets they have.
#[derive(Clone, Copy)]
struct Truth {
    stable: f64,
    canary: f64,
    gets: (u64, u64),
    rounds: usize,
}

const EQUAL: Truth = Truth { stable: 0.05, canary: 0.05, gets: (900, 100), rounds: 60 };

/// A trial: each round has a load of its own that both pools meet.
fn trial(seed: u64, truth: Truth) -> Vec<Round> {
    let mut chance = Chance(seed);
    let mut round = || {
        let burst = if chance.next() < 0.2 { 3.0 } else { 1.0 };
        let stable = chance.side(truth.gets.0, (truth.stable * burst).min(1.0));
        let canary = chance.side(truth.gets.1, (truth.canary * burst).min(1.0));
        Round { stable, canary }
    };
    (0..truth.rounds).map(|_| round()).collect()
}

fn compared(rounds: &[Round]) -> Comparison {
    compare(rounds.iter().copied())
}

/// The shares of trials that end in `Worse` and in `Better`.
fn shares(truth: Truth) -> (f64, f64) {
    const TRIALS: u64 = 400;
    let verdicts: Vec<_> = (0..TRIALS).map(|seed| compared(&trial(seed * 7919 + 1, truth)).verdict).collect();
    let share = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count() as f64 / TRIALS as f64;
    (share(CanaryVerdict::Worse), share(CanaryVerdict::Better))
}

#[test]
fn equal_pools_are_called_worse_in_one_comparison_of_a_hundred_at_most() {
    for truth in [
        EQUAL,
        Truth { rounds: ROUNDS_MIN, ..EQUAL },
        Truth { gets: (100, 100), ..EQUAL },
        // Half of all gets miss: the most that chance can do to a share.
        Truth { stable: 0.5, canary: 0.5, gets: (900, 100), rounds: 13 },
        Truth { stable: 0.5, canary: 0.5, gets: (100, 100), rounds: 60 },
        Truth { stable: 0.0, canary: 0.0, ..EQUAL },
    ] {
        let (worse, better) = shares(truth);
        assert!(worse <= 0.01 && better <= 0.01, "{worse} {better}");
    }
}

#[test]
fn who_looks_at_equal_pools_each_round_of_an_hour_hears_worse_in_few_of_the_hours() {
    let hours = 100;
    let ever = (0..hours).filter(|seed| {
        let all = trial(seed + 5, Truth { rounds: 720, ..EQUAL });
        (ROUNDS_MIN..=720)
            .any(|end| compared(&all[end.saturating_sub(60)..end]).verdict == CanaryVerdict::Worse)
    });
    assert!(ever.count() < 5);
}

#[test]
fn clearly_worse_and_clearly_better_pools_are_found() {
    let worse = Truth { stable: 0.05, canary: 0.12, ..EQUAL };
    assert!(shares(worse).0 > 0.95);
    let better = Truth { stable: 0.12, canary: 0.05, ..EQUAL };
    assert!(shares(better).1 > 0.95);
    let soon = Truth { stable: 0.05, canary: 0.30, rounds: ROUNDS_MIN, ..EQUAL };
    assert!(shares(soon).0 > 0.95);
}

#[test]
fn what_is_within_the_margin_is_equal_however_much_is_known() {
    let truth = Truth { stable: 0.050, canary: 0.055, gets: (20_000, 20_000), rounds: 60 };
    let rounds = trial(1, truth);
    assert_eq!(compared(&rounds).verdict, CanaryVerdict::Equal);
}

#[test]
fn rounds_without_gets_on_both_sides_do_not_count() {
    let few = Truth { stable: 0.0, canary: 1.0, gets: (900, 99), rounds: 60 };
    assert_eq!(compared(&trial(1, few)).verdict, CanaryVerdict::TooLittleData);
    let short = Truth { stable: 0.0, canary: 1.0, rounds: ROUNDS_MIN - 1, ..EQUAL };
    let Comparison { verdict, rounds, .. } = compared(&trial(1, short));
    assert_eq!((verdict, rounds), (CanaryVerdict::TooLittleData, ROUNDS_MIN - 1));
    let Comparison { verdict, rounds, evidence } = compared(&trial(1, Truth { rounds: ROUNDS_MIN, ..short }));
    assert_eq!((verdict, rounds), (CanaryVerdict::Worse, ROUNDS_MIN));
    assert_eq!((evidence[0].figure, evidence[0].against, evidence[0].needed), ("missed", 12, 11));
}

#[test]
fn one_figure_that_is_worse_outweighs_one_that_is_better() {
    let stable = RoundSide { gets: 1000, missed: 100, evicted: 0 };
    let canary = RoundSide { gets: 1000, missed: 0, evicted: 100 };
    let rounds = std::iter::repeat_n(Round { stable, canary }, ROUNDS_MIN);
    assert_eq!(compare(rounds).verdict, CanaryVerdict::Worse);
}

#[test]
fn as_many_are_needed_as_the_toss_of_a_coin_says() {
    // P(X >= k) for n = 12: 13/4096 at 11, 79/4096 at 10; for n = 7 even all are 1/128.
    assert_eq!([7, 8, 12, 20, 60].map(needed), [8, 8, 11, 17, 41]);
    // Of so many the chance of all is below what a number can say; none of them may be enough.
    assert!(needed(5000) > 2500);
}

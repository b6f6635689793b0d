//! Whether a canary does better: a rule of numbers alone, and stated so that anybody can apply it by hand.
//!
//! Time is cut into rounds of five seconds. Both pools are looked at in the same rounds, so what concerns both (a burst, a
//! lack of memory, a noisy machine) is in both figures of a round and not in their difference. A round counts if each side
//! had [`GETS_MIN`] gets. In each round that counts, two figures of the canary are compared with those of the stable pool:
//! gets that reused nothing, and objects that were evicted, each by gets. A round speaks against the canary if its figure
//! is above the other by more than [`MARGIN`], for it if it is below by more than that, and else for neither.
//!
//! Under pools that are equal a round speaks against the canary at most as often as not. So the number of those that do
//! is put to a sign test: `worse` if as many would come about in [`CHANCE`] of cases or less by the toss of a coin, of any of
//! the two figures; `better` if none is worse and one is better by the same test; `equal` otherwise. With fewer than
//! [`ROUNDS_MIN`] rounds that count it is `too little data`. Equal pools are called worse in one comparison of a hundred at
//! most, which is [`CHANCE`] for each of the two figures, also if the rounds of each are not alike; only rounds that follow
//! from one another would make it more.

use serde::Serialize;

/// A round with fewer gets on one side does not count.
pub(super) const GETS_MIN: u64 = 100;
/// Fewer rounds decide nothing: a minute.
pub(super) const ROUNDS_MIN: usize = 12;
/// What is too little to matter, as a share of gets.
pub(super) const MARGIN: f64 = 0.01;
/// How likely chance alone may lead to a verdict, for each figure and direction.
pub(super) const CHANCE: f64 = 0.005;

/// What is said of a canary beside its stable pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CanaryVerdict {
    /// It misses or evicts less, by more than a hundredth of gets, and neither is worse.
    Better,
    /// No difference of more than a hundredth of gets was found.
    Equal,
    /// It misses or evicts more, by more than a hundredth of gets.
    Worse,
    /// Too few rounds with gets on both sides.
    TooLittleData,
}

impl CanaryVerdict {
    /// All verdicts.
    pub const ALL: [Self; 4] = [Self::Better, Self::Equal, Self::Worse, Self::TooLittleData];

    /// The name in metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Equal => "equal",
            Self::Worse => "worse",
            Self::TooLittleData => "too_little_data",
        }
    }
}

/// What one side did in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RoundSide {
    pub(super) gets: u64,
    /// Gets that reused nothing.
    pub(super) missed: u64,
    /// Objects that were dropped for lack of room or use.
    pub(super) evicted: u64,
}

/// One round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) stable: RoundSide,
    pub(super) canary: RoundSide,
}

impl Round {
    fn has_enough_gets(&self) -> bool {
        self.stable.gets.min(self.canary.gets) >= GETS_MIN
    }
}

/// How the rounds speak of one figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CanaryEvidence {
    /// `missed` or `evicted`.
    pub figure: &'static str,
    /// Rounds in which the canary's was higher by more than a hundredth of gets.
    pub against: usize,
    /// Rounds in which it was lower by more than that.
    pub in_favour: usize,
    /// As many of either are needed for a verdict.
    pub needed: usize,
}

/// What follows from some rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) verdict: CanaryVerdict,
    /// Those that counted.
    pub(super) rounds: usize,
    pub(super) evidence: [CanaryEvidence; 2],
}

/// A figure by its name.
type Figure = (&'static str, fn(&RoundSide) -> u64);

const FIGURES: [Figure; 2] = [("missed", |side| side.missed), ("evicted", |side| side.evicted)];

/// Applies the rule.
pub(super) fn compare(rounds: impl Iterator<Item = Round>) -> Comparison {
    let mut evidence =
        FIGURES.map(|(figure, _)| CanaryEvidence { figure, against: 0, in_favour: 0, needed: 0 });
    let mut counted = 0;
    for round in rounds.filter(Round::has_enough_gets) {
        counted += 1;
        for (figure, (_, of)) in evidence.iter_mut().zip(FIGURES) {
            let ratio = |side: &RoundSide| of(side) as f64 / side.gets as f64;
            let difference = ratio(&round.canary) - ratio(&round.stable);
            figure.against += usize::from(difference > MARGIN);
            figure.in_favour += usize::from(difference < -MARGIN);
        }
    }
    let needed = needed(counted);
    let evidence = evidence.map(|figure| CanaryEvidence { needed, ..figure });
    let verdict = if counted < ROUNDS_MIN {
        CanaryVerdict::TooLittleData
    } else if evidence.iter().any(|figure| figure.against >= needed) {
        CanaryVerdict::Worse
    } else if evidence.iter().any(|figure| figure.in_favour >= needed) {
        CanaryVerdict::Better
    } else {
        CanaryVerdict::Equal
    };
    Comparison { verdict, rounds: counted, evidence }
}

/// The least number of `rounds` that chance reaches in [`CHANCE`] of cases or less, where each is the toss of a coin; more
/// than there are, if even all of them would not do.
fn needed(rounds: usize) -> usize {
    // From the top: the chance of exactly so many, and of so many or more.
    let mut exactly = 0.5_f64.powi(i32::try_from(rounds).unwrap_or(i32::MAX));
    let mut tail = 0.0;
    for many in (0..=rounds).rev() {
        tail += exactly;
        if tail > CHANCE {
            return many + 1;
        }
        exactly *= many as f64 / (rounds - many + 1) as f64;
    }
    rounds + 1
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;

//! How much a record supports, and the margin that what it cannot say asks for.

use crate::simulate::recorded::Recorded;
use serde::Serialize;

/// Nothing repeats itself to the byte: the margin with the best of records.
const BASE: f64 = 0.05;
/// Parts of a record that are looked at for a peak.
const PARTS: usize = 6;
/// A part has a peak like the highest if it comes so near.
const ALIKE: f64 = 0.95;

/// What the record supports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Support {
    /// How sure the advice is.
    pub confidence: Confidence,
    /// What is added to the least limit, a share of it.
    pub margin: f64,
    /// What the margin is made of.
    pub parts: Vec<Part>,
}

/// A part of the margin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// A share of the least limit.
    pub share: f64,
    /// What it is for.
    pub why: String,
}

impl Part {
    fn new(share: f64, why: impl Into<String>) -> Self {
        Self { share: (share * 1e3).round() / 1e3, why: why.into() }
    }
}

/// How sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A margin above 15 %.
    Low,
    /// Above 8 %.
    Medium,
    /// At most 8 %.
    High,
}

impl Confidence {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Support {
    pub(super) fn of(world: &Recorded) -> Self {
        let needs: Vec<_> = world.points().iter().map(|point| (point.step, point.needs())).collect();
        let mut parts =
            vec![Part::new(BASE, "no two days are the same"), length(world.seconds()), peaks(&needs)];
        if world.facts.unreadable > 0.0 {
            let percent = 100.0 * world.facts.unreadable;
            parts.push(Part::new(
                world.facts.unreadable,
                format!("limit or usage could not be read at {percent:.1} % of the moments"),
            ));
        }
        if world.facts.oom > 0 {
            parts.push(Part::new(
                0.10,
                format!("{} kills or failed reclaims: more was wanted than is seen", world.facts.oom),
            ));
        }
        let margin = parts.iter().map(|part| part.share).sum::<f64>();
        let margin = (margin * 1e3).round() / 1e3;
        let confidence = match margin {
            ..=0.08 => Confidence::High,
            ..=0.15 => Confidence::Medium,
            _ => Confidence::Low,
        };
        Self { confidence, margin, parts }
    }

    /// A limit with the margin.
    pub(super) fn with_margin(&self, bytes: u64) -> u64 {
        crate::simulate::scenario::whole(bytes as f64 * (1.0 + self.margin))
    }
}

fn length(seconds: f64) -> Part {
    let minutes = seconds / 60.0;
    let (share, judged) = match minutes {
        60.0.. => (0.0, "long"),
        10.0.. => (0.05, "not an hour"),
        _ => (0.10, "short: ten minutes and more say more, an hour says most"),
    };
    Part::new(share, format!("the record lasts {minutes:.1} min: {judged}"))
}

/// A peak that was seen again is one that is known.
fn peaks(needs: &[(usize, u64)]) -> Part {
    let steps = needs.last().map_or(0, |(step, _)| step + 1);
    let part_of = |step: usize| step * PARTS / steps.max(1);
    let parts = needs.chunk_by(|(a, _), (b, _)| part_of(*a) == part_of(*b));
    let mut peaks: Vec<u64> =
        parts.map(|part| part.iter().map(|(_, need)| *need).max().unwrap_or(0)).collect();
    peaks.sort_unstable_by(|a, b| b.cmp(a));
    let highest = peaks.first().copied().unwrap_or(0).max(1) as f64;
    let alike = peaks.iter().filter(|peak| **peak as f64 >= ALIKE * highest).count();
    let parts = peaks.len();
    match alike {
        3.. => {
            Part::new(0.0, format!("the highest need comes again: in {alike} of {parts} parts of the record"))
        }
        2 => Part::new(0.03, format!("the highest need comes in 2 of {parts} parts of the record")),
        _ => {
            let second = peaks.get(1).copied().unwrap_or(0) as f64;
            let share = (1.0 - second / highest).clamp(0.05, 0.25);
            Part::new(
                share,
                format!(
                    "the highest need comes in one of {parts} parts of the record: it may not be the highest there is"
                ),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_that_comes_again_needs_no_margin_and_a_single_one_does() {
        let saw: Vec<_> = (0..600).map(|n| (n, 100 + n as u64 % 100)).collect();
        assert!(peaks(&saw).share.abs() < 1e-9);
        let mut single: Vec<_> = (0..600).map(|n| (n, 100)).collect();
        single[77].1 = 130;
        let Part { share, why } = peaks(&single);
        assert!((share - 0.231).abs() < 1e-9 && why.contains("one of 6"), "{share} {why}");
        single[400].1 = 128;
        assert!((peaks(&single).share - 0.03).abs() < 1e-9);
    }

    #[test]
    fn longer_is_surer() {
        let shares = [61.0, 601.0, 3601.0].map(|seconds| length(seconds).share);
        assert!(shares[0] > shares[1] && shares[1] > shares[2] && shares[2].abs() < 1e-9, "{shares:?}");
    }
}

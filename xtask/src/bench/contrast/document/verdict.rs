//! Whether a pool wins: medians say by how much, rounds say whether at all.

use super::{extremes, figures, median, name};
use anyhow::{Context, Result};
use serde_json::Value;

/// A figure of each round.
pub(super) struct Measure {
    pub(super) key: &'static str,
    pub(super) what: &'static str,
    pub(super) better: Better,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    More,
    Less,
}

impl Measure {
    /// So that more is better.
    pub(super) const fn signed(&self, figure: f64) -> f64 {
        match self.better {
            Better::More => figure,
            Better::Less => -figure,
        }
    }

    fn middle(&self, row: &Value) -> Result<f64> {
        Ok(self.signed(median(&figures(row, self.key)?)?))
    }
}

/// The best by its median of those that are pools, or of those that are none.
fn best<'a>(rows: &[&'a Value], measure: &Measure, is_pool: bool) -> Result<&'a Value> {
    let mut best: Option<(f64, &Value)> = None;
    for row in rows.iter().filter(|row| row["is_pool"] == is_pool) {
        let middle = measure.middle(row)?;
        if best.is_none_or(|(least, _)| middle > least) {
            best = Some((middle, row));
        }
    }
    best.map(|(_, row)| row).context("no row to compare with")
}

/// In words: the best pool beside the best without.
pub(super) fn verdict(rows: &[&Value], measure: &Measure) -> Result<String> {
    let (pool, none) = (best(rows, measure, true)?, best(rows, measure, false)?);
    let times = measure.middle(pool)? / measure.middle(none)?;
    let wins = extremes(pool, measure)?.0 > extremes(none, measure)?.1;
    let no_pool = if wins { "" } else { "no pool wins, " };
    Ok(format!("{}: {no_pool}{} {times:.2} times {}", measure.what, name(pool)?, name(none)?))
}

/// What the row `pools` has of the best without pools, by medians.
pub(super) fn times(rows: &[&Value], measure: &Measure, pools: &str) -> Result<f64> {
    let row = rows.iter().find(|row| row["pools"] == pools).with_context(|| format!("no row for {pools}"))?;
    Ok(measure.middle(row)? / measure.middle(best(rows, measure, false)?)?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::*;

    const REQUESTS: Measure = Measure { key: "requests_per_s", what: "requests", better: Better::More };

    #[test]
    fn rounds_that_overlap_are_no_win() {
        let none = row("none", [100.0, 110.0, 105.0], [1.0; 3], None);
        let said = |rounds| {
            let pool = row("adaptive", rounds, [1.0; 3], None);
            verdict(&[&none, &pool], &REQUESTS).unwrap()
        };
        assert_eq!(said([111.0, 120.0, 130.0]), "requests: adaptive 1.14 times none");
        assert_eq!(said([109.0, 120.0, 130.0]), "requests: no pool wins, adaptive 1.14 times none");
        assert_eq!(said([50.0, 50.0, 50.0]), "requests: no pool wins, adaptive 0.48 times none");
    }
}

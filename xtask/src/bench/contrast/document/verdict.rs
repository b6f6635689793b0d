//! Whether a pool wins: medians say by how much, rounds say whether at all.

use super::{completed, extremes, figures, median, name, percent};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A figure of each round.
pub(super) struct Measure {
    pub(super) key: &'static str,
    pub(super) what: &'static str,
    pub(super) better: Better,
    /// Whether it is of the runs at the fixed rate: it counts for who has completed that work, and for nobody else.
    pub(super) is_paced: bool,
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

    fn counts_for(&self, row: &Value, served: f64) -> Result<bool> {
        Ok(!self.is_paced || completed(row)? >= served)
    }
}

/// The best by its median of those that are pools, or of those that are none; `None` if the measure counts for none of them.
fn best<'a>(rows: &[&'a Value], measure: &Measure, is_pool: bool, served: f64) -> Result<Option<&'a Value>> {
    let rows: Vec<_> = rows.iter().filter(|row| row["is_pool"] == is_pool).collect();
    ensure!(!rows.is_empty(), "no row to compare with");
    let mut best: Option<(f64, &Value)> = None;
    for row in rows {
        if !measure.counts_for(row, served)? {
            continue;
        }
        let middle = measure.middle(row)?;
        if best.is_none_or(|(least, _)| middle > least) {
            best = Some((middle, row));
        }
    }
    Ok(best.map(|(_, row)| row))
}

/// In words: the best pool beside the best without. `served`: the share to be completed at the fixed rate.
pub(super) fn verdict(rows: &[&Value], measure: &Measure, served: f64) -> Result<String> {
    let (pool, none) = match (best(rows, measure, true, served)?, best(rows, measure, false, served)?) {
        (Some(pool), Some(none)) => (pool, none),
        (pool, _) => {
            let who = if pool.is_none() { "no pool" } else { "nothing without pools" };
            return Ok(format!("{}: not judged, {who} completed {}", measure.what, percent(served)));
        }
    };
    let times = measure.middle(pool)? / measure.middle(none)?;
    let wins = extremes(pool, measure)?.0 > extremes(none, measure)?.1;
    let no_pool = if wins { "" } else { "no pool wins, " };
    Ok(format!("{}: {no_pool}{} {times:.2} times {}", measure.what, name(pool)?, name(none)?))
}

/// What the row `pools` has of the best without pools, by medians; `None` if the measure does not count for one of them.
pub(super) fn times(rows: &[&Value], measure: &Measure, pools: &str, served: f64) -> Result<Option<f64>> {
    let row = rows.iter().find(|row| row["pools"] == pools).with_context(|| format!("no row for {pools}"))?;
    match best(rows, measure, false, served)? {
        Some(none) if measure.counts_for(row, served)? => {
            Ok(Some(measure.middle(row)? / measure.middle(none)?))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::*;

    const REQUESTS: Measure =
        Measure { key: "requests_per_s", what: "requests", better: Better::More, is_paced: false };

    #[test]
    fn rounds_that_overlap_are_no_win() {
        let none = row("none", [100.0, 110.0, 105.0], [1.0; 3], None);
        let said = |rounds| {
            let pool = row("adaptive", rounds, [1.0; 3], None);
            verdict(&[&none, &pool], &REQUESTS, 0.99).unwrap()
        };
        assert_eq!(said([111.0, 120.0, 130.0]), "requests: adaptive 1.14 times none");
        assert_eq!(said([109.0, 120.0, 130.0]), "requests: no pool wins, adaptive 1.14 times none");
        assert_eq!(said([50.0, 50.0, 50.0]), "requests: no pool wins, adaptive 0.48 times none");
    }
}

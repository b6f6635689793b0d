//! Figures of a report: read from JSON, put together, and written for people.

use anyhow::{Context, Result};
use serde_json::Value;

pub(crate) fn list<'a>(of: &'a Value, key: &str) -> Result<&'a [Value]> {
    of[key].as_array().map(Vec::as_slice).with_context(|| format!("no list of {key}"))
}

pub(crate) fn text<'a>(of: &'a Value, key: &str) -> Result<&'a str> {
    of[key].as_str().with_context(|| format!("no {key} in {of}"))
}

pub(crate) fn number(of: &Value, key: &str) -> Result<f64> {
    of[key].as_f64().with_context(|| format!("no {key} in {of}"))
}

/// The lowest.
pub(crate) fn worst(figures: &[f64]) -> Result<f64> {
    figures.iter().copied().reduce(f64::min).context("no figures")
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(figures: &[f64]) -> Result<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).context("no figures")?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Ok(f64::midpoint(lower, *upper))
}

/// Never rounded up to a whole: 99.996 % is not all.
pub(crate) fn share(share: f64) -> String {
    format!("{:.2} %", (share * 10_000.0 + 1e-6).floor() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_put_together() {
        assert!((median(&[3.0, 1.0, 2.0]).unwrap() - 2.0).abs() < 1e-12);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]).unwrap() - 2.5).abs() < 1e-12);
        assert!((worst(&[3.0, 1.0, 2.0]).unwrap() - 1.0).abs() < 1e-12);
        assert!(median(&[]).is_err() && worst(&[]).is_err());
        assert_eq!([1.0, 0.99996, 0.99, 0.0].map(share), ["100.00 %", "99.99 %", "99.00 %", "0.00 %"]);
    }
}

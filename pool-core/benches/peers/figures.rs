//! Figures over rounds: medians, spreads, and ratios within a round. Knows only names and numbers.

/// What one row gave in one shape, round by round.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) row: String,
    pub(crate) shape: String,
    pub(crate) unit: &'static str,
    pub(crate) rounds: Vec<f64>,
    /// Get+return pairs of each thread in a round; 0 where a figure is not made of pairs.
    pub(crate) pairs: u64,
    /// Creates per get, round by round.
    pub(crate) created: Vec<f64>,
}

/// A row with more creates per get than this is not measured at reuse.
pub(crate) const REUSES: f64 = 0.01;

/// What is got and returned costs, per pair and thread.
pub(crate) const NS: &str = "ns";
pub(crate) const US: &str = "µs";
pub(crate) const BYTES: &str = "B";
pub(crate) const MIB: &str = "MiB";
pub(crate) const PERCENT: &str = "%";
/// A ratio of two figures of the same round.
pub(crate) const TIMES: &str = "×";

impl Series {
    pub(crate) fn new(row: &str, shape: &str, unit: &'static str) -> Self {
        let (row, shape) = (row.to_owned(), shape.to_owned());
        Self { row, shape, unit, rounds: Vec::new(), pairs: 0, created: Vec::new() }
    }

    pub(crate) fn push(&mut self, figure: f64) {
        self.rounds.push(figure);
    }

    /// The median of the rounds. Above [`REUSES`] the figure is not the cost of reuse. One round in which a thread was
    /// preempted with the lock that everybody needs says nothing.
    pub(crate) fn created_per_get(&self) -> f64 {
        if self.created.is_empty() { 0.0 } else { Spread::of(self.created.iter().copied()).median }
    }

    pub(crate) fn spread(&self) -> Spread {
        Spread::of(self.rounds.iter().copied())
    }
}

/// The middle and the ends of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of no figures at all: not a number.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
        let n = sorted.len();
        Self {
            median: f64::midpoint(at(n.saturating_sub(1) / 2), at(n / 2)),
            min: at(0),
            max: at(n.saturating_sub(1)),
        }
    }
}

/// Everything that was measured, and what was not and why.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) series: Vec<Series>,
    pub(crate) skipped: Vec<String>,
}

impl Figures {
    pub(crate) fn find(&self, row: &str, shape: &str) -> Option<&Series> {
        self.series.iter().find(|s| s.row == row && s.shape == shape)
    }

    /// `of` as a multiple of `to`, each round by itself: a machine that slows down for a while slows both.
    pub(crate) fn ratio(&self, of: (&str, &str), to: (&str, &str)) -> Option<Spread> {
        let (of, to) = (self.find(of.0, of.1)?, self.find(to.0, to.1)?);
        Some(Spread::of(of.rounds.iter().zip(&to.rounds).map(|(of, to)| of / to)))
    }

    /// The row with the smallest median in a shape, among those that `fits` says yes to.
    pub(crate) fn cheapest(&self, shape: &str, fits: impl Fn(&str) -> bool) -> Option<&Series> {
        let candidates = self.series.iter().filter(|s| s.shape == shape && fits(&s.row));
        candidates.min_by(|a, b| a.spread().median.total_cmp(&b.spread().median))
    }
}

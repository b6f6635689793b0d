//! What was asked for, what we got, and whether it is enough. Knows only names and numbers.
//!
//! A target that could not be judged, because a series is missing, says so: it is never left out.

use crate::figures::{BYTES, Figures, MIB, NS, Series, Spread, TIMES, US};
use crate::names::{self, Drained, JEMALLOC, LIMIT, OURS};

/// A bound on a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtMost(f64),
    Below(f64),
    AtLeast(f64),
}

impl Bound {
    pub(crate) fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtMost(bound) => figure <= bound,
            Self::Below(bound) => figure < bound,
            Self::AtLeast(bound) => figure >= bound,
        }
    }

    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::AtMost(_) => "≤",
            Self::Below(_) => "<",
            Self::AtLeast(_) => "≥",
        }
    }

    pub(crate) fn value(self) -> f64 {
        let (Self::AtMost(bound) | Self::Below(bound) | Self::AtLeast(bound)) = self;
        bound
    }
}

/// One line of the verdict.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) what: String,
    /// Judged by its median; `None` when a series that it needs is missing.
    pub(crate) figure: Option<Spread>,
    pub(crate) unit: &'static str,
    pub(crate) must: Option<Bound>,
    pub(crate) aim: Option<Bound>,
    /// Whom it was compared with, where that came out of the figures.
    pub(crate) note: String,
}

/// Flat means: no figure is above the first by more than this factor.
const FLAT: f64 = 1.25;

impl Target {
    fn new(what: impl Into<String>, unit: &'static str, figure: Option<Spread>) -> Self {
        Self { what: what.into(), figure, unit, must: None, aim: None, note: String::new() }
    }

    fn must(self, bound: Bound) -> Self {
        Self { must: Some(bound), ..self }
    }

    fn aim(self, bound: Bound) -> Self {
        Self { aim: Some(bound), ..self }
    }

    fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Whether a bound is met; `None` if there is no such bound, or nothing to judge it by.
    pub(crate) fn verdict(&self, bound: Option<Bound>) -> Option<bool> {
        Some(bound?.is_met(self.figure?.median))
    }
}

/// Every target there is, in the order of the table.
pub(crate) fn judge(figures: &Figures) -> Vec<Target> {
    let mut targets = pairs(figures);
    targets.extend(bursts(figures));
    targets.extend(cross_thread(figures));
    targets.extend(rivals(figures));
    targets.extend(beside(figures));
    targets.extend(overhead(figures));
    targets.push(growth(figures, "pools alive", &names::GROWTH_POOLS.map(names::alive)));
    targets.push(growth(figures, "threads", &names::GROWTH_THREADS.map(names::crowd)));
    targets
}

fn pairs(figures: &Figures) -> Vec<Target> {
    let mut targets = Vec::new();
    for shape in [1, 2, 8].map(names::single) {
        let to = |row| figures.ratio((OURS, &shape), (row, &shape));
        let target = Target::new(format!("pair, {shape}: multiple of the limit"), TIMES, to(LIMIT));
        targets.push(target.must(Bound::AtMost(2.0)).aim(Bound::AtMost(1.5)));
        let target = Target::new(format!("pair, {shape}: multiple of jemalloc"), TIMES, to(JEMALLOC));
        targets.push(target.aim(Bound::Below(1.0)));
    }
    targets
}

fn bursts(figures: &Figures) -> Vec<Target> {
    let mut targets = Vec::new();
    for shape in [1, 2].map(names::burst) {
        let limit = figures.ratio((OURS, &shape), (LIMIT, &shape));
        let target = Target::new(format!("{shape}: multiple of the limit"), TIMES, limit);
        targets.push(target.must(Bound::AtMost(2.2)).aim(Bound::AtMost(1.7)));
        let beaten = |row: &str| row == names::GLIBC || row == JEMALLOC || names::is_peer_pool(row);
        let what = format!("{shape}: multiple of the cheapest of glibc, jemalloc and every pool");
        targets.push(against_cheapest(figures, what, &shape, beaten).must(Bound::Below(1.0)));
    }
    targets
}

fn cross_thread(figures: &Figures) -> Vec<Target> {
    let shape = names::CROSS_THREAD;
    let pool = format!("{shape}: multiple of the cheapest pool");
    let allocator = format!("{shape}: multiple of the cheapest allocator");
    vec![
        against_cheapest(figures, pool, shape, names::is_peer_pool).must(Bound::Below(1.0)),
        against_cheapest(figures, allocator, shape, names::is_allocator).aim(Bound::Below(1.0)),
    ]
}

fn against_cheapest(figures: &Figures, what: String, shape: &str, fits: fn(&str) -> bool) -> Target {
    let cheapest = figures.cheapest(shape, fits);
    let ratio = cheapest.and_then(|peer| figures.ratio((OURS, shape), (&peer.row, shape)));
    Target::new(what, TIMES, ratio).note(cheapest.map(named).unwrap_or_default())
}

fn named(peer: &Series) -> String {
    format!("{}, {:.1} ns", peer.row, peer.spread().median)
}

/// How many times as dear the others are.
fn rivals(figures: &Figures) -> Vec<Target> {
    let shape = names::single(2);
    let best = figures.cheapest(&shape, names::is_rust_peer);
    let go = figures.find(names::GO, &shape);
    let target = |what: &str, rival: Option<&Series>| {
        let ratio = rival.and_then(|peer| figures.ratio((&peer.row, &shape), (OURS, &shape)));
        let target = Target::new(format!("pair, {shape}: {what}"), TIMES, ratio);
        let target = target.must(Bound::AtLeast(2.0)).aim(Bound::AtLeast(3.0));
        target.note(rival.map(named).unwrap_or_default())
    };
    vec![
        target("the best other Rust pool as a multiple of ours", best),
        target("Go sync.Pool as a multiple of ours", go),
    ]
}

fn beside(figures: &Figures) -> Vec<Target> {
    let mut targets = Vec::new();
    let own = |shape: &str| figures.find(OURS, shape).map(Series::spread);
    for n in [1, 2] {
        let (calm, drained) = (names::drained(n, Drained::Never), names::drained(n, Drained::EveryMs(100)));
        let ratio = figures.ratio((OURS, &drained), (OURS, &calm));
        let target = Target::new(format!("{drained}: multiple of undisturbed"), TIMES, ratio);
        targets.push(target.must(Bound::AtMost(1.05)));
    }
    for shape in [1, 2].map(|n| names::leases(n, "all")) {
        let target = Target::new(format!("pair, {shape}"), NS, own(&shape));
        targets.push(target.must(Bound::AtMost(150.0)).aim(Bound::AtMost(100.0)));
    }
    let pass = Target::new(format!("{}, two of them busy", names::PASS), US, own(names::PASS));
    targets.push(pass.must(Bound::AtMost(200.0)).note("wall time, without the objects' drops"));
    targets
}

fn overhead(figures: &Figures) -> Vec<Target> {
    let budgets = [
        (names::HEADER, BYTES, 32.0),
        (names::PER_POOL, BYTES, 2048.0),
        (names::PER_SLOT, BYTES, 1024.0),
        (names::MANY_ALLOCATED, MIB, 64.0),
        (names::MANY_RESIDENT, MIB, 64.0),
    ];
    let target = |(shape, unit, bound)| {
        let figure = figures.find(OURS, shape).map(Series::spread);
        Target::new(format!("memory: {shape}"), unit, figure).must(Bound::AtMost(bound))
    };
    budgets.map(target).into()
}

/// The highest of all medians as a multiple of the first.
fn growth(figures: &Figures, of: &str, shapes: &[String]) -> Target {
    let ratios: Option<Vec<_>> =
        shapes[1..].iter().map(|shape| figures.ratio((OURS, shape), (OURS, &shapes[0]))).collect();
    let worst = ratios.into_iter().flatten().max_by(|a, b| a.median.total_cmp(&b.median));
    let (first, last) = (&shapes[0], &shapes[shapes.len() - 1]);
    Target::new(format!("growth with {of}: the dearest as a multiple of the first"), TIMES, worst)
        .must(Bound::AtMost(FLAT))
        .note(format!("{first} to {last}"))
}

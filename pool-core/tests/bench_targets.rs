//! The arithmetic of the comparison in `benches/peers`: medians, ratios and verdicts. A benchmark's own tests never
//! run; these are theirs.

// What only the benchmark calls.
#![allow(dead_code)]

#[path = "../benches/peers/figures.rs"]
mod figures;
#[path = "../benches/peers/names.rs"]
mod names;
#[path = "../benches/peers/targets.rs"]
mod targets;

use figures::{BYTES, Figures, MIB, NS, Series, Spread, US};
use names::{Drained, JEMALLOC, LIMIT, OURS};
use targets::judge;

fn series(row: &str, rounds: &[f64]) -> Series {
    Series { rounds: rounds.to_vec(), ..Series::new(row, "s", NS) }
}

#[test]
fn the_median_is_the_middle_one_or_between_the_middle_two() {
    assert_eq!(Spread::of([9.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 9.0 });
    assert_eq!(Spread::of([4.0, 1.0, 2.0, 9.0]), Spread { median: 3.0, min: 1.0, max: 9.0 });
    assert_eq!(Spread::of([7.0]), Spread { median: 7.0, min: 7.0, max: 7.0 });
    assert!(Spread::of([]).median.is_nan());
}

#[test]
fn a_ratio_compares_figures_of_one_round() {
    // The machine is half as fast in the second round: the ratio stays.
    let figures =
        Figures { series: vec![series("a", &[4.0, 8.0]), series("b", &[2.0, 4.0])], skipped: vec![] };
    assert_eq!(figures.ratio(("a", "s"), ("b", "s")), Some(Spread { median: 2.0, min: 2.0, max: 2.0 }));
    assert_eq!(figures.ratio(("a", "s"), ("c", "s")), None);
}

#[test]
fn the_cheapest_is_by_median() {
    let figures = Figures {
        series: vec![series("a", &[1.0, 9.0, 9.0]), series("b", &[8.0, 8.0, 8.0])],
        ..Figures::default()
    };
    assert_eq!(figures.cheapest("s", |_| true).map(|s| s.row.as_str()), Some("b"));
    assert_eq!(figures.cheapest("s", |row| row == "a").map(|s| s.row.as_str()), Some("a"));
    assert!(figures.cheapest("t", |_| true).is_none());
}

/// Every series that a target needs, such that each target is met exactly or by little.
fn complete() -> Figures {
    let mut figures = Figures::default();
    let mut add = |row: &str, shape: &str, unit, value: f64| {
        let rounds = vec![value, value, value];
        figures.series.push(Series { rounds, ..Series::new(row, shape, unit) });
    };
    let shapes = [1, 2, 8].map(names::single).into_iter().chain([1, 2].map(names::burst));
    for shape in shapes.chain([names::CROSS_THREAD.to_owned()]) {
        for (row, ns) in [
            (OURS, 3.0),
            (LIMIT, 2.0),
            (names::GLIBC, 5.0),
            (JEMALLOC, 4.0),
            ("opool", 9.0),
            (names::GO, 12.0),
        ] {
            add(row, &shape, NS, ns);
        }
    }
    for n in [1, 2] {
        add(OURS, &names::drained(n, Drained::Never), NS, 100.0);
        add(OURS, &names::drained(n, Drained::EveryMs(100)), NS, 105.0);
        add(OURS, &names::leases(n, "all"), NS, 100.0);
    }
    add(OURS, names::PASS, US, 200.0);
    for (shape, unit, bound) in [(names::HEADER, BYTES, 32.0), (names::PER_POOL, BYTES, 2048.0)] {
        add(OURS, shape, unit, bound);
    }
    add(OURS, names::PER_SLOT, BYTES, 1024.0);
    add(OURS, names::MANY_ALLOCATED, MIB, 64.0);
    add(OURS, names::MANY_RESIDENT, MIB, 64.0);
    for shape in
        names::GROWTH_POOLS.map(names::alive).into_iter().chain(names::GROWTH_THREADS.map(names::crowd))
    {
        add(OURS, &shape, NS, 4.0);
    }
    figures
}

fn slower(figures: &mut Figures, row: &str, factor: f64) {
    for series in figures.series.iter_mut().filter(|s| s.row == row) {
        series.rounds.iter_mut().for_each(|figure| *figure *= factor);
    }
}

#[test]
fn a_pool_that_keeps_to_every_bound_meets_every_target() {
    for target in judge(&complete()) {
        for bound in [target.must, target.aim].into_iter().flatten() {
            assert_eq!(target.verdict(Some(bound)), Some(true), "{target:?}");
        }
    }
}

#[test]
fn one_that_is_a_little_over_misses_all_that_are_not_relative_to_itself() {
    let mut figures = complete();
    slower(&mut figures, OURS, 4.5);
    let (relative, judged): (Vec<_>, Vec<_>) = judge(&figures)
        .into_iter()
        .partition(|t| t.what.contains("growth") || t.what.contains("undisturbed"));
    assert_eq!(
        (relative.len(), judged.iter().all(|t| t.verdict(t.must.or(t.aim)) == Some(false))),
        (4, true)
    );
    assert!(relative.iter().all(|t| t.verdict(t.must) == Some(true)));
}

#[test]
fn drains_that_slow_the_owners_and_costs_that_grow_are_missed() {
    let mut figures = complete();
    for series in &mut figures.series {
        if series.shape.contains("drained every") || series.shape == names::crowd(64) {
            series.rounds.iter_mut().for_each(|figure| *figure *= 1.3);
        }
    }
    let missed: Vec<_> = judge(&figures).into_iter().filter(|t| t.verdict(t.must) == Some(false)).collect();
    let whats: Vec<_> = missed.iter().map(|t| t.what.as_str()).collect();
    assert_eq!(whats.len(), 3, "{whats:?}");
    assert!(whats[2].starts_with("growth with threads"), "{whats:?}");
}

#[test]
fn without_a_series_the_target_stays_and_has_no_verdict() {
    let mut figures = complete();
    let all = judge(&figures).len();
    figures.series.retain(|s| s.row != names::GO);
    let targets = judge(&figures);
    assert_eq!(targets.len(), all);
    let go = targets.iter().find(|t| t.what.contains("Go")).expect("the target stays");
    assert_eq!((go.figure, go.verdict(go.must)), (None, None));
}

#[test]
fn the_cheapest_rival_is_named() {
    let targets = judge(&complete());
    let note = |part: &str| &targets.iter().find(|t| t.what.contains(part)).expect(part).note;
    assert_eq!(note("cheapest pool"), "opool, 9.0 ns");
    assert_eq!(note("cheapest allocator"), "jemalloc, 4.0 ns");
}

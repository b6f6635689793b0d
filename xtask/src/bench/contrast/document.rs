//! The page, made from its data and nothing else: its tables, and its judgements too.

mod both;
mod prose;
mod verdict;

use super::super::figures::{list, median, number, share, text, worst};
use super::search::LEAST_MIB;
use anyhow::{Context, Result};
use prose::{HEAD, how};
use serde_json::Value;
use std::fmt::Write as _;
use verdict::{Better, Measure, verdict};

/// What was measured.
pub(crate) const DATA: &str = "docs/contrast.json";
/// What people read.
pub(crate) const DOCUMENT: &str = "docs/contrast.md";

/// What had been claimed for pools of this kind: requests per second and p99, with the pool on and off.
const CLAIMED_RPS: (f64, f64) = (18_420.0, 11_650.0);
const CLAIMED_P99_MS: (f64, f64) = (24.3, 89.6);

/// The whole text.
///
/// # Errors
/// If the data lack something that the page shows.
pub(crate) fn document(data: &Value) -> Result<String> {
    Ok(format!("{HEAD}{}{}", tables(data)?, how(&percent(served_share_min(data)?))))
}

/// What came out, without what no measurement changes.
pub(super) fn tables(data: &Value) -> Result<String> {
    let (rows, served) = (list(data, "rows")?, served_share_min(data)?);
    let mut allocators: Vec<&str> = Vec::new();
    for row in rows {
        let allocator = text(row, "allocator")?;
        if !allocators.contains(&allocator) {
            allocators.push(allocator);
        }
    }
    let mut out = "## In short\n\n".to_owned();
    for allocator in &allocators {
        let _ = writeln!(out, "* **{allocator}**");
        for sentence in judgements(&of(rows, allocator), served)? {
            let _ = writeln!(out, "  * {sentence}");
        }
    }
    let _ = writeln!(
        out,
        "\n## What came out\n\nMedians of {} rounds, and of the limits what lives {} of {}. {} requests a second at the fixed \
         rate, under {} MiB; fixed-best is the best in hindsight under {} MiB. Limits in steps of {} MiB.",
        number(data, "rounds")?,
        number(data, "confirmed")?,
        number(data, "confirmed")?,
        number(data, "rps")?,
        number(data, "ample_mib")?,
        number(data, "hindsight_mib")?,
        number(data, "step_mib")?,
    );
    for allocator in &allocators {
        let _ = writeln!(out, "\n### {allocator}\n");
        let _ = writeln!(
            out,
            "| pools | lives under, MiB | completed there, worst run | serves {} under, MiB | requests/s | completed at the \
             fixed rate, worst run | p99, ms | peak, MiB | mean, MiB |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            percent(served)
        );
        for row in of(rows, allocator) {
            out.push_str(&line(row)?);
        }
    }
    out.push_str(&claimed(rows, &allocators, served)?);
    Ok(out)
}

fn of<'a>(rows: &'a [Value], allocator: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row["allocator"] == allocator).collect()
}

fn name(row: &Value) -> Result<String> {
    let name = text(row, "pools")?;
    Ok(row["fixed_percent"]
        .as_u64()
        .map_or_else(|| name.to_owned(), |percent| format!("{name} ({percent} %)")))
}

fn figures(row: &Value, key: &str) -> Result<Vec<f64>> {
    list(row, key)?.iter().map(|figure| figure.as_f64().with_context(|| format!("{key} of {row}"))).collect()
}

/// Of the requests at the fixed rate, in the worst round.
fn completed(row: &Value) -> Result<f64> {
    worst(&figures(row, "completed_share")?)
}

fn served_share_min(data: &Value) -> Result<f64> {
    number(data, "served_share_min")
}

/// In whole per cent, or tenths of it.
fn percent(share: f64) -> String {
    format!("{} %", (share * 1000.0).round() / 10.0)
}

/// As a number of MiB.
fn limit(of: &Value) -> Result<String> {
    Ok(match of["mib"].as_u64() {
        Some(LEAST_MIB) => format!("≤ {LEAST_MIB}"),
        Some(mib) => mib.to_string(),
        None => format!("more than {}", number(of, "most_mib")?),
    })
}

fn line(row: &Value) -> Result<String> {
    let middle = |key: &str| median(&figures(row, key)?);
    let mib = |key: &str| middle(key).map(|bytes| bytes / f64::from(1 << 20));
    let (lives, serves) = (limit(&row["lives"])?, limit(&row["serves"])?);
    let completed_there = share(number(&row["lives"], "completed_share")?);
    let killed = number(row, "killed")?;
    let note =
        if killed > 0.0 { format!(" († {killed} of its timed runs were killed)") } else { String::new() };
    Ok(format!(
        "| {}{note} | {lives} | {completed_there} | {serves} | {:.0} | {} | {:.1} | {:.0} | {:.0} |\n",
        name(row)?,
        middle("requests_per_s")?,
        share(completed(row)?),
        middle("p99_ms")?,
        mib("peak_bytes")?,
        mib("mean_bytes")?
    ))
}

const MEASURES: [Measure; 3] = [
    Measure { key: "requests_per_s", what: "requests per second", better: Better::More, is_paced: false },
    Measure { key: "p99_ms", what: "p99 at the fixed rate", better: Better::Less, is_paced: true },
    Measure { key: "mean_bytes", what: "mean memory", better: Better::Less, is_paced: true },
];

/// What is to be said of one allocator.
fn judgements(rows: &[&Value], served: f64) -> Result<Vec<String>> {
    let mut said =
        MEASURES.iter().map(|measure| verdict(rows, measure, served)).collect::<Result<Vec<_>>>()?;
    said.push(limits(rows)?);
    said.push(both::unbeaten(rows)?);
    Ok(said)
}

/// Who serves under the least.
fn limits(rows: &[&Value]) -> Result<String> {
    let smallest = |row: &Value| row["serves"]["mib"].as_u64().unwrap_or(u64::MAX);
    let least = |is_pool: bool| {
        let rows = rows.iter().filter(|row| row["is_pool"] == is_pool).copied();
        rows.min_by_key(|row| smallest(row)).context("no row to compare with")
    };
    let (pool, none) = (least(true)?, least(false)?);
    let wins = if smallest(pool) < smallest(none) { "" } else { "no pool wins, " };
    let (of_pool, of_none) = (limit(&pool["serves"])?, limit(&none["serves"])?);
    Ok(format!(
        "the smallest limit that serves: {wins}{} {of_pool} MiB, {} {of_none} MiB",
        name(pool)?,
        name(none)?
    ))
}

/// Our ratios beside those that had been claimed.
fn claimed(rows: &[Value], allocators: &[&str], served: f64) -> Result<String> {
    let (with, without) = CLAIMED_RPS;
    let (p99_with, p99_without) = CLAIMED_P99_MS;
    let mut out = format!(
        "\n## Beside what was claimed\n\nPools of this kind were said to answer {with:.0} requests a second where {without:.0} \
         were answered without, at a p99 of {p99_with} ms against {p99_without} ms, on a machine that nobody named. Figures of \
         two machines do not compare; ratios do. Adaptive pools, against the better of the two without pools:\n\n\
         | | requests/s, times | p99, times |\n| --- | ---: | ---: |\n| claimed | {:.2} | {:.2} |\n",
        with / without,
        p99_with / p99_without
    );
    for allocator in allocators {
        let rows = of(rows, allocator);
        let [requests, p99, _] = &MEASURES;
        let times = |measure: &Measure| -> Result<String> {
            let times = verdict::times(&rows, measure, "adaptive", served)?;
            Ok(times.map_or_else(|| "—".to_owned(), |times| format!("{times:.2}")))
        };
        let _ = writeln!(out, "| {allocator} | {} | {} |", times(requests)?, times(p99)?);
    }
    Ok(out)
}

/// The worst of a measure's rounds and the best.
fn extremes(row: &Value, measure: &Measure) -> Result<(f64, f64)> {
    let signed: Vec<_> =
        figures(row, measure.key)?.into_iter().map(|figure| measure.signed(figure)).collect();
    let best = -worst(&signed.iter().map(|figure| -figure).collect::<Vec<_>>())?;
    Ok((worst(&signed)?, best))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    pub(super) fn row(pools: &str, requests: [f64; 3], p99: [f64; 3], smallest: Option<u64>) -> Value {
        let (is_pool, mib) = (!pools.starts_with("none"), f64::from(1 << 20));
        json!({"allocator": "glibc", "pools": pools, "is_pool": is_pool, "fixed_percent": null, "requests_per_s": requests,
               "p99_ms": p99, "peak_bytes": [120.0 * mib], "mean_bytes": [80.0 * mib], "completed_share": [1.0],
               "killed": 0,
               "lives": {"mib": smallest.map(|mib| mib - 8), "completed_share": 0.95, "most_mib": 320},
               "serves": {"mib": smallest, "completed_share": 0.995, "most_mib": 320}})
    }

    fn data(rows: &[Value]) -> Value {
        json!({"rounds": 3, "confirmed": 10, "rps": 400, "ample_mib": 512, "hindsight_mib": 160, "served_share_min": 0.99,
               "step_mib": 8, "rows": rows})
    }

    #[test]
    fn where_a_pool_wins_the_page_says_by_how_much() {
        let page = document(&data(&[
            row("none, allocator as it comes", [1000.0, 1010.0, 990.0], [10.0, 11.0, 12.0], Some(128)),
            row("none", [800.0, 810.0, 790.0], [20.0, 21.0, 22.0], Some(120)),
            row("fixed", [1100.0, 1150.0, 1120.0], [5.0, 5.0, 6.0], None),
            row("adaptive", [1500.0, 1510.0, 1490.0], [4.0, 4.0, 5.0], Some(112)),
        ]))
        .unwrap();
        for part in [
            "requests per second: adaptive 1.50 times none, allocator as it comes",
            "p99 at the fixed rate: adaptive 0.36 times none, allocator as it comes",
            "mean memory: no pool wins",
            "the smallest limit that serves: adaptive 112 MiB, none 120 MiB",
            "| adaptive | 104 | 95.00 % | 112 | 1500 | 100.00 % | 4.0 | 120 | 80 |",
            "| fixed | more than 320 | 95.00 % | more than 320 |",
            "| claimed | 1.58 | 0.27 |\n| glibc | 1.50 | 0.36 |",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn where_no_pool_wins_the_page_says_so() {
        let page = document(&data(&[
            row("none", [1000.0, 1010.0, 990.0], [4.0, 4.0, 4.0], Some(104)),
            row("fixed", [900.0, 900.0, 900.0], [5.0, 5.0, 5.0], Some(232)),
            row("adaptive", [1005.0, 1020.0, 1000.0], [4.0, 3.9, 4.1], Some(104)),
        ]))
        .unwrap();
        for part in [
            "requests per second: no pool wins, adaptive 1.00 times none",
            "p99 at the fixed rate: no pool wins, adaptive 1.00 times none",
            "the smallest limit that serves: no pool wins, adaptive 104 MiB, none 104 MiB",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn who_turns_requests_away_at_the_fixed_rate_wins_nothing_by_it() {
        let none = row("none", [1000.0; 3], [10.0; 3], Some(128));
        let mut shedding = row("adaptive", [1000.0; 3], [1.0; 3], Some(64));
        shedding["completed_share"] = json!([1.0, 0.9899, 1.0]);
        let page = document(&data(&[none, shedding])).unwrap();
        for part in [
            "p99 at the fixed rate: not judged, no pool completed 99 %\n",
            "mean memory: not judged, no pool completed 99 %\n",
            "| adaptive | 56 | 95.00 % | ≤ 64 | 1000 | 98.99 % | 1.0 |",
            "| glibc | 1.00 | — |",
            "the smallest limit that serves: adaptive ≤ 64 MiB, none 128 MiB",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn the_share_that_is_served_is_that_of_the_data() {
        let rows = [row("none", [1.0; 3], [1.0; 3], None), row("adaptive", [1.0; 3], [1.0; 3], None)];
        let mut data = data(&rows);
        data["served_share_min"] = json!(0.975);
        let page = document(&data).unwrap();
        assert!(page.contains("serves 97.5 % under, MiB") && page.contains("97.5 % are completed"), "{page}");
        assert!(!page.contains("99 %"), "{page}");
    }

    #[test]
    fn a_size_and_a_kill_are_said_and_what_is_missing_is_an_error() {
        let mut best = row("fixed-best", [1.0; 3], [1.0; 3], Some(128));
        (best["fixed_percent"], best["killed"]) = (json!(30), json!(2));
        let line = line(&best).unwrap();
        assert!(
            line.starts_with("| fixed-best (30 %) († 2 of its timed runs were killed) | 120 |"),
            "{line}"
        );
        best["p99_ms"] = json!([null]);
        assert!(document(&data(&[best])).is_err());
        assert!(document(&data(&[row("none", [1.0; 3], [1.0; 3], None)])).is_err(), "nothing to compare");
    }
}

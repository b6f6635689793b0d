//! The page, made from its data and nothing else, so that a rule of `tidy` can make it again and compare.

mod falls;

use super::super::figures::{list, median, number, share, text, worst};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fmt::Write as _;

/// What was measured, run by run.
pub(crate) const DATA: &str = "docs/limits.json";
/// What people read.
pub(crate) const DOCUMENT: &str = "docs/limits.md";

/// The twin must die in nine of ten, or the limit shows nothing.
const TWIN_DIES_SHARE: f64 = 0.9;

/// What usage may come to, as a share of the limit: with a step it may be more for three seconds, and never is if the peak is
/// not.
const PEAKS_MAX: [(&str, f64); 3] = [("step", 0.90), ("swap", 0.96), ("ramp", 0.92)];

const HEAD: &str = "\
# Under a real limit

Whether adaptive pools live where pools of a fixed size are killed: the demo's service in a memory cgroup, by shape of load
and allocator. This page is written by `cargo xtask bench limits` from `docs/limits.json`, and `cargo xtask tidy` compares
the two. To measure anew, as root or in a user session of systemd, on a machine that has nothing else to do:

```sh
cargo xtask bench limits            # all of it
cargo xtask bench limits --falls    # how a limit that falls is answered, alone
cargo xtask bench limits --report   # this page again, from the figures
```

";

const HOW: &str = "
## How it is measured

* Every run is `ebbpool demo` with a service in a memory cgroup of its own, without swap; the load and whoever watches are
  outside. A kill is what the kernel counts in that group. The binary is built once for each allocator, which serves C code
  in it too (`--features jemalloc`, `--features mimalloc`).
* **step**: 5 s of large ingests (57 at a time, a compressor of 1.24 MiB and a body each), then from one moment on exports
  alone, 60 a second that hold 1.5 MiB for a second each. **swap**: both take turns of 4 s. **ramp**: 4 s of ingests, then
  exports that rise over 10 s. That is some 6 % of the limit a second; at 1 % a second, a run would take two minutes to show
  the same.
* The limit is one for all, for both kinds of pools: 160 MiB. What the work itself holds is at most 90 MiB, less than three
  fifths of it. What kills the twin is what it keeps idle for work that has ended.
* `fixed` is what an operator gives who knows the peak of each endpoint: room for it and two fifths more (80 compressors,
  80 exports, 112 bodies). `adaptive` is told nothing. Service, load and seed are the same.
* What is freed leaves the process at once, with either kind of pools: glibc maps large blocks one by one
  (`M_MMAP_THRESHOLD`), jemalloc has `dirty_decay_ms:0`, mimalloc `MIMALLOC_PURGE_DELAY=0` and
  `MIMALLOC_ALLOW_THP=0`. As they come (`demo --allocator-defaults`), they keep it for seconds; then adaptive pools find less
  room, and the service sheds what does not fit.
* **A limit that falls**: swap for 56 s under 228 MiB, in which pools grow, and then 160 MiB, live, when both kinds of
  objects are there. Times are from the last tick that saw the old limit, so a tick of 250 ms is the least that there is.
* Runs take turns round by round, each round with a seed of its own. The share that is completed is of all requests that the
  plan has for the whole run; what a dead service would have been sent is not completed. Peak is the kernel's count of the
  group.
";

/// The whole text.
///
/// # Errors
/// If the data lack something that the page shows.
pub(crate) fn document(data: &Value) -> Result<String> {
    Ok(format!("{HEAD}{}{HOW}", tables(data)?))
}

/// What came out, without what no measurement changes.
pub(super) fn tables(data: &Value) -> Result<String> {
    let runs = list(data, "runs")?;
    let least = number(data, "completed_share_min")?;
    let limit_bytes = number(data, "limit_mib")? * f64::from(1 << 20);
    // Only a whole run has them.
    let falls = data["falls"].as_array().map(Vec::as_slice);
    let mut out = format!("## Targets\n\n{}", targets(runs, limit_bytes, least)?);
    out.push_str(&falls.map(falls::targets).transpose()?.unwrap_or_default());
    out.push_str("\n## What came out\n\n");
    let _ = writeln!(
        out,
        "{} runs of each, limit {} MiB, {} requests a second.\n",
        number(data, "runs_each")?,
        number(data, "limit_mib")?,
        number(data, "rps")?
    );
    out.push_str(
        "| load | allocator | pools | killed | completed, worst | median | peak of the limit, highest | killed after |\n\
         | --- | --- | --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    for cell in cells(runs)? {
        out.push_str(&cell.row(limit_bytes)?);
    }
    out.push_str(&falls.map(falls::table).transpose()?.unwrap_or_default());
    Ok(out)
}

/// The runs of one row.
struct Cell<'a> {
    load: &'a str,
    allocator: &'a str,
    pools: &'a str,
    runs: Vec<&'a Value>,
}

/// In the order in which they first ran.
fn cells(runs: &[Value]) -> Result<Vec<Cell<'_>>> {
    let mut cells: Vec<Cell<'_>> = Vec::new();
    for run in runs {
        let (load, allocator, pools) = (text(run, "load")?, text(run, "allocator")?, text(run, "pools")?);
        let same = |cell: &&mut Cell<'_>| (cell.load, cell.allocator, cell.pools) == (load, allocator, pools);
        match cells.iter_mut().find(same) {
            Some(cell) => cell.runs.push(run),
            None => cells.push(Cell { load, allocator, pools, runs: vec![run] }),
        }
    }
    Ok(cells)
}

impl Cell<'_> {
    fn kills(&self) -> usize {
        self.runs.iter().filter(|run| run["killed"] == true).count()
    }

    fn figures(&self, key: &str) -> Result<Vec<f64>> {
        self.runs.iter().map(|run| number(run, key)).collect()
    }

    /// The highest.
    fn peak_bytes(&self) -> Result<f64> {
        Ok(self.figures("peak_bytes")?.into_iter().fold(0.0, f64::max))
    }

    fn row(&self, limit_bytes: f64) -> Result<String> {
        let completed = self.figures("completed_share")?;
        let peak = self.peak_bytes()? / limit_bytes;
        let deaths: Vec<_> = self.runs.iter().filter_map(|run| run["killed_after_s"].as_f64()).collect();
        let when = match (deaths.iter().copied().reduce(f64::min), deaths.iter().copied().reduce(f64::max)) {
            (Some(first), Some(last)) => format!("{first:.1} to {last:.1} s"),
            _ => "—".to_owned(),
        };
        let Self { load, allocator, pools, runs } = self;
        let (kills, of) = (self.kills(), runs.len());
        let (least, middle) = (share(worst(&completed)?), share(median(&completed)?));
        Ok(format!(
            "| {load} | {allocator} | {pools} | {kills} of {of} | {least} | {middle} | {peak:.2} | {when} |\n"
        ))
    }
}

/// What is asked for and whether it is so. What was missed is set in bold: it must not be overlooked.
fn targets(runs: &[Value], limit_bytes: f64, completed_share_min: f64) -> Result<String> {
    let cells = cells(runs)?;
    let of = |pools: &'static str| cells.iter().filter(move |cell| cell.pools == pools);
    let kills: usize = of("adaptive").map(Cell::kills).sum();
    let count: usize = of("adaptive").map(|cell| cell.runs.len()).sum();
    let mut completed = Vec::new();
    for cell in of("adaptive") {
        completed.extend(cell.figures("completed_share")?);
    }
    let least = worst(&completed)?;
    let share_of_kills = |cell: &Cell<'_>| cell.kills() as f64 / cell.runs.len() as f64;
    let twin = of("fixed").min_by(|a, b| share_of_kills(a).total_cmp(&share_of_kills(b)));
    let twin = twin.context("no runs of fixed pools")?;
    let mut out = "| what | got | target | |\n| --- | --- | --- | --- |\n".to_owned();
    let _ =
        writeln!(out, "| kills of adaptive pools | {kills} in {count} runs | 0 | {} |", verdict(kills == 0));
    let _ = writeln!(
        out,
        "| completed by adaptive pools, worst run | {} | ≥ {} | {} |",
        share(least),
        share(completed_share_min),
        verdict(least >= completed_share_min)
    );
    let _ = writeln!(
        out,
        "| kills of the twin, where fewest ({}, {}) | {} of {} | ≥ 9 of 10 | {} |",
        twin.load,
        twin.allocator,
        twin.kills(),
        twin.runs.len(),
        verdict(share_of_kills(twin) >= TWIN_DIES_SHARE)
    );
    for (load, most) in PEAKS_MAX {
        let mut peak = 0.0_f64;
        for cell in of("adaptive").filter(|cell| cell.load == load) {
            peak = peak.max(cell.peak_bytes()? / limit_bytes);
        }
        let met = verdict(peak <= most);
        let _ = writeln!(
            out,
            "| peak of the limit with adaptive pools, {load} | {peak:.2} | ≤ {most:.2} | {met} |"
        );
    }
    Ok(out)
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "**missed**" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(pools: &str, killed_after_s: Option<f64>, completed_share: f64) -> Value {
        json!({"load": "step", "allocator": "glibc", "pools": pools, "killed": killed_after_s.is_some(),
               "killed_after_s": killed_after_s, "completed_share": completed_share, "peak_bytes": 120 << 20})
    }

    fn data(runs: &[Value]) -> Value {
        json!({"runs_each": 2, "rps": 400, "limit_mib": 160, "completed_share_min": 0.99, "runs": runs})
    }

    #[test]
    fn the_table_says_kills_shares_and_times() {
        let runs = [
            run("adaptive", None, 1.0),
            run("fixed", Some(5.25), 0.4),
            run("adaptive", None, 0.995),
            run("fixed", Some(6.0), 0.5),
        ];
        let page = document(&data(&runs)).unwrap();
        assert!(
            page.contains("| step | glibc | adaptive | 0 of 2 | 99.50 % | 99.75 % | 0.75 | — |"),
            "{page}"
        );
        assert!(
            page.contains("| step | glibc | fixed | 2 of 2 | 40.00 % | 45.00 % | 0.75 | 5.2 to 6.0 s |"),
            "{page}"
        );
        assert!(page.contains("| kills of adaptive pools | 0 in 2 runs | 0 | met |"), "{page}");
        assert!(page.contains("where fewest (step, glibc) | 2 of 2 | ≥ 9 of 10 | met |"), "{page}");
        assert!(!page.contains("missed"), "{page}");
    }

    #[test]
    fn what_is_missed_stands_in_bold() {
        let runs = [
            run("adaptive", Some(7.0), 0.5),
            run("fixed", None, 1.0),
            run("adaptive", None, 1.0),
            run("fixed", Some(5.0), 0.4),
        ];
        let page = document(&data(&runs)).unwrap();
        for row in [
            "| kills of adaptive pools | 1 in 2 runs | 0 | **missed** |",
            "worst run | 50.00 % | ≥ 99.00 % | **missed** |",
            "| 1 of 2 | ≥ 9 of 10 | **missed** |",
        ] {
            assert!(page.contains(row), "{row}: {page}");
        }
    }

    #[test]
    fn data_that_lack_something_make_no_page() {
        assert!(document(&data(&[])).is_err());
        assert!(document(&json!({})).is_err());
        let mut bad = run("adaptive", None, 1.0);
        bad["completed_share"] = json!(null);
        assert!(document(&data(&[bad, run("fixed", None, 1.0)])).is_err());
    }
}

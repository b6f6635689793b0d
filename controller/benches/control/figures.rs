//! Rows of figures, on the screen and in a file.

use std::time::Duration;

/// One thing that was measured.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) median: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    /// What was promised, as people read it, and whether it was met.
    pub(crate) promised: Option<(String, bool)>,
}

impl Row {
    /// Of times, in microseconds; `promised`: of the 99th percentile.
    pub(crate) fn of_times(what: String, times: &[Duration], promised: Option<Duration>) -> Self {
        let micros = |time: &Duration| time.as_secs_f64() * 1e6;
        let row = Self::of(what, "µs", times.iter().map(micros).collect());
        let promised = promised.map(|most| (format!("p99 ≤ {most:?}"), row.p99 <= micros(&most)));
        Self { promised, ..row }
    }

    pub(crate) fn of(what: String, unit: &'static str, mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        let at = |percent: usize| all[(all.len() - 1) * percent / 100];
        Self { what, unit, median: at(50), p99: at(99), max: at(100), promised: None }
    }
}

pub(crate) fn print(rows: &[Row]) {
    println!("{:<64} {:>10} {:>10} {:>10}  promised", "", "median", "p99", "max");
    for Row { what, unit, median, p99, max, promised } in rows {
        let promised = promised.as_ref().map(|(text, met)| format!("{text}: {}", verdict(*met)));
        println!(
            "{what:<64} {median:>10.3} {p99:>10.3} {max:>10.3}  {unit}  {}",
            promised.unwrap_or_default()
        );
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

/// Writes the rows beside those of the other benchmarks.
pub(crate) fn store(rows: &[Row], quick: bool) -> std::io::Result<()> {
    let row = |row: &Row| {
        serde_json::json!({
            "what": row.what,
            "unit": row.unit,
            "median": row.median,
            "p99": row.p99,
            "max": row.max,
            "promised": row.promised.as_ref().map(|(text, met)| serde_json::json!({"bound": text, "met": met})),
        })
    };
    let report = serde_json::json!({"quick": quick, "rows": rows.iter().map(row).collect::<Vec<_>>()});
    // Cargo's scratch directory for benchmarks is `tmp` in the target directory.
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("control.json"), format!("{report:#}\n"))
}

//! From samples to a table, a file and a verdict. Knows only names and numbers.

use crate::rows::LIMIT;
use crate::shapes::Sample;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// All rounds of one row in one shape.
pub(crate) struct Samples {
    row: &'static str,
    shape: &'static str,
    /// Per thread and round.
    pub(crate) pairs: u64,
    ns: Vec<f64>,
    created_per_get: f64,
}

impl Samples {
    pub(crate) fn new(row: &'static str, shape: &'static str, pairs: u64) -> Self {
        Self { row, shape, pairs, ns: Vec::new(), created_per_get: 0.0 }
    }

    pub(crate) fn push(&mut self, sample: &Sample) {
        let at = self.ns.partition_point(|&ns| ns < sample.ns_per_pair);
        self.ns.insert(at, sample.ns_per_pair);
        self.created_per_get = self.created_per_get.max(sample.created_per_get);
    }

    fn min(&self) -> f64 {
        self.ns[0]
    }

    fn median(&self) -> f64 {
        f64::midpoint(self.ns[(self.ns.len() - 1) / 2], self.ns[self.ns.len() / 2])
    }
}

/// The shapes in the order in which they came.
fn shapes(cells: &[Samples]) -> Vec<&'static str> {
    let mut shapes: Vec<_> = cells.iter().map(|cell| cell.shape).collect();
    shapes.dedup();
    shapes
}

fn find<'a>(cells: &'a [Samples], row: &str, shape: &str) -> &'a Samples {
    cells.iter().find(|cell| cell.row == row && cell.shape == shape).expect("each row has each shape")
}

fn ratio(cells: &[Samples], cell: &Samples) -> f64 {
    cell.median() / find(cells, LIMIT, cell.shape).median()
}

/// Medians with their ratio to the limit, then minima, then who had to create.
pub(crate) fn table(cells: &[Samples]) -> String {
    let shapes = shapes(cells);
    let rows: Vec<_> = cells.iter().filter(|cell| cell.shape == shapes[0]).map(|cell| cell.row).collect();
    let mut out = String::new();
    let mut block = |title: &str, figure: &dyn Fn(&Samples) -> String| {
        let _ = write!(out, "\n{title:<22}");
        for shape in &shapes {
            let _ = write!(out, "{shape:>21}");
        }
        for row in &rows {
            let _ = write!(out, "\n{row:<22}");
            for shape in &shapes {
                let _ = write!(out, "{:>21}", figure(find(cells, row, shape)));
            }
        }
        out.push('\n');
    };
    block("median ns per pair", &|c| format!("{:.1} ({:>6.2}x)", c.median(), ratio(cells, c)));
    block("min ns per pair", &|c| format!("{:.1}", c.min()));
    out.push_str("\nIn brackets: the median as a multiple of the limit's. Across threads the limit cannot reuse: it is");
    out.push_str("\nmalloc on one side and free on the other. The cost of handing a bare pointer over is subtracted there.\n");
    for cell in cells.iter().filter(|cell| cell.created_per_get > REUSES) {
        let (row, shape, percent) = (cell.row, cell.shape, 100.0 * cell.created_per_get);
        let _ = writeln!(
            out,
            "{row}, {shape}: created on {percent:.0} % of its gets, so this is not the cost of reuse"
        );
    }
    out
}

/// A row with more creates per get than this is not measured at reuse.
const REUSES: f64 = 0.01;

/// Refuses a result in which `row` did not reuse: its cost would be the allocator's.
///
/// # Errors
/// Names the first such shape.
pub(crate) fn check_reuse(cells: &[Samples], row: &str) -> Result<(), String> {
    match cells.iter().find(|cell| cell.row == row && cell.created_per_get > REUSES) {
        Some(cell) => Err(format!(
            "{row}, {}: created {:.3} buffers per get, allowed are {REUSES}: this is not the cost of reuse",
            cell.shape, cell.created_per_get
        )),
        None => Ok(()),
    }
}

/// Writes `bench/peers.json` in Cargo's target directory and returns its path.
///
/// # Errors
/// With the path, if it cannot be written.
pub(crate) fn write_json(cells: &[Samples]) -> Result<String, String> {
    // Cargo's scratch directory for benchmarks is `tmp` in the target directory.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("the target directory is the root")?;
    let path = target.join("bench").join("peers.json");
    let written = fs::create_dir_all(target.join("bench")).and_then(|()| fs::write(&path, json(cells)));
    written.map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path.display().to_string())
}

/// Names are our own and hold nothing that JSON would want escaped.
fn json(cells: &[Samples]) -> String {
    let mut out = String::from("{\"unit\":\"ns_per_pair\",\"rows\":[");
    for (i, cell) in cells.iter().enumerate() {
        let _ = write!(
            out,
            "{}\n{{\"name\":\"{}\",\"shape\":\"{}\",\"median\":{:.3},\"min\":{:.3},\"ratio_to_limit\":{:.3},\
             \"created_per_get\":{:.6},\"rounds\":{},\"pairs_per_thread\":{}}}",
            if i == 0 { "" } else { "," },
            cell.row,
            cell.shape,
            cell.median(),
            cell.min(),
            ratio(cells, cell),
            cell.created_per_get,
            cell.ns.len(),
            cell.pairs,
        );
    }
    out.push_str("\n]}\n");
    out
}

//! Does it pay: what a pool says of itself, beside what a direct comparison finds.
//!
//! `cargo bench -p pool-core --bench pays [-- --quick]`; writes `target/bench/pays.json`.
//! The direct figure times whole rows of leases with and without the pool, so it holds the pool's own get and
//! return too; the pool's figure leaves those out (a clock cannot see them in one lease).

use pool_core::{Pool, Recycle, Sampling, Setting, Worth};
use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

struct Row {
    name: &'static str,
    /// What anyone would expect.
    expected: &'static str,
    direct_ns: f64,
    worth: Worth,
}

fn main() {
    let quick = std::env::args().any(|a| a == "--quick");
    let leases = if quick { 20_000 } else { 1_000_000 };
    let rows = [
        row("16 B box", "does-not-pay", leases, || Box::new(0_u128), |b| **b = 1),
        row(
            "1 KiB buffer, not grown",
            "does-not-pay",
            leases,
            || Vec::<u8>::with_capacity(1024),
            |v| v.push(1),
        ),
        row("Vec::new grown to 2 KiB", "pays", leases, Vec::<u8>::new, |v| grow(v, 32)),
        row("Vec::new grown to 16 KiB", "pays", leases, Vec::<u8>::new, |v| grow(v, 256)),
        row("Vec::new grown to 64 KiB", "pays", leases / 4, Vec::<u8>::new, |v| grow(v, 1024)),
        row("HashMap of 32 entries", "pays", leases / 4, HashMap::<u64, u64>::new, |m| {
            for i in 0..32 {
                m.insert(i, i);
            }
        }),
    ];
    println!(
        "{:<26} {:>12} {:>12} {:>14} {:>11} {:>14}",
        "value", "direct ns", "pool's ns", "verdict", "confidence", "expected"
    );
    for row in &rows {
        println!(
            "{:<26} {:>12.1} {:>12.1} {:>14} {:>11.3} {:>14}",
            row.name,
            row.direct_ns,
            row.worth.saved_ns_per_lease,
            row.worth.verdict.as_str(),
            row.worth.confidence,
            row.expected
        );
    }
    if let Err(error) = store(&rows, quick) {
        eprintln!("pays: {error}");
        std::process::exit(1);
    }
}

fn grow(v: &mut Vec<u8>, times: usize) {
    for _ in 0..times {
        v.extend_from_slice(black_box(&[1; 64]));
    }
}

/// Rounds of plain leases and of pooled ones take turns; the shortest of each count, as other work can only add.
fn row<T: Recycle + Send + 'static>(
    name: &'static str,
    expected: &'static str,
    leases: usize,
    create: impl Fn() -> T + Send + Sync + Copy + 'static,
    use_it: impl Fn(&mut T),
) -> Row {
    const ROUNDS: usize = 15;
    let timing = |one_in| Sampling::DEFAULT.with_timing_one_in(one_in).map(Setting::Sampling);
    let pool = |one_in| {
        let knob = timing(one_in).expect("in range");
        Pool::builder(name).knob(knob).build_with(create).expect("no registry, so no name is taken")
    };
    let untimed = pool(0);
    let mut shortest = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        let n = (leases / ROUNDS).max(1);
        let plain = time(n, || use_it(black_box(&mut create())));
        let pooled = time(n, || use_it(black_box(&mut *untimed.get())));
        shortest = (shortest.0.min(plain), shortest.1.min(pooled));
    }
    let timed = pool(16);
    for _ in 0..leases {
        use_it(black_box(&mut *timed.get()));
    }
    Row { name, expected, direct_ns: shortest.0 - shortest.1, worth: timed.stats().worth() }
}

fn time(n: usize, mut lease: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..n {
        lease();
    }
    began.elapsed().as_nanos() as f64 / n as f64
}

fn store(rows: &[Row], quick: bool) -> std::io::Result<()> {
    let lines: Vec<_> = rows
        .iter()
        .map(|r| {
            format!(
                "  {{\"value\": \"{}\", \"direct_ns\": {:.1}, \"saved_ns\": {:.1}, \"verdict\": \"{}\", \
                 \"confidence\": {:.3}, \"expected\": \"{}\"}}",
                r.name,
                r.direct_ns,
                r.worth.saved_ns_per_lease,
                r.worth.verdict.as_str(),
                r.worth.confidence,
                r.expected
            )
        })
        .collect();
    // Cargo's scratch directory for benchmarks is `tmp` in the target directory.
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    std::fs::create_dir_all(&folder)?;
    let text = format!("{{\"quick\": {quick}, \"rows\": [\n{}\n]}}\n", lines.join(",\n"));
    std::fs::write(folder.join("pays.json"), text)
}

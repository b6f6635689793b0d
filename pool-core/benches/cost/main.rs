//! How many instructions a pair takes. No clock: the count is the same however busy the machine is.
//!
//! ```text
//! cargo bench -p pool-core --bench cost               counts, prints, writes target/bench/cost.json
//! cargo bench -p pool-core --bench cost -- --quick    runs each case without counting: whether it works
//! ```
//!
//! Each case runs twice in a process of its own under callgrind, with n pairs and with 2n. The difference of the two
//! totals is what n warm pairs take; what happens before the first and after the last cancels out. The figures hang on
//! the compiler, which is why its version stands beside them.

// What is counted must not hang on whether the compiler felt like inlining the three lines around it.
#![allow(clippy::inline_always)]

mod cases;
#[path = "../peers/rows/limit.rs"]
mod limit;

use cases::{CASES, Case, FALLBACK, PAIR};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// The fewer of the two numbers of pairs. Large enough that chance (which leases are sampled) is far below 1 %.
const PAIRS: u64 = 100_000;

/// What this program is called with to run one case: its name and a number of pairs.
const RUN: &str = "--run";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        [] => count_all(),
        ["--quick"] => quick(),
        [RUN, name, pairs] => run(name, pairs),
        _ => Err(format!("{}: allowed is --quick", words.join(" "))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one case, nothing else.
fn run(name: &str, pairs: &str) -> Result<(), String> {
    let case = CASES.iter().find(|case| case.name == name).ok_or_else(|| format!("no case {name}"))?;
    (case.run)(pairs.parse().map_err(|e| format!("{pairs}: {e}"))?);
    Ok(())
}

fn quick() -> Result<(), String> {
    for case in &CASES {
        let output = command(case, &mut Command::new(this_program()?), 1000).output();
        let output = output.map_err(|e| format!("{}: {e}", case.name))?;
        if !output.status.success() {
            return Err(format!("{}: {}", case.name, output.status));
        }
        println!("{}: runs", case.name);
    }
    Ok(())
}

fn count_all() -> Result<(), String> {
    // Cargo's scratch directory for benchmarks is `tmp` in the target directory.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("no target directory")?;
    let folder = target.join("bench");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut figures = Vec::new();
    println!("{:<40}{:>22}", "case", "instructions per pair");
    for case in &CASES {
        let figure = count(case, &folder)?;
        println!("{:<40}{figure:>22.1}", case.name);
        figures.push((case.name, figure));
    }
    let of = |name| figures.iter().find(|(case, _)| *case == name).map_or(f64::NAN, |(_, figure)| *figure);
    if of(PAIR) >= of(FALLBACK) {
        return Err(format!("{PAIR} takes as much as {FALLBACK}: is membarrier refused on this machine?"));
    }
    let path = folder.join("cost.json");
    fs::write(&path, json(&figures)).map_err(|e| format!("{}: {e}", path.display()))?;
    println!("written: {}", path.display());
    Ok(())
}

/// Instructions per pair.
fn count(case: &Case, folder: &Path) -> Result<f64, String> {
    let (once, twice) = (total(case, folder, PAIRS)?, total(case, folder, 2 * PAIRS)?);
    Ok(twice.saturating_sub(once) as f64 / PAIRS as f64)
}

/// Instructions of a whole process that runs so many pairs.
fn total(case: &Case, folder: &Path, pairs: u64) -> Result<u64, String> {
    let out = folder.join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet"]).arg(format!("--callgrind-out-file={}", out.display()));
    let output = command(case, valgrind.arg(this_program()?), pairs).output();
    let output = output.map_err(|e| format!("valgrind cannot be started (Debian package valgrind): {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} under valgrind: {}: {}", case.name, output.status, said.trim()));
    }
    let text = fs::read_to_string(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let total =
        text.lines().find_map(|line| line.strip_prefix("summary: ")).and_then(|n| n.trim().parse().ok());
    total.ok_or_else(|| format!("{}: no line `summary: NUMBER`", out.display()))
}

fn command<'a>(case: &Case, program: &'a mut Command, pairs: u64) -> &'a mut Command {
    program.args([RUN, case.name]).arg(pairs.to_string());
    program.env_remove("EBBPOOL_FENCE").envs(case.environment.iter().copied()).stdin(Stdio::null())
}

fn this_program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|e| format!("this program's path: {e}"))
}

/// Names are our own and hold nothing that JSON would want escaped; versions are letters, digits and brackets.
fn json(figures: &[(&str, f64)]) -> String {
    let mut cases = String::new();
    for (i, (name, figure)) in figures.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(cases, "{comma}\n{{\"name\":\"{name}\",\"instructions\":{figure:.1}}}");
    }
    let (rustc, valgrind) = (version("rustc"), version("valgrind"));
    let arch = std::env::consts::ARCH;
    format!(
        "{{\"arch\":\"{arch}\",\"rustc\":\"{rustc}\",\"valgrind\":\"{valgrind}\",\"cases\":[{cases}\n]}}\n"
    )
}

fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    output.map_or_else(|_| "unknown".into(), |o| String::from_utf8_lossy(&o.stdout).trim().replace('"', ""))
}

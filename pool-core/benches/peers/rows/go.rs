//! Go's `sync.Pool`, measured by a Go program beside us: it runs one cell per line that we write to it, and answers
//! with the CPU time of its threads per pair.

use crate::shapes::{Sample, Shape};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// What to say where there is no Go.
const MISSING: &str = "Go sync.Pool: no `go` on this machine (Debian package golang-go)";

struct Program {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Rows are plain functions; this is what the Go one needs.
static PROGRAM: Mutex<Option<Program>> = Mutex::new(None);

/// Builds and starts the program.
///
/// # Errors
/// Why the row must be left out.
pub(crate) fn start() -> Result<(), String> {
    version().ok_or(MISSING)?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-go");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/go/main.go");
    let binary = folder.join("sync-pool");
    let mut build = Command::new("go");
    build.arg("build").arg("-o").arg(&binary).arg(&source);
    // One file without a module, and nothing outside of the target folder is touched.
    build.env("GO111MODULE", "off").env("GOFLAGS", "").env("GOCACHE", folder.join("cache"));
    let output = build.stdin(Stdio::null()).output().map_err(|e| format!("go build: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "Go sync.Pool: go build failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    let started = Command::new(&binary).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|e| format!("{}: {e}", binary.display()))?;
    let (Some(ask), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the Go program has no pipes".into());
    };
    let program = Program { child, ask, answers: BufReader::new(answers) };
    *PROGRAM.lock().unwrap_or_else(PoisonError::into_inner) = Some(program);
    Ok(())
}

/// Ends the program, if it runs.
pub(crate) fn stop() {
    if let Some(Program { mut child, ask, .. }) =
        PROGRAM.lock().unwrap_or_else(PoisonError::into_inner).take()
    {
        drop(ask); // the end of its input ends it
        child.wait().ok();
    }
}

/// `go version` without the words in front, if there is a Go.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("go").arg("version").stdin(Stdio::null()).output().ok()?;
    let line = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(line.trim().trim_start_matches("go version ").to_owned())
}

/// One cell.
///
/// # Errors
/// If the program does not run or says something unexpected.
pub(crate) fn measure(shape: Shape, pairs: u64) -> Result<Sample, String> {
    let (name, threads) = match shape {
        Shape::Single(n) => ("single", n),
        Shape::Burst(n) => ("burst", n),
        Shape::CrossThread => ("across", 2),
    };
    let (ns_per_pair, created) = ask(name, threads, pairs)?;
    Ok(Sample { ns_per_pair, created_per_get: shape.created_per_get(created, pairs) })
}

/// What handing over a bare pointer costs between two threads of the program.
///
/// # Errors
/// As [`measure`].
pub(crate) fn hand_over(pairs: u64) -> Result<f64, String> {
    ask("bare", 2, pairs).map(|(ns, _)| ns)
}

/// Nanoseconds per pair, and how many buffers were created.
fn ask(shape: &str, threads: usize, pairs: u64) -> Result<(f64, u64), String> {
    let mut program = PROGRAM.lock().unwrap_or_else(PoisonError::into_inner);
    let program = program.as_mut().ok_or(MISSING)?;
    let mut answer = String::new();
    let asked = writeln!(program.ask, "{shape} {threads} {pairs}").and_then(|()| program.ask.flush());
    asked
        .and_then(|()| program.answers.read_line(&mut answer))
        .map_err(|e| format!("the Go program: {e}"))?;
    let understood = answer.trim().split_once(' ').and_then(|(ns, created)| {
        Some((ns.parse().ok().filter(|ns: &f64| ns.is_finite())?, created.parse().ok()?))
    });
    understood.ok_or_else(|| format!("the Go program answered {answer:?} to {shape} {threads} {pairs}"))
}

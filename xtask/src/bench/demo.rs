//! The demo as a benchmark runs it: a binary for each allocator, runs under a real limit, and what came out of each.
//!
//! A run ends by itself and cleans up after itself, also when it is interrupted; Ctrl-C reaches it as it reaches us.
//! Knows nothing of what is compared.

use crate::run::cargo;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What a binary allocates with; `glibc` is the system's.
pub(crate) const ALLOCATORS: [&str; 3] = ["glibc", "jemalloc", "mimalloc"];

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
    pub(crate) allocator: &'static str,
    pub(crate) load: &'static str,
    pub(crate) pools: &'static str,
    /// Of what suits the peaks; for fixed pools.
    pub(crate) fixed_percent: u32,
    /// The allocator stays as it comes, and keeps what is freed as long as it likes.
    pub(crate) allocator_defaults: bool,
    pub(crate) limit_mib: u64,
    pub(crate) seconds: u64,
    pub(crate) rps: u64,
    pub(crate) seed: u64,
}

/// What came out of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) is_killed: bool,
    pub(crate) killed_after_s: Option<f64>,
    /// Of all requests that the plan has for the whole run, whether or not the service lived to see them.
    pub(crate) completed_share: f64,
    pub(crate) errors: u64,
    pub(crate) refused: u64,
    pub(crate) peak_bytes: u64,
    pub(crate) mean_bytes: u64,
    pub(crate) lent_peak_bytes: u64,
    pub(crate) p99_ms: f64,
    pub(crate) hit_rate: f64,
    /// Completed requests by the time they took.
    pub(crate) completed_per_s: f64,
}

/// A run may take this much longer than it was told.
const LATE: Duration = Duration::from_secs(60);

/// Builds the binary for each of `allocators`, one after the other in the folder of all builds, and keeps copies.
pub(crate) fn build(workspace: &Workspace, allocators: &[&'static str]) -> Result<()> {
    for allocator in allocators {
        let job = cargo("build --release -p ebbpool");
        let job = if *allocator == "glibc" { job } else { job.args(["--features", allocator]) };
        if !job.passes(workspace)? {
            bail!("the binary for {allocator} cannot be built");
        }
        let (built, copy) = (workspace.target.join("release/ebbpool"), binary(workspace, allocator));
        std::fs::create_dir_all(workspace.target.join("bench"))?;
        // A copy of its own: another build, or a run of an old copy, must not be in its way.
        std::fs::remove_file(&copy).ok();
        std::fs::copy(&built, &copy).with_context(|| format!("{} cannot be copied", built.display()))?;
    }
    Ok(())
}

fn binary(workspace: &Workspace, allocator: &str) -> PathBuf {
    workspace.target.join(format!("bench/ebbpool-{allocator}"))
}

impl Trial {
    /// The command line without its program.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let Self { load, pools, fixed_percent, limit_mib, seconds, rps, seed, .. } = self;
        let defaults = if self.allocator_defaults { " --allocator-defaults" } else { "" };
        let line = format!(
            "demo --json --admin 127.0.0.1:0 --limit {limit_mib}MiB --any-limit --load {load} --for {seconds}s --rps {rps} \
             --seed {seed} --pools {pools} --fixed-percent {fixed_percent}{defaults}"
        );
        line.split(' ').map(str::to_owned).collect()
    }

    /// Runs it to its end. One that could not be run at all says so and is repeated, so that a moment's trouble does not
    /// throw away an hour's figures; what came out is never repeated.
    ///
    /// # Errors
    /// If it could not begin, did not end, or the binary has another allocator than it should, three times.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<Outcome> {
        const TRIES: u32 = 3;
        for _ in 1..TRIES {
            match self.run_once(workspace, &[]) {
                Ok(outcome) => return Ok(outcome),
                Err(error) => println!("   not run, and repeated: {error:#}"),
            }
        }
        self.run_once(workspace, &[])
    }

    /// The same once, with one more flag, and with what the service recorded at each tick.
    ///
    /// # Errors
    /// As [`run`](Self::run), and if there is no record.
    pub(crate) fn run_recorded(&self, workspace: &Workspace, flag: &str) -> Result<(Outcome, Value)> {
        let Self { allocator, seed, .. } = self;
        let ring = workspace.target.join(format!("bench/{allocator}-{seed}.ring"));
        let ring = ring.to_str().context("the folder of builds has a name that is no text")?;
        let outcome = self.run_once(workspace, &[flag, "--postmortem", ring])?;
        let read =
            Command::new(binary(workspace, allocator)).args(["postmortem", ring, "--json"]).output()?;
        let said = || String::from_utf8_lossy(&read.stderr).trim().to_owned();
        let records = serde_json::from_slice(&read.stdout).with_context(said)?;
        std::fs::remove_file(ring)?;
        Ok((outcome, records))
    }

    fn run_once(&self, workspace: &Workspace, flags: &[&str]) -> Result<Outcome> {
        let mut arguments = self.arguments();
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let summary = summary(&binary(workspace, self.allocator), &arguments, self.seconds)
            .with_context(|| self.to_string())?;
        let outcome = Outcome::of(&summary, self.rps * self.seconds).with_context(|| self.to_string())?;
        if summary["allocator"] != self.allocator {
            bail!("{self}: the service allocates with {}", summary["allocator"]);
        }
        Ok(outcome)
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { allocator, load, pools, limit_mib, seed, .. } = self;
        write!(f, "{load} · {allocator} · {pools} · {limit_mib} MiB · seed {seed}")
    }
}

/// The one line that a demo prints. Exit status 1 is a run that did not hold what it claims, and says so.
fn summary(binary: &Path, arguments: &[String], seconds: u64) -> Result<Value> {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        // Settings of pools, faults and allocators that somebody has for a service of theirs.
        let foreign = ["EBBPOOL_", "FAILPOINTS", "MALLOC_", "MIMALLOC_", "GLIBC_TUNABLES"];
        if name.to_str().is_some_and(|n| foreign.iter().any(|prefix| n.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().with_context(|| format!("{} cannot be started", binary.display()))?;
    let (pid, deadline) = (child.id(), Instant::now() + Duration::from_secs(seconds) + LATE);
    let output = thread::spawn(move || child.wait_with_output());
    while !output.is_finished() {
        if Instant::now() > deadline {
            // It cleans up after itself, and the end of its output ends the wait.
            Command::new("kill").args(["-s", "TERM", &pid.to_string()]).output()?;
            bail!("it ran longer than {seconds} s and {} s", LATE.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = output.join().map_err(|_| anyhow::anyhow!("who waited for it panicked"))??;
    let said = String::from_utf8_lossy(&output.stderr);
    if !matches!(output.status.code(), Some(0 | 1)) {
        bail!("{}: {}", output.status, said.trim());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("no summary: {}", said.trim()))
}

impl Outcome {
    /// From a summary of a run for which `planned` requests were to come.
    pub(crate) fn of(summary: &Value, planned: u64) -> Result<Self> {
        let number = |key: &str| summary[key].as_f64().with_context(|| format!("no {key} in {summary}"));
        let count = |key: &str| summary[key].as_u64().with_context(|| format!("no {key} in {summary}"));
        let (completed, offered) = (count("completed")?, count("offered")?);
        Ok(Self {
            is_killed: count("oom_kills")? > 0,
            killed_after_s: summary["killed_after_s"].as_f64(),
            completed_share: completed as f64 / offered.max(planned).max(1) as f64,
            errors: count("errors")?,
            refused: count("shed")? + count("timeouts")?,
            peak_bytes: count("peak_bytes")?,
            mean_bytes: count("mean_bytes")?,
            lent_peak_bytes: count("lent_peak_bytes")?,
            p99_ms: number("p99_ms")?,
            hit_rate: number("hit_rate")?,
            completed_per_s: completed as f64 / number("duration_s")?.max(f64::MIN_POSITIVE),
        })
    }

    /// Neither killed nor anything lost but by waiting: a machine too busy for the load.
    pub(crate) fn is_late_only(&self, completed_share_min: f64) -> bool {
        !self.is_killed && self.errors == 0 && self.completed_share < completed_share_min
    }

    /// For a file of figures.
    pub(crate) fn json(&self, trial: &Trial) -> Value {
        json!({
            "allocator": trial.allocator, "load": trial.load, "pools": trial.pools, "seed": trial.seed,
            "fixed_percent": trial.fixed_percent, "limit_mib": trial.limit_mib, "killed": self.is_killed,
            "killed_after_s": self.killed_after_s, "completed_share": self.completed_share,
            "errors": self.errors, "refused": self.refused, "peak_bytes": self.peak_bytes,
            "mean_bytes": self.mean_bytes, "lent_peak_bytes": self.lent_peak_bytes, "p99_ms": self.p99_ms,
            "hit_rate": self.hit_rate,
        })
    }
}

/// Says in a line what came out.
pub(crate) fn say(at: usize, of: usize, trial: &Trial, outcome: &Outcome) {
    let end = match outcome.killed_after_s {
        Some(after) => format!("killed after {after:.1} s"),
        None => format!("lived, peak {} MiB", outcome.peak_bytes >> 20),
    };
    println!("   {at:>3}/{of} {trial}: {end}, {:.2} % completed", 100.0 * outcome.completed_share);
}

/// Runs `trials` in their order, `at_once` beside each other; the first error ends it when what is under way has ended.
pub(crate) fn run_all(workspace: &Workspace, trials: &[Trial], at_once: usize) -> Result<Vec<Outcome>> {
    let ended = AtomicUsize::new(0);
    each(trials, at_once, |trial| {
        let outcome = trial.run(workspace)?;
        say(1 + ended.fetch_add(1, Relaxed), trials.len(), trial, &outcome);
        Ok(outcome)
    })
}

/// `f` of each item, in their order, `at_once` beside each other; after an error no further one is begun.
pub(crate) fn each<T: Sync, O: Send>(
    items: &[T],
    at_once: usize,
    f: impl Fn(&T) -> Result<O> + Sync,
) -> Result<Vec<O>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<(usize, Result<O>)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    if at >= items.len() || failed.load(Relaxed) {
                        return;
                    }
                    let result = f(&items[at]);
                    failed.fetch_or(result.is_err(), Relaxed);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn trial() -> Trial {
        Trial {
            allocator: "glibc",
            load: "step",
            pools: "fixed",
            fixed_percent: 100,
            allocator_defaults: false,
            limit_mib: 160,
            seconds: 12,
            rps: 400,
            seed: 3,
        }
    }

    pub(crate) fn outcome() -> Outcome {
        Outcome {
            is_killed: false,
            killed_after_s: None,
            completed_share: 0.995,
            errors: 0,
            refused: 0,
            peak_bytes: 1,
            mean_bytes: 1,
            lent_peak_bytes: 1,
            p99_ms: 1.0,
            hit_rate: 0.9,
            completed_per_s: 1.0,
        }
    }

    #[test]
    fn a_trial_is_a_command_that_can_be_typed() {
        assert_eq!(
            trial().arguments().join(" "),
            "demo --json --admin 127.0.0.1:0 --limit 160MiB --any-limit --load step --for 12s --rps 400 --seed 3 --pools fixed \
             --fixed-percent 100"
        );
    }

    #[test]
    fn what_a_dead_service_would_have_been_sent_counts_as_not_completed() {
        let summary = json!({"offered": 2000, "completed": 1900, "errors": 100, "shed": 0, "timeouts": 0, "oom_kills": 1,
            "killed_after_s": 5.0, "peak_bytes": 160 << 20, "mean_bytes": 90 << 20, "lent_peak_bytes": 80 << 20,
            "p99_ms": 9.5, "hit_rate": 0.9, "duration_s": 5.0});
        let outcome = Outcome::of(&summary, 4800).unwrap();
        assert!((outcome.completed_share - 1900.0 / 4800.0).abs() < 1e-12 && outcome.is_killed);
        assert!((outcome.completed_per_s - 380.0).abs() < 1e-9 && !outcome.is_late_only(0.99));
        let mut alive = summary;
        (alive["oom_kills"], alive["killed_after_s"], alive["errors"]) = (json!(0), json!(null), json!(0));
        (alive["offered"], alive["completed"], alive["timeouts"]) = (json!(4810), json!(4700), json!(110));
        let outcome = Outcome::of(&alive, 4800).unwrap();
        assert!((outcome.completed_share - 4700.0 / 4810.0).abs() < 1e-12 && outcome.is_late_only(0.99));
        alive["p99_ms"] = json!(null);
        assert!(Outcome::of(&alive, 4800).unwrap_err().to_string().starts_with("no p99_ms"));
    }

    #[test]
    fn results_come_in_the_order_of_the_items_and_an_error_ends_it() {
        let doubled = each(&[1, 2, 3, 4, 5], 2, |n| Ok(n * 2)).unwrap();
        assert_eq!(doubled, [2, 4, 6, 8, 10]);
        let seen = Mutex::new(0);
        let failed = each(&[1, 2, 3], 1, |n| {
            *seen.lock().unwrap() += 1;
            anyhow::ensure!(*n != 2, "two");
            Ok(())
        });
        assert_eq!((failed.unwrap_err().to_string(), *seen.lock().unwrap()), ("two".to_owned(), 2));
    }
}

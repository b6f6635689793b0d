//! pool-core's stress tests under the sanitizers of the stable compiler.
//!
//! The standard library is the prebuilt one, which is not instrumented. What that hides from ThreadSanitizer
//! or makes it imagine stands in `tsan.supp`; `cfg(ebbpool_tsan)` lets pool-core's seam avoid the rest.
//! A probe with a known error goes first: a sanitizer that does not find it would find nothing else either.

use crate::counts::Counts;
use crate::run::{Job, cargo, plain};
use crate::suites::Run;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

struct Sanitizer {
    name: &'static str,
    rustflags: &'static str,
    /// A program in `probes/` with the kind of error that it must find, and what it says then.
    probe: &'static str,
    report: &'static str,
    options: &'static str,
}

const SANITIZERS: [Sanitizer; 2] = [
    Sanitizer {
        name: "tsan",
        rustflags: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg ebbpool_tsan",
        probe: "race",
        report: "ThreadSanitizer: data race",
        options: "TSAN_OPTIONS",
    },
    Sanitizer {
        name: "asan",
        rustflags: "-Zsanitizer=address --cfg ebbpool_asan",
        probe: "use_after_free",
        report: "AddressSanitizer: heap-use-after-free",
        options: "ASAN_OPTIONS",
    },
];

/// Probes, then the stress tests, under each sanitizer.
pub(crate) fn run(run: &Run<'_>) -> Result<Counts> {
    let host = host()?;
    let mut counts = Counts::default();
    for sanitizer in &SANITIZERS {
        if !sanitizer.finds_its_probe(run.workspace, &host)? {
            counts += Counts::FAIL;
            continue;
        }
        counts += Counts::PASS;
        let folder = run.workspace.target.join(sanitizer.name);
        let job =
            cargo("test -p pool-core --release --test stress --test exactly_once --no-fail-fast --target")
                .arg(&host);
        let job = job.arg("--target-dir").arg(folder.to_string_lossy()).rustflags(sanitizer.rustflags);
        counts += run.tests(sanitizer.settings(job, run.workspace))?;
    }
    Ok(counts)
}

/// A test run under ThreadSanitizer.
pub(crate) fn under_tsan(job: Job, workspace: &Workspace) -> Job {
    let [tsan, _] = &SANITIZERS;
    tsan.settings(job.rustflags(tsan.rustflags), workspace)
}

impl Sanitizer {
    /// Unstable flags on a stable compiler, and the runtime's options.
    fn settings(&self, job: Job, workspace: &Workspace) -> Job {
        job.env("RUSTC_BOOTSTRAP", "1").env(self.options, self.runtime_options(workspace))
    }

    fn runtime_options(&self, workspace: &Workspace) -> String {
        match self.name {
            "tsan" => format!("suppressions={}", workspace.root.join("xtask/tsan.supp").display()),
            _ => "detect_leaks=1".to_owned(),
        }
    }

    fn finds_its_probe(&self, workspace: &Workspace, host: &str) -> Result<bool> {
        let folder = workspace.target.join(self.name);
        std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let program = folder.join(self.probe);
        let source = format!("xtask/probes/{}.rs", self.probe);
        let job = plain("rustc")
            .args(["--edition", "2024", "-O", "--target", host])
            .args(self.rustflags.split(' '));
        let job = self.settings(job.arg(&source).arg("-o").arg(program.to_string_lossy()), workspace);
        if !job.passes(workspace)? {
            return Ok(false);
        }
        let mut command = Command::new(&program);
        command.env(self.options, self.runtime_options(workspace)).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("{} cannot be run", program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let found = !output.status.success() && said.contains(self.report);
        if found {
            println!("   {} finds the error in {source}", self.name);
        } else {
            println!(
                "   {} does not find the error in {source} ({}); it said:\n{said}",
                self.name, output.status
            );
        }
        Ok(found)
    }
}

/// The target that this compiler runs on. Given by name, RUSTFLAGS do not reach build scripts.
pub(crate) fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) if host.ends_with("linux-gnu") => Ok(host.to_owned()),
        host => bail!("the sanitizers run on linux-gnu targets only, this is {}", host.unwrap_or("unknown")),
    }
}

//! A copy of the crates that may be broken, and how its tests run.

use super::list::{Kind, Mutation, Test};
use super::verdict::Verdict;
use crate::bench::PEERS;
use crate::run::{Job, Quiet, cargo};
use crate::sanitize;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A run that takes longer hangs; the longest unbroken one takes a minute.
const RUN_LIMIT: Duration = Duration::from_secs(240);
/// A build never does, but it may be cold.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

const NO_RUN: &str = "--no-run";

/// The crates of the copy: what may be broken, and what that depends on.
const MEMBERS: [&str; 4] = ["pool-core", "pool-core/derive", "dashboards", "controller"];
/// What the copy needs beside their manifests.
const PARTS: [&str; 14] = [
    "pool-core/src",
    "pool-core/tests",
    "pool-core/README.md",
    "pool-core/derive/src",
    "pool-core/derive/README.md",
    "dashboards/src",
    "dashboards/web",
    "dashboards/README.md",
    "controller/src",
    "controller/tests",
    "controller/openapi.json",
    "controller/config.schema.json",
    "controller/README.md",
    "docs/configuration.md",
];

pub(super) struct Scratch<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
}

impl<'a> Scratch<'a> {
    /// Copies the crates as they are now into a workspace of their own.
    pub(super) fn new(workspace: &'a Workspace) -> Result<Self> {
        let folder = workspace.target.join("mutants");
        for part in PARTS {
            refresh(&workspace.root.join(part), &folder.join(part))?;
        }
        for member in MEMBERS {
            let manifest = std::fs::read_to_string(workspace.root.join(member).join("Cargo.toml"))?;
            write_if_new(&folder.join(member).join("Cargo.toml"), &without_benches(&manifest))?;
        }
        let root = std::fs::read_to_string(workspace.root.join("Cargo.toml"))?;
        write_if_new(&folder.join("Cargo.toml"), &with_members_only(&root))?;
        if !folder.join("Cargo.lock").exists() {
            std::fs::copy(workspace.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        }
        Ok(Self { workspace, folder })
    }

    /// Runs `f` with one mutation in the copy.
    pub(super) fn with<O>(&self, mutation: &Mutation, f: impl FnOnce(&Self) -> Result<O>) -> Result<O> {
        let path = self.folder.join(&mutation.file);
        let unbroken = std::fs::read_to_string(&path)?;
        std::fs::write(&path, mutation.apply_to(&self.folder)?)?;
        let result = f(self);
        std::fs::write(&path, unbroken)?;
        result
    }

    /// The command that runs a test, to be repeated by hand.
    pub(super) fn command(&self, test: &Test) -> Result<String> {
        Ok(self.job(test, &[])?.to_string())
    }

    pub(super) fn run(&self, test: &Test) -> Result<Verdict> {
        let build = self.job(test, &[NO_RUN])?.limit(BUILD_LIMIT).quietly(self.workspace)?;
        if build.succeeded != Some(true) {
            return Ok(Verdict::DoesNotCompile);
        }
        let regressions = self.folder.join(test.package).join("proptest-regressions");
        let found = regressions.exists();
        let verdict = match self.job(test, &[])?.limit(RUN_LIMIT).quietly(self.workspace)? {
            Quiet { succeeded: None, .. } => Verdict::Hung,
            Quiet { succeeded: Some(succeeded), output } => Verdict::of(test, succeeded, &output),
        };
        // What a broken pool taught proptest is of no use to the next one.
        if !found && regressions.exists() {
            std::fs::remove_dir_all(regressions)?;
        }
        Ok(verdict)
    }

    fn job(&self, test: &Test, options: &[&str]) -> Result<Job> {
        let (manifest, package) = (self.folder.join("Cargo.toml"), test.package);
        let target = |name: &str| self.folder.join(name).to_string_lossy().into_owned();
        let job = |line: &str, folder: &str| {
            let job = cargo(line).arg("--manifest-path").arg(manifest.to_string_lossy());
            job.arg("--target-dir").arg(target(folder)).env("CARGO_INCREMENTAL", "1")
        };
        // One after the other where a test may take its process down: the last line then says which one it was.
        let in_turn: &[&str] = if test.kind.is_deadly() { &["--test-threads=1"] } else { &[] };
        let chosen = |job: Job| {
            let job = test.target.iter().fold(job, |job, target| job.arg("--test").arg(target));
            let job = job.args(options.iter().copied()).arg("--");
            job.args(in_turn.iter().copied()).args(test.names.iter().map(String::as_str))
        };
        Ok(match test.kind {
            Kind::Unit => chosen(
                job(&format!("test -p {package} --lib"), "target").env("PROPTEST_MAX_SHRINK_ITERS", "0"),
            ),
            Kind::Release => chosen(job(&format!("test -p {package} --release --lib"), "target")),
            Kind::Integration => chosen(job(&format!("test -p {package} --release"), "target")),
            // There is nothing to build but the library: each example is built when it runs.
            Kind::Doc if options.contains(&NO_RUN) => job(&format!("build -p {package}"), "target"),
            Kind::Doc => chosen(job(&format!("test -p {package} --doc"), "target")),
            Kind::Loom => {
                let job = job(&format!("test -p {package} --release --lib"), "loom")
                    .rustflags("--cfg ebbpool_loom");
                chosen(job.env("LOOM_MAX_PREEMPTIONS", "2"))
            }
            Kind::Tsan => {
                let line = format!("test -p {package} --release --target {}", sanitize::host()?);
                sanitize::under_tsan(chosen(job(&line, "tsan")), self.workspace)
            }
        })
    }
}

/// Makes `to` what `from` is, and leaves the times of what has not changed: cargo builds what is newer.
fn refresh(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        let text = std::fs::read(from).with_context(|| format!("{} cannot be read", from.display()))?;
        if std::fs::read(to).ok().as_ref() != Some(&text) {
            to.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(to, text)?;
        }
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            let gone = entry.path();
            if gone.is_dir() { std::fs::remove_dir_all(gone)? } else { std::fs::remove_file(gone)? }
        }
    }
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        refresh(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn write_if_new(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).ok().as_deref() != Some(text) {
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// Without the benchmarks and the peers that they need: no test does, and jemalloc takes longer to build than all the rest.
fn without_benches(manifest: &str) -> String {
    let is_peer = |line: &&str| PEERS.iter().any(|peer| line.starts_with(&format!("{peer}.")));
    let kept: Vec<_> = manifest.lines().filter(|line| !is_peer(line)).collect();
    let text = kept.join("\n") + "\n";
    let mut tables: Vec<_> = text.split("\n[").map(str::to_owned).collect();
    tables.retain(|table| !table.starts_with("[bench]]") && !table.starts_with("[example]]"));
    tables.join("\n[")
}

fn with_members_only(root: &str) -> String {
    let line = |line: &str| match line.split(" = ").next() {
        Some("members") => format!("members = {MEMBERS:?}"),
        Some("default-members" | "exclude") => String::new(),
        _ => line.to_owned(),
    };
    root.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_knows_no_benchmark_and_no_other_crate() {
        let manifest = "[a]\nopool.workspace = true\nproptest.workspace = true\n\n[[bench]]\nname = \"x\"\n\n[lints]\nworkspace = true\n";
        assert_eq!(
            without_benches(manifest),
            "[a]\nproptest.workspace = true\n\n[lints]\nworkspace = true\n"
        );
        let root = "[workspace]\nmembers = [\"a\", \"b\"]\ndefault-members = [\"a\"]\nx = 1\n";
        assert_eq!(with_members_only(root), format!("[workspace]\nmembers = {MEMBERS:?}\n\nx = 1\n"));
    }
}

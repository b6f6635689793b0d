//! The suites: what each is for, what it needs, what it runs.

use crate::counts::Counts;
use crate::machine::Tool;
use crate::run::{Job, cargo};
use crate::workspace::Workspace;
use crate::{bench, failpoints, fuzz, mutants, sanitize, tidy};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use std::time::{SystemTime, UNIX_EPOCH};

/// The libraries, in the order in which they can be published.
const LIBRARIES: [&str; 5] =
    ["pool-core-derive", "pool-core", "pool-dashboards", "pool-controller", "pool-chaos"];
/// The package whose features are allocators.
const CONTROLLER: &str = "pool-controller";
/// The package of the `ebbpool` binary.
const CLI: &str = "ebbpool";

/// A part of `cargo xtask test` that can be left out by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Tidy,
    Unit,
    Features,
    Loom,
    Stress,
    Limit,
    Browser,
    BenchSmoke,
    Cost,
    Sanitize,
    Mutants,
    Fuzz,
    Deny,
    Package,
}

/// What a suite is told.
pub(crate) struct Run<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) quick: bool,
    /// The suites that do not run, comma separated. Tests see it as `EBBPOOL_WITHOUT_SUITE`: one that needs
    /// such a suite's equipment leaves itself out.
    pub(crate) without: String,
}

impl Suite {
    /// In the order in which they run: what fails fast first.
    pub(crate) const ALL: [Self; 14] = [
        Self::Tidy,
        Self::Unit,
        Self::Features,
        Self::Loom,
        Self::Stress,
        Self::Limit,
        Self::Browser,
        Self::BenchSmoke,
        Self::Cost,
        Self::Sanitize,
        Self::Mutants,
        Self::Fuzz,
        Self::Deny,
        Self::Package,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tidy => "tidy",
            Self::Unit => "unit",
            Self::Features => "features",
            Self::Loom => "loom",
            Self::Stress => "stress",
            Self::Limit => "limit",
            Self::Browser => "browser",
            Self::BenchSmoke => "bench-smoke",
            Self::Cost => "cost",
            Self::Sanitize => "sanitize",
            Self::Mutants => "mutants",
            Self::Fuzz => "fuzz",
            Self::Deny => "deny",
            Self::Package => "package",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Tidy => "the rules that the compiler does not check",
            Self::Unit => "tests and doctests of every crate",
            Self::Features => {
                "pool-core with each of its features and with all, its examples, and failpoints compiled out; the controller \
                 beside each allocator"
            }
            Self::Loom => "models of pool-core: every interleaving within the preemption bound",
            Self::Stress => "pool-core's tests in release, the membarrier litmus test among them",
            Self::Limit => {
                "the demo under a real memory limit, and samples of docs/limits.md and docs/contrast.md"
            }
            Self::Browser => "the page in headless Chromium",
            Self::BenchSmoke => "every benchmark builds, runs briefly and reports what it should",
            Self::Cost => "instructions per pair within a tenth of what is recorded",
            Self::Sanitize => "pool-core's stress tests under ThreadSanitizer and AddressSanitizer",
            Self::Mutants => {
                "pool-core and the laws broken on purpose: none of the list is stale, a few are noticed"
            }
            Self::Fuzz => "pool-core's state machine fed by libFuzzer, briefly",
            Self::Deny => "licenses, bans and sources of all dependencies",
            Self::Package => "the libraries as they would be published",
        }
    }

    pub(crate) fn needs(self) -> &'static [Tool] {
        match self {
            Self::Unit | Self::Features | Self::Stress | Self::BenchSmoke => &[Tool::Make],
            Self::Cost => &[Tool::Make, Tool::Valgrind],
            Self::Browser => &[Tool::Chromium, Tool::ChromeDriver],
            Self::Fuzz => &[Tool::CargoFuzz, Tool::Gxx],
            Self::Deny => &[Tool::CargoDeny],
            Self::Tidy | Self::Loom | Self::Limit | Self::Sanitize | Self::Mutants | Self::Package => &[],
        }
    }

    /// Part of `--quick`: most of the answer within minutes.
    pub(crate) fn is_quick(self) -> bool {
        matches!(self, Self::Tidy | Self::Unit | Self::Features | Self::Loom)
    }

    /// What to say when it fails: what it needs and no look at PATH can tell.
    pub(crate) fn hint(self) -> Option<&'static str> {
        (self == Self::Limit).then_some(
            "it needs the right to make a memory group (root, or a user scope of systemd); on a machine that \
             grants none: --without limit",
        )
    }

    /// Runs it and counts.
    pub(crate) fn run(self, run: &Run<'_>) -> Result<Counts> {
        match self {
            Self::Tidy => tidy::run(run.workspace),
            Self::Unit => run.tests(cargo("test --workspace --no-fail-fast")),
            Self::Features => features(run),
            Self::Loom => loom(run),
            Self::Stress => run.tests(cargo("test -p pool-core --release --tests --no-fail-fast")),
            Self::Limit => limit(run),
            Self::Browser => run.tests(run.test_target(CLI, "browser")?),
            Self::BenchSmoke => bench::smoke(run.workspace),
            Self::Cost => bench::cost(run.workspace),
            Self::Sanitize => sanitize::run(run),
            Self::Mutants => mutants::sample(run.workspace),
            Self::Fuzz => Ok(if fuzz::briefly(run.workspace)? { Counts::PASS } else { Counts::FAIL }),
            Self::Deny => deny(run),
            Self::Package => package(run),
        }
    }
}

impl ValueEnum for Suite {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

impl Run<'_> {
    /// Runs tests that know which suites are left out.
    pub(crate) fn tests(&self, job: Job) -> Result<Counts> {
        job.env("EBBPOOL_WITHOUT_SUITE", self.without.as_str()).tests(self.workspace)
    }

    /// One integration test of a package, with the features without which cargo would not build it.
    fn test_target(&self, package: &str, name: &str) -> Result<Job> {
        let found = self.workspace.package(package)?;
        let target = found.targets_of("test").find(|t| t.name == name);
        let target = target.with_context(|| format!("{} has no tests/{name}.rs", found.folder))?;
        let mut job = cargo("test --no-fail-fast").args(["-p", package, "--test", name]);
        if !target.required_features.is_empty() {
            job = job.arg("--features").arg(target.required_features.join(","));
        }
        Ok(job)
    }

    fn check(&self, job: &Job) -> Result<Counts> {
        Ok(if job.passes(self.workspace)? { Counts::PASS } else { Counts::FAIL })
    }
}

/// In release: what is shown is shown at the full rate, of which a debug build takes most of a processor. The unit
/// tests that need a real limit stand behind the same feature.
fn limit(run: &Run<'_>) -> Result<Counts> {
    let demo = run.test_target(CLI, "limit")?;
    let mut counts = run.tests(demo.arg("--release"))?;
    let units = cargo("test --no-fail-fast --release --features limit --bin ebbpool -p").arg(CLI);
    counts += run.tests(units.arg("limit::"))?;
    counts += bench::limits::sample(run.workspace)?;
    counts += bench::contrast::sample(run.workspace)?;
    Ok(counts)
}

fn features(run: &Run<'_>) -> Result<Counts> {
    let mut counts =
        run.tests(cargo("test -p pool-core --no-default-features --lib --tests --no-fail-fast"))?;
    let core = run.workspace.package("pool-core")?;
    for feature in core.features.iter().filter(|f| *f != "default") {
        let job = cargo("test -p pool-core --no-default-features --lib --tests --no-fail-fast --features");
        counts += run.tests(job.arg(feature))?;
    }
    counts += run.tests(cargo("test -p pool-core --all-features --no-fail-fast"))?;
    for example in core.targets_of("example") {
        counts += run.check(&cargo("run -p pool-core --all-features --example").arg(&example.name))?;
    }
    counts += allocators(run)?;
    counts += failpoints::check(run.workspace)?;
    Ok(counts)
}

/// The controller with each of its features, which are allocators: its own test, in a program that the allocator serves.
fn allocators(run: &Run<'_>) -> Result<Counts> {
    let mut counts = Counts::default();
    let controller = run.workspace.package(CONTROLLER)?;
    for feature in controller.features.iter().filter(|f| *f != "default") {
        let job = run.test_target(CONTROLLER, &format!("allocator_{feature}"))?;
        counts += run.tests(job.arg("--lib"))?;
        // The same, as the binary's allocator.
        counts += run.check(&cargo("check --features").arg(feature).args(["-p", CLI]))?;
    }
    Ok(counts)
}

/// A target folder of its own: RUSTFLAGS differ, and would have everything built again at each change of suite.
fn loom(run: &Run<'_>) -> Result<Counts> {
    let job = |preemptions: &str| {
        cargo("test -p pool-core --release --lib --target-dir")
            .arg(run.workspace.target.join("loom").to_string_lossy())
            .rustflags("--cfg ebbpool_loom")
            .env("LOOM_MAX_PREEMPTIONS", preemptions)
    };
    let mut counts = run.tests(job("2").arg("loom_"))?;
    if !run.quick {
        // Three preemptions take minutes for the larger models; these have found something with them.
        counts +=
            run.tests(job("3").arg("loom_snapshot").args(["--", "loom_a_table", "loom_close", "lease::"]))?;
    }
    Ok(counts)
}

/// One check at a time, so that each is counted. Advisories are left out: they need the network, and turn a
/// build red that nobody changed.
fn deny(run: &Run<'_>) -> Result<Counts> {
    let mut counts = Counts::default();
    for check in ["licenses", "bans", "sources"] {
        counts += run.check(&cargo("deny --log-level error --all-features check").arg(check))?;
    }
    Ok(counts)
}

/// In a target folder that no run had before. Cargo takes what it unpacked and built of a registry for unchangeable,
/// also of the one in that folder from which the libraries find each other: in the folder of an earlier run, each
/// would be checked against what the others were then.
fn package(run: &Run<'_>) -> Result<Counts> {
    for library in LIBRARIES {
        if run.workspace.package(library).is_err() {
            bail!("library {library} is not in the workspace");
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let folder = run.workspace.target.join(format!("package-{}", now.as_nanos()));
    let mut job = cargo("publish --dry-run --target-dir").arg(folder.to_string_lossy());
    job = job.args(LIBRARIES.iter().flat_map(|library| ["-p", library]));
    if std::env::var_os("CI").is_none() {
        job = job.arg("--allow-dirty"); // work in progress can be checked too
    }
    let counts = run.check(&job);
    std::fs::remove_dir_all(&folder).ok();
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Package, Target};

    #[test]
    fn names_are_unique_and_quick_suites_need_little() {
        let mut names: Vec<_> = Suite::ALL.iter().map(|s| s.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Suite::ALL.len());
        assert!(
            Suite::ALL.iter().filter(|s| s.is_quick()).all(|s| s.needs().iter().all(|n| *n == Tool::Make))
        );
    }

    #[test]
    fn a_suite_without_its_tests_is_an_error() {
        let target = Target { name: "other".into(), kind: "test".into(), ..Target::default() };
        let cli =
            Package { name: CLI.into(), folder: "cli".into(), targets: vec![target], ..Package::default() };
        let workspace = Workspace { root: ".".into(), target: "target".into(), packages: vec![cli] };
        let run = Run { workspace: &workspace, quick: false, without: String::new() };
        let error = Suite::Limit.run(&run).unwrap_err().to_string();
        assert_eq!(error, "cli has no tests/limit.rs");
        assert!(Suite::Package.run(&run).unwrap_err().to_string().contains("pool-core"));
    }
}

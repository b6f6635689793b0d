//! What suites need of the machine, and how to put it there.

use crate::suites::Suite;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The cargo-deny that CI uses; another version that is there already will do.
const CARGO_DENY: &str = "0.20.2";
/// The same for cargo-fuzz.
const CARGO_FUZZ: &str = "0.13.2";

/// A program that a suite cannot run without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// jemalloc, one of the benchmark's peers, is built with it.
    Make,
    Chromium,
    ChromeDriver,
    CargoDeny,
    CargoFuzz,
    /// libFuzzer is built with it.
    Gxx,
    /// Counts instructions.
    Valgrind,
}

/// Where a tool comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A Debian package.
    Debian(&'static str),
    /// A crate, with its version.
    Crate(&'static str, &'static str),
}

/// A tool that is not here, and the suites that wait for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    tool: Tool,
    pub(crate) suites: Vec<Suite>,
}

impl Tool {
    fn program(self) -> &'static str {
        match self {
            Self::Make => "make",
            Self::Chromium => "chromium",
            Self::ChromeDriver => "chromedriver",
            Self::CargoDeny => "cargo-deny",
            Self::CargoFuzz => "cargo-fuzz",
            Self::Gxx => "g++",
            Self::Valgrind => "valgrind",
        }
    }

    fn origin(self) -> Origin {
        match self {
            Self::Make => Origin::Debian("make"),
            Self::Chromium => Origin::Debian("chromium"),
            Self::ChromeDriver => Origin::Debian("chromium-driver"),
            Self::Valgrind => Origin::Debian("valgrind"),
            Self::CargoDeny => Origin::Crate("cargo-deny", CARGO_DENY),
            Self::CargoFuzz => Origin::Crate("cargo-fuzz", CARGO_FUZZ),
            Self::Gxx => Origin::Debian("g++"),
        }
    }

    fn is_here(self) -> bool {
        search_path().iter().any(|folder| folder.join(self.program()).is_file())
    }
}

impl Missing {
    /// What is missing, for whom, and both ways out.
    pub(crate) fn advice(&self) -> String {
        let from = match self.tool.origin() {
            Origin::Debian(package) => format!("Debian package {package}"),
            Origin::Crate(name, version) => format!("crate {name} {version}"),
        };
        let names: Vec<_> = self.suites.iter().map(|s| s.name()).collect();
        let without: Vec<_> = names.iter().map(|n| format!("--without {n}")).collect();
        format!(
            "suite {} needs {} ({from}), which is not on this machine: `cargo xtask test --install` installs it, \
             `{}` does without",
            names.join(", "),
            self.tool.program(),
            without.join(" ")
        )
    }
}

/// What `suites` need and this machine lacks.
pub(crate) fn missing(suites: &[Suite]) -> Vec<Missing> {
    missing_by(suites, Tool::is_here)
}

fn missing_by(suites: &[Suite], is_here: impl Fn(Tool) -> bool) -> Vec<Missing> {
    let tools = [
        Tool::Make,
        Tool::Gxx,
        Tool::Valgrind,
        Tool::Chromium,
        Tool::ChromeDriver,
        Tool::CargoDeny,
        Tool::CargoFuzz,
    ];
    let absent = tools.into_iter().filter(|tool| !is_here(*tool)).map(|tool| Missing {
        tool,
        suites: suites.iter().copied().filter(|suite| suite.needs().contains(&tool)).collect(),
    });
    absent.filter(|missing| !missing.suites.is_empty()).collect()
}

/// Installs what is missing, Debian packages first, and says each command.
pub(crate) fn install(missing: &[Missing]) -> Result<()> {
    if missing.is_empty() {
        println!("everything that the suites need is here");
        return Ok(());
    }
    let origins: Vec<_> = missing.iter().map(|m| m.tool.origin()).collect();
    let packages: Vec<_> =
        origins.iter().filter_map(|o| if let Origin::Debian(p) = o { Some(*p) } else { None }).collect();
    if !packages.is_empty() {
        install_packages(&packages)?;
    }
    for origin in origins {
        if let Origin::Crate(name, version) = origin {
            let cargo = crate::workspace::cargo();
            say_and_run(Command::new(cargo).args(["install", name, "--version", version, "--locked"]))?;
        }
    }
    match missing.iter().find(|m| !m.tool.is_here()) {
        None => Ok(()),
        Some(still) => bail!("installed, and yet {} is nowhere in PATH", still.tool.program()),
    }
}

fn install_packages(packages: &[&str]) -> Result<()> {
    let wanted = packages.join(" ");
    if which("apt-get").is_none() {
        bail!("--install knows Debian's apt-get only, which is not here; install by other means: {wanted}");
    }
    if !is_root() {
        bail!("Debian packages are missing and only root can install them: apt-get install {wanted}");
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    say_and_run(apt().args(["update", "--quiet"]))?;
    say_and_run(apt().args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages))
}

fn say_and_run(command: &mut Command) -> Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|w| w.to_string_lossy());
    let line = words.collect::<Vec<_>>().join(" ");
    println!("install: {line}");
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("`{line}` cannot be started"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    effective_user(&status) == Some(0)
}

/// From `Uid: real effective saved filesystem`.
fn effective_user(status: &str) -> Option<u32> {
    status.lines().find_map(|l| l.strip_prefix("Uid:"))?.split_whitespace().nth(1)?.parse().ok()
}

fn which(program: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// `PATH`, and where `cargo install` puts programs: cargo looks there without being told.
fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(Path::new(&home).join(".cargo"))
    });
    std::env::split_paths(&path).chain(cargo_home.map(|home| home.join("bin"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_tools_name_suite_package_and_both_ways_out() {
        let missing = missing_by(&[Suite::Unit, Suite::Browser], |tool| tool != Tool::ChromeDriver);
        let [one] = missing.as_slice() else { panic!("{missing:?}") };
        let advice = one.advice();
        for part in ["browser", "chromium-driver", "--install", "--without browser"] {
            assert!(advice.contains(part), "{part} is not in: {advice}");
        }
    }

    #[test]
    fn instructions_are_not_counted_without_valgrind() {
        let missing = missing_by(&[Suite::Cost, Suite::Unit], |tool| tool != Tool::Valgrind);
        let [one] = missing.as_slice() else { panic!("{missing:?}") };
        for part in ["suite cost needs valgrind (Debian package valgrind)", "--install", "--without cost"] {
            assert!(one.advice().contains(part), "{part} is not in: {}", one.advice());
        }
    }

    #[test]
    fn nothing_is_fuzzed_without_cargo_fuzz_and_a_compiler_for_libfuzzer() {
        let missing = missing_by(&[Suite::Fuzz, Suite::Unit], |tool| tool == Tool::Make);
        let advice: Vec<_> = missing.iter().map(Missing::advice).collect();
        assert!(advice[0].contains("suite fuzz needs g++ (Debian package g++)"), "{advice:?}");
        let said = format!("suite fuzz needs cargo-fuzz (crate cargo-fuzz {CARGO_FUZZ})");
        assert!(advice[1].contains(&said) && advice[1].contains("--without fuzz"), "{advice:?}");
    }

    #[test]
    fn only_chosen_suites_matter() {
        assert_eq!(missing_by(&[Suite::Tidy], |_| false), []);
        assert!(missing_by(&[Suite::Deny], |_| true).is_empty());
        assert_eq!(missing_by(&[Suite::Deny], |_| false).len(), 1);
    }

    #[test]
    fn root_is_known_by_its_effective_id() {
        assert_eq!(effective_user("Name:\tx\nUid:\t1000\t0\t0\t0\n"), Some(0));
        assert_eq!(effective_user("Uid:\t0\t1000\t0\t0\n"), Some(1000));
        assert_eq!(effective_user(""), None);
    }
}

//! Which crate may depend on which, and how much pool-core may pull in.

use super::{Finding, Repo, either};
use crate::workspace::{self, Workspace};
use std::process::{Command, Stdio};

/// Each crate with the members of the workspace that it may use. Dependencies point one way.
const LAYERS: [(&str, &[&str]); 6] = [
    ("pool-core", &[]),
    ("pool-dashboards", &[]),
    ("pool-controller", &["pool-core", "pool-dashboards"]),
    ("pool-chaos", &["pool-core", "pool-controller"]),
    ("ebbpool", &["pool-core", "pool-dashboards", "pool-controller", "pool-chaos"]),
    ("xtask", &[]),
];

/// What pool-core may pull in with default features on unix, however deep.
const CORE_BUDGET: [&str; 1] = ["libc"];

/// Every dependency on a member, of any kind, is in [`LAYERS`].
pub(super) fn directions(repo: &Repo) -> Vec<Finding> {
    let members: Vec<_> = repo.packages.iter().map(|p| p.name.as_str()).collect();
    let mut findings = Vec::new();
    for package in &repo.packages {
        let manifest = format!("{}/Cargo.toml", package.folder);
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == package.name) else {
            let message = format!(
                "crate {} has no layer; give it one in LAYERS of xtask/src/tidy/layers.rs",
                package.name
            );
            findings.push(Finding::new(&manifest, 1, message));
            continue;
        };
        for dependency in &package.dependencies {
            if members.contains(&dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                let line = line_of(repo, &manifest, dependency);
                let allowed = if allowed.is_empty() { "no member".to_owned() } else { either(allowed) };
                let message = format!("{} depends on {dependency}; allowed: {allowed}", package.name);
                findings.push(Finding::new(&manifest, line, message));
            }
        }
    }
    findings
}

/// pool-core pulls in no more than [`CORE_BUDGET`].
pub(super) fn budget(repo: &Repo) -> Vec<Finding> {
    let manifest = "pool-core/Cargo.toml";
    match &repo.core_dependencies {
        Err(why) => vec![Finding::new("Cargo.lock", 1, why.clone())],
        Ok(names) => {
            let over = names.iter().filter(|name| !CORE_BUDGET.contains(&name.as_str()));
            let message = |name: &String| {
                format!(
                    "{name} is pulled in by default; allowed: {} ({})",
                    either(&CORE_BUDGET),
                    CORE_BUDGET.len()
                )
            };
            over.map(|name| Finding::new(manifest, line_of(repo, manifest, name), message(name))).collect()
        }
    }
}

/// Asks cargo what a plain build of pool-core takes, and so also whether Cargo.lock is up to date.
pub(super) fn core_dependencies(workspace: &Workspace) -> Result<Vec<String>, String> {
    let arguments = ["tree", "--locked", "-p", "pool-core", "-e", "normal", "--prefix", "none"];
    let mut command = Command::new(workspace::cargo());
    command.args(arguments).current_dir(&workspace.root).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`cargo {}` failed: {}", arguments.join(" "), said.trim().replace('\n', "; ")));
    }
    Ok(names_in_tree(&String::from_utf8_lossy(&output.stdout)))
}

/// From lines like `libc v0.2.186`; the first is the crate itself.
fn names_in_tree(tree: &str) -> Vec<String> {
    let names = tree.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

fn line_of(repo: &Repo, manifest: &str, dependency: &str) -> usize {
    let lines = repo.tree.file(manifest).map(|file| file.text.lines());
    let at = lines.and_then(|mut lines| lines.position(|line| line.starts_with(dependency)));
    at.map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;
    use crate::workspace::Package;

    fn package(name: &str, folder: &str, dependencies: &[&str]) -> Package {
        let dependencies = dependencies.iter().map(|d| (*d).to_owned()).collect();
        Package { name: name.into(), folder: folder.into(), dependencies, ..Package::default() }
    }

    #[test]
    fn an_arrow_back_is_found_with_its_line() {
        let manifest = "[dependencies]\naxum.workspace = true\npool-controller.workspace = true\n";
        let mut repo = Repo::of(&[("pool-core/Cargo.toml", manifest)]);
        repo.packages = vec![
            package("pool-core", "pool-core", &["axum", "pool-controller"]),
            package("pool-controller", "controller", &["pool-core"]),
        ];
        let expected = "pool-core/Cargo.toml:3: pool-core depends on pool-controller; allowed: no member";
        assert_eq!(shown(&directions(&repo)), [expected]);
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        let mut repo = Repo::of(&[]);
        repo.packages = vec![package("newcomer", "newcomer", &[])];
        assert!(shown(&directions(&repo))[0].contains("newcomer has no layer"));
    }

    #[test]
    fn a_dependency_over_budget_is_found_and_a_stale_lock_too() {
        let mut repo = Repo::of(&[("pool-core/Cargo.toml", "[dependencies]\nrand = \"1\"\n")]);
        repo.core_dependencies =
            Ok(names_in_tree("pool-core v0.1.0 (/x)\nlibc v0.2.1\nrand v1.0.0\nlibc v0.2.1 (*)\n"));
        let expected = "pool-core/Cargo.toml:2: rand is pulled in by default; allowed: libc (1)";
        assert_eq!(shown(&budget(&repo)), [expected]);
        repo.core_dependencies = Err("the lock file needs to be updated".into());
        assert_eq!(budget(&repo).len(), 1);
        repo.core_dependencies = Ok(vec!["libc".into()]);
        assert_eq!(budget(&repo), []);
    }
}

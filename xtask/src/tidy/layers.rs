//! Which crate may depend on which, and how much the pools may pull in.

use super::{Finding, Repo, either};
use crate::workspace::{self, Workspace};
use std::process::{Command, Stdio};

/// Each crate with the members of the workspace that it may use. Dependencies point one way.
const LAYERS: [(&str, &[&str]); 7] = [
    ("pool-core", &["pool-core-derive"]),
    // The tests of a macro need what it implements; what it is built from does not.
    ("pool-core-derive", &["pool-core"]),
    ("pool-dashboards", &[]),
    ("pool-controller", &["pool-core", "pool-dashboards"]),
    ("pool-chaos", &["pool-core", "pool-controller"]),
    ("ebbpool", &["pool-core", "pool-dashboards", "pool-controller", "pool-chaos"]),
    ("xtask", &[]),
];

/// What a crate may pull in with default features on unix, however deep. The derive is a feature of pool-core:
/// what it needs is built once on the host and is no part of a service.
const BUDGETS: [(&str, &str, &[&str]); 2] = [
    ("pool-core", "pool-core/Cargo.toml", &["libc"]),
    ("pool-core-derive", "pool-core/derive/Cargo.toml", &["proc-macro2", "quote", "syn", "unicode-ident"]),
];

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

/// What a crate pulls in by name, or why cargo cannot tell.
pub(super) type PulledIn = (&'static str, Result<Vec<String>, String>);

/// No crate pulls in more than its entry of [`BUDGETS`].
pub(super) fn budget(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (package, manifest, allowed) in BUDGETS {
        let told = repo.pulled_in.iter().find(|(name, _)| *name == package).map(|(_, told)| told);
        match told {
            None => findings.push(Finding::new(manifest, 1, format!("nobody asked what {package} pulls in"))),
            Some(Err(why)) => findings.push(Finding::new("Cargo.lock", 1, why.clone())),
            Some(Ok(names)) => {
                for name in names.iter().filter(|name| !allowed.contains(&name.as_str())) {
                    let message = format!(
                        "{name} is pulled in by default; allowed: {} ({})",
                        either(allowed),
                        allowed.len()
                    );
                    findings.push(Finding::new(manifest, line_of(repo, manifest, name), message));
                }
            }
        }
    }
    findings
}

/// Asks cargo what plain builds of the crates in [`BUDGETS`] take, and so also whether Cargo.lock is up to date.
pub(super) fn pulled_in(workspace: &Workspace) -> Vec<PulledIn> {
    BUDGETS.iter().map(|(package, ..)| (*package, dependencies(workspace, package))).collect()
}

fn dependencies(workspace: &Workspace, package: &str) -> Result<Vec<String>, String> {
    let arguments = ["tree", "--locked", "-p", package, "-e", "normal", "--prefix", "none"];
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
        let mut repo = Repo::of(&[("pool-core/Cargo.toml", manifest), ("dashboards/Cargo.toml", manifest)]);
        repo.packages = vec![
            package("pool-core", "pool-core", &["axum", "pool-controller"]),
            package("pool-dashboards", "dashboards", &["pool-controller"]),
            package("pool-controller", "controller", &["pool-core"]),
        ];
        let expected = [
            "pool-core/Cargo.toml:3: pool-core depends on pool-controller; allowed: pool-core-derive",
            "dashboards/Cargo.toml:3: pool-dashboards depends on pool-controller; allowed: no member",
        ];
        assert_eq!(shown(&directions(&repo)), expected);
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
        let core = |told| vec![("pool-core", told), ("pool-core-derive", Ok(vec!["syn".to_owned()]))];
        repo.pulled_in =
            core(Ok(names_in_tree("pool-core v0.1.0 (/x)\nlibc v0.2.1\nrand v1.0.0\nlibc v0.2.1 (*)\n")));
        let expected = "pool-core/Cargo.toml:2: rand is pulled in by default; allowed: libc (1)";
        assert_eq!(shown(&budget(&repo)), [expected]);
        repo.pulled_in = core(Err("the lock file needs to be updated".into()));
        assert_eq!(budget(&repo).len(), 1);
        repo.pulled_in = core(Ok(vec!["libc".into()]));
        assert_eq!(budget(&repo), []);
        repo.pulled_in.pop();
        let expected = "pool-core/derive/Cargo.toml:1: nobody asked what pool-core-derive pulls in";
        assert_eq!(shown(&budget(&repo)), [expected]);
    }
}

//! Gathers what the last runs wrote into one file, from which the document is made.

use super::document::{DATA, DOCUMENT, document};
use super::read_json;
use crate::workspace::{self, Workspace};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::process::{Command, Stdio};

/// The crates of the peers, whose versions stand beside the figures. Nothing but benchmarks needs them.
pub(crate) const PEERS: [&str; 9] = [
    "crossbeam-queue",
    "deadpool",
    "libmimalloc-sys",
    "lockfree-object-pool",
    "object-pool",
    "opool",
    "regex-automata",
    "sharded-slab",
    "tikv-jemalloc-sys",
];

/// Writes data and document.
///
/// # Errors
/// If a run is missing or was a quick one: a document must not show figures that say nothing.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    let data = json!({
        "peers": full("peers", measured(workspace, "peers")?)?,
        "pays": full("pays", measured(workspace, "pays")?)?,
        "control": full("control", measured(workspace, "control")?)?,
        "cost": measured(workspace, "cost")?,
        "crates": crates(workspace)?,
    });
    store(workspace, &data)
}

/// Puts what control costs into the data that there are, and writes both anew: it takes seconds, the rest minutes.
///
/// # Errors
/// As [`write`].
pub(crate) fn update_control(workspace: &Workspace) -> Result<()> {
    let mut data = read_json(&workspace.root.join(DATA))?;
    data["control"] = full("control", measured(workspace, "control")?)?;
    store(workspace, &data)
}

/// What the last run of a benchmark wrote.
fn measured(workspace: &Workspace, name: &str) -> Result<Value> {
    let path = workspace.target.join(format!("bench/{name}.json"));
    read_json(&path).with_context(|| format!("run `cargo xtask bench {name}` first"))
}

fn store(workspace: &Workspace, data: &Value) -> Result<()> {
    super::write(workspace, (DATA, data), (DOCUMENT, document(data)?))
}

fn full(name: &str, report: Value) -> Result<Value> {
    if report["quick"] != false {
        bail!(
            "bench/{name}.json is from a --quick run, which says nothing about speed: run `cargo xtask bench {name}`"
        );
    }
    Ok(report)
}

/// The peers' versions, as cargo resolved them.
fn crates(workspace: &Workspace) -> Result<Map<String, Value>> {
    let arguments =
        ["tree", "--locked", "-p", "pool-core", "-e", "dev,normal", "--depth", "1", "--prefix", "none"];
    let mut command = Command::new(workspace::cargo());
    let output = command.args(arguments).current_dir(&workspace.root).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("`cargo {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    let tree = String::from_utf8_lossy(&output.stdout);
    PEERS.iter().map(|name| Ok(((*name).to_owned(), version(&tree, name)?.into()))).collect()
}

/// From lines like `opool v0.2.0`, without what a crate says of its build after a `+`.
fn version(tree: &str, name: &str) -> Result<String> {
    let mut versions = tree.lines().filter_map(|line| {
        let (found, version) = line.split_once(" v")?;
        (found == name).then(|| version.split([' ', '+']).next().unwrap_or_default().to_owned())
    });
    versions.next().with_context(|| format!("pool-core does not depend on {name}, a peer of its benchmark"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_run_is_not_written_up() {
        let error = full("pays", json!({"quick": true})).unwrap_err().to_string();
        assert!(error.contains("cargo xtask bench pays"), "{error}");
        assert!(full("peers", json!({})).is_err());
        full("peers", json!({"quick": false})).unwrap();
    }

    #[test]
    fn versions_are_those_of_cargo() {
        let tree = "pool-core v0.1.0 (x)\nopool v0.2.0+1-g8\ndeadpool-runtime v0.3.1\ndeadpool v0.13.1 (*)\n";
        assert_eq!(version(tree, "deadpool").unwrap(), "0.13.1");
        assert_eq!(version(tree, "opool").unwrap(), "0.2.0");
        assert!(version(tree, "regex-automata").is_err());
    }
}

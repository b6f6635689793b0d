//! `cargo xtask portable`: the libraries, checked for systems that this machine is not.
//!
//! No suite, because the standard libraries of other systems come from no package registry: they are there if someone
//! ran `rustup target add`. What can run here too (musl) runs its tests.

use crate::run::cargo;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// What the libraries build for beside this machine, and whether it can run that.
const TARGETS: [(&str, bool); 3] =
    [("x86_64-unknown-linux-musl", true), ("x86_64-apple-darwin", false), ("x86_64-pc-windows-gnu", false)];

const LIBRARIES: &str = "-p pool-core -p pool-controller -p pool-chaos";
/// The one whose tests need nothing from C.
const TESTED: &str = "-p pool-controller --lib";

/// Checks all; whether each of them passed.
///
/// # Errors
/// If a target is not installed.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let mut missing = Vec::new();
    for (target, _) in TARGETS {
        if !is_installed(target)? {
            missing.push(target);
        }
    }
    if !missing.is_empty() {
        bail!("the standard library is not here: rustup target add {}", missing.join(" "));
    }
    let mut all = true;
    for (target, runs) in TARGETS {
        let check = cargo(&format!("clippy {LIBRARIES} --target {target} -- -D warnings"));
        all &= check.passes(workspace)?;
        if runs {
            all &= cargo(&format!("test {TESTED} --target {target}")).passes(workspace)?;
        }
    }
    Ok(all)
}

fn is_installed(target: &str) -> Result<bool> {
    let mut rustc = Command::new("rustc");
    let output = rustc.args(["--print", "target-libdir", "--target", target]).output();
    let output = output.context("rustc cannot be started")?;
    Ok(output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

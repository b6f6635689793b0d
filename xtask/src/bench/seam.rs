//! Proof that the seam's yield points cost nothing: what they call in tests is in no other build.

use crate::counts::Counts;
use crate::failpoints::contains;
use crate::run::cargo;
use crate::workspace::{self, Workspace};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The hook that a yield point runs, as it stands in mangled symbol names of both of rustc's schemes.
const HOOK: &str = "9pool_core4sync6native9test_hook";

/// The library must not have the hook and the tests must: a search that finds nothing anywhere would prove nothing.
pub(super) fn check(workspace: &Workspace) -> Result<Counts> {
    let folder = workspace.target.join("seam");
    let library = cargo("build -p pool-core --lib --target-dir").arg(folder.to_string_lossy());
    if !library.passes(workspace)? {
        return Ok(Counts::FAIL);
    }
    let mut counts = Counts::default();
    for (what, path, expected) in
        [("library", folder.join("debug/libpool_core.rlib"), false), ("tests", test_binary(workspace)?, true)]
    {
        let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let found = contains(&bytes, HOOK.as_bytes());
        println!(
            "   yield points of the {what}: their hook {}",
            if found { "is there" } else { "is absent" }
        );
        counts += if found == expected { Counts::PASS } else { Counts::FAIL };
    }
    Ok(counts)
}

/// Builds pool-core's unit tests; cargo says where they are.
fn test_binary(workspace: &Workspace) -> Result<PathBuf> {
    let line = "test -p pool-core --lib --no-run --quiet --message-format json";
    println!("   $ cargo {line}");
    let mut command = Command::new(workspace::cargo());
    command.args(line.split(' ')).current_dir(&workspace.root).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().context("cargo cannot be started")?;
    if !output.status.success() {
        bail!("`cargo {line}` failed: {}", output.status);
    }
    executable(&String::from_utf8_lossy(&output.stdout)).context("cargo names no test binary of pool-core")
}

/// From one JSON message a line.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut named = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    named.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_binary_is_found_among_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\nnot JSON\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/t/pool_core-1\"}\n";
        assert_eq!(executable(messages), Some("/t/pool_core-1".into()));
        assert_eq!(executable("{}"), None);
    }
}

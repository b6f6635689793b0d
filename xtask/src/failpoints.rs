//! Proof that a library build of pool-core holds nothing of its fault sites.

use crate::counts::Counts;
use crate::run::cargo;
use crate::workspace::Workspace;
use anyhow::{Context, Result};

/// The module of the fault sites, as it stands in mangled symbol names of both of rustc's schemes.
const SYMBOLS: &str = "9pool_core5fault";

/// Builds pool-core without and with failpoints. The symbols must be absent in the one, and present in the
/// other: a search that finds nothing anywhere would prove nothing.
pub(crate) fn check(workspace: &Workspace) -> Result<Counts> {
    let folder = workspace.target.join("failpoints");
    let mut counts = Counts::default();
    for (features, expected) in [("", false), ("--features failpoints", true)] {
        let job =
            cargo(&format!("build -p pool-core --lib {features} --target-dir")).arg(folder.to_string_lossy());
        if !job.passes(workspace)? {
            counts += Counts::FAIL;
            continue;
        }
        let library = folder.join("debug/libpool_core.rlib");
        let bytes =
            std::fs::read(&library).with_context(|| format!("{} cannot be read", library.display()))?;
        let found = contains(&bytes, SYMBOLS.as_bytes());
        let with = if expected { "with" } else { "without" };
        println!(
            "   {with} failpoints: symbols of pool_core::fault {}",
            if found { "are there" } else { "are absent" }
        );
        counts += if found == expected { Counts::PASS } else { Counts::FAIL };
    }
    Ok(counts)
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found() {
        assert!(contains(b"_ZN9pool_core5fault11missing_put17h0E", SYMBOLS.as_bytes()));
        assert!(!contains(b"_ZN9pool_core4slot3pop17h0E", SYMBOLS.as_bytes()));
        assert!(!contains(b"", SYMBOLS.as_bytes()));
    }
}

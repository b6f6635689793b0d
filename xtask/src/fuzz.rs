//! `cargo xtask fuzz`: libFuzzer on pool-core's state machine. The target is a workspace of its own, built with unstable
//! flags on the stable compiler.

use crate::run::{Job, cargo};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long, and from where.
#[derive(Args)]
pub(crate) struct Options {
    /// For so long
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    seconds: u64,
    /// Where chance begins; 0: anywhere
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
}

/// Enough to show that it works and to go a little beyond the committed inputs. Chance begins at the same place each
/// time, so that a commit fails by what it changed.
const BRIEFLY: Options = Options { seconds: 15, seed: 1 };

/// Longer inputs find nothing that shorter ones do not.
const INPUT_BYTES_MAX: u32 = 1200;

/// A cold build on a loaded machine.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Looks for an input that breaks the model; whether there was none. It begins with the committed inputs and with what
/// earlier runs kept in the target folder; what fails goes to `pool-core/fuzz/artifacts`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let kept = folder(workspace).join("corpus");
    job(workspace, options, &kept)?.passes(workspace)
}

/// The suite: begins with the committed inputs alone, whatever ran here before.
pub(crate) fn briefly(workspace: &Workspace) -> Result<bool> {
    let kept = folder(workspace).join("brief-corpus");
    if kept.exists() {
        std::fs::remove_dir_all(&kept)?;
    }
    job(workspace, &BRIEFLY, &kept)?.passes(workspace)
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("fuzz")
}

fn job(workspace: &Workspace, options: &Options, kept: &Path) -> Result<Job> {
    std::fs::create_dir_all(kept).with_context(|| format!("{} cannot be made", kept.display()))?;
    let job = cargo("fuzz run --fuzz-dir pool-core/fuzz machine")
        .arg(kept.to_string_lossy())
        .args(["pool-core/tests/corpus", "--"])
        .arg(format!("-max_total_time={}", options.seconds))
        .arg(format!("-seed={}", options.seed))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", folder(workspace).to_string_lossy())
        .rustflags("--cfg ebbpool_fuzz")
        .limit(Duration::from_secs(options.seconds) + BUILD_LIMIT);
    Ok(job)
}

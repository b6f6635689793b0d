//! `ebbpool advise`: what to set, from what was recorded.

use crate::failure::Failure;
use clap::Args;
use pool_chaos::record::Record;
use pool_chaos::simulate::advise;
use std::io::Write as _;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  ebbpool advise monday.record               which limit, floors and weights to set, and how sure that is
  ebbpool advise monday.record --config > ebbpool.yaml
                                             the floors and weights as a file of configuration
  ebbpool advise monday.record --json        all of it, for scripts

How the advice comes about stands in docs/replay.md. Exit status: 0 advised, 1 the record says too little (and what is
missing), 2 the file is no record.";

/// Says which limit, floors and weights to set, from what `record` has written.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct AdviseArgs {
    /// What `ebbpool record` has recorded
    file: PathBuf,
    /// Prints the advice as one JSON object
    #[arg(long, conflicts_with = "config")]
    json: bool,
    /// Prints the file of configuration alone
    #[arg(long)]
    config: bool,
    /// Seed of what a replay draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Runs `ebbpool advise …`.
///
/// # Errors
/// [`Failure::Usage`] if the file is no record, [`Failure::Run`] if it says too little.
pub(crate) fn run(args: &AdviseArgs) -> Result<(), Failure> {
    let record = Record::read(&args.file).map_err(Failure::usage)?;
    let in_file = |e| Failure::run(format!("{}: {e}", args.file.display()));
    let advice = advise(&record, args.seed).map_err(in_file)?;
    let text = match (args.json, args.config) {
        (true, _) => advice.json() + "\n",
        (_, true) => advice.config,
        _ => advice.text(),
    };
    // Who reads no further has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

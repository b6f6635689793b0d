//! `ebbpool postmortem`: what a controller wrote before its process ended.

use crate::failure::Failure;
use clap::Args;
use pool_controller::postmortem::PostMortem;
use std::io::Write as _;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  ebbpool demo --limit 192MiB --pools fixed --postmortem /dev/shm/demo.ring
                                        writes it while it runs, and is killed
  ebbpool postmortem /dev/shm/demo.ring
                                        what the last five minutes were: states, usage, budget, reasons, pools
  ebbpool postmortem /dev/shm/demo.ring --json
                                        every record, for scripts";

/// Reads the file in which a controller keeps its last five minutes, also after a kill.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct PostMortemArgs {
    /// The file that the service was told to write (`Builder::postmortem`, or `demo --postmortem`)
    file: PathBuf,
    /// Prints all records as one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints it.
///
/// # Errors
/// [`Failure::Usage`] if it is no such file.
pub(crate) fn run(args: &PostMortemArgs) -> Result<(), Failure> {
    let read = PostMortem::read(&args.file).map_err(Failure::usage)?;
    let text = if args.json { serde_json::to_string(&read).map_err(Failure::run)? } else { read.to_string() };
    // Whoever closed the pipe has seen enough.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(())
}

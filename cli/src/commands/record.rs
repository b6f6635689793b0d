//! `ebbpool record`: what it is told.

use crate::failure::Failure;
use crate::runtime;
use crate::service::Service;
use crate::service::record::{RecordOptions, record};
use crate::units;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  ebbpool record http://127.0.0.1:9901 --for 10m --out monday.record
                                         ten minutes of a service, as they pass
  ebbpool record http://127.0.0.1:9901   until Ctrl-C, to ebbpool.record
  ebbpool simulate --trace monday.record --limit 160MiB
                                         what policies would have done with it under another limit
  ebbpool advise monday.record           which limit, floors and weights to set

Exit status: 0 recorded, 1 the service went away or the file could not be written (what came before is in it),
2 nothing was recorded.";

/// Records what a live service sees, a line each moment, for `simulate --trace` and `advise`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct RecordArgs {
    /// Where the service has its admin routes: http://host:port
    #[arg(value_name = "URL", value_parser = Service::parse)]
    service: Service,
    /// For how long; without it, until Ctrl-C
    #[arg(long = "for", value_name = "TIME", value_parser = units::duration)]
    time: Option<Duration>,
    /// The file, which must not be there yet; - for stdout
    #[arg(long, value_name = "FILE", default_value = "ebbpool.record")]
    out: PathBuf,
}

/// Runs `ebbpool record …`.
///
/// # Errors
/// [`Failure::Usage`] if nothing was recorded, [`Failure::Run`] if it ended before its time.
pub(crate) fn run(args: RecordArgs) -> Result<(), Failure> {
    let RecordArgs { service, time, out } = args;
    runtime::block_on(record(&RecordOptions { service, time, out }))?
}

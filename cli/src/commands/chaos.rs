//! `ebbpool chaos run`: what it is told.

use crate::chaos::{self, Builds, ChaosOptions, JsonTo};
use crate::failure::Failure;
use crate::runtime;
use crate::units;
use clap::{Args, Subcommand};
use pool_chaos::broken::Broken;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  ebbpool chaos run chaos/scenarios/missing-put.yaml
                                        leases are lost; is the site named, do the pools recover?
  ebbpool chaos run chaos/scenarios/missing-put.yaml --all-broken
                                        the same, and every broken build that it names must fail it
  ebbpool chaos run chaos/scenarios/memory-balloon.yaml --json report.json
  EBBPOOL_ADMIN=http://127.0.0.1:9901 ebbpool chaos run FILE
                                        against a service that runs already, without a control run

Exit status: 0 pass, 1 fail-safety or fail-recovery, 2 bad input, 3 inconclusive (nothing is proven).";

/// Breaks the demo service on purpose and judges whether it recovers.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct ChaosArgs {
    #[command(subcommand)]
    command: ChaosCommand,
}

#[derive(Debug, Subcommand)]
enum ChaosCommand {
    Run(RunArgs),
}

/// Runs a scenario.
///
/// Two services are started with the same seed: one gets the fault, the other is the control. Checks are made
/// twice a second while the fault is on; then it is disarmed, and the service has to come back.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// A scenario: a Chaos Toolkit experiment with an `ebbpool` extension
    file: PathBuf,
    /// Memory limit of each service [default: 192MiB, or what the scenario requires if that is less]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    limit: Option<u64>,
    /// Lets nobody enforce the limit, as on machines that allow no real one
    #[arg(long)]
    simulated: bool,
    /// How long the services run before checks begin
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = units::duration)]
    warm_up: Duration,
    /// Runs a build with a defect: leases-off, leaked-counted-as-budget or controller-off
    #[arg(long, value_name = "NAME", value_parser = broken, conflicts_with = "all_broken")]
    broken: Option<Broken>,
    /// Runs the build that ships, which must pass, and every broken one that the scenario names, which must fail
    #[arg(long)]
    all_broken: bool,
    /// Writes the report as JSON to a file beside the table, or with - to stdout in place of it
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn broken(name: &str) -> Result<Broken, String> {
    Broken::parse("", name).map_err(|e| format!("{}; allowed: {}", e.problem, e.allowed))
}

/// Runs `ebbpool chaos …`; the exit status is the verdict's.
///
/// # Errors
/// [`Failure::Usage`] if it cannot begin.
pub(crate) fn run(args: ChaosArgs) -> Result<ExitCode, Failure> {
    let ChaosCommand::Run(args) = args.command;
    runtime::block_on(chaos::run(options(args)))?.map(ExitCode::from)
}

fn options(args: RunArgs) -> ChaosOptions {
    let RunArgs { file, limit, simulated, warm_up, broken, all_broken, json } = args;
    let builds = match (broken, all_broken) {
        (Some(broken), _) => Builds::Broken(broken),
        (None, true) => Builds::All,
        (None, false) => Builds::Shipping,
    };
    let json = json.map(|path| if path.as_os_str() == "-" { JsonTo::Stdout } else { JsonTo::File(path) });
    ChaosOptions { file, limit_bytes: limit, simulated, warm_up, builds, json }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        chaos: ChaosArgs,
    }

    fn parse(flags: &str) -> Result<ChaosOptions, String> {
        let words = ["chaos", "run", "x.yaml"].into_iter().chain(flags.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|e| e.to_string())?;
        let ChaosCommand::Run(args) = cli.chaos.command;
        Ok(options(args))
    }

    #[test]
    fn flags_say_which_builds_run_and_where_the_report_goes() {
        let plain = parse("").unwrap();
        assert_eq!((plain.builds, plain.json, plain.limit_bytes), (Builds::Shipping, None, None));
        assert_eq!(parse("--all-broken").unwrap().builds, Builds::All);
        assert_eq!(parse("--broken leases-off").unwrap().builds, Builds::Broken(Broken::LeasesOff));
        assert_eq!(parse("--json -").unwrap().json, Some(JsonTo::Stdout));
        assert_eq!(parse("--json r.json").unwrap().json, Some(JsonTo::File("r.json".into())));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_what_can() {
        for (flags, expected) in [
            ("--broken lease-off", "did you mean \"leases-off\"?"),
            ("--broken leases-off --all-broken", "cannot be used with"),
            ("--limit 192MB", "not a size"),
            ("--warm-up 20", "not a duration"),
        ] {
            let e = parse(flags).unwrap_err();
            assert!(e.contains(expected), "{flags}: {e}");
        }
    }
}

//! The `ebbpool` command: object pools that fit into the memory there is, to try, to break and to watch.
#![forbid(unsafe_code)]
// Text for people, some lines a second: a string more or less is nothing.
#![allow(clippy::format_push_string)]

mod allocator;
mod chaos;
mod commands;
mod demo;
mod failure;
mod interruption;
mod limit;
mod runtime;
mod service;
mod units;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  ebbpool demo                             a service, its load and its pools, against a simulated limit
  ebbpool demo --limit 192MiB --for 60s    the same under a real memory limit
  ebbpool chaos run chaos/scenarios/missing-put.yaml
                                           breaks it on purpose and judges whether it recovers
  ebbpool check ebbpool.yaml               whether a file of configuration is good
  ebbpool check --service http://127.0.0.1:9901
                                           whether a running service meets the contract
  ebbpool knobs http://127.0.0.1:9901 http.body set capacity.bytes 16MiB --because 'incident 12'
                                           what a running service's pools are told, and by hand for a time
  ebbpool postmortem FILE                  the last five minutes of a service that was killed
  ebbpool record http://127.0.0.1:9901     what a live service sees, to be replayed
  ebbpool advise ebbpool.record            which limit, floors and weights to set
  ebbpool simulate step swap --policy tide,fixed-best
                                           compares policies in virtual time";

/// Object pools for Rust services that ebb and flow with the memory there really is.
#[derive(Debug, Parser)]
#[command(version = allocator::VERSION, after_help = EXAMPLES, after_long_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(commands::demo::DemoArgs),
    Chaos(commands::chaos::ChaosArgs),
    Check(commands::check::CheckArgs),
    Knobs(commands::knobs::KnobsArgs),
    #[command(name = "postmortem")]
    PostMortem(commands::postmortem::PostMortemArgs),
    Record(commands::record::RecordArgs),
    Simulate(commands::simulate::SimulateArgs),
    Advise(commands::advise::AdviseArgs),
    #[command(hide = true)]
    DemoService(commands::demo_service::DemoServiceArgs),
}

fn main() -> ExitCode {
    let ended = |done: Result<(), Failure>| done.map(|()| ExitCode::SUCCESS);
    let done = match Cli::parse().command {
        Command::Demo(args) => ended(commands::demo::run(args)),
        Command::Chaos(args) => commands::chaos::run(args),
        Command::Check(args) => commands::check::run(&args),
        Command::Knobs(args) => ended(commands::knobs::run(args)),
        Command::PostMortem(args) => ended(commands::postmortem::run(&args)),
        Command::Record(args) => ended(commands::record::run(args)),
        Command::Simulate(args) => ended(commands::simulate::run(&args)),
        Command::Advise(args) => ended(commands::advise::run(&args)),
        Command::DemoService(args) => ended(commands::demo_service::run(&args)),
    };
    done.unwrap_or_else(|failure| failure.report())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent_and_every_shown_subcommand_has_an_example() {
        let mut cli = Cli::command();
        cli.clone().debug_assert();
        for command in cli.get_subcommands_mut().filter(|c| !c.is_hide_set()) {
            let help = command.render_help().to_string();
            assert!(help.contains("Example"), "{help}");
        }
    }
}

//! `cargo xtask`: the suites, the tidy rules and the benchmarks of this repository.
//!
//! ```text
//!  main ──► test ──► suites ──► run      a suite's commands, their output and counts
//!             │         └─────► tidy, failpoints, sanitize, mutants, fuzz, bench
//!             └────► machine             what a suite needs of the machine, and how to install it
//!  portable                               the libraries on other systems, by hand
//!  workspace (cargo metadata) and source (a scanner for .rs files) serve all of them
//! ```
//!
//! This crate knows nothing of what the others do: it starts cargo and reads its output, and it reads sources.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod bench;
mod counts;
mod failpoints;
mod fuzz;
mod machine;
mod mutants;
mod portable;
mod run;
mod sanitize;
mod source;
mod suites;
mod test;
mod tidy;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use std::time::Duration;
use suites::Suite;
use workspace::Workspace;

/// Everything, from a cold build on two cores.
const CI_LIMIT: Duration = Duration::from_secs(2 * 3600);

/// The chores of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the suites; the last line is `N passed, M failed`
    ///
    /// A suite that needs something this machine lacks makes the run fail at its start, before anything is
    /// built: install it with --install, or leave the suite out by name.
    #[command(after_help = "Examples:\n  cargo xtask test --quick\n  cargo xtask test --install\n  \
        cargo xtask test --without browser --without limit")]
    Test(test::Options),
    /// Install what the suites need (Debian, as root) and run nothing
    Install,
    /// Run what CI runs: `.ci/run`
    Ci,
    /// Check the models of pool-core under loom
    Loom {
        /// Fewer preemptions: seconds instead of minutes
        #[arg(long)]
        quick: bool,
    },
    /// Run pool-core's stress tests under ThreadSanitizer and AddressSanitizer
    Sanitize,
    /// Fuzz pool-core's state machine with libFuzzer
    Fuzz(fuzz::Options),
    /// Measure pool-core: beside its peers, in instructions, and write docs/performance.md
    #[command(subcommand)]
    Bench(bench::Command),
    /// Break pool-core on purpose, one line at a time, and name the test that notices
    ///
    /// Minutes for all of them; every test that is to notice must pass unbroken first.
    Mutants(mutants::Options),
    /// Check the libraries for musl, macOS and Windows, as far as this machine can
    Portable,
    /// Check the rules that the compiler does not
    Tidy,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything passed.
fn run(command: &Command) -> Result<bool> {
    let workspace = Workspace::load()?;
    match command {
        Command::Test(options) => test::run(&workspace, options),
        Command::Install => machine::install(&machine::missing(&Suite::ALL)).map(|()| true),
        Command::Ci => run::plain("bash").arg(".ci/run").limit(CI_LIMIT).passes(&workspace),
        Command::Loom { quick } => test::run_one(&workspace, Suite::Loom, *quick),
        Command::Sanitize => test::run_one(&workspace, Suite::Sanitize, false),
        Command::Fuzz(options) => test::ready(Suite::Fuzz).and_then(|()| fuzz::run(&workspace, options)),
        Command::Bench(command) => bench::run(&workspace, command),
        Command::Mutants(options) => mutants::run(&workspace, options),
        Command::Portable => portable::run(&workspace),
        Command::Tidy => test::run_one(&workspace, Suite::Tidy, false),
    }
}

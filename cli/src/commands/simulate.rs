//! `ebbpool simulate`: what it is told.

use crate::failure::Failure;
use crate::units;
use anyhow::Context as _;
use clap::Args;
use pool_chaos::record::Record;
use pool_chaos::simulate::{Report, SCENARIOS, Scenario, policy_names, replay, scenario_by_name, simulate};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  ebbpool simulate step                          one scenario, every policy
  ebbpool simulate step swap --policy tide,fixed-best --json
                                                 two scenarios, two policies, as JSON
  ebbpool simulate --all --plots plots           all of it, with a plot for each scenario
  ebbpool simulate --list                        what scenarios there are
  ebbpool simulate --trace monday.record --policy tide,fixed-best --limit 160MiB
                                                 what two policies would have done with what `ebbpool record`
                                                 has recorded, under a limit of 160 MiB

The same seed gives the same figures, on every machine.";

/// Where the document with the tables is, from the root of the repository.
const DOCUMENT: &str = "docs/control.md";
/// Its plots, and which scenarios and policies they show.
const PLOTS: &str = "docs/control";
const PLOTTED: [&str; 4] = ["step", "swap", "burst-50ms", "ten-zipf"];
const PLOTTED_POLICIES: [&str; 3] = ["tide", "fixed", "fixed-best"];

/// Runs policies through scenarios in virtual time, beside the best that was possible.
///
/// The policy that ships decides; pools, allocator, others and the limit are a model. The figures: saved time as a
/// share of the optimum, seconds above .90 of the limit, highest usage as a share of the limit, turns of a capacity per
/// minute, time until the first action, time until nine tenths of the capacity are back, and whether the kernel would
/// have killed it. In place of scenarios, what a live service did (`--trace`) can drive the model.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct SimulateArgs {
    /// Scenarios by name
    #[arg(value_name = "SCENARIO", value_parser = scenario, required_unless_present_any = ["all", "list", "write_docs", "trace"])]
    scenarios: Vec<&'static Scenario>,
    /// Every scenario
    #[arg(long, conflicts_with = "scenarios")]
    all: bool,
    /// What `ebbpool record` has recorded, in place of scenarios
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenarios", "all", "list", "plots", "write_docs"])]
    trace: Option<PathBuf>,
    /// Another limit than the recorded one; it kills
    #[arg(long, value_name = "SIZE", value_parser = units::size, requires = "trace",
        conflicts_with_all = ["scenarios", "all", "list", "write_docs"])]
    limit: Option<u64>,
    /// Says which scenarios there are and what happens in each, and ends
    #[arg(long, conflicts_with_all = ["scenarios", "all", "json", "plots", "write_docs"])]
    list: bool,
    /// Policies, separated by commas; without it, all of them
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = policy)]
    policy: Vec<String>,
    /// Seed of demand and noise
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Prints the rows as one JSON object in place of the table
    #[arg(long)]
    json: bool,
    /// Writes a plot for each scenario, as SVG, into a folder
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Makes the tables and plots of docs/control.md anew, from every scenario and policy with seed 1
    #[arg(long, conflicts_with_all = ["scenarios", "policy", "seed", "json", "plots"])]
    write_docs: bool,
}

fn scenario(name: &str) -> Result<&'static Scenario, String> {
    scenario_by_name(name).ok_or_else(|| "not a scenario; `ebbpool simulate --list` names them".to_owned())
}

fn policy(name: &str) -> Result<String, String> {
    let known: Vec<_> = policy_names().collect();
    let found = known.contains(&name).then(|| name.to_owned());
    found.ok_or_else(|| format!("not a policy; allowed: {}", known.join(", ")))
}

/// Runs `ebbpool simulate …`.
///
/// # Errors
/// [`Failure::Run`] if a file cannot be written.
pub(crate) fn run(args: &SimulateArgs) -> Result<(), Failure> {
    if args.list {
        let width = SCENARIOS.iter().map(|s| s.name.len()).max().unwrap_or(0);
        for scenario in &SCENARIOS {
            println!("{:width$}  {}", scenario.name, scenario.about);
        }
        return Ok(());
    }
    if args.write_docs {
        return write_docs(Path::new(".")).map_err(Failure::Run);
    }
    let text = match &args.trace {
        Some(file) => replayed(args, file)?,
        None => simulated(args)?,
    };
    // Who reads no further has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

fn replayed(args: &SimulateArgs, file: &Path) -> Result<String, Failure> {
    let record = Record::read(file).map_err(Failure::usage)?;
    let policies = if args.policy.is_empty() { all_policies() } else { args.policy.clone() };
    let in_file = |e| Failure::usage(format!("{}: {e}", file.display()));
    let replay = replay(&record, &policies, args.limit, args.seed).map_err(in_file)?;
    Ok(if args.json { replay.json() + "\n" } else { replay.table() })
}

fn simulated(args: &SimulateArgs) -> Result<String, Failure> {
    let scenarios = if args.all { SCENARIOS.iter().collect() } else { args.scenarios.clone() };
    let policies = if args.policy.is_empty() { all_policies() } else { args.policy.clone() };
    let report = simulate(&scenarios, &policies, args.seed).map_err(Failure::usage)?;
    if let Some(folder) = &args.plots {
        write_plots(&report, folder).map_err(Failure::Run)?;
    }
    Ok(if args.json { report.json() + "\n" } else { report.table() })
}

fn all_policies() -> Vec<String> {
    policy_names().map(str::to_owned).collect()
}

fn write_plots(report: &Report, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for (name, svg) in report.svgs() {
        let path = folder.join(name);
        fs::write(&path, svg).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn write_docs(root: &Path) -> anyhow::Result<()> {
    let path = root.join(DOCUMENT);
    let there = || format!("{} (run it at the root of the repository)", path.display());
    let old = fs::read_to_string(&path).with_context(there)?;
    let new = document(&old).with_context(there)?;
    fs::write(&path, new).with_context(there)?;
    write_plots(&plotted(), &root.join(PLOTS))
}

/// The document with its tables made anew.
fn document(old: &str) -> anyhow::Result<String> {
    let scenarios: Vec<_> = SCENARIOS.iter().collect();
    Ok(simulate(&scenarios, &all_policies(), 1)?.document(old)?)
}

/// What the document's plots show.
fn plotted() -> Report {
    let scenarios: Vec<_> = PLOTTED.iter().filter_map(|name| scenario_by_name(name)).collect();
    simulate(&scenarios, &PLOTTED_POLICIES.map(str::to_owned), 1).expect("these are policies")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        simulate: SimulateArgs,
    }

    fn parse(flags: &str) -> Result<SimulateArgs, String> {
        let words = std::iter::once("simulate").chain(flags.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.simulate).map_err(|e| e.to_string())
    }

    #[test]
    fn scenarios_and_policies_are_read_by_name() {
        let args = parse("step swap --policy tide,fixed-best --seed 7 --json").unwrap();
        assert_eq!(args.scenarios.iter().map(|s| s.name).collect::<Vec<_>>(), ["step", "swap"]);
        assert_eq!((args.policy, args.seed, args.json), (vec!["tide".into(), "fixed-best".into()], 7, true));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_what_can() {
        for (flags, expected) in [
            ("stairs", "not a scenario"),
            ("step --policy tides", "allowed: tide, bands"),
            ("", "required"),
            ("--all step", "cannot be used with"),
            ("--write-docs --seed 2", "cannot be used with"),
        ] {
            let e = parse(flags).unwrap_err();
            assert!(e.contains(expected), "{flags}: {e}");
        }
    }

    /// The figures in the document are those of the code.
    #[test]
    fn the_document_is_what_the_command_writes() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let advice = "run `cargo run --release -- simulate --write-docs`";
        let text = fs::read_to_string(root.join(DOCUMENT)).unwrap();
        assert!(document(&text).unwrap() == text, "{DOCUMENT}: {advice}");
        for (name, svg) in plotted().svgs() {
            let path = root.join(PLOTS).join(&name);
            assert!(fs::read_to_string(&path).unwrap() == svg, "{}: {advice}", path.display());
            assert!(text.contains(&format!("(control/{name})")), "{name} is not shown");
        }
    }
}

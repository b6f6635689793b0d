//! `ebbpool check`: whether a file of configuration is good, before a service meets it.

use crate::failure::Failure;
use clap::Args;
use pool_controller::config::{self, Config};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  ebbpool check ebbpool.yaml                      what it says of the controller and of each pool
  ebbpool check --schema > ebbpool.schema.json    for editors

A file:
  version: 1
  controller: {mode: enforce, suspect_after: 45s}
  pools:
    http.body: {weight: 200, sampling: {leases: 1/32}, floor: 8MiB}
    \"*\": {eviction: {idle_ttl: 10m}}

Exit status: 0 good, 2 with every error on stderr: file, line, column, field, and what is allowed there.";

/// Checks a file of configuration.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The file, as it is given to the controller's builder
    #[arg(required_unless_present = "schema")]
    file: Option<PathBuf>,
    /// Prints the JSON Schema of such files
    #[arg(long, conflicts_with = "file")]
    schema: bool,
}

/// Runs `ebbpool check …`.
///
/// # Errors
/// [`Failure::Usage`] with everything that is wrong with the file.
pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let text = match &args.file {
        Some(file) => told(file)?,
        None => format!("{:#}\n", config::schema()),
    };
    // Whoever reads may have read enough.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    Ok(())
}

fn told(file: &Path) -> Result<String, Failure> {
    // Each line begins as the first one does.
    let failure = |error: config::ConfigError| Failure::usage(error.to_string().replace('\n', "\nerror: "));
    let config = Config::from_file(file).map_err(failure)?;
    let mut text = format!("{}: good\n", file.display());
    for line in config.summary() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {line}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        check: CheckArgs,
    }

    #[test]
    fn it_takes_a_file_or_prints_the_schema() {
        let parse = |flags: &[&str]| Cli::try_parse_from([&["check"], flags].concat()).map(|cli| cli.check);
        assert_eq!(parse(&["a.yaml"]).unwrap().file, Some("a.yaml".into()));
        assert!(parse(&["--schema"]).unwrap().schema);
        assert!(parse(&[]).is_err() && parse(&["a.yaml", "--schema"]).is_err());
    }

    #[test]
    fn the_file_in_the_help_is_good() {
        let file = EXAMPLES.split("A file:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
        let lines: Vec<_> = file.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        let config = Config::from_text("help", &lines.join("\n"));
        assert_eq!(config.unwrap().pools().collect::<Vec<_>>(), ["*", "http.body"]);
    }
}

//! `ebbpool check`: whether a file of configuration is good, before a service meets it, and whether a running service
//! meets what its dashboards and alerts rely on.

use crate::failure::Failure;
use crate::runtime;
use crate::service::Service;
use crate::service::contract::judge;
use clap::Args;
use pool_controller::config::{self, Config};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  ebbpool check ebbpool.yaml                      what it says of the controller and of each pool
  ebbpool check --schema > ebbpool.schema.json    for editors
  ebbpool check --service http://127.0.0.1:9901   whether a running service has metrics, leases, reuse, a limit

A file:
  version: 1
  controller: {mode: enforce, suspect_after: 45s}
  pools:
    http.body: {weight: 200, sampling: {leases: 1/32}, floor: 8MiB}
    \"*\": {eviction: {idle_ttl: 10m}}

Exit status of a file: 0 good, 2 with every error on stderr: file, line, column, field, and what is allowed there.
Of a service: 0 all is ok, 1 something is not (each line says what was seen and what to do), 2 it could not be looked at.";

/// Checks a file of configuration, or a running service.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The file, as it is given to the controller's builder
    #[arg(required_unless_present_any = ["schema", "service"])]
    file: Option<PathBuf>,
    /// Prints the JSON Schema of such files
    #[arg(long, conflicts_with = "file")]
    schema: bool,
    /// Looks at the running service with these admin routes
    #[arg(long, value_name = "URL", value_parser = Service::parse, conflicts_with_all = ["file", "schema"])]
    service: Option<Service>,
}

/// Runs `ebbpool check …`.
///
/// # Errors
/// [`Failure::Usage`] with everything that is wrong with the file, or if the service cannot be looked at.
pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode, Failure> {
    if let Some(service) = &args.service {
        return look(service);
    }
    let text = match &args.file {
        Some(file) => told(file)?,
        None => format!("{:#}\n", config::schema()),
    };
    // Whoever reads may have read enough.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn look(service: &Service) -> Result<ExitCode, Failure> {
    let lines = judge(&runtime::block_on(service.look())?.map_err(Failure::Usage)?);
    let mut text = String::new();
    for line in &lines {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
    }
    // Whoever reads may have read enough.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    Ok(if lines.iter().all(|line| line.is_ok) { ExitCode::SUCCESS } else { ExitCode::from(1) })
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
        assert!(parse(&["--service", "http://127.0.0.1:9901"]).unwrap().service.is_some());
        assert!(parse(&["--service", "127.0.0.1:9901"]).is_err());
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

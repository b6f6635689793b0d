//! `ebbpool demo`: what it is told, and what of that cannot be done.

use crate::demo::fault::{Fault, run_min};
use crate::demo::load::plan::Shape;
use crate::demo::run::{self, DemoOptions, LimitAfter};
use crate::demo::service::PoolsMode;
use crate::demo::session::{Limit, SessionOptions};
use crate::demo::workload::{
    RPS_DEFAULT, SATURATING_CLIENTS, SIMULATED_FAULT_LIMIT_BYTES, SIMULATED_LIMIT_BYTES,
};
use crate::failure::Failure;
use crate::runtime;
use crate::units::{self, exact_size};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  ebbpool demo                                   against a simulated limit: nothing is killed
  ebbpool demo --limit 192MiB --for 60s          under a real limit that the kernel enforces
  ebbpool demo --limit 192MiB --pools fixed      the same with pools that never shrink: it is killed
  ebbpool demo --limit 192MiB --for 60s --json   the summary alone, for scripts
  ebbpool demo --limit 256MiB --limit-after 30s=160MiB --for 60s
                                                 the limit falls while it runs
  ebbpool demo --limit 192MiB --fault missing-put=3%
                                                 3 % of the leases never return for a third of the run

Exit status: 0 if the run held what it claims (not killed, at least 99 % of the requests completed, recovered
from the fault), 1 if it did not, 2 if it could not begin.";

/// Runs a small log-ingest service under a memory limit, drives it with HTTP, and shows how its pools behave.
///
/// A child process serves POST /ingest (NDJSON in, compressed with zstd) and GET /export (large responses). A
/// load generator outside of the limit sends a fixed rate of requests, whether or not earlier ones are answered,
/// and shifts between the two every few seconds; so what one of them leaves idle is in the way of the other.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct DemoArgs {
    /// Memory limit of the service, enforced by the kernel; without it, a simulated one
    ///
    /// It is set by a memory cgroup (version 1 or 2), or without root by a user scope of systemd. The load and
    /// this terminal stay outside of it.
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    limit: Option<u64>,
    /// How the load changes
    ///
    /// swap: ingest and export take turns of four seconds. step: ingest for five seconds, then exports at once. ramp:
    /// exports rise over ten seconds after an ingest. saturate: 16 clients without pauses, whatever --rps says.
    /// Without it: swap under a real limit or with a fault, and a busy hour and quiet ones under a simulated one.
    #[arg(long, value_enum)]
    load: Option<Shape>,
    /// Runs under a limit, too, in which what the load holds does not fit: to see what becomes of it
    #[arg(long, hide = true, requires = "limit")]
    any_limit: bool,
    /// Another limit from a time on, such as 30s=160MiB: a live change, as an in-place resize of a container makes it
    #[arg(long, value_name = "DURATION=SIZE", value_parser = limit_after, requires = "limit")]
    limit_after: Option<LimitAfter>,
    /// How the service gets its objects
    #[arg(long, value_enum, default_value = "adaptive")]
    pools: PoolsMode,
    /// What fixed pools hold, per cent of what suits the peak of each endpoint
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    fixed_percent: u32,
    /// Leaves the service's allocator as it comes
    ///
    /// Without it, and with any kind of pools, the allocator is told to give large free memory back at once: glibc by its
    /// mmap threshold, jemalloc and mimalloc (builds with their feature) by MALLOC_CONF, MIMALLOC_PURGE_DELAY
    /// and MIMALLOC_ALLOW_THP, unless they are set.
    #[arg(long)]
    allocator_defaults: bool,
    /// Ends by itself after this long, such as 60s or 2m; without it, at Ctrl-C (with --fault: 120s)
    #[arg(long = "for", value_name = "DURATION", value_parser = units::duration)]
    run: Option<Duration>,
    /// Prints the summary alone, as one JSON object
    #[arg(long)]
    json: bool,
    /// A fault in the middle third of the run: missing-put=3% or memory-balloon=0.9
    ///
    /// A run with it takes 84s (missing-put) or 108s (memory-balloon) at least: what is shown takes its time.
    ///
    /// missing-put: this share of the leases of http.body never returns, and what they hold stays allocated; with
    /// missing-put=3%return(dropped) it is freed. memory-balloon: something else in the service fills memory up
    /// to this share of the limit. The summary says how long after its end the pools had recovered.
    #[arg(long, value_name = "NAME=VALUE")]
    fault: Option<String>,
    /// Requests per second
    #[arg(long, value_name = "N", default_value_t = RPS_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=5000))]
    rps: u32,
    /// Seed of the load and of the fault: the same seed gives the same requests at the same times
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where the live page and the admin routes listen, on loopback
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9901", value_parser = loopback)]
    admin: SocketAddr,
    /// Lets others arm faults over the admin routes while the demo runs
    #[arg(long)]
    allow_faults: bool,
    /// Keeps the last five minutes of the service in a file that survives a kill, for ebbpool postmortem
    #[arg(long, value_name = "FILE")]
    postmortem: Option<PathBuf>,
}

/// A run with a fault that is not told how long; long enough for each of them.
const FAULT_RUN_DEFAULT: Duration = Duration::from_secs(120);

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "not an address; expected HOST:PORT such as 127.0.0.1:9901".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("not a loopback address: the admin routes have no authentication; use 127.0.0.1 or [::1]"
            .to_owned())
    }
}

/// What even perfect pools could not live with.
fn refuse_too_small(flag: &str, limit: Option<u64>, shape: Shape, rps: u32) -> Result<(), Failure> {
    let least = shape.limit_bytes_min(rps);
    let Some(bytes) = limit.filter(|bytes| *bytes < least) else { return Ok(()) };
    let (load, advice) = if shape.has_rate() {
        (format!("{rps} requests per second"), " (--rps lowers the need)")
    } else {
        (format!("{SATURATING_CLIENTS} clients without pauses"), "")
    };
    Err(Failure::usage(format!(
        "{flag} {}: too small to run in; what {load} hold and the service itself need {}, with less even perfect pools \
         are killed{advice}",
        exact_size(bytes),
        exact_size(least)
    )))
}

fn limit_after(text: &str) -> Result<LimitAfter, String> {
    let Some((from, bytes)) = text.split_once('=') else {
        return Err("expected a time and a size, such as 30s=160MiB".to_owned());
    };
    Ok(LimitAfter { from: units::duration(from)?, bytes: units::size(bytes)? })
}

/// Runs the demo.
///
/// # Errors
/// [`Failure::Usage`] if it cannot begin, [`Failure::Run`] if it did not hold what it claims.
pub(crate) fn run(args: DemoArgs) -> Result<(), Failure> {
    runtime::block_on(run::run(options(args)?))?
}

fn options(args: DemoArgs) -> Result<DemoOptions, Failure> {
    let DemoArgs {
        limit,
        any_limit,
        load,
        limit_after,
        pools,
        fixed_percent,
        allocator_defaults,
        run,
        json,
        fault,
        rps,
        seed,
        admin,
        allow_faults,
        postmortem,
    } = args;
    // Under a real limit the turns of ingest and export decide, and a fault is judged against the same load before it. A
    // simulated limit is there to be crossed.
    let turns = limit.is_some() || fault.is_some();
    let load = load.unwrap_or(if turns { Shape::Swap } else { Shape::BusyThenQuiet });
    if !any_limit {
        refuse_too_small("--limit", limit, load, rps)?;
        refuse_too_small("--limit-after", limit_after.map(|after| after.bytes), load, rps)?;
    }
    if let (Some(after), Some(run)) = (limit_after, run)
        && after.from >= run
    {
        let (from, run) = (after.from.as_secs_f64(), run.as_secs_f64());
        return Err(Failure::usage(format!(
            "--limit-after {from}s: not before the end, which is after {run}s"
        )));
    }
    let run = run.or_else(|| fault.as_ref().map(|_| FAULT_RUN_DEFAULT));
    let fault = match (&fault, run) {
        (Some(flag), Some(run)) => {
            let fault = Fault::parse(flag, run, seed).map_err(|e| Failure::usage(format!("--{e}")))?;
            let (least, why) = run_min(fault.name());
            if run < least {
                return Err(Failure::usage(format!(
                    "--for {}s: too short to see the pools recover from {}, which is on in the middle third of the run: \
                     {why}; allowed are {}s and more (without --for: {}s)",
                    run.as_secs_f64(),
                    fault.name().as_str(),
                    least.as_secs(),
                    FAULT_RUN_DEFAULT.as_secs()
                )));
            }
            if pools == PoolsMode::None && fault.needs_pools() {
                return Err(Failure::usage(format!("--fault {flag} needs pools, and --pools none has none")));
            }
            Some(fault)
        }
        _ => None,
    };
    let simulated_bytes = if fault.is_some() { SIMULATED_FAULT_LIMIT_BYTES } else { SIMULATED_LIMIT_BYTES };
    let limit = limit.map_or(Limit::Simulated(simulated_bytes), Limit::Real);
    let faults = allow_faults || fault.is_some();
    let session = SessionOptions {
        pools,
        fixed_percent,
        allocator_defaults,
        limit,
        admin,
        rps,
        seed,
        faults,
        broken: None,
        postmortem,
    };
    Ok(DemoOptions { session, load, run, limit_after, fault, json })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser};
    use pool_chaos::faults::FaultName;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        demo: DemoArgs,
    }

    fn parse(flags: &str) -> Result<DemoOptions, String> {
        let args = Cli::try_parse_from(std::iter::once("demo").chain(flags.split_whitespace()));
        args.map_err(|e| e.to_string()).and_then(|cli| options(cli.demo).map_err(|e| e.to_string()))
    }

    #[test]
    fn without_flags_the_limit_is_simulated_and_nothing_ends_it() {
        let options = parse("").unwrap();
        assert_eq!(options.session.limit, Limit::Simulated(SIMULATED_LIMIT_BYTES));
        assert_eq!(
            (options.run, options.session.pools, options.session.rps),
            (None, PoolsMode::Adaptive, 400)
        );
        assert!(!options.session.faults);
    }

    #[test]
    fn a_real_limit_and_a_fault_have_turns_unless_told_otherwise() {
        let load = |flags| parse(flags).unwrap().load;
        assert_eq!(load(""), Shape::BusyThenQuiet);
        assert_eq!(load("--limit 192MiB"), Shape::Swap);
        assert_eq!(load("--fault missing-put=3%"), Shape::Swap);
        assert_eq!(load("--limit 192MiB --load step"), Shape::Step);
        assert!(parse("--load busy-then-quiet").unwrap_err().contains("ramp"));
    }

    #[test]
    fn the_least_limit_is_that_of_the_load() {
        assert!(parse("--limit 116MiB").is_ok() && parse("--limit 124MiB --load step").is_ok());
        let e = parse("--limit 116MiB --load step").unwrap_err();
        assert!(e.contains("what 400 requests per second hold") && e.contains("--rps lowers"), "{e}");
        assert!(parse("--limit 64MiB --load saturate").is_ok());
        let e = parse("--limit 48MiB --load saturate --rps 1").unwrap_err();
        assert!(e.contains("what 16 clients without pauses hold") && !e.contains("--rps"), "{e}");
    }

    #[test]
    fn a_fault_gives_the_run_an_end() {
        let options = parse("--limit 192MiB --fault missing-put=3%").unwrap();
        assert_eq!((options.session.limit, options.run), (Limit::Real(192 << 20), Some(FAULT_RUN_DEFAULT)));
        assert!(options.session.faults && options.fault.is_some());
        for fault in FaultName::ALL {
            let (least, _) = run_min(fault);
            assert!(least <= FAULT_RUN_DEFAULT, "{}", fault.as_str());
            let help = Cli::command().render_long_help().to_string();
            assert!(help.contains(&format!("{}s ({})", least.as_secs(), fault.as_str())), "{help}");
        }
        assert!(parse("--fault memory-balloon=0.9 --for 108s").is_ok());
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_what_can() {
        for (flags, expected) in [
            ("--limit 64MiB", "too small to run in"),
            ("--limit 256MiB --limit-after 30s=64MiB", "--limit-after 64MiB: too small to run in"),
            ("--limit-after 30s=160MiB", "--limit <SIZE>"),
            ("--limit 256MiB --limit-after 160MiB", "such as 30s=160MiB"),
            ("--limit 256MiB --limit-after 30=160MiB", "not a duration"),
            ("--limit 256MiB --limit-after 30s=160MiB --for 30s", "not before the end"),
            ("--limit 192MB", "not a size"),
            ("--for 60", "not a duration"),
            ("--pools big", "adaptive"),
            ("--rps 0", "1..=5000"),
            ("--admin 0.0.0.0:9901", "not a loopback address"),
            ("--admin localhost", "127.0.0.1:9901"),
            ("--fault mising-put=3%", "did you mean \"missing-put\"?"),
            ("--fault missing-put", "memory-balloon=0.9"),
            ("--fault missing-put=3% --for 10s", "too short"),
            ("--fault missing-put=3% --for 83s", "missing-put, which"),
            ("--fault missing-put=3% --for 83s", "allowed are 84s and more (without --for: 120s)"),
            ("--fault memory-balloon=0.9 --for 60s", "allowed are 108s and more"),
            ("--fault missing-put=3% --pools none", "needs pools"),
            ("--limt 192MiB", "--limit"),
        ] {
            let e = parse(flags).unwrap_err();
            assert!(e.contains(expected), "{flags}: {e}");
        }
    }
}

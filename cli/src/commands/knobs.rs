//! `ebbpool knobs`: what it is told.

use crate::failure::Failure;
use crate::runtime;
use crate::service::knobs::{Asked, Change, SHARE};
use crate::service::{Client, Service};
use anyhow::{anyhow, bail, ensure};
use clap::{Args, Subcommand};
use std::collections::BTreeMap;

const EXAMPLES: &str = "\
Examples:
  ebbpool knobs http://127.0.0.1:9901
                            the knobs of all pools: what is in force, who set it, why, and for how long
  ebbpool knobs http://127.0.0.1:9901 http.body set capacity.bytes 16MiB --for 10m --because 'incident 12'
                            sets it by hand, above file and controller; it ends by itself
  ebbpool knobs http://127.0.0.1:9901 http.body set eviction.cycle 2s reuse 0.9 --because 'a look'
                            several fields at once, for 15 minutes
  ebbpool knobs http://127.0.0.1:9901 http.body clear capacity
                            takes it back before its time
  ebbpool knobs http://127.0.0.1:9901 http.body set canary.percent 0 --because 'it misses'
                            the share of gets that use the pool's canary: a rollback

Fields and values are those of a file of configuration (docs/configuration.md).
Exit status: 0 done, 1 refused by the service or no answer, 2 bad arguments.";

/// Shows the knobs of a running service, and sets them by hand for a time.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct KnobsArgs {
    /// Where the service has its admin routes: http://host:port
    #[arg(value_name = "URL", value_parser = Service::parse)]
    service: Service,
    /// The pool; all pools if it is left out
    pool: Option<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Sets fields by hand; what of a knob is left out stays as it is in force
    Set {
        /// A field and its value, and more of them: capacity.bytes 16MiB
        #[arg(required = true, num_args = 2.., value_names = ["KEY", "VALUE"])]
        fields: Vec<String>,
        /// For how long: 1ms to 24h; 15m if it is left out
        #[arg(long = "for", value_name = "DURATION")]
        time: Option<String>,
        /// Why: shown beside the knob
        #[arg(long, value_name = "TEXT")]
        because: String,
    },
    /// Takes back what was set by hand
    Clear {
        /// The knob or one of its fields
        key: String,
    },
}

/// Runs `ebbpool knobs …`.
///
/// # Errors
/// [`Failure::Usage`] for arguments that cannot be, [`Failure::Run`] if the service refuses or does not answer.
pub(crate) fn run(args: KnobsArgs) -> Result<(), Failure> {
    let mut client = Client::new(args.service);
    let asked = asked(args.pool, args.action).map_err(Failure::Usage)?;
    let text = runtime::block_on(asked.of(&mut client))?.map_err(Failure::Run)?;
    // Whoever reads may have read enough.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    Ok(())
}

fn asked(pool: Option<String>, action: Option<Action>) -> anyhow::Result<Asked> {
    let Some(action) = action else { return Ok(Asked::Show(pool)) };
    let pool = pool.ok_or_else(|| anyhow!("POOL: missing; set and clear are for one pool"))?;
    let (fields, time, because) = match action {
        Action::Clear { key } => return Ok(Asked::Clear { pool, key }),
        Action::Set { fields, time, because } => (fields, time, because),
    };
    let by = std::env::var("USER").ok().filter(|user| !user.is_empty());
    let change = Change { time, reason: because, by };
    let mut fields = read_fields(&fields)?;
    let Some(percent) = fields.remove(SHARE) else { return Ok(Asked::Set { pool, fields, change }) };
    ensure!(fields.is_empty(), "{SHARE}: is set by itself, without other fields");
    let percent = percent.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    let percent =
        percent.ok_or_else(|| anyhow!("{SHARE}: no percentage; allowed: a number from 0 to 100"))?;
    Ok(Asked::SetShare { pool, percent, change })
}

fn read_fields(words: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    for pair in words.chunks(2) {
        let [key, value] = pair else { bail!("{}: has no value; expected KEY VALUE", pair[0]) };
        if fields.insert(key.clone(), value.clone()).is_some() {
            bail!("{key}: is here twice; allowed: once");
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        knobs: KnobsArgs,
    }

    fn parse(flags: &[&str]) -> Result<Asked, String> {
        let parsed = Cli::try_parse_from([&["knobs", "http://127.0.0.1:1"], flags].concat());
        let parsed = parsed.map_err(|e| e.to_string())?.knobs;
        asked(parsed.pool, parsed.action).map_err(|e| e.to_string())
    }

    #[test]
    fn arguments_become_one_request() {
        assert_eq!(parse(&[]), Ok(Asked::Show(None)));
        assert_eq!(parse(&["a"]), Ok(Asked::Show(Some("a".into()))));
        let Ok(Asked::Set { pool, fields, change }) =
            parse(&["a", "set", "weight", "7", "reuse", "0.5", "--for", "10m", "--because", "x"])
        else {
            panic!("a change")
        };
        let expected = [("reuse", "0.5"), ("weight", "7")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!((pool.as_str(), fields), ("a", expected.into()));
        assert_eq!((change.time.as_deref(), change.reason.as_str()), (Some("10m"), "x"));
        let clear = parse(&["a", "clear", "capacity"]);
        assert_eq!(clear, Ok(Asked::Clear { pool: "a".into(), key: "capacity".into() }));
        let Ok(Asked::SetShare { pool, percent, change }) =
            parse(&["a", "set", SHARE, "30", "--because", "x"])
        else {
            panic!("a change of the share")
        };
        assert_eq!((pool.as_str(), percent.to_string(), change.time), ("a", "30".to_owned(), None));
    }

    #[test]
    fn what_cannot_be_is_said_before_anybody_is_asked() {
        for (flags, says) in [
            (&["a", "set", "weight", "7"][..], "--because"),
            (&["a", "set", "weight", "--because", "x"], "2"),
            (&["a", "set", "weight", "7", "reuse", "--because", "x"], "reuse: has no value"),
            (&["a", "set", "weight", "7", "weight", "8", "--because", "x"], "weight: is here twice"),
            (&["a", "set", SHARE, "30", "weight", "8", "--because", "x"], "is set by itself"),
            (&["a", "set", SHARE, "101", "--because", "x"], "allowed: a number from 0 to 100"),
            (&["a", "set", SHARE, "NaN", "--because", "x"], "allowed: a number from 0 to 100"),
            (&["clear", "weight"], "POOL: missing"),
        ] {
            let refused = parse(flags).expect_err(says);
            assert!(refused.contains(says), "{flags:?}: {refused}");
        }
    }
}

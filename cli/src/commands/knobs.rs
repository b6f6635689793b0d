//! `ebbpool knobs`: what a service's pools are told, and telling them something by hand for a time.

use crate::demo::admin::Admin;
use crate::failure::Failure;
use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::net::{SocketAddr, ToSocketAddrs as _};

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
    /// Where the admin routes are: http://127.0.0.1:PORT
    url: String,
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

/// The key of the share of gets that use a pool's canary.
const SHARE: &str = "canary.percent";

/// Runs `ebbpool knobs …`.
///
/// # Errors
/// [`Failure::Usage`] for arguments that cannot be, [`Failure::Run`] if the service refuses or does not answer.
pub(crate) fn run(args: &KnobsArgs) -> Result<(), Failure> {
    let address = address(&args.url).map_err(Failure::Usage)?;
    let asked = asked(args).map_err(Failure::Usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("no runtime").map_err(Failure::Run)?;
    let text = runtime.block_on(asked.of(&mut Admin::new(address))).map_err(Failure::Run)?;
    // Whoever reads may have read enough.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    Ok(())
}

/// What is to be done: a request, or the pool to be shown.
#[derive(Debug, PartialEq)]
enum Asked {
    All,
    One(String),
    Put(String, Value),
    Delete(String),
}

fn asked(args: &KnobsArgs) -> anyhow::Result<Asked> {
    let Some(action) = &args.action else {
        return Ok(args.pool.as_deref().map_or(Asked::All, |pool| Asked::One(path(pool, "knobs"))));
    };
    let pool =
        args.pool.as_deref().ok_or_else(|| anyhow!("POOL: missing; set and clear are for one pool"))?;
    match action {
        Action::Clear { key } if key == SHARE => Ok(Asked::Delete(canary(pool))),
        Action::Clear { key } => Ok(Asked::Delete(format!("{}?knob={}", path(pool, "knobs"), encoded(key)))),
        Action::Set { fields, time, because } => {
            let mut set = Map::new();
            for pair in fields.chunks(2) {
                let [key, value] = pair else {
                    anyhow::bail!("{}: has no value; expected KEY VALUE", pair[0])
                };
                if set.insert(key.clone(), value.as_str().into()).is_some() {
                    anyhow::bail!("{key}: is here twice; allowed: once");
                }
            }
            let mut body = json!({"reason": because});
            if let Some(time) = time {
                body["for"] = time.as_str().into();
            }
            if let Some(user) = std::env::var("USER").ok().filter(|user| !user.is_empty()) {
                body["by"] = user.into();
            }
            let Some(percent) = set.remove(SHARE) else {
                body["set"] = set.into();
                return Ok(Asked::Put(path(pool, "knobs"), body));
            };
            anyhow::ensure!(set.is_empty(), "{SHARE}: is set by itself, without other fields");
            let percent = percent.as_str().and_then(|percent| percent.parse::<f64>().ok());
            body["percent"] = percent
                .filter(|percent| (0.0..=100.0).contains(percent))
                .ok_or_else(|| anyhow!("{SHARE}: no percentage; allowed: a number from 0 to 100"))?
                .into();
            Ok(Asked::Put(canary(pool), body))
        }
    }
}

impl Asked {
    /// Has it done and tells how things are then.
    async fn of(&self, admin: &mut Admin) -> anyhow::Result<String> {
        match self {
            Self::All => {
                let pools: Value = admin.get("/v1/pools").await?;
                let mut text = String::new();
                for name in pools["pools"].as_object().into_iter().flat_map(Map::keys) {
                    text += &shown(&admin.get(&path(name, "knobs")).await?);
                }
                Ok(text)
            }
            Self::One(path) => Ok(shown(&admin.get(path).await?)),
            Self::Put(path, body) => Ok(shown(&admin.put(path, body).await?)),
            Self::Delete(path) => Ok(shown(&admin.delete(path).await?)),
        }
    }
}

/// The knobs of a pool, or the share of its canary, for people.
fn shown(answer: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = format!("{}\n", text(&answer["pool"]));
    let knobs = answer["knobs"].as_object();
    if knobs.is_none() {
        let percent = answer["percent"].as_f64().unwrap_or_default();
        // Writing to a string does not fail.
        let _ = writeln!(lines, "  {SHARE} {percent}: {}", who(answer));
        return lines;
    }
    for (_, knob) in knobs.into_iter().flatten() {
        let fields = knob["fields"].as_object().into_iter().flatten();
        let fields: Vec<_> = fields.map(|(field, value)| format!("{field} {}", text(value))).collect();
        let _ = writeln!(lines, "  {}: {}", fields.join(", "), who(knob));
    }
    lines
}

/// Who has set it, why, and for how much longer.
fn who(set: &Value) -> String {
    let text = |field: &str| set[field].as_str().unwrap_or_default();
    let left =
        set["left_s"].as_u64().map(|s| format!(", {} min {:02} s left", s / 60, s % 60)).unwrap_or_default();
    match text("reason") {
        "as built" => "as built".to_owned(),
        reason => format!("{}{left}: {reason}", text("author")),
    }
}

fn path(pool: &str, of: &str) -> String {
    format!("/v1/pools/{}/{of}", encoded(pool))
}

fn canary(pool: &str) -> String {
    format!("/v1/canaries/{}", encoded(pool))
}

/// Percent-encoded but for what is allowed anywhere in a URL.
fn encoded(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The address in a URL of admin routes.
fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let refused =
        |problem: &str| anyhow!("URL {url:?}: {problem}; allowed: http://127.0.0.1:PORT, localhost or [::1]");
    let rest = match url.split_once("://") {
        Some(("http", rest)) => rest,
        Some(_) => return Err(refused("not http")),
        None => url,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let known = ["localhost:", "127.0.0.1:", "[::1]:"];
    let port = known
        .iter()
        .find_map(|name| rest.strip_prefix(name))
        .ok_or_else(|| refused("not on this machine"))?;
    let port: u16 = port.parse().map_err(|_| refused("no port, or a path behind it"))?;
    let addresses = rest.to_socket_addrs().map_err(|error| refused(&error.to_string()))?;
    let mut addresses: Vec<_> = addresses.filter(|address| address.port() == port).collect();
    // Services listen on IPv4 unless told otherwise.
    addresses.sort_by_key(|address| !address.is_ipv4());
    addresses.first().copied().ok_or_else(|| refused("no address"))
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
        parsed.map_err(|e| e.to_string()).and_then(|cli| asked(&cli.knobs).map_err(|e| e.to_string()))
    }

    #[test]
    fn arguments_become_one_request() {
        assert_eq!(parse(&[]), Ok(Asked::All));
        assert_eq!(parse(&["a/b c"]), Ok(Asked::One("/v1/pools/a%2Fb%20c/knobs".to_owned())));
        let Ok(Asked::Put(path, body)) =
            parse(&["a", "set", "weight", "7", "reuse", "0.5", "--for", "10m", "--because", "x"])
        else {
            panic!("a change")
        };
        assert_eq!(
            (path.as_str(), &body["set"]),
            ("/v1/pools/a/knobs", &json!({"weight": "7", "reuse": "0.5"}))
        );
        assert_eq!((&body["for"], &body["reason"]), (&json!("10m"), &json!("x")));
        let clear = |key: &str| parse(&["a", "clear", key]);
        assert_eq!(clear("capacity"), Ok(Asked::Delete("/v1/pools/a/knobs?knob=capacity".to_owned())));
        assert_eq!(clear(SHARE), Ok(Asked::Delete("/v1/canaries/a".to_owned())));
        let Ok(Asked::Put(path, body)) = parse(&["a", "set", SHARE, "30", "--because", "x"]) else {
            panic!("a change")
        };
        assert_eq!((path.as_str(), &body["percent"]), ("/v1/canaries/a", &json!(30.0)));
        assert!(body.get("set").is_none() && body.get("for").is_none());
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
            (&["clear", "weight"], "POOL: missing"),
        ] {
            let refused = parse(flags).expect_err(says);
            assert!(refused.contains(says), "{flags:?}: {refused}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to() {
        for good in ["http://127.0.0.1:9901", "http://127.0.0.1:9901/", "127.0.0.1:9901", "http://[::1]:9901"]
        {
            assert_eq!(address(good).map(|address| address.port()).ok(), Some(9901), "{good}");
        }
        for bad in [
            "",
            "http://",
            "https://127.0.0.1:1",
            "http://10.0.0.1:1",
            "http://127.0.0.1",
            "http://127.0.0.1:x",
            "http://127.0.0.1:1/v1",
            "http://localhost.evil.example:1",
            "http://127.0.0.1:99999",
        ] {
            let refused = address(bad).expect_err(bad).to_string();
            assert!(refused.contains("allowed: http://127.0.0.1:PORT, localhost or [::1]"), "{refused}");
        }
    }

    #[test]
    fn knobs_are_shown_with_who_and_how_long() {
        let answer = json!({"pool": "a", "knobs": {
            "reuse": {"fields": {"reuse": "0.5"}, "author": "person", "reason": "ann: x", "left_s": 599},
            "sampling": {"fields": {"sampling.leases": "off"}, "author": "operator", "reason": "as built", "left_s": null},
        }});
        assert_eq!(
            shown(&answer),
            "a\n  reuse 0.5: person, 9 min 59 s left: ann: x\n  sampling.leases off: as built\n"
        );
        let canary =
            json!({"pool": "a", "percent": 30.0, "author": "operator", "reason": "e.yaml:7", "left_s": null});
        assert_eq!(shown(&canary), "a\n  canary.percent 30: operator: e.yaml:7\n");
    }
}

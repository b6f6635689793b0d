//! Knobs of a service's pools, and the shares of their canaries: shown, set by hand for a time, and taken back.

use super::Client;
use super::wire::Pools;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

/// The key of the share of gets that use a pool's canary.
pub(crate) const SHARE: &str = "canary.percent";

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// Show the knobs of a pool, or of all.
    Show(Option<String>),
    /// Set fields of a pool's knobs.
    Set { pool: String, fields: BTreeMap<String, String>, change: Change },
    /// Set the share of its canary, percent.
    SetShare { pool: String, percent: f64, change: Change },
    /// Take back what was set by hand: the share if the key is [`SHARE`], else a knob by its name or a field of it.
    Clear { pool: String, key: String },
}

/// How a person changes something; the service reads the time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<String>,
    pub(crate) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
}

impl Asked {
    /// Has it done and tells how things are then.
    ///
    /// # Errors
    /// If the service does not answer, or what it says against it.
    pub(crate) async fn of(&self, client: &mut Client) -> anyhow::Result<String> {
        match self {
            Self::Show(None) => all(client).await,
            Self::Show(Some(pool)) => {
                let knobs: PoolKnobs = client.json(&knobs_of(pool)).await?;
                let has_canary = with_canary(client).await?.contains(pool);
                Ok(knobs.to_string() + &share_if(has_canary, client, pool).await?)
            }
            Self::Set { pool, fields, change } => {
                let knobs: PoolKnobs =
                    client.put(&knobs_of(pool), &change.body("set", json!(fields))).await?;
                Ok(knobs.to_string())
            }
            Self::SetShare { pool, percent, change } => {
                let body = change.body("percent", json!(percent));
                let share: Share = client.put(&canary_of(pool), &body).await?;
                Ok(format!("{pool}\n{share}"))
            }
            Self::Clear { pool, key } if key == SHARE => {
                let share: Share = client.delete(&canary_of(pool)).await?;
                Ok(format!("{pool}\n{share}"))
            }
            Self::Clear { pool, key } => {
                let path = format!("{}?knob={}", knobs_of(pool), encoded(key));
                Ok(client.delete::<PoolKnobs>(&path).await?.to_string())
            }
        }
    }
}

impl Change {
    fn body(&self, key: &str, value: Value) -> Value {
        let mut body = json!(self);
        body[key] = value;
        body
    }
}

async fn all(client: &mut Client) -> anyhow::Result<String> {
    let pools: Pools = client.json("/v1/pools").await?;
    let with_canary = with_canary(client).await?;
    let mut text = String::new();
    for pool in pools.pools.keys() {
        // One that has ended since the list was made is not shown.
        if let Some(knobs) = client.json_if_there::<PoolKnobs>(&knobs_of(pool)).await? {
            text += &knobs.to_string();
            text += &share_if(with_canary.contains(pool), client, pool).await?;
        }
    }
    Ok(text)
}

/// The pools that have a canary beside them.
async fn with_canary(client: &mut Client) -> anyhow::Result<BTreeSet<String>> {
    let canaries: Canaries = client.json("/v1/canaries").await?;
    Ok(canaries.canaries.into_iter().map(|canary| canary.pool).collect())
}

/// The line of the share that is in force now; the list of canaries is as old as the last tick.
async fn share_if(has_canary: bool, client: &mut Client, pool: &str) -> anyhow::Result<String> {
    let share = if has_canary { client.json_if_there::<Share>(&canary_of(pool)).await? } else { None };
    Ok(share.map(|share| share.to_string()).unwrap_or_default())
}

/// What is read of `GET /v1/pools/{pool}/knobs`.
#[derive(Debug, Deserialize)]
struct PoolKnobs {
    pool: String,
    knobs: BTreeMap<String, KnobFigures>,
}

#[derive(Debug, Deserialize)]
struct KnobFigures {
    fields: BTreeMap<String, String>,
    #[serde(flatten)]
    who: Who,
}

/// What is read of `GET /v1/canaries`.
#[derive(Debug, Deserialize)]
struct Canaries {
    canaries: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    pool: String,
}

/// What is read of `GET /v1/canaries/{pool}`.
#[derive(Debug, PartialEq, Deserialize)]
struct Share {
    percent: f64,
    #[serde(flatten)]
    who: Who,
}

/// Who has set something, why, and for how much longer.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Who {
    author: String,
    reason: String,
    left_s: Option<u64>,
}

impl fmt::Display for PoolKnobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.pool)?;
        for knob in self.knobs.values() {
            let fields: Vec<_> =
                knob.fields.iter().map(|(field, value)| format!("{field} {value}")).collect();
            writeln!(f, "  {}: {}", fields.join(", "), knob.who)?;
        }
        Ok(())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {SHARE} {}: {}", self.percent, self.who)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { author, reason, left_s } = self;
        match (reason.as_str(), left_s) {
            ("as built", _) => write!(f, "{reason}"),
            (_, Some(s)) => write!(f, "{author}, {} min {:02} s left: {reason}", s / 60, s % 60),
            (_, None) => write!(f, "{author}: {reason}"),
        }
    }
}

fn knobs_of(pool: &str) -> String {
    format!("/v1/pools/{}/knobs", encoded(pool))
}

fn canary_of(pool: &str) -> String {
    format!("/v1/canaries/{}", encoded(pool))
}

/// Percent-encoded but for what is allowed anywhere in a URL.
fn encoded(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::Path;
    use axum::http::StatusCode;
    use axum::routing::get;
    use axum::{Json, Router};

    #[test]
    fn what_is_sent_is_what_the_routes_read() {
        let change = Change { time: Some("10m".into()), reason: "x".into(), by: None };
        assert_eq!(
            change.body("set", json!({"weight": "7"})),
            json!({"set": {"weight": "7"}, "for": "10m", "reason": "x"})
        );
        let change = Change { time: None, reason: "x".into(), by: Some("ann".into()) };
        assert_eq!(change.body("percent", json!(30.0)), json!({"percent": 30.0, "reason": "x", "by": "ann"}));
        assert_eq!(knobs_of("a/b c"), "/v1/pools/a%2Fb%20c/knobs");
    }

    #[test]
    fn knobs_are_shown_with_who_and_how_long() {
        let knobs: PoolKnobs = serde_json::from_value(json!({"pool": "a", "generation": 2, "knobs": {
            "reuse": {"fields": {"reuse": "0.5"}, "author": "person", "reason": "ann: x", "left_s": 599},
            "sampling": {"fields": {"sampling.leases": "off"}, "author": "operator", "reason": "as built", "left_s": null},
        }}))
        .unwrap();
        assert_eq!(
            knobs.to_string(),
            "a\n  reuse 0.5: person, 9 min 59 s left: ann: x\n  sampling.leases off: as built\n"
        );
        let who = Who { author: "operator".into(), reason: "e.yaml:7".into(), left_s: None };
        assert_eq!(Share { percent: 30.0, who }.to_string(), "  canary.percent 30: operator: e.yaml:7\n");
    }

    /// A list of more than a MiB, of which one pool ends before it is asked for, and another has a canary.
    #[tokio::test]
    async fn many_pools_are_shown_and_one_that_has_ended_is_left_out() {
        const COUNT: usize = 1200;
        let name = |n: usize| format!("pool {n:0>900}");
        let gone = name(7);
        let pool = json!({"idle_bytes": 0, "lent_bytes": 0, "capacity_bytes": 0, "lost_estimate": 0, "suspects": [],
            "lease_level": "off", "gets_total": {"hit": 0, "refill": 0, "victim": 0, "created": 0, "bypassed": 0}});
        let list: BTreeMap<_, _> = (0..COUNT).map(|n| (name(n), pool.clone())).collect();
        let list = json!({"pools": list});
        assert!(list.to_string().len() > 1 << 20);
        let knobs = move |Path(pool): Path<String>| {
            let answer = if pool == gone {
                let error =
                    json!({"path": "pool", "problem": "not a pool of this process", "allowed": "others"});
                (StatusCode::NOT_FOUND, json!({"error": error}))
            } else {
                (StatusCode::OK, json!({"pool": pool, "knobs": {}}))
            };
            async move { (answer.0, Json(answer.1)) }
        };
        let share = json!({"pool": name(1), "percent": 5.0, "author": "operator", "reason": "a file", "left_s": null});
        let canaries = json!({"canaries": [share]});
        let router = Router::new()
            .route("/v1/pools", get(move || async move { Json(list) }))
            .route("/v1/pools/{pool}/knobs", get(knobs))
            .route("/v1/canaries", get(move || async move { Json(canaries) }))
            .route("/v1/canaries/{pool}", get(move || async move { Json(share) }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = Client::new(listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        let text = Asked::Show(None).of(&mut client).await.unwrap();
        let shown: Vec<_> = text.lines().filter(|line| line.starts_with("pool ")).collect();
        assert_eq!(shown.len(), COUNT - 1);
        assert!(!shown.contains(&name(7).as_str()));
        let beside = format!("{}\n  canary.percent 5: operator: a file\n{}\n", name(1), name(2));
        assert!(text.contains(&beside));
        assert_eq!(text.matches(SHARE).count(), 1);
    }
}

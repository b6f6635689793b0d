//! What is armed and what it did: the body of `GET /v1/faults`, read by the runner with the same types.

use super::{FaultBox, FaultName, lock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Instant;

/// All faults of a process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultsStatus {
    /// What is armed now.
    pub armed: Vec<ArmedFault>,
    /// Hits since the process started, by fault. For a balloon: how often it took more memory.
    pub hits_total: BTreeMap<FaultName, u64>,
    /// Where the latest arming of each fault struck, as `file:line:column`, sorted; stays after its end.
    pub sites_injected: BTreeMap<FaultName, Vec<String>>,
}

/// One armed fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmedFault {
    /// Which.
    pub name: FaultName,
    /// The pool it is confined to.
    pub pool: Option<String>,
    /// Its rate, count and way, as they were given.
    pub when: Option<String>,
    /// Until it ends by itself, milliseconds; `None` if it was armed by the environment.
    pub ttl_left_ms: Option<u64>,
    /// Hits of this arming.
    pub hits: u64,
    /// Where it struck.
    pub sites: Vec<String>,
    /// Memory that it holds now; 0 for a missing put (what that keeps is the pool's to report).
    pub held_bytes: u64,
    /// For a balloon: what it was asked for and found.
    pub balloon: Option<BalloonStatus>,
}

/// A balloon's aim.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalloonStatus {
    /// The share of the limit that it was told to fill.
    pub target_ratio: f64,
    /// What it takes in the end, bytes.
    pub target_bytes: u64,
    /// Usage when it was armed, bytes.
    pub usage_at_arming_bytes: u64,
    /// The limit when it was armed, bytes.
    pub limit_bytes: u64,
}

impl FaultBox {
    /// What is armed and what it did. Costs some microseconds.
    #[must_use]
    pub fn status(&self) -> FaultsStatus {
        let now = Instant::now();
        let left_ms = |deadline: Instant| {
            u64::try_from(deadline.saturating_duration_since(now).as_millis()).unwrap_or(u64::MAX)
        };
        let state = lock(&self.0.state);
        let missing_put = state.missing_put.as_ref().map(|m| ArmedFault {
            name: FaultName::MissingPut,
            pool: m.armed.pool.clone(),
            when: Some(m.armed.when.to_string()),
            ttl_left_ms: m.armed.deadline.map(left_ms),
            hits: m.armed.hits(),
            sites: m.armed.sites(),
            held_bytes: 0,
            balloon: None,
        });
        let balloon = state.balloon.as_ref().map(|b| ArmedFault {
            name: FaultName::MemoryBalloon,
            pool: None,
            when: None,
            ttl_left_ms: Some(left_ms(b.deadline)),
            hits: b.balloon.steps(),
            sites: Vec::new(),
            held_bytes: b.balloon.held_bytes(),
            balloon: Some(BalloonStatus {
                target_ratio: b.target_ratio,
                target_bytes: b.target_bytes,
                usage_at_arming_bytes: b.at_arming.usage_bytes,
                limit_bytes: b.at_arming.limit_bytes,
            }),
        });
        let balloon_hits = state.balloon_hits_before + balloon.as_ref().map_or(0, |b| b.hits);
        let sites = state.latest_missing_put.as_ref().map(|a| a.sites()).unwrap_or_default();
        FaultsStatus {
            armed: missing_put.into_iter().chain(balloon).collect(),
            hits_total: [
                (FaultName::MissingPut, self.0.gate.hits_total()),
                (FaultName::MemoryBalloon, balloon_hits),
            ]
            .into(),
            sites_injected: [(FaultName::MissingPut, sites)].into(),
        }
    }
}

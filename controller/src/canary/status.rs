//! What is shown of a canary: plain figures, with the field names that the routes serve.

use super::{CanaryEvidence, CanaryVerdict};
use crate::decide::PoolName;
use crate::overrides::seconds;
use pool_core::{Knob, Share, Split};
use serde::Serialize;

/// The share of gets that use a canary, and who set it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CanaryShare {
    /// The stable pool, and the name of the whole.
    pub pool: PoolName,
    /// The canary pool.
    pub canary_pool: PoolName,
    /// The share, percent.
    pub percent: f64,
    /// Who set it: `operator` or `person`.
    pub author: &'static str,
    /// Why.
    pub reason: String,
    /// For how many more seconds, rounded up; `null` if it does not end by itself.
    pub left_s: Option<u64>,
}

/// What is shown of one canary.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CanaryStatus {
    /// Which one, and its share. In JSON its fields stand beside the others.
    #[serde(flatten)]
    pub share: CanaryShare,
    /// How the canary does.
    pub verdict: CanaryVerdict,
    /// Rounds of five seconds that counted, of the last five minutes.
    pub rounds: usize,
    /// So many must count for a verdict.
    pub rounds_needed: usize,
    /// How these rounds spoke, a figure each.
    pub evidence: [CanaryEvidence; 2],
    /// The stable pool in all of these five minutes.
    pub stable: CanarySide,
    /// The canary at the same time.
    pub canary: CanarySide,
}

/// One of the two pools, since the comparison began but for at most five minutes. What is not known is `null`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CanarySide {
    /// Gets.
    pub gets: u64,
    /// The share of them that reused an object.
    pub hit_ratio: Option<f64>,
    /// Creates by gets.
    pub create_ratio: Option<f64>,
    /// Objects that were dropped for lack of room or use, by gets.
    pub evict_ratio: Option<f64>,
    /// What a create took, 99th percentile of those that were timed, ms.
    pub create_p99_ms: Option<f64>,
    /// Idle bytes, the mean of the rounds, for each get a second.
    pub idle_bytes_per_get_s: Option<f64>,
    /// Objects that are lent now.
    pub lent_objects: u64,
    /// Bytes that are idle now.
    pub idle_bytes: u64,
    /// Bytes that may be idle now.
    pub capacity_bytes: u64,
    /// Objects that may be idle now.
    pub capacity_objects: u64,
}

impl CanaryShare {
    /// As it is in force now.
    pub(crate) fn of(split: &Split) -> Self {
        Self::new([split.name().into(), split.canary_name().into()], split.share())
    }

    pub(super) fn new([pool, canary_pool]: [PoolName; 2], share: Knob<Share>) -> Self {
        Self {
            pool,
            canary_pool,
            percent: percent(share.value),
            author: share.author.as_str(),
            reason: share.reason,
            left_s: share.expires_in.map(seconds),
        }
    }
}

/// A share as it was told: what the way to a ratio and back adds is far below the last of these digits.
fn percent(share: Share) -> f64 {
    (share.ratio().get() * 1e11).round() / 1e9
}

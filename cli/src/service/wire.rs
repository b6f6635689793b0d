//! What is read of the admin routes, by whoever asks. The routes say more.

use serde::Deserialize;
use std::collections::BTreeMap;

/// `GET /healthz`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Health {
    pub(crate) status: String,
    pub(crate) detail: Vec<String>,
}

/// `GET /v1/memory`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Memory {
    pub(crate) tick: u64,
    pub(crate) mode: String,
    pub(crate) policy: String,
    pub(crate) source: String,
    pub(crate) allocator: String,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) limit_kind: String,
    pub(crate) usage_bytes: Option<u64>,
    pub(crate) peak_bytes: u64,
    pub(crate) valid: bool,
    pub(crate) invalid_reason: Option<String>,
    pub(crate) state: String,
    pub(crate) watermarks: Option<Watermarks>,
    pub(crate) budget_bytes: Option<u64>,
    pub(crate) pools_idle_bytes: u64,
    pub(crate) pools_lent_bytes: u64,
    pub(crate) lent_peak_bytes: u64,
    pub(crate) decisions_total: u64,
    pub(crate) last_decision: Option<Decision>,
}

/// Bytes of usage at which a state is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Watermarks {
    pub(crate) elevated: u64,
    pub(crate) high: u64,
    pub(crate) critical: u64,
}

/// A decision of the controller.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Decision {
    pub(crate) at_ms: u64,
    pub(crate) reason: String,
}

/// `GET /v1/pools`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Pools {
    pub(crate) pools: BTreeMap<String, Pool>,
}

/// One pool.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Pool {
    pub(crate) idle_bytes: u64,
    pub(crate) lent_bytes: u64,
    pub(crate) capacity_bytes: u64,
    pub(crate) gets_total: Gets,
    pub(crate) lease_level: String,
    pub(crate) lost_estimate: u64,
    pub(crate) suspects: Vec<Suspect>,
}

/// Gets by outcome, cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Gets {
    pub(crate) hit: u64,
    pub(crate) refill: u64,
    pub(crate) victim: u64,
    pub(crate) created: u64,
    pub(crate) bypassed: u64,
}

/// A place whose leases are out for too long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Suspect {
    pub(crate) site: String,
}

impl Gets {
    /// Gets that reused an object.
    pub(crate) const fn reused(self) -> u64 {
        self.hit + self.refill + self.victim
    }

    pub(crate) const fn total(self) -> u64 {
        self.reused() + self.created + self.bypassed
    }
}

impl Pools {
    /// The gets of all pools together.
    pub(crate) fn gets(&self) -> Gets {
        self.pools.values().fold(Gets::default(), |sum, pool| Gets {
            hit: sum.hit + pool.gets_total.hit,
            refill: sum.refill + pool.gets_total.refill,
            victim: sum.victim + pool.gets_total.victim,
            created: sum.created + pool.gets_total.created,
            bypassed: sum.bypassed + pool.gets_total.bypassed,
        })
    }
}

//! What the two processes of a demo say to each other over the child's standard streams, one JSON line each way,
//! and what the watching side reads of the admin routes.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The line on stdin at which the child begins. It allocates and opens nothing before.
pub(crate) const START: &str = "start";

/// The child's first line on stdout.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hello {
    /// It serves.
    Ready {
        /// Where the service listens.
        service: SocketAddr,
        /// Where the admin routes and the page are.
        admin: SocketAddr,
    },
    /// It cannot, for a reason outside of it.
    Refused(String),
}

/// What is read of `GET /v1/memory`; it has more.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Memory {
    pub(crate) allocator: String,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) usage_bytes: Option<u64>,
    pub(crate) peak_bytes: u64,
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

/// What is read of `GET /v1/pools`; it has more.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hello_reads_back() {
        let address = "127.0.0.1:9901".parse().unwrap();
        for hello in [Hello::Ready { service: address, admin: address }, Hello::Refused("port".into())] {
            let line = serde_json::to_string(&hello).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Hello>(&line).unwrap(), hello);
        }
    }
}

//! Act: carries a plan out. The only part that writes knobs.
//!
//! ```text
//!  Plan ─► knobs ─► depots above capacity ─► one pass: cycles, trims ─► drops by slice ─► purge (its own thread)
//!            └───── grant                        watchdog: if no plan comes, the safe capacity
//! ```
//!
//! Knows pools only as [`Managed`], and does not judge a plan.

mod ends;
mod held;
mod knobs;
mod operator;
mod person;
mod purge;
mod trim;
mod tuning;
pub(crate) mod watchdog;

pub(crate) use held::Held;
pub(crate) use knobs::Knobs;
use knobs::Written;
pub(crate) use operator::Operator;
pub(crate) use person::{Person, Said};

use crate::allocator::Allocator;
use crate::decide::Plan;
use crate::mode::Mode;
use crate::seen::SeenPools;
use pool_core::{Managed, Registry};
use purge::Purger;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// What has been done so far, for status and for the next decision. Cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Whether this plan changed (or, when observing, would have changed) a knob.
    pub(crate) changed: bool,
    /// How often the most restless capacity knob turned around.
    pub(crate) knob_reversals: u64,
    /// Idle bytes that were taken back by trims.
    pub(crate) trimmed_bytes_total: u64,
    /// Purges of the allocator that have ended.
    pub(crate) purges_total: u64,
    /// Free blocks of the allocator at the end of the last one, bytes.
    pub(crate) heap_clean_bytes: u64,
}

/// Carries plans out, or, when observing, follows what they would have done.
#[derive(Debug)]
pub(crate) struct Act {
    registry: Registry,
    knobs: Knobs,
    purger: Purger,
    trimmed_bytes_total: u64,
    /// The time of the last tick that was enforced: since then pools had no cycles.
    enforced_at: Option<Instant>,
    mode: Mode,
}

impl Act {
    pub(crate) fn new(registry: Registry, mode: Mode, allocator: Arc<dyn Allocator>) -> Self {
        let (knobs, purger) = (Knobs::new(mode == Mode::Enforce), Purger::of(allocator));
        Self { registry, knobs, purger, trimmed_bytes_total: 0, enforced_at: None, mode }
    }

    /// From now on in `mode`. Who ends to enforce lifts the grant, since nobody would refill it; who begins to observe
    /// takes its hands off the knobs as well.
    pub(crate) fn be(&mut self, mode: Mode, pools: &[Arc<dyn Managed>]) {
        if mode == self.mode {
            return;
        }
        if self.mode == Mode::Enforce {
            self.registry.grant().set(None);
        }
        if mode == Mode::Observe {
            self.knobs.let_go(pools);
        } else if mode == Mode::Enforce && self.mode == Mode::Observe {
            self.knobs.take_up();
        }
        self.mode = mode;
    }

    /// The knobs as the next decision should see them.
    pub(crate) fn knobs(&self) -> &Knobs {
        &self.knobs
    }

    /// What has been done before this tick.
    pub(crate) fn done(&mut self) -> Done {
        let purged = self.purger.outcome();
        Done {
            changed: false,
            knob_reversals: self.knobs.reversals(),
            trimmed_bytes_total: self.trimmed_bytes_total,
            purges_total: purged.total,
            heap_clean_bytes: purged.heap_clean_bytes,
        }
    }

    /// Carries `plan` out on the pools that were seen. `at` and `now` are the same moment; `limit_bytes`: to tell a real
    /// turn of a knob from jitter.
    pub(crate) fn carry_out(
        &mut self,
        at: Duration,
        now: Instant,
        seen: &SeenPools,
        plan: &Plan,
        limit_bytes: Option<u64>,
    ) -> Done {
        if self.mode == Mode::Frozen {
            return self.done();
        }
        let enforce = self.mode == Mode::Enforce;
        if enforce {
            self.registry.grant().set(plan.grant_bytes);
        }
        let Written { changed, cut } = self.knobs.apply(seen, plan, limit_bytes);
        if enforce {
            let last = self.enforced_at.replace(now).unwrap_or(now);
            let since_last = now.saturating_duration_since(last);
            let cycles_max = trim::cycles_max(seen, plan, since_last);
            self.trimmed_bytes_total += trim::trim(&self.registry, seen, &cut, (now, cycles_max));
            self.take_back_credits(plan.grant_bytes);
            if plan.purge {
                self.purger.ask(at, plan.state);
            }
        }
        Done { changed, ..self.done() }
    }

    /// Each dropped object is credited to the grant. But where usage was beyond the mark, the grant was 0 and not
    /// less: what the trims have freed only brings usage back, and is nobody's to spend before the next reading.
    fn take_back_credits(&self, granted: Option<u64>) {
        let grant = self.registry.grant();
        let most = granted.and_then(|bytes| i64::try_from(bytes).ok());
        if most.zip(grant.left()).is_some_and(|(most, left)| left > most) {
            grant.set(granted);
        }
    }
}

/// Whether both are one pool, and not just of one name.
fn are_one(one: &Weak<dyn Managed>, other: &Weak<dyn Managed>) -> bool {
    std::ptr::addr_eq(one.as_ptr(), other.as_ptr())
}

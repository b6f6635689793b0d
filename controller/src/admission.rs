//! Admission: whether there is room for more work, for a service to ask before it begins.
//!
//! When nothing idle is left to take back, a create goes on all the same: a pool never refuses. Then only less work
//! helps. A stall of a tenth of a second doubles what is in flight; no loop sees that before it has happened. So the
//! question is answered by the grant, which every create is charged against at once: it may be overdrawn up to the
//! high watermark, and not beyond. Knows no requests, and refuses nothing by itself.

use crate::decide::{Inputs, State, share_of};
use crate::shared::Shared;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// Up to here, in thousandths of the limit, work goes on however full memory is: a service that refuses everything
/// would never find out that there is room again.
const ALWAYS_LENT_PERMILLE: u64 = 20;
/// By how much the grant may be overdrawn at most, thousandths of the limit: from its mark to high.
const OVERDRAFT_PERMILLE: u64 = 40;

/// Says whether there is room for more work. Cheap to clone and to ask (two loads).
///
/// ```
/// # use pool_controller::Controller;
/// # let registry = pool_core::Registry::new();
/// # let handle = Controller::builder().registry(&registry).build()?.spawn()?;
/// let admission = handle.admission();
/// // In a handler, before it takes objects from pools:
/// if !admission.admits() {
///     // Answer 503 with Retry-After: 1.
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Admission {
    shared: Arc<Shared>,
}

impl Admission {
    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }

    /// Whether work that takes objects from pools should begin now. True whenever creates are not limited: while
    /// observing, switched off, or without a limit. A `false` is counted.
    #[must_use]
    pub fn admits(&self) -> bool {
        let admits = self.shared.valve.admits(self.shared.registry.grant().left());
        if !admits {
            self.shared.valve.refused.fetch_add(1, Relaxed);
        }
        admits
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").finish_non_exhaustive()
    }
}

/// What the last tick has set. Relaxed: each word is an account of its own.
#[derive(Debug, Default)]
pub(crate) struct Valve {
    overdraft_bytes: AtomicI64,
    refused: AtomicU64,
}

impl Valve {
    /// Sets how far the grant may be overdrawn until the next tick. `usage_bytes` is the one that the grant was
    /// made from; without it the last word stands. Where what pools give up stays in the process, only less work
    /// helps: then it may not be overdrawn.
    pub(crate) fn set(&self, inputs: &Inputs, lent_bytes: u64, is_reclaimable: bool) {
        if let (Some(limit), Some(usage)) = (inputs.limit_bytes, inputs.usage_bytes) {
            let to_high = share_of(limit, State::High.enter_permille()).saturating_sub(usage);
            let overdraft = if is_reclaimable { share_of(limit, OVERDRAFT_PERMILLE) } else { 0 };
            let by_usage = to_high.min(overdraft);
            let always = share_of(limit, ALWAYS_LENT_PERMILLE).saturating_sub(lent_bytes);
            let bytes = i64::try_from(by_usage.max(always)).unwrap_or(i64::MAX);
            self.overdraft_bytes.store(bytes, Relaxed);
        }
    }

    /// As beside a full limit.
    #[cfg(test)]
    pub(crate) fn forbid_overdraft(&self) {
        self.overdraft_bytes.store(0, Relaxed);
    }

    pub(crate) fn refused_total(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    fn admits(&self, grant_left_bytes: Option<i64>) -> bool {
        grant_left_bytes.is_none_or(|left| left > -self.overdraft_bytes.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1_000_000;

    fn valve(usage: u64, lent: u64) -> Valve {
        let valve = Valve::default();
        valve.set(&inputs(Some(usage)), lent, true);
        valve
    }

    fn inputs(usage_bytes: Option<u64>) -> Inputs {
        Inputs { limit_bytes: Some(LIMIT), usage_bytes, ..Inputs::default() }
    }

    #[test]
    fn where_nothing_comes_back_the_grant_is_the_end() {
        let valve = Valve::default();
        valve.set(&inputs(Some(500_000)), 400_000, false);
        assert_eq!([380_000, 1, 0].map(|left| valve.admits(Some(left))), [true, true, false]);
    }

    #[test]
    fn the_grant_may_be_overdrawn_up_to_high() {
        // 30 000 below high: the grant of 0 goes on for as much.
        let near = valve(890_000, 500_000);
        assert_eq!([0, -29_999, -30_000].map(|left| near.admits(Some(left))), [true, true, false]);
        let far = valve(500_000, 400_000);
        assert_eq!([380_000, -39_999, -40_000].map(|left| far.admits(Some(left))), [true, true, false]);
    }

    #[test]
    fn beyond_high_nothing_more_begins_except_the_least() {
        assert!(!valve(920_000, 500_000).admits(Some(0)));
        assert!(!valve(960_000, 20_000).admits(Some(0)));
        let nearly_idle = valve(960_000, 5_000);
        assert_eq!([0, -14_999, -15_000].map(|left| nearly_idle.admits(Some(left))), [true, true, false]);
    }

    #[test]
    fn without_a_grant_everything_is_admitted() {
        assert!(Valve::default().admits(None));
        assert!(valve(2_000_000, 500_000).admits(None));
    }

    #[test]
    fn without_a_reading_the_last_word_stands() {
        let valve = valve(890_000, 500_000);
        valve.set(&inputs(None), 0, true);
        assert!(!valve.admits(Some(-30_000)));
    }
}

//! What the pools do not own, and its peaks: the room that it leaves is what pools may hold.
//!
//! ```text
//! others = usage − Σ idle − Σ lent − what pools freed and the allocator still holds      (held at its peak)
//!        + Σ lent                                                                        (its mean)
//! ```
//!
//! What others take comes without asking, so its peak counts. What is lent comes from what is idle, or is created, and
//! creates ask: one that finds the grant used up takes idle bytes back first. So its peak need not be kept free, only
//! its mean: with the peak, demands that overlap for a moment would cost every pool its budget for as long as the peak
//! is held. Knows no budget.

use super::filters::{Ewma, Median3, PeakHold};
use super::retained::{Matched, Retained};
use super::signals::View;
use super::{Inputs, PoolInputs};
use std::time::Duration;

/// Peaks that cut.
pub(super) const CUT_WINDOW: Duration = Duration::from_secs(6);
/// Peaks that catching up respects.
pub(super) const CATCH_UP_WINDOW: Duration = Duration::from_secs(12);
/// Peaks that growth respects.
const GROW_WINDOW: Duration = Duration::from_secs(30);
/// The mean of what is lent, long enough not to follow demands that come and go.
const LENT_TAU: Duration = Duration::from_secs(60);

/// Follows it.
#[derive(Clone, Debug)]
pub(super) struct Others {
    median: Median3,
    cut: PeakHold,
    catch_up: PeakHold,
    grow: PeakHold,
    idle: PeakHold,
    lent: Ewma,
    last: Option<Duration>,
    retained: Retained,
}

/// The highest of each window, with the mean of what is lent, bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peaks {
    pub(super) cut: u64,
    pub(super) catch_up: u64,
    pub(super) grow: u64,
    /// Of what was idle.
    pub(super) idle: u64,
    /// What the allocator still holds of what pools have freed, now.
    pub(super) retained: u64,
    /// What is idle now.
    pub(super) idle_now: u64,
    /// Whether a whole cutting window has been seen.
    pub(super) window_full: bool,
}

impl Default for Others {
    fn default() -> Self {
        Self {
            median: Median3::default(),
            cut: PeakHold::new(CUT_WINDOW),
            catch_up: PeakHold::new(CATCH_UP_WINDOW),
            grow: PeakHold::new(GROW_WINDOW),
            idle: PeakHold::new(CUT_WINDOW),
            lent: Ewma::new(LENT_TAU),
            last: None,
            retained: Retained::default(),
        }
    }
}

impl Others {
    /// Takes the matched figures of a tick.
    pub(super) fn update(&mut self, now: Duration, view: &View, inputs: &Inputs) -> Peaks {
        let idle = idle_bytes(inputs);
        let lent = inputs.pools.iter().map(|pool| pool.lent_bytes).sum();
        let retained = self.retained.update(Matched {
            usage: view.usage_bytes,
            idle,
            lent,
            heap_free: inputs.heap_free_bytes,
            heap_clean: inputs.heap_clean_bytes,
            purges: inputs.purges_total,
        });
        let owned = idle.saturating_add(lent).saturating_add(retained);
        let others = self.median.push(view.usage_bytes.saturating_sub(owned));
        let lent = self.mean_lent(now, lent);
        Peaks {
            cut: self.cut.push(now, others).saturating_add(lent),
            catch_up: self.catch_up.push(now, others).saturating_add(lent),
            grow: self.grow.push(now, others).saturating_add(lent),
            idle: self.idle.push(now, idle),
            retained,
            idle_now: idle,
            window_full: self.cut.is_full(now),
        }
    }

    fn mean_lent(&mut self, now: Duration, lent: u64) -> u64 {
        // The first tick has no length yet, and counts as one of a moment.
        let dt = self.last.replace(now).map_or(Duration::from_millis(1), |last| now.saturating_sub(last));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of u64s")]
        let mean = self.lent.push(dt, lent as f64) as u64;
        mean
    }

    /// A tick without figures: nothing is compared across it.
    pub(super) fn interrupt(&mut self) {
        self.retained.interrupt();
    }

    /// Another group binds: peaks of the old one say nothing.
    pub(super) fn forget_levels(&mut self) {
        let Self { idle, lent, last, retained, .. } = std::mem::take(self);
        (self.idle, self.lent, self.last, self.retained) = (idle, lent, last, retained);
        self.interrupt();
    }
}

pub(super) fn idle_bytes(inputs: &Inputs) -> u64 {
    inputs.pools.iter().map(|pool: &PoolInputs| pool.idle_bytes).sum()
}

//! What the pools do not own, and its peaks: the room that they leave is what pools may hold.
//!
//! `others = usage − Σ idle − what pools freed and the allocator still holds`. Knows no budget.

use super::filters::{Median3, PeakHold};
use super::retained::{Matched, Retained};
use super::signals::View;
use super::{Inputs, PoolInputs};
use std::time::Duration;

/// Peaks that cut.
pub(super) const CUT_WINDOW: Duration = Duration::from_secs(6);
/// Peaks that catching up respects.
pub(super) const CATCH_UP_WINDOW: Duration = Duration::from_secs(12);
/// Peaks that growth respects.
const GROW_WINDOW: Duration = Duration::from_secs(60);

/// Follows it.
#[derive(Clone, Debug)]
pub(super) struct Others {
    median: Median3,
    cut: PeakHold,
    catch_up: PeakHold,
    grow: PeakHold,
    idle: PeakHold,
    retained: Retained,
}

/// The highest of each window, bytes.
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
            retained: Retained::default(),
        }
    }
}

impl Others {
    /// Takes the matched figures of a tick.
    pub(super) fn update(&mut self, now: Duration, view: &View, inputs: &Inputs) -> Peaks {
        let idle = idle_bytes(inputs);
        let retained = self.retained.update(Matched {
            usage: view.usage_bytes,
            idle,
            lent: inputs.pools.iter().map(|pool| pool.lent_bytes).sum(),
            heap_free: inputs.heap_free_bytes,
            heap_clean: inputs.heap_clean_bytes,
            purges: inputs.purges_total,
        });
        let others = self.median.push(view.usage_bytes.saturating_sub(idle).saturating_sub(retained));
        Peaks {
            cut: self.cut.push(now, others),
            catch_up: self.catch_up.push(now, others),
            grow: self.grow.push(now, others),
            idle: self.idle.push(now, idle),
            retained,
            idle_now: idle,
            window_full: self.cut.is_full(now),
        }
    }

    /// A tick without figures: nothing is compared across it.
    pub(super) fn interrupt(&mut self) {
        self.retained.interrupt();
    }

    /// Another group binds: peaks of the old one say nothing.
    pub(super) fn forget_levels(&mut self) {
        let Self { idle, retained, .. } = std::mem::take(self);
        (self.idle, self.retained) = (idle, retained);
        self.interrupt();
    }
}

pub(super) fn idle_bytes(inputs: &Inputs) -> u64 {
    inputs.pools.iter().map(|pool: &PoolInputs| pool.idle_bytes).sum()
}

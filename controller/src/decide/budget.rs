//! The budget's own motion: down at once, up slowly and only with evidence.
//!
//! It is told where to go; it does not know why, nor how the bytes are shared.

use super::reason::{Hold, Reason};
use super::share_of;
use super::state::State;
use std::time::Duration;

/// Growth per second, thousandths of the limit.
pub(super) const GROW_PERMILLE_PER_S: u64 = 20;
/// Time for which the conditions of growth must have held.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Growth begins only towards a target that is this much above, thousandths of the limit, and one in this of the
/// budget itself; once begun it goes all the way. Peaks are extremes of something noisy: the next window's is a
/// little higher or lower, and a budget that followed each of them would turn around all the time.
const DEAD_BAND_PERMILLE: u64 = 10;
const DEAD_BAND_ONE_IN: u64 = 12;
/// A target that is half as much again as the budget, and this much of the limit, thousandths, is worth catching up
/// with at once.
const CATCH_UP_PERMILLE: u64 = 20;
/// The first budget, thousandths of the limit, unless the pools hold more already.
const START_PERMILLE: u64 = 100;
/// Time that counts for growth after a late tick.
const DT_MAX: Duration = Duration::from_secs(1);

/// What growth depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) limit_bytes: u64,
    /// Room by the peaks of a long window.
    pub(super) target_bytes: u64,
    /// Room by the peaks of a shorter one: counts only when it is much.
    pub(super) catch_up_bytes: u64,
    pub(super) window_full: bool,
    pub(super) state: State,
    /// Whether the pools use more than half of what they have.
    pub(super) used: bool,
    /// Tasks wait for memory, or things are late.
    pub(super) work_waits: bool,
    /// Change of usage, bytes per second.
    pub(super) slope: Option<f64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    bytes: Option<u64>,
    last: Option<Duration>,
    room_since: Option<Duration>,
    growing: bool,
    catching_up: bool,
}

impl Budget {
    /// The budget; 0 before it started.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.unwrap_or(0)
    }

    /// Starts, the first time only: at a tenth of the limit or at what is idle, within the target.
    pub(super) fn start(&mut self, limit_bytes: u64, idle_bytes: u64, target_bytes: u64) -> Option<Reason> {
        if self.bytes.is_some() {
            return None;
        }
        let budget_bytes = share_of(limit_bytes, START_PERMILLE).max(idle_bytes).min(target_bytes);
        self.bytes = Some(budget_bytes);
        Some(Reason::Started { budget_bytes })
    }

    /// Starts at `bytes` without knowing a limit, or goes down to it.
    pub(super) fn hold_at(&mut self, bytes: u64) {
        self.bytes = Some(self.bytes.map_or(bytes, |budget| budget.min(bytes)));
        self.freeze();
    }

    /// Someone took `bytes` of the capacity away.
    pub(super) fn lower_by(&mut self, bytes: u64) -> Option<Reason> {
        if bytes == 0 {
            return None;
        }
        let to_bytes = self.bytes().saturating_sub(bytes);
        self.hold_at(to_bytes);
        Some(Reason::Lowered { to_bytes })
    }

    pub(super) fn halve(&mut self) -> Reason {
        let from_bytes = self.bytes();
        self.hold_at(from_bytes / 2);
        Reason::Halved { from_bytes, to_bytes: self.bytes() }
    }

    /// Down to the target, at once.
    pub(super) fn shrink(&mut self, target_bytes: u64, others_peak_bytes: u64) -> Option<Reason> {
        let from_bytes = self.bytes();
        if target_bytes >= from_bytes {
            return None;
        }
        self.hold_at(target_bytes);
        Some(Reason::Shrank { from_bytes, to_bytes: target_bytes, others_peak_bytes })
    }

    /// Up towards the target, if everything speaks for it. To be called each tick with a good reading, or
    /// else [`freeze`](Self::freeze).
    pub(super) fn grow(&mut self, now: Duration, room: &Room) -> Option<Reason> {
        let dt = self.since_last(now).min(DT_MAX);
        let from_bytes = self.bytes();
        let target_bytes = self.target(room);
        let above = target_bytes.saturating_sub(from_bytes);
        let dead_band = share_of(room.limit_bytes, DEAD_BAND_PERMILLE).max(from_bytes / DEAD_BAND_ONE_IN);
        if above == 0 || (!self.growing && above < dead_band) {
            self.freeze();
            return None;
        }
        let hold = if !room.window_full {
            Some(Hold::Window)
        } else if room.state > State::Normal {
            Some(Hold::State)
        } else if room.work_waits {
            Some(Hold::Pressure)
        } else if !room.used {
            Some(Hold::Unused)
        } else {
            None
        };
        if let Some(hold) = hold {
            self.freeze();
            return Some(Reason::GrowthHeld(hold));
        }
        if now < *self.room_since.get_or_insert(now) + PATIENCE {
            return Some(Reason::GrowthHeld(Hold::Patience));
        }
        let per_second =
            share_of(room.limit_bytes, GROW_PERMILLE_PER_S) as f64 - room.slope.unwrap_or(0.0).max(0.0);
        if per_second <= 0.0 {
            return Some(Reason::GrowthHeld(Hold::Slope));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small")]
        let step_bytes = (per_second * dt.as_secs_f64()) as u64;
        let to_bytes = from_bytes.saturating_add(step_bytes).min(target_bytes);
        self.bytes = Some(to_bytes);
        self.growing = to_bytes < target_bytes;
        Some(Reason::Grew { from_bytes, to_bytes, target_bytes })
    }

    /// Where growth goes. A budget that is far too small catches up, and goes on until it has arrived.
    fn target(&mut self, room: &Room) -> u64 {
        let bytes = self.bytes();
        let far = bytes + bytes / 2 + share_of(room.limit_bytes, CATCH_UP_PERMILLE);
        self.catching_up = room.catch_up_bytes > far || (self.catching_up && room.catch_up_bytes > bytes);
        if self.catching_up { room.catch_up_bytes } else { room.target_bytes }
    }

    /// Down to `safe_bytes` in `left`, evenly.
    pub(super) fn decay(&mut self, now: Duration, safe_bytes: u64, left: Duration) -> Reason {
        let dt = self.since_last(now);
        let from_bytes = self.bytes();
        let above = from_bytes.saturating_sub(safe_bytes) as f64;
        let part = (dt.as_secs_f64() / (left + dt).as_secs_f64().max(1e-9)).min(1.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a u64")]
        let less = (above * part).ceil() as u64;
        self.hold_at(from_bytes.saturating_sub(less));
        Reason::Decaying { to_bytes: self.bytes() }
    }

    /// No growth this tick: the conditions have to hold anew.
    pub(super) fn freeze(&mut self) {
        self.room_since = None;
        self.growing = false;
    }

    /// Marks the tick for the next step; to be called on ticks that neither grow nor decay.
    pub(super) fn since_last(&mut self, now: Duration) -> Duration {
        self.last.replace(now).map_or(Duration::ZERO, |last| now.saturating_sub(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1_000_000;

    fn room(target_bytes: u64) -> Room {
        let (window_full, used) = (true, true);
        let (limit_bytes, catch_up_bytes, state) = (LIMIT, target_bytes, State::Normal);
        Room {
            limit_bytes,
            target_bytes,
            catch_up_bytes,
            window_full,
            state,
            used,
            work_waits: false,
            slope: Some(0.0),
        }
    }

    fn started(bytes: u64) -> Budget {
        let mut budget = Budget::default();
        let _ = budget.start(LIMIT, bytes, bytes);
        budget
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn it_starts_within_the_room_and_holding_never_raises() {
        let mut budget = Budget::default();
        assert_eq!(budget.start(LIMIT, 500_000, 300_000), Some(Reason::Started { budget_bytes: 300_000 }));
        assert_eq!(budget.start(LIMIT, 0, 900_000), None, "once");
        budget.hold_at(400_000);
        assert_eq!(budget.bytes(), 300_000);
        budget.hold_at(200_000);
        assert_eq!(budget.bytes(), 200_000);
    }

    #[test]
    fn growth_waits_two_seconds_and_then_is_two_percent_of_the_limit_per_second() {
        let mut budget = started(100_000);
        let mut seen = Vec::new();
        for n in 0..=12 {
            let reason = budget.grow(ms(n * 250), &room(500_000)).expect("a reason");
            seen.push((reason.label(), budget.bytes()));
        }
        assert!(seen[..8].iter().all(|s| *s == ("growth_held", 100_000)), "{seen:?}");
        assert_eq!(seen[8..], [105_000, 110_000, 115_000, 120_000, 125_000].map(|b| ("grew", b)));
    }

    #[test]
    fn growth_is_reduced_by_the_slope_of_usage() {
        let mut budget = started(100_000);
        let rising = |slope| Room { slope: Some(slope), ..room(500_000) };
        for n in 0..=8 {
            let _ = budget.grow(ms(n * 250), &rising(12_000.0));
        }
        assert_eq!(budget.bytes(), 102_000);
        let held = budget.grow(ms(2250), &rising(20_000.0));
        assert_eq!((held, budget.bytes()), (Some(Reason::GrowthHeld(Hold::Slope)), 102_000));
        let _ = budget.grow(ms(2500), &rising(-90_000.0));
        assert_eq!(budget.bytes(), 107_000, "falling usage does not speed it up");
    }

    #[test]
    fn each_missing_condition_holds_growth_and_starts_the_wait_anew() {
        for (spoilt, hold) in [
            (Room { window_full: false, ..room(500_000) }, Hold::Window),
            (Room { state: State::Elevated, ..room(500_000) }, Hold::State),
            (Room { used: false, ..room(500_000) }, Hold::Unused),
            (Room { work_waits: true, ..room(500_000) }, Hold::Pressure),
        ] {
            let mut budget = started(100_000);
            let _ = budget.grow(ms(0), &room(500_000));
            assert_eq!(budget.grow(ms(1900), &spoilt), Some(Reason::GrowthHeld(hold)));
            assert_eq!(budget.grow(ms(2100), &room(500_000)), Some(Reason::GrowthHeld(Hold::Patience)));
            assert_eq!(budget.grow(ms(4000), &room(500_000)), Some(Reason::GrowthHeld(Hold::Patience)));
            assert_eq!(budget.grow(ms(4100), &room(500_000)).map(|r| r.label()), Some("grew"));
        }
    }

    #[test]
    fn it_shrinks_at_once_and_to_zero_if_need_be() {
        let mut budget = started(100_000);
        assert_eq!(budget.shrink(0, 7).map(|r| r.label()), Some("shrank"));
        assert_eq!((budget.bytes(), budget.shrink(0, 7)), (0, None));
    }

    #[test]
    fn a_target_that_jitters_moves_nothing_and_a_begun_growth_arrives() {
        let mut budget = started(100_000);
        for n in 0..40 {
            assert_eq!(budget.grow(ms(n * 250), &room(109_999)), None);
        }
        let mut last = 0;
        for n in 40..100 {
            let _ = budget.grow(ms(n * 250), &room(110_000));
            last = budget.bytes();
        }
        assert_eq!(last, 110_000);
    }

    #[test]
    fn recent_room_counts_only_when_it_is_much_and_is_then_filled() {
        let run = |catch_up_bytes| {
            let mut budget = started(100_000);
            for n in 0..60 {
                let _ = budget.grow(ms(n * 250), &Room { catch_up_bytes, ..room(100_000) });
            }
            budget.bytes()
        };
        assert_eq!([run(170_000), run(170_001)], [100_000, 170_001]);
    }

    #[test]
    fn a_late_tick_does_not_make_up_for_lost_time() {
        let mut budget = started(100_000);
        let _ = budget.grow(ms(0), &room(500_000));
        let _ = budget.grow(ms(60_000), &room(500_000));
        assert_eq!(budget.bytes(), 120_000);
    }

    #[test]
    fn without_readings_it_goes_evenly_down_to_safe() {
        let mut budget = started(400_000);
        budget.since_last(ms(0));
        let mut seen = Vec::new();
        for n in 1..=4 {
            let _ = budget.decay(ms(n * 500), 50_000, ms(1500).saturating_sub(ms((n - 1) * 500)));
            seen.push(budget.bytes());
        }
        assert_eq!(seen, [312_500, 225_000, 137_500, 50_000]);
        let _ = budget.decay(ms(9000), 90_000, ms(0));
        assert_eq!(budget.bytes(), 50_000, "never up to safe");
    }
}

//! The trim: a part of the limit that is kept free because work waits for memory although usage looks fine.
//!
//! An integral: it rises while tasks wait or the group runs into its limit, and falls slowly when they do not. It is
//! at most a twentieth of the limit, and never more than there is to take (back-calculation): a trim that has wound
//! up while it could do nothing would hold the budget down long after. Knows no pools.

use super::share_of;
use std::time::Duration;

/// At a pressure of 1, thousandths of the limit per second.
const RISE_PERMILLE_PER_S: f64 = 10.0;
/// Without any.
const FALL_PERMILLE_PER_S: f64 = 2.5;
/// For each run into the limit while usage is high, thousandths.
const EVENT_PERMILLE: f64 = 5.0;
const MOST_PERMILLE: u64 = 50;
/// Time that counts after a late tick.
const DT_MAX: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Default)]
pub(super) struct Trim {
    bytes: f64,
    last: Option<Duration>,
    events: Option<u64>,
}

/// What it is made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    pub(super) limit_bytes: u64,
    /// 0 to 1.
    pub(super) psi: f64,
    /// Runs into the limit so far.
    pub(super) events_total: u64,
    /// Page cache alone runs into the limit, too: that counts only while usage without it is high.
    pub(super) is_high: bool,
    /// What the budget would be without a trim: there is no more to take.
    pub(super) room_bytes: u64,
}

impl Trim {
    /// Takes a tick and returns the bytes to keep free.
    pub(super) fn update(&mut self, now: Duration, waits: &Waits) -> u64 {
        let dt = self.last.replace(now).map_or(Duration::ZERO, |last| now.saturating_sub(last)).min(DT_MAX);
        let before = self.events.replace(waits.events_total).unwrap_or(waits.events_total);
        let ran_into = waits.is_high && waits.events_total > before;
        let permille = waits.limit_bytes as f64 / 1000.0;
        let per_s = if waits.psi > 0.0 { RISE_PERMILLE_PER_S * waits.psi } else { -FALL_PERMILLE_PER_S };
        let event = if ran_into { EVENT_PERMILLE } else { 0.0 };
        let most = share_of(waits.limit_bytes, MOST_PERMILLE).min(waits.room_bytes);
        self.bytes = (self.bytes + (per_s * dt.as_secs_f64() + event) * permille).clamp(0.0, most as f64);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to a twentieth of a u64"
        )]
        let bytes = self.bytes as u64;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits =
        Waits { limit_bytes: 1_000_000, psi: 0.0, events_total: 0, is_high: false, room_bytes: 500_000 };

    fn run(trim: &mut Trim, from_ms: u64, ticks: u64, waits: Waits) -> u64 {
        (0..ticks).map(|n| trim.update(Duration::from_millis(from_ms + n * 250), &waits)).last().unwrap_or(0)
    }

    #[test]
    fn it_rises_while_tasks_wait_and_falls_slowly() {
        let mut trim = Trim::default();
        assert_eq!(run(&mut trim, 0, 9, Waits { psi: 0.5, ..WAITS }), 10_000, "0.5 % a second for 2 s");
        assert_eq!(run(&mut trim, 2250, 4, WAITS), 7_500);
        assert_eq!(run(&mut trim, 3250, 400, Waits { psi: 1.0, ..WAITS }), 50_000, "a twentieth at most");
    }

    #[test]
    fn a_run_into_the_limit_counts_only_while_usage_is_high() {
        let mut trim = Trim::default();
        let event = |n, is_high| Waits { events_total: n, is_high, ..WAITS };
        trim.update(Duration::ZERO, &event(7, true));
        assert_eq!(trim.update(Duration::ZERO, &event(8, false)), 0, "page cache");
        assert_eq!(trim.update(Duration::ZERO, &event(9, true)), 5_000);
    }

    #[test]
    fn it_does_not_wind_up_where_there_is_nothing_to_take() {
        let mut trim = Trim::default();
        assert_eq!(run(&mut trim, 0, 400, Waits { psi: 1.0, room_bytes: 3_000, ..WAITS }), 3_000);
        assert_eq!(
            run(&mut trim, 100_000, 6, Waits { room_bytes: 300_000, ..WAITS }),
            0,
            "gone within 1.5 s"
        );
    }
}

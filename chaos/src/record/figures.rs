//! The figures of a moment: their names, and how each becomes a whole number and comes back. Those that change most come
//! first, so that a line can end early.

use pool_controller::Moment;
use pool_controller::decide::PoolInputs;

/// A figure of `T`.
pub(super) struct Figure<T> {
    pub(super) name: &'static str,
    pub(super) get: fn(&T) -> Option<i64>,
    pub(super) set: fn(&mut T, Option<i64>),
}

/// What can stand in a line as a whole number of `1 / scale`.
trait Number {
    fn to_whole(&self, scale: f64) -> Option<i64>;
    fn from_whole(whole: Option<i64>, scale: f64) -> Self;
}

impl Number for u64 {
    fn to_whole(&self, _: f64) -> Option<i64> {
        // A number above the middle of its range comes back from a negative one.
        Some(self.cast_signed())
    }
    fn from_whole(whole: Option<i64>, _: f64) -> Self {
        whole.unwrap_or(0).cast_unsigned()
    }
}

impl Number for i64 {
    fn to_whole(&self, _: f64) -> Option<i64> {
        Some(*self)
    }
    fn from_whole(whole: Option<i64>, _: f64) -> Self {
        whole.unwrap_or(0)
    }
}

impl Number for u32 {
    fn to_whole(&self, _: f64) -> Option<i64> {
        Some(i64::from(*self))
    }
    fn from_whole(whole: Option<i64>, _: f64) -> Self {
        whole.and_then(|whole| Self::try_from(whole).ok()).unwrap_or(0)
    }
}

impl Number for bool {
    fn to_whole(&self, _: f64) -> Option<i64> {
        Some(i64::from(*self))
    }
    fn from_whole(whole: Option<i64>, _: f64) -> Self {
        whole.is_some_and(|whole| whole != 0)
    }
}

impl Number for f64 {
    #[allow(clippy::cast_possible_truncation, reason = "shares and times; what is no number becomes 0")]
    fn to_whole(&self, scale: f64) -> Option<i64> {
        Some((self * scale).round() as i64)
    }
    fn from_whole(whole: Option<i64>, scale: f64) -> Self {
        whole.unwrap_or(0) as Self / scale
    }
}

impl<N: Number> Number for Option<N> {
    fn to_whole(&self, scale: f64) -> Option<i64> {
        self.as_ref().and_then(|number| number.to_whole(scale))
    }
    fn from_whole(whole: Option<i64>, scale: f64) -> Self {
        whole.map(|whole| N::from_whole(Some(whole), scale))
    }
}

/// Shares are written in millionths.
const MILLIONTHS: f64 = 1e6;

macro_rules! figure {
    ($($field:ident).+) => { figure!($($field).+, 1.0) };
    ($($field:ident).+, $scale:expr) => {
        Figure {
            name: stringify!($($field).+),
            get: |of| of.$($field).+.to_whole($scale),
            set: |of, whole| of.$($field).+ = Number::from_whole(whole, $scale),
        }
    };
}

/// Of the process.
pub(super) const FIGURES: [Figure<Moment>; 17] = [
    figure!(at_ms),
    figure!(tick),
    figure!(inputs.usage_bytes),
    figure!(inputs.rss_bytes),
    figure!(inputs.grant_left_bytes),
    figure!(inputs.heap_free_bytes),
    figure!(inputs.pause.lag_p99_ns),
    figure!(inputs.pause.lag_p95_ns),
    figure!(inputs.pause.lag_ratio, MILLIONTHS),
    figure!(inputs.pause.create_p99_ns),
    figure!(inputs.psi_some_ratio, MILLIONTHS),
    figure!(inputs.limit_bytes),
    figure!(inputs.purges_total),
    figure!(inputs.heap_clean_bytes),
    figure!(inputs.max_total),
    figure!(inputs.oom_total),
    figure!(inputs.pause.cpu_is_taken),
];

/// Of each pool.
pub(super) const POOL_FIGURES: [Figure<PoolInputs>; 18] = [
    figure!(gets_total),
    figure!(lent_objects),
    figure!(lent_bytes),
    figure!(idle_objects),
    figure!(idle_bytes),
    figure!(created_total),
    figure!(ghost_hits_total),
    figure!(expected_weight_bytes),
    figure!(saved_ns),
    figure!(capacity_bytes),
    figure!(suspect_sites),
    figure!(capacity_objects),
    figure!(floor_bytes),
    figure!(weight),
    figure!(pinned),
    figure!(evict_ratio, MILLIONTHS),
    figure!(cycle_ms),
    figure!(slice_us),
];

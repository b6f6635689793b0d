//! What is sent when: a fixed offered rate whose mix shifts between large ingests and exports.
//!
//! Pure: a seed and a time give a plan, nothing is measured, nothing waits. The mix changes over some seconds
//! like that of many clients would, and without luck: kinds are spread evenly (by error diffusion), so that
//! what is in flight depends on the plan and hardly on the seed.

use super::random::Random;
use crate::demo::workload::{
    BASE_BYTES, COMPRESSOR_BYTES, EXPORT_BYTES, EXPORT_SHARE, EXPORT_TIME, HEIGHT_SHARE, INGEST_SHARE,
    SATURATING_CLIENTS, UPLOAD_BYTES, UPLOAD_TIME,
};
use clap::ValueEnum;
use serde::Serialize;
use std::time::Duration;

/// One request of the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Arrival {
    /// When it is to be sent, from the start of the load.
    pub(crate) at: Duration,
    /// What it is.
    pub(crate) kind: Kind,
    /// Chooses its content.
    pub(crate) content: u64,
}

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A few log lines in one piece.
    SmallIngest,
    /// A batch that a log shipper uploads in parts.
    LargeIngest,
    /// A large response at the pace of the service's egress limiter.
    Export,
}

/// How the load changes while its rate stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shape {
    /// Ingest and export take turns, each at its full height: for a real limit, where the turns alone decide.
    Swap,
    /// Ingest alone, and from one moment on exports alone, a tenth more of them than in a turn.
    Step,
    /// Ingest alone, and then exports that rise to the same height over ten seconds.
    Ramp,
    /// As many requests as the service answers: clients that each send one after the other, without pauses.
    Saturate,
    /// Turns in a busy hour and quiet ones, so that a soft limit is crossed soon, and then left for long enough that pools
    /// may grow again.
    #[value(skip)]
    BusyThenQuiet,
}

impl Shape {
    /// Whether there is a rate of requests to speak of.
    pub(crate) fn has_rate(self) -> bool {
        self != Self::Saturate
    }

    /// The smallest limit under which it can be served at all, at `rps` requests per second where it has a rate: what the
    /// requests hold at the same time, and the process.
    pub(crate) fn limit_bytes_min(self, rps: u32) -> u64 {
        let ingest_bytes = (COMPRESSOR_BYTES + UPLOAD_BYTES) as f64;
        let held_bytes = if self.has_rate() {
            let (ingest, export) = self.heights();
            let ingest_bytes = ingest_bytes * ingest * UPLOAD_TIME.as_secs_f64();
            let export_bytes = EXPORT_BYTES as f64 * export * EXPORT_TIME.as_secs_f64();
            f64::from(rps) * ingest_bytes.max(export_bytes)
        } else {
            SATURATING_CLIENTS as f64 * ingest_bytes
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some MiB per request")]
        let held_bytes = held_bytes as u64;
        (BASE_BYTES + held_bytes).next_multiple_of(1 << 20)
    }

    /// The highest shares of large ingests and of exports.
    fn heights(self) -> (f64, f64) {
        let times = std::iter::successors(Some(0.0), |t| Some(t + 0.1)).take_while(|t| *t < DAY_S);
        let all = times.map(|t| shares(t, self));
        all.fold((0.0, 0.0), |(a, b), (ingest, export)| (f64::max(a, ingest), f64::max(b, export)))
    }
}

/// The moment of [`Shape::Step`].
const STEP_AT_S: f64 = 5.0;
/// When exports begin to rise in [`Shape::Ramp`], and for how long they do.
const RAMP_AT_S: f64 = 4.0;
const RISE_S: f64 = 10.0;

/// What the shares of a turn are multiplied by, `t` seconds into the load.
fn factor_of_day(t: f64) -> f64 {
    let t = t.rem_euclid(DAY_S);
    let leg = DAY.windows(2).find(|leg| t <= leg[1].0).unwrap_or(&DAY[DAY.len() - 2..]);
    let ((from, start), (to, end)) = (leg[0], leg[1]);
    start + (end - start) * (t - from) / (to - from)
}

/// A day of [`Shape::BusyThenQuiet`]: times in seconds and factors, straight lines between them. It rises slowly
/// where the limit is near; a limit that is seconds away is another state than one that is merely near.
const DAY: [(f64, f64); 6] = [(0.0, 0.5), (3.0, 1.0), (7.0, 1.4), (8.0, 1.4), (10.0, 0.5), (DAY_S, 0.5)];
const DAY_S: f64 = 8.0 * PERIOD_S;

/// Ingest and export each have their phase of half a period.
pub(crate) const PERIOD_S: f64 = 8.0;
/// A phase begins and ends over this long.
const RAMP_S: f64 = 1.5;
/// Exports shift this much before ingests do. An export stays four times as long as an upload; if both shifted
/// together, those that are still under way would meet the full load of the next phase.
const EXPORT_LEAD_S: f64 = 0.4;

/// The shares of large ingests and of exports, `t` seconds into the load.
pub(crate) fn shares(t: f64, shape: Shape) -> (f64, f64) {
    match shape {
        Shape::Swap => turns(t),
        Shape::BusyThenQuiet => {
            let (factor, (ingest, export)) = (factor_of_day(t), turns(t));
            (factor * ingest, factor * export)
        }
        // Follows no plan.
        Shape::Saturate => (0.0, 0.0),
        Shape::Step if t < STEP_AT_S => (INGEST_SHARE * (t / RAMP_S).min(1.0), 0.0),
        Shape::Step => (0.0, HEIGHT_SHARE),
        Shape::Ramp => {
            let risen = ((t - RAMP_AT_S) / RISE_S).clamp(0.0, 1.0);
            (INGEST_SHARE * trapezoid(t, RAMP_S, RAMP_AT_S), HEIGHT_SHARE * risen)
        }
    }
}

/// The shares where ingest and export take turns.
fn turns(t: f64) -> (f64, f64) {
    let ingest = trapezoid(t.rem_euclid(PERIOD_S), RAMP_S, PERIOD_S / 2.0);
    let lead = t + EXPORT_LEAD_S;
    // The first phase is ingest alone.
    let export = if lead < PERIOD_S / 2.0 {
        0.0
    } else {
        1.0 - trapezoid(lead.rem_euclid(PERIOD_S), RAMP_S, PERIOD_S / 2.0)
    };
    (INGEST_SHARE * ingest, EXPORT_SHARE * export)
}

/// 0 before 0, up to 1 over `ramp`, down from `end` to 0 over `ramp`.
fn trapezoid(x: f64, ramp: f64, end: f64) -> f64 {
    (x / ramp).min((end + ramp - x) / ramp).clamp(0.0, 1.0)
}

/// The arrivals of a load, in order, without end.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    rps: f64,
    shape: Shape,
    random: Random,
    next: u64,
    ingest_due: f64,
    export_due: f64,
}

impl Plan {
    /// `rps` requests per second, 1 or more.
    pub(crate) fn new(seed: u64, rps: u32, shape: Shape) -> Self {
        let mut random = Random::new(seed);
        let (ingest_due, export_due) = (random.unit(), random.unit());
        Self { rps: f64::from(rps), shape, random, next: 0, ingest_due, export_due }
    }
}

impl Iterator for Plan {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        // Somewhere within its own turn, so that arrivals are in order and do not march in step.
        let t = (self.next as f64 + self.random.unit()) / self.rps;
        self.next += 1;
        let (ingest, export) = shares(t, self.shape);
        self.ingest_due += ingest;
        self.export_due += export;
        let kind = if self.export_due >= 1.0 {
            self.export_due -= 1.0;
            Kind::Export
        } else if self.ingest_due >= 1.0 {
            self.ingest_due -= 1.0;
            Kind::LargeIngest
        } else {
            Kind::SmallIngest
        };
        Some(Arrival { at: Duration::from_secs_f64(t), kind, content: self.random.next() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::workload::RPS_DEFAULT;

    fn of_minute(seed: u64, shape: Shape) -> Vec<Arrival> {
        Plan::new(seed, RPS_DEFAULT, shape).take_while(|a| a.at < Duration::from_secs(60)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_another() {
        let plan = of_minute(1, Shape::Swap);
        assert_eq!(plan, of_minute(1, Shape::Swap));
        assert_ne!(plan, of_minute(2, Shape::Swap));
        assert_eq!(plan.len(), 24_000, "the offered rate is fixed");
        assert!(plan.is_sorted_by_key(|a| a.at));
    }

    #[test]
    fn ingest_and_export_take_turns() {
        let plan = of_minute(3, Shape::Swap);
        let count = |from: u64, kind: Kind| {
            let (from, to) = (Duration::from_secs(from), Duration::from_secs(from + 1));
            plan.iter().filter(|a| a.kind == kind && (from..to).contains(&a.at)).count()
        };
        assert!((226..=230).contains(&count(10, Kind::LargeIngest)), "{}", count(10, Kind::LargeIngest));
        assert_eq!(count(10, Kind::Export), 0);
        assert!((53..=55).contains(&count(14, Kind::Export)), "{}", count(14, Kind::Export));
        assert_eq!(count(14, Kind::LargeIngest), 0);
    }

    /// What is in flight by the plan alone, sampled every 10 ms: peaks of ingest, export and their sum, bytes.
    fn in_flight_peaks(shape: Shape) -> (usize, usize, usize) {
        let plan = of_minute(5, shape);
        let held = |kind: Kind, time: Duration, bytes: usize, now: Duration| {
            plan.iter().filter(|a| a.kind == kind && a.at <= now && now < a.at + time).count() * bytes
        };
        let mut peaks = (0, 0, 0);
        for ms in (0..60_000).step_by(50) {
            let now = Duration::from_millis(ms);
            let ingest = held(Kind::LargeIngest, UPLOAD_TIME, COMPRESSOR_BYTES + UPLOAD_BYTES, now);
            let export = held(Kind::Export, EXPORT_TIME, EXPORT_BYTES, now);
            peaks = (peaks.0.max(ingest), peaks.1.max(export), peaks.2.max(ingest + export));
        }
        peaks
    }

    /// What is in flight by the plan is what the smallest limit has room for, beside the process.
    #[test]
    fn the_smallest_limit_is_that_of_the_shape() {
        for shape in [Shape::Swap, Shape::Step, Shape::Ramp] {
            let (ingest, export, _) = in_flight_peaks(shape);
            let room = shape.limit_bytes_min(RPS_DEFAULT) - BASE_BYTES;
            let ratio = room as f64 / ingest.max(export) as f64;
            assert!((0.97..1.03).contains(&ratio), "{shape:?}: {ratio}");
            assert!(shape.limit_bytes_min(1) < 34 << 20, "{shape:?}");
        }
        let saturated = |rps| Shape::Saturate.limit_bytes_min(rps) >> 20;
        assert_eq!((saturated(1), saturated(5000)), (53, 53), "no rate, 16 clients");
    }

    #[test]
    fn what_is_lent_fits_into_half_of_192_mib_and_the_two_demands_together_hardly_into_all_of_it() {
        let (ingest, export, together) = in_flight_peaks(Shape::Swap);
        assert!(together < 86 << 20, "{together}");
        assert!(ingest + export > 150 << 20, "{ingest} + {export}");
    }

    /// Under a limit of 160 MiB: what is lent fits well, and what one kind leaves idle beside the other does not.
    #[test]
    fn in_each_shape_what_is_lent_is_three_fifths_of_160_mib_at_most_and_both_kinds_together_more_than_it() {
        const LIMIT_BYTES: usize = 160 << 20;
        // The process without its objects; the controller shows it as `other_bytes`.
        const LEAST_BASE_BYTES: usize = 12 << 20;
        for shape in [Shape::Swap, Shape::Step, Shape::Ramp] {
            let (ingest, export, together) = in_flight_peaks(shape);
            assert!(together * 10 <= LIMIT_BYTES * 6, "{shape:?}: {together}");
            assert!(ingest + export + LEAST_BASE_BYTES > LIMIT_BYTES, "{shape:?}: {ingest} + {export}");
        }
    }

    #[test]
    fn a_step_is_sudden_and_a_ramp_is_not() {
        assert_eq!(shares(4.99, Shape::Step), (INGEST_SHARE, 0.0));
        assert_eq!(shares(5.01, Shape::Step), (0.0, HEIGHT_SHARE));
        assert_eq!(shares(4.0, Shape::Ramp), (INGEST_SHARE, 0.0));
        let (ingest, export) = shares(9.0, Shape::Ramp);
        assert!(ingest < f64::EPSILON && (export - HEIGHT_SHARE / 2.0).abs() < 1e-9, "{export}");
        assert_eq!(shares(15.0, Shape::Ramp), (0.0, HEIGHT_SHARE));
    }

    #[test]
    fn a_day_is_busy_at_first_and_quiet_after() {
        let peak = |from: u32, to: u32| {
            (from * 10..to * 10)
                .map(|tenths| shares(f64::from(tenths) / 10.0, Shape::BusyThenQuiet))
                .map(|(ingest, export)| ingest / INGEST_SHARE + export / EXPORT_SHARE)
                .fold(0.0, f64::max)
        };
        let (busy, quiet, again) = (peak(0, 10), peak(11, 64), peak(64, 74));
        assert!(
            (1.3..1.7).contains(&busy) && quiet < 0.65 && (1.3..1.7).contains(&again),
            "{busy} {quiet} {again}"
        );
    }
}

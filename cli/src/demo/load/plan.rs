//! What is sent when: a fixed offered rate whose mix shifts between large ingests and exports.
//!
//! Pure: a seed and a time give a plan, nothing is measured, nothing waits. The mix changes over some seconds
//! like that of many clients would, and without luck: kinds are spread evenly (by error diffusion), so that
//! what is in flight depends on the plan and hardly on the seed.

use super::random::Random;
use crate::demo::workload::{EXPORT_SHARE, INGEST_SHARE};
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

/// How the load as a whole changes, besides the turns of ingest and export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swing {
    /// Not at all: for a real limit, where the turns alone decide.
    Steady,
    /// A busy hour and quiet ones, so that a soft limit is crossed soon, and then left for long enough that pools
    /// may grow again.
    BusyThenQuiet,
}

impl Swing {
    /// What the shares of ingest and export are multiplied by, `t` seconds into the load.
    fn factor(self, t: f64) -> f64 {
        match self {
            Self::Steady => 1.0,
            Self::BusyThenQuiet => {
                let t = t.rem_euclid(DAY_S);
                let leg = DAY.windows(2).find(|leg| t <= leg[1].0).unwrap_or(&DAY[DAY.len() - 2..]);
                let ((from, start), (to, end)) = (leg[0], leg[1]);
                start + (end - start) * (t - from) / (to - from)
            }
        }
    }
}

/// A day of [`Swing::BusyThenQuiet`]: times in seconds and factors, straight lines between them. It rises slowly
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
pub(crate) fn shares(t: f64, swing: Swing) -> (f64, f64) {
    let factor = swing.factor(t);
    let ingest = trapezoid(t.rem_euclid(PERIOD_S), RAMP_S, PERIOD_S / 2.0);
    let lead = t + EXPORT_LEAD_S;
    // The first phase is ingest alone.
    let export = if lead < PERIOD_S / 2.0 {
        0.0
    } else {
        1.0 - trapezoid(lead.rem_euclid(PERIOD_S), RAMP_S, PERIOD_S / 2.0)
    };
    (INGEST_SHARE * factor * ingest, EXPORT_SHARE * factor * export)
}

/// 0 before 0, up to 1 over `ramp`, down from `end` to 0 over `ramp`.
fn trapezoid(x: f64, ramp: f64, end: f64) -> f64 {
    (x / ramp).min((end + ramp - x) / ramp).clamp(0.0, 1.0)
}

/// The arrivals of a load, in order, without end.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    rps: f64,
    swing: Swing,
    random: Random,
    next: u64,
    ingest_due: f64,
    export_due: f64,
}

impl Plan {
    /// `rps` requests per second, 1 or more.
    pub(crate) fn new(seed: u64, rps: u32, swing: Swing) -> Self {
        let mut random = Random::new(seed);
        let (ingest_due, export_due) = (random.unit(), random.unit());
        Self { rps: f64::from(rps), swing, random, next: 0, ingest_due, export_due }
    }
}

impl Iterator for Plan {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        // Somewhere within its own turn, so that arrivals are in order and do not march in step.
        let t = (self.next as f64 + self.random.unit()) / self.rps;
        self.next += 1;
        let (ingest, export) = shares(t, self.swing);
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
    use crate::demo::workload::{
        COMPRESSOR_BYTES, EXPORT_BYTES, EXPORT_TIME, RPS_DEFAULT, UPLOAD_BYTES, UPLOAD_TIME,
    };

    fn of_minute(seed: u64, swing: Swing) -> Vec<Arrival> {
        Plan::new(seed, RPS_DEFAULT, swing).take_while(|a| a.at < Duration::from_secs(60)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_another() {
        let plan = of_minute(1, Swing::Steady);
        assert_eq!(plan, of_minute(1, Swing::Steady));
        assert_ne!(plan, of_minute(2, Swing::Steady));
        assert_eq!(plan.len(), 24_000, "the offered rate is fixed");
        assert!(plan.is_sorted_by_key(|a| a.at));
    }

    #[test]
    fn ingest_and_export_take_turns() {
        let plan = of_minute(3, Swing::Steady);
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
    fn in_flight_peaks(swing: Swing) -> (usize, usize, usize) {
        let plan = of_minute(5, swing);
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

    #[test]
    fn what_is_lent_fits_into_half_of_192_mib_and_the_two_demands_together_hardly_into_all_of_it() {
        let (ingest, export, together) = in_flight_peaks(Swing::Steady);
        assert!(together < 86 << 20, "{together}");
        assert!(ingest + export > 150 << 20, "{ingest} + {export}");
    }

    #[test]
    fn a_day_is_busy_at_first_and_quiet_after() {
        let peak = |from: u32, to: u32| {
            (from * 10..to * 10)
                .map(|tenths| shares(f64::from(tenths) / 10.0, Swing::BusyThenQuiet))
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

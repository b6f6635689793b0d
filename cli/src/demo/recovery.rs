//! Whether and how fast the pools recovered from a fault. Pure: what was seen in, seconds out.
//!
//! Recovered means, from some moment after disarming to the end of the run:
//!
//! - usage stayed below the limit, from arming on;
//! - gets are reused as often, and requests are as fast, as in the time before the fault that was as long and at
//!   the same turn of the load;
//! - for a missing put: every place where it struck has been named, and what leaked is accounted as lost.

use super::load::plan::PERIOD_S;
use crate::service::wire::Gets;

/// One view of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Time of the run, seconds.
    pub(crate) t_s: f64,
    /// Gets of all pools, cumulative.
    pub(crate) gets: Gets,
    /// Usage as a share of the limit.
    pub(crate) usage_ratio: f64,
    /// p99 of the delays of the last second.
    pub(crate) p99_ms: f64,
    /// Leases that the controller holds for lost, in the pool of the fault.
    pub(crate) lost_estimate: u64,
    /// The places that it suspects.
    pub(crate) suspects: Vec<String>,
}

/// What is known of the fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Struck {
    /// When it was armed and disarmed, seconds of the run.
    pub(crate) from_s: f64,
    pub(crate) until_s: f64,
    /// Leases that are lost and where, if that is what it does.
    pub(crate) lost: Option<(u64, Vec<String>)>,
}

/// Gets and delays are compared over this long: one turn of the load.
const WINDOW_S: f64 = PERIOD_S / 2.0;
/// Usage must stay below this share of the limit.
const USAGE_RATIO_MAX: f64 = 0.97;
/// Reuse must come back to this share of what it was.
const REUSE_OF_CONTROL_MIN: f64 = 0.95;
/// Delays may be this much longer, and besides
const DELAY_OF_CONTROL_MAX: f64 = 1.25;
/// this much, which is what a busy machine adds to any of them.
const DELAY_SLACK_MS: f64 = 25.0;
/// The estimate of lost leases may be off by this share.
const LOST_RATIO_MAX: f64 = 0.1;
/// Leases that were hit in the last moments are under way, not lost.
const LOST_SLACK: u64 = 5;

/// Seconds from disarming to recovery; `None` if there was none before the samples end.
pub(crate) fn recovered_after_s(samples: &[Sample], struck: &Struck) -> Option<f64> {
    let safe = |s: &Sample| s.t_s < struck.from_s || s.usage_ratio < USAGE_RATIO_MAX;
    if !samples.iter().all(safe) {
        return None;
    }
    let mut recovered = None;
    for (i, sample) in samples.iter().enumerate().filter(|(_, s)| s.t_s >= struck.until_s) {
        let Some(seen) = window(&samples[i..], sample.t_s) else { break };
        let control = control(samples, sample.t_s, struck.from_s)?;
        let well = seen.reuse >= REUSE_OF_CONTROL_MIN * control.reuse
            && seen.p99_ms <= DELAY_OF_CONTROL_MAX * control.p99_ms + DELAY_SLACK_MS
            && struck.lost.as_ref().is_none_or(|(lost, sites)| explained(&samples[..=i], *lost, sites));
        // Only what lasts to the end counts.
        recovered = if well { recovered.or(Some(sample.t_s)) } else { None };
    }
    recovered.map(|t_s| t_s - struck.until_s)
}

/// What a window of the run was like.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// The share of gets that reused an object.
    reuse: f64,
    /// The median of the p99 of its seconds.
    p99_ms: f64,
}

/// The window that begins at `from_s`; `None` if the samples end before it does.
fn window(samples: &[Sample], from_s: f64) -> Option<Window> {
    let start = samples.iter().position(|s| s.t_s >= from_s)?;
    let length = samples[start..].iter().position(|s| s.t_s >= from_s + WINDOW_S)?;
    let seen = &samples[start..=start + length];
    let (first, last) = (seen.first()?.gets, seen.last()?.gets);
    let total = last.total().saturating_sub(first.total());
    let reuse = last.reused().saturating_sub(first.reused()) as f64 / total.max(1) as f64;
    let mut p99s_ms: Vec<f64> = seen.iter().map(|s| s.p99_ms).collect();
    p99s_ms.sort_by(f64::total_cmp);
    Some(Window { reuse, p99_ms: p99s_ms[p99s_ms.len() / 2] })
}

/// The latest window before the fault at the same turn of the load as `t_s`.
fn control(samples: &[Sample], t_s: f64, armed_s: f64) -> Option<Window> {
    let periods = ((t_s + WINDOW_S - armed_s) / PERIOD_S).ceil();
    window(samples, t_s - periods * PERIOD_S)
}

/// Whether every leaking place has been named so far, and the leases that are missing have been known to be lost.
fn explained(so_far: &[Sample], lost: u64, sites: &[String]) -> bool {
    let tolerance = LOST_SLACK as f64 + LOST_RATIO_MAX * lost as f64;
    let accounted = |s: &Sample| s.lost_estimate.abs_diff(lost) as f64 <= tolerance;
    !sites.is_empty() && named(so_far, sites) == sites.len() && so_far.iter().any(accounted)
}

/// How many of these places were among the suspects at some time.
pub(crate) fn named(samples: &[Sample], sites: &[String]) -> usize {
    sites.iter().filter(|site| samples.iter().any(|s| s.suspects.contains(site))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A minute in quarters of a second; reuse, p99 and usage by time.
    fn run(of: impl Fn(f64) -> (f64, f64, f64)) -> Vec<Sample> {
        let mut gets = Gets::default();
        (0..240)
            .map(|n| {
                let t_s = f64::from(n) / 4.0;
                let (reuse, p99_ms, usage_ratio) = of(t_s);
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let reused = (reuse * 100.0) as u64;
                gets.hit += reused;
                gets.created += 100 - reused;
                Sample { t_s, gets, usage_ratio, p99_ms, ..Sample::default() }
            })
            .collect()
    }

    const STRUCK: Struck = Struck { from_s: 20.0, until_s: 40.0, lost: None };

    #[test]
    fn recovery_counts_from_disarming_to_the_first_moment_after_which_all_is_well() {
        let samples = run(|t| (if (20.0..46.0).contains(&t) { 0.1 } else { 0.9 }, 5.0, 0.8));
        let after = recovered_after_s(&samples, &STRUCK).unwrap();
        assert!((5.5..6.5).contains(&after), "{after}");
        let untouched = run(|_| (0.9, 5.0, 0.8));
        assert_eq!(recovered_after_s(&untouched, &STRUCK), Some(0.0));
    }

    #[test]
    fn the_control_is_the_same_turn_of_the_load() {
        // One turn reuses less than the other, before and after.
        let turns = |t: f64| if t.rem_euclid(PERIOD_S) < WINDOW_S { 0.5 } else { 0.9 };
        let samples = run(|t| (turns(t), 5.0, 0.8));
        assert_eq!(recovered_after_s(&samples, &STRUCK), Some(0.0));
    }

    #[test]
    fn no_recovery_without_reuse_speed_or_safety() {
        let poor = run(|t| (if t >= 20.0 { 0.5 } else { 0.9 }, 5.0, 0.8));
        assert_eq!(recovered_after_s(&poor, &STRUCK), None);
        let slow = run(|t| (0.9, if t >= 20.0 { 90.0 } else { 5.0 }, 0.8));
        assert_eq!(recovered_after_s(&slow, &STRUCK), None);
        let unsafe_once = run(|t| (0.9, 5.0, if (30.0..30.5).contains(&t) { 0.98 } else { 0.8 }));
        assert_eq!(recovered_after_s(&unsafe_once, &STRUCK), None);
        let relapsed = run(|t| (if t >= 55.0 { 0.5 } else { 0.9 }, 5.0, 0.8));
        assert_eq!(recovered_after_s(&relapsed, &STRUCK), None);
    }

    #[test]
    fn a_leak_has_to_be_named_and_accounted() {
        let sites = vec!["src/a.rs:1:2".to_owned(), "src/b.rs:3:4".to_owned()];
        let struck = Struck { lost: Some((100, sites.clone())), ..STRUCK };
        let mut samples = run(|_| (0.9, 5.0, 0.8));
        for sample in samples.iter_mut().filter(|s| s.t_s >= 41.0) {
            sample.lost_estimate = 92;
        }
        assert_eq!(recovered_after_s(&samples, &struck), None, "not named");
        samples[100].suspects = sites[..1].to_vec();
        assert_eq!((recovered_after_s(&samples, &struck), named(&samples, &sites)), (None, 1), "one of two");
        // Not at the same time: a place that was named may have been let go of.
        samples[110].suspects = sites[1..].to_vec();
        assert_eq!((recovered_after_s(&samples, &struck), named(&samples, &sites)), (Some(1.0), 2));
        for sample in samples.iter_mut().filter(|s| s.t_s < 43.0) {
            sample.lost_estimate = 0;
        }
        assert_eq!(recovered_after_s(&samples, &struck), Some(3.0), "accounted later");
        for sample in &mut samples {
            sample.lost_estimate = 0;
        }
        assert_eq!(recovered_after_s(&samples, &struck), None, "not accounted");
    }

    #[test]
    fn a_run_that_ends_too_soon_proves_nothing() {
        let mut samples = run(|_| (0.9, 5.0, 0.8));
        samples.truncate(170);
        assert_eq!(recovered_after_s(&samples, &STRUCK), None);
    }
}

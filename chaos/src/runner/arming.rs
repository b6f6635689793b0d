//! Whether the fault was there: a fault that never fired proves nothing. Pure.

use super::checks::{CheckReport, CheckState};
use super::measure::balloon_ratio;
use super::sample::Recording;
use crate::scenario::Scenario;
use std::time::Duration;

/// What the fault did.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arming {
    pub(super) hits: u64,
    /// Why it does not count as having been there.
    pub(super) problems: Vec<String>,
    pub(super) checks: Vec<CheckReport>,
}

pub(super) fn report(scenario: &Scenario, recording: &Recording) -> Arming {
    let hits = hits(scenario, recording);
    let mut arming = Arming { hits, problems: Vec::new(), checks: Vec::new() };
    if let Some(least) = scenario.arm.hits_min {
        let problem = format!("the fault struck {hits} times only, of at least {least}");
        arming.add(format!("hits >= {least}"), hits >= least, format!("hits {hits}"), problem);
    }
    if let Some(ratio) = scenario.arm.ratio_min {
        let wanted = scenario.arm.time_at_ratio_min;
        let (time, highest) = time_at(recording, ratio);
        let values = format!("{:.1} s, at most {highest:.3} of the limit", time.as_secs_f64());
        let check = format!("balloon and usage at arming >= {ratio} of the limit for {wanted:?}");
        let problem = format!("the balloon filled {ratio} of the limit for {values}; at least {wanted:?}");
        arming.add(check, time >= wanted, values, problem);
    }
    arming
}

impl Arming {
    fn add(&mut self, check: String, held: bool, values: String, problem: String) {
        let state = if held { CheckState::Held } else { CheckState::Violated };
        self.checks.push(CheckReport { section: "arm", check, state, values, looks: 1, unknown: 0 });
        if !held {
            self.problems.push(problem);
        }
    }
}

fn hits(scenario: &Scenario, recording: &Recording) -> u64 {
    let faults = scenario.faults();
    let totals = recording.subject.samples.iter().filter_map(|sample| {
        let status = sample.faults.as_ref()?;
        Some(faults.iter().map(|fault| status.hits_total.get(fault).copied().unwrap_or(0)).sum::<u64>())
    });
    let totals: Vec<u64> = totals.collect();
    totals.last().copied().unwrap_or(0).saturating_sub(totals.first().copied().unwrap_or(0))
}

/// For how long the balloon was at `ratio` or above, between looks that both saw it there; and its highest.
fn time_at(recording: &Recording, ratio: f64) -> (Duration, f64) {
    let samples = &recording.subject.samples;
    let seen: Vec<(Duration, f64)> =
        samples.iter().map(|s| (s.at, balloon_ratio(s).unwrap_or(0.0))).collect();
    let at = seen.windows(2).filter(|pair| pair[0].1 >= ratio && pair[1].1 >= ratio);
    (
        at.map(|pair| pair[1].0.saturating_sub(pair[0].0)).sum(),
        seen.iter().map(|(_, r)| *r).fold(0.0, f64::max),
    )
}

//! Checks against the looks of a run: `always` and `stop_if`. Pure.

use super::measure::Reader;
use super::sample::Recording;
use super::target::Role;
use crate::expr::{Check, Measure, Outcome};
use crate::scenario::Scenario;
use serde::Serialize;
use std::time::Duration;

/// Rates in `always` and `stop_if` are counted over this long.
const RATE_WINDOW: Duration = Duration::from_secs(5);

/// What became of one check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckReport {
    /// The part of the scenario that it is from.
    pub section: &'static str,
    /// As it was written.
    pub check: String,
    /// What it came to.
    pub state: CheckState,
    /// The values that decided, or why there are none.
    pub values: String,
    /// How often it was looked at.
    pub looks: usize,
    /// How often a value was missing then.
    pub unknown: usize,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// It held.
    Held,
    /// It did not.
    Violated,
    /// It could not be told.
    Unknown,
}

/// A check over all looks since the process was warm: the first violation decides.
pub(super) fn over_run(scenario: &Scenario, recording: &Recording, role: Role, check: &Check) -> CheckReport {
    let looks = (0..recording.subject.samples.len()).filter(|i| recording.time(*i) >= recording.steady_at);
    let mut report = CheckReport {
        section: "always",
        check: check.text().to_owned(),
        state: CheckState::Unknown,
        values: "there was no look".to_owned(),
        looks: 0,
        unknown: 0,
    };
    for index in looks {
        report.looks += 1;
        match at_look(scenario, recording, role, check, index, RATE_WINDOW) {
            Outcome::Holds(values) => (report.state, report.values) = (CheckState::Held, values),
            Outcome::Fails(values) => {
                report.state = CheckState::Violated;
                report.values = format!("{values} at {}", seconds(recording.time(index)));
                return report;
            }
            Outcome::Unknown(why) => {
                report.unknown += 1;
                if report.state == CheckState::Unknown {
                    report.values = why;
                }
            }
        }
    }
    report
}

/// A check at one look: in each pool, or for the process. Rates are counted over `window`.
pub(super) fn at_look(
    scenario: &Scenario,
    recording: &Recording,
    role: Role,
    check: &Check,
    index: usize,
    window: Duration,
) -> Outcome {
    let faults = scenario.faults();
    let measures = check.measures();
    let capacity_lags = measures.contains(&Measure::IdleBytes) && measures.contains(&Measure::CapacityBytes);
    let reader = Reader { recording, role, index, window, pool: None, faults: &faults, capacity_lags };
    if !check.for_each_pool() {
        return check.evaluate(&reader);
    }
    let trace = match role {
        Role::Subject => Some(&recording.subject),
        Role::Control => recording.control.as_ref(),
    };
    let pools = trace.and_then(|trace| trace.samples.get(index)).and_then(|sample| sample.pools.as_ref());
    let Some(pools) = pools else { return Outcome::Unknown("there was no consistent snapshot".to_owned()) };
    let mut held = Outcome::Unknown("there was no pool".to_owned());
    for pool in pools.keys() {
        match check.evaluate(&Reader { pool: Some(pool), ..reader }) {
            Outcome::Fails(values) => return Outcome::Fails(format!("{pool}: {values}")),
            Outcome::Holds(_) => held = Outcome::Holds(format!("in each of {} pools", pools.len())),
            unknown @ Outcome::Unknown(_) => held = unknown,
        }
    }
    held
}

/// Whether a check of `always` is violated at the newest look, in the subject or in the control: reason to end
/// the run early.
pub(super) fn violated_now(scenario: &Scenario, recording: &Recording) -> bool {
    let Some(index) = recording.newest().filter(|i| recording.time(*i) >= recording.steady_at) else {
        return false;
    };
    let violated = |role, check: &Check| {
        matches!(at_look(scenario, recording, role, check, index, RATE_WINDOW), Outcome::Fails(_))
    };
    let control = |check: &Check| {
        recording.control.is_some() && !check.names_control() && violated(Role::Control, check)
    };
    scenario.always.iter().any(|check| violated(Role::Subject, check) || control(check))
}

/// Whether `stop_if` has been true for as long as it says, at a look.
pub(super) fn stop_is_due(
    scenario: &Scenario,
    recording: &Recording,
    role: Role,
    index: usize,
) -> Option<String> {
    let stop = scenario.stop_if.as_ref()?;
    let armed = recording.armed_at?;
    let from = recording.time(index).checked_sub(stop.lasting).filter(|from| *from >= armed)?;
    let mut last = None;
    for i in (0..=index).rev() {
        match at_look(scenario, recording, role, &stop.check, i, RATE_WINDOW) {
            Outcome::Holds(values) => last = last.or(Some(values)),
            Outcome::Fails(_) | Outcome::Unknown(_) => return None,
        }
        if recording.time(i) <= from {
            return last;
        }
    }
    None
}

pub(super) fn stop_report(scenario: &Scenario, recording: &Recording, role: Role) -> Option<CheckReport> {
    let stop = scenario.stop_if.as_ref()?;
    let looks = recording.subject.samples.len();
    let due = (0..looks).find_map(|i| Some((recording.time(i), stop_is_due(scenario, recording, role, i)?)));
    let (state, values) = match due {
        Some((at, values)) => {
            (CheckState::Violated, format!("{values} for {:?} at {}", stop.lasting, seconds(at)))
        }
        None => (CheckState::Held, format!("not for {:?}", stop.lasting)),
    };
    Some(CheckReport {
        section: "stop_if",
        check: stop.check.text().to_owned(),
        state,
        values,
        looks,
        unknown: 0,
    })
}

pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

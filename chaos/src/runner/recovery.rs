//! Whether the process came back after the fault. Pure.
//!
//! A window of the length `hold` slides over the looks after the rollbacks; recovery is the first window in
//! which everything holds, and it must begin within `within`. Levels must hold at every look of the window,
//! rates are counted over it as a whole.

use super::checks::{CheckReport, CheckState, at_look, seconds};
use super::sample::Recording;
use super::target::Role;
use crate::expr::{Check, Kind, Measure, Outcome};
use crate::scenario::Scenario;
use std::time::Duration;

/// Whether and when, and how each expectation stood in the window that decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recovered {
    /// From the end of the rollbacks to the beginning of the first good window.
    pub(super) after: Option<Duration>,
    /// Expectations that did not hold in the last window.
    pub(super) failures: Vec<String>,
    /// Expectations that could not be told in the last window.
    pub(super) unknowns: Vec<String>,
    pub(super) checks: Vec<CheckReport>,
}

pub(super) fn judge(scenario: &Scenario, recording: &Recording, role: Role) -> Recovered {
    let indices: Vec<usize> = (0..recording.subject.samples.len()).collect();
    let windows: Vec<usize> = indices.into_iter().filter(|i| is_window(scenario, recording, *i)).collect();
    let Some(last) = windows.last() else {
        let unknowns = vec!["there was no full window after the fault".to_owned()];
        return Recovered { after: None, failures: Vec::new(), unknowns, checks: Vec::new() };
    };
    let outcomes = |end: usize| {
        expectations(scenario, role).map(move |c| (c, over_window(scenario, recording, role, c, end)))
    };
    let good = windows.iter().find(|end| outcomes(**end).all(|(_, o)| matches!(o, Outcome::Holds(_))));
    let deciding = *good.unwrap_or(last);
    let start = recording.time(deciding).saturating_sub(scenario.recovery.hold);
    let mut recovered = Recovered {
        after: good.and(recording.disarmed_at).map(|disarmed| start.saturating_sub(disarmed)),
        failures: Vec::new(),
        unknowns: Vec::new(),
        checks: Vec::new(),
    };
    let span = format!("{} to {}", seconds(start), seconds(recording.time(deciding)));
    for (check, outcome) in outcomes(deciding) {
        let text = check.text().to_owned();
        let (state, values) = match outcome {
            Outcome::Holds(values) => (CheckState::Held, values),
            Outcome::Fails(values) => {
                recovered.failures.push(format!("recovery {text}: {values} ({span})"));
                (CheckState::Violated, values)
            }
            Outcome::Unknown(why) => {
                recovered.unknowns.push(format!("recovery {text}: {why} ({span})"));
                (CheckState::Unknown, why)
            }
        };
        let unknown = usize::from(state == CheckState::Unknown);
        recovered.checks.push(CheckReport {
            section: "recovery",
            check: text,
            state,
            values,
            looks: windows.len(),
            unknown,
        });
    }
    recovered
}

/// Whether the run may end: the newest look closes a good window, or no window can be good any more.
pub(super) fn is_decided(scenario: &Scenario, recording: &Recording) -> bool {
    let (Some(end), Some(disarmed)) = (recording.newest(), recording.disarmed_at) else { return false };
    let deadline = disarmed + scenario.recovery.within + scenario.recovery.hold;
    let good = |role: Role| {
        expectations(scenario, role)
            .all(|c| matches!(over_window(scenario, recording, role, c, end), Outcome::Holds(_)))
    };
    // The control must have had its good window too, or it would count as one that has none.
    let control = || recording.control.is_none() || judge(scenario, recording, Role::Control).after.is_some();
    recording.time(end) > deadline
        || (is_window(scenario, recording, end) && good(Role::Subject) && control())
}

/// The control run cannot be compared with itself, and what is said about a fault is not said about it.
fn expectations(scenario: &Scenario, role: Role) -> impl Iterator<Item = &Check> {
    let about_the_fault = |m: &Measure| matches!(m, Measure::Hits | Measure::SitesInjected);
    let for_control =
        move |check: &Check| !check.names_control() && !check.measures().iter().any(about_the_fault);
    scenario.recovery.expect.iter().filter(move |check| role == Role::Subject || for_control(check))
}

/// Whether a window that ends at this look counts.
fn is_window(scenario: &Scenario, recording: &Recording, end: usize) -> bool {
    let Some(disarmed) = recording.disarmed_at else { return false };
    let start = recording.time(end).checked_sub(scenario.recovery.hold);
    start.is_some_and(|start| start >= disarmed && start <= disarmed + scenario.recovery.within)
}

fn over_window(scenario: &Scenario, recording: &Recording, role: Role, check: &Check, end: usize) -> Outcome {
    let hold = scenario.recovery.hold;
    let at = |index| at_look(scenario, recording, role, check, index, hold);
    let counted = |m: &Measure| matches!(m.kind(), Kind::Rate | Kind::SinceDisarm);
    if check.measures().iter().any(counted) {
        return at(end);
    }
    let start = recording.time(end).saturating_sub(hold);
    let looks = (0..=end).rev().take_while(|i| recording.time(*i) >= start);
    let mut so_far = Outcome::Unknown("there was no look".to_owned());
    for index in looks {
        match (at(index), &so_far) {
            (fails @ Outcome::Fails(_), _) => return fails,
            (Outcome::Unknown(_) | Outcome::Holds(_), Outcome::Holds(_)) => {}
            (outcome, _) => so_far = outcome,
        }
    }
    so_far
}

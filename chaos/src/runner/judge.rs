//! From a recording to a verdict. Pure, so that recorded runs can be judged again, in tests too.
//!
//! The order matters. What the control run cannot do either is nobody's fault, so it comes first. What was seen
//! to go wrong is a fact even if the fault was not there for long. Only then is asked whether the fault was
//! there at all, and whether the process recovered.

use super::arming;
use super::checks::{CheckReport, CheckState, over_run, seconds, stop_report};
use super::recovery;
use super::sample::{Recording, Trace};
use super::target::{LoadReading, Role};
use crate::scenario::Scenario;
use serde::Serialize;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Safe during the fault, and recovered.
    Pass,
    /// Something that must never happen happened.
    FailSafety,
    /// Safe, but it did not come back in time.
    FailRecovery,
    /// Nothing is proven.
    Inconclusive,
}

impl Verdict {
    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::FailSafety => "fail-safety",
            Self::FailRecovery => "fail-recovery",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Whether the run proved a defect.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::FailSafety | Self::FailRecovery)
    }
}

/// A verdict and all that it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// What the run came to.
    pub verdict: Verdict,
    /// Why, the most important first. Empty for a pass.
    pub reasons: Vec<String>,
    /// Every check with its values.
    pub checks: Vec<CheckReport>,
    /// Hits of the scenario's faults.
    pub hits: u64,
    /// From the end of the rollbacks until all expectations held.
    pub recovered_after_s: Option<f64>,
}

/// The share of its requests that a control run may lose (shed, failed or late).
const LOST_RATIO_MAX: f64 = 0.01;

/// Judges a run.
#[must_use]
pub fn judge(scenario: &Scenario, recording: &Recording) -> Judgement {
    let always: Vec<CheckReport> =
        scenario.always.iter().map(|check| over_run(scenario, recording, Role::Subject, check)).collect();
    let armed = arming::report(scenario, recording);
    let recovered = recovery::judge(scenario, recording, Role::Subject);
    let stop = stop_report(scenario, recording, Role::Subject);
    let (verdict, reasons) = decide(scenario, recording, &always, stop.as_ref(), &armed, &recovered);
    let mut checks = always;
    checks.extend(stop);
    checks.extend(armed.checks);
    checks.extend(recovered.checks);
    Judgement {
        verdict,
        reasons,
        checks,
        hits: armed.hits,
        recovered_after_s: recovered.after.map(|after| after.as_secs_f64()),
    }
}

fn decide(
    scenario: &Scenario,
    recording: &Recording,
    always: &[CheckReport],
    stop: Option<&CheckReport>,
    armed: &arming::Arming,
    recovered: &recovery::Recovered,
) -> (Verdict, Vec<String>) {
    let control = control_problems(scenario, recording);
    if !control.is_empty() {
        return (Verdict::Inconclusive, control);
    }
    let unsafe_because = safety_problems(recording, always, stop);
    if !unsafe_because.is_empty() {
        return (Verdict::FailSafety, unsafe_because);
    }
    let unproven: Vec<String> = [
        recording.unsteady_before.iter().map(|p| format!("not steady before the fault: {p}")).collect(),
        recording.method_problem.iter().map(|p| format!("the fault could not be armed: {p}")).collect(),
        recording.interrupted.then(|| "the run was interrupted".to_owned()).into_iter().collect(),
        recording.rollback_problem.iter().map(|p| format!("the fault could not be disarmed: {p}")).collect(),
        armed.problems.clone(),
        always.iter().filter_map(rarely_known).collect::<Vec<String>>(),
    ]
    .concat();
    if !unproven.is_empty() {
        return (Verdict::Inconclusive, unproven);
    }
    if recovered.after.is_some() {
        return (Verdict::Pass, Vec::new());
    }
    if recovered.failures.is_empty() {
        return (Verdict::Inconclusive, recovered.unknowns.clone());
    }
    (Verdict::FailRecovery, recovered.failures.clone())
}

/// The control run must be safe and do by itself what is expected after the fault.
fn control_problems(scenario: &Scenario, recording: &Recording) -> Vec<String> {
    let Some(control) = &recording.control else { return Vec::new() };
    let mut problems = Vec::new();
    if let Some((at, how)) = &control.death {
        problems.push(format!("the control run died after {}: {how}", seconds(*at)));
    }
    problems.extend(overload(recording, control));
    let always = scenario.always.iter().filter(|check| !check.names_control());
    let always = always.map(|check| over_run(scenario, recording, Role::Control, check));
    for report in always.chain(stop_report(scenario, recording, Role::Control)) {
        if report.state == CheckState::Violated {
            problems.push(format!("the control run failed {}: {}", report.check, report.values));
        }
    }
    if problems.is_empty() && recording.disarmed_at.is_some() {
        let expected = recovery::judge(scenario, recording, Role::Control);
        problems
            .extend(expected.failures.into_iter().map(|failure| format!("the control run failed {failure}")));
    }
    problems
}

/// A machine that cannot carry the load without a fault proves nothing about the fault.
fn overload(recording: &Recording, control: &Trace) -> Option<String> {
    let mut loads =
        control.samples.iter().filter(|s| s.at >= recording.steady_at).filter_map(|s| s.load.as_ref());
    let (begin, end) = (loads.next()?, loads.next_back()?);
    let failed = |load: &LoadReading| load.shed + load.errors + load.timeouts;
    let offered = end.offered.saturating_sub(begin.offered);
    let lost = failed(end).saturating_sub(failed(begin));
    (lost as f64 > offered as f64 * LOST_RATIO_MAX).then(|| {
        format!("the control run lost {lost} of {offered} requests, with no fault: the machine is too busy")
    })
}

fn safety_problems(recording: &Recording, always: &[CheckReport], stop: Option<&CheckReport>) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some((at, how)) = &recording.subject.death {
        let when = match recording.armed_at {
            Some(armed) if *at >= armed => {
                format!("{} after the fault began", seconds(at.saturating_sub(armed)))
            }
            _ => "before the fault began".to_owned(),
        };
        problems.push(format!("the process died {when}: {how}"));
    }
    for report in always.iter().chain(stop).filter(|report| report.state == CheckState::Violated) {
        problems.push(format!("{} {}: {}", report.section, report.check, report.values));
    }
    // A dead process answers no probe; that is said once.
    if recording.subject.death.is_none() {
        problems.extend(recording.unsteady_after.iter().map(|p| format!("not steady after the fault: {p}")));
    }
    problems
}

/// A check whose values were missing in most looks has not been made.
fn rarely_known(report: &CheckReport) -> Option<String> {
    let known = report.looks - report.unknown;
    let rarely = known == 0 || known * 2 < report.looks;
    rarely.then(|| {
        format!(
            "always {} could be checked in {known} of {} looks only: {}",
            report.check, report.looks, report.values
        )
    })
}

//! Policies through scenarios: who saves how much of what could be saved, and at what price.

use super::best::{Best, best_fixed};
use super::demand::Demand;
use super::optimum::optimum_ns;
use super::run::{Outcome, run};
use super::scenario::Scenario;
use pool_controller::decide::{POLICIES, policy_by_name};
use serde::Serialize;

/// The name under which the best fixed capacities in hindsight stand beside the policies.
pub const FIXED_BEST: &str = "fixed-best";

/// The names that [`simulate`] knows: the policies, and [`FIXED_BEST`].
pub fn policy_names() -> impl Iterator<Item = &'static str> {
    POLICIES.into_iter().chain([FIXED_BEST])
}

/// One policy in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The policy's name.
    pub policy: String,
    /// What reuse saved after the warm-up, as a share of what could be saved; never above 1.
    pub hits_vs_oracle: f64,
    /// Seconds with usage above .90 of the limit.
    pub seconds_over_090: f64,
    /// Highest usage, as a share of the limit of that moment.
    pub peak: f64,
    /// How often the most restless capacity turned around, per minute.
    pub reversals_per_min: f64,
    /// From the disturbance until something was done about it; `None` if there was none, or nothing was done.
    pub first_action_ms: Option<u64>,
    /// From the end of the disturbance until nine tenths of the capacity before were back. If they were not before the
    /// run ended, the time until then. `None` if no disturbance ended in the run.
    pub recovery_s: Option<f64>,
    /// 1 if the kernel killed it. The run ended there, and saved nothing more.
    pub oom: u8,
}

/// What became of policies in scenarios.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// One row a scenario and policy, in the order in which they were asked for.
    pub rows: Vec<Row>,
    #[serde(skip)]
    pub(super) plots: Vec<Plot>,
}

/// What a plot shows of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plot {
    pub(super) scenario: &'static str,
    pub(super) policy: String,
    pub(super) outcome: Outcome,
}

/// A name that is no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPolicy(pub String);

impl std::fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known: Vec<_> = policy_names().collect();
        write!(f, "no policy is named {:?}; allowed: {}", self.0, known.join(", "))
    }
}

impl std::error::Error for UnknownPolicy {}

/// Runs each policy through each scenario. The same seed gives the same report. With optimised code a run takes some
/// ten milliseconds, and the best fixed capacities thirty times as long.
///
/// # Errors
/// [`UnknownPolicy`] before anything runs.
///
/// ```
/// use pool_chaos::simulate::{scenario_by_name, simulate};
/// let report = simulate(&[scenario_by_name("steady").unwrap()], &["two-cycle".to_owned()], 1)?;
/// assert_eq!((report.rows[0].oom, report.rows[0].policy.as_str()), (0, "two-cycle"));
/// assert!(report.rows[0].hits_vs_oracle > 0.5 && report.rows[0].hits_vs_oracle <= 1.0);
/// # Ok::<(), pool_chaos::simulate::UnknownPolicy>(())
/// ```
pub fn simulate(
    scenarios: &[&'static Scenario],
    policies: &[String],
    seed: u64,
) -> Result<Report, UnknownPolicy> {
    if let Some(unknown) = policies.iter().find(|name| policy_names().all(|known| known != **name)) {
        return Err(UnknownPolicy(unknown.clone()));
    }
    let mut known = Known::default();
    let mut report = Report { rows: Vec::new(), plots: Vec::new() };
    for &scenario in scenarios {
        let demand = Demand::of(scenario, seed);
        let optimum_ns = known.optimum_ns(scenario, &demand);
        for policy in policies {
            let outcome = if policy == FIXED_BEST {
                known.best(scenario, &demand, seed).outcome.clone()
            } else {
                run(scenario, &demand, seed, || policy_by_name(policy).expect("checked above"))
            };
            report.rows.push(row(scenario.name, policy, &outcome, optimum_ns));
            report.plots.push(Plot { scenario: scenario.name, policy: policy.clone(), outcome });
        }
    }
    Ok(report)
}

/// What scenarios share: many of them differ in what is read only.
#[derive(Default)]
struct Known {
    optima: Vec<(&'static Scenario, f64)>,
    best: Vec<(&'static Scenario, Best)>,
}

impl Known {
    fn optimum_ns(&mut self, scenario: &'static Scenario, demand: &Demand) -> f64 {
        if let Some((_, ns)) = self.optima.iter().find(|(other, _)| scenario.has_optimum_of(other)) {
            return *ns;
        }
        let ns = optimum_ns(scenario, demand);
        self.optima.push((scenario, ns));
        ns
    }

    fn best(&mut self, scenario: &'static Scenario, demand: &Demand, seed: u64) -> &Best {
        let at = self.best.iter().position(|(other, _)| scenario.has_fixed_of(other)).unwrap_or_else(|| {
            self.best.push((scenario, best_fixed(scenario, demand, seed)));
            self.best.len() - 1
        });
        &self.best[at].1
    }
}

/// Figures with as many digits as they are good for.
fn row(scenario: &'static str, policy: &str, outcome: &Outcome, optimum_ns: f64) -> Row {
    let rounded = |value: f64, digits: i32| (value * 10_f64.powi(digits)).round() / 10_f64.powi(digits);
    let measure = &outcome.measure;
    Row {
        scenario,
        policy: policy.to_owned(),
        hits_vs_oracle: rounded(outcome.saved_ns / optimum_ns, 4),
        seconds_over_090: rounded(measure.seconds_over_090, 2),
        peak: rounded(measure.peak, 4),
        reversals_per_min: rounded(measure.reversals_per_min(), 2),
        first_action_ms: measure.first_action_ms,
        recovery_s: measure.recovery_s.map(|s| rounded(s, 2)),
        oom: u8::from(outcome.is_killed),
    }
}

//! Scenarios: experiments in the format of Chaos Toolkit, with what it lacks in
//! `extensions: [{name: ebbpool, …}]`.
//!
//! Reading is strict, since a scenario that is half understood proves nothing: an unknown key, a wrong type, a
//! duration without a unit, a measure that does not exist are errors with file, line, column, path and what is
//! allowed. Nothing here talks to a target.

mod call;
mod jsonpath;
mod read;
mod read_call;
mod read_extension;
#[cfg(test)]
mod tests;

pub use call::{HttpCall, Method};
pub use jsonpath::JsonPath;
pub use pool_controller::config::FileError as ScenarioError;

use crate::broken::Broken;
use crate::expr::Check;
use crate::faults::FaultName;
use std::path::Path;
use std::time::Duration;

/// The environment variable that names a live target.
pub const ADMIN_VARIABLE: &str = "EBBPOOL_ADMIN";

/// A scenario that was understood in full.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file that it was read from, as given.
    pub file: String,
    /// One line.
    pub title: String,
    /// What it is to prove.
    pub description: String,
    /// The address of a live target, if the environment names one.
    pub live_admin: Option<String>,
    /// What must hold before and after the method.
    pub hypothesis: Vec<Probe>,
    /// What is done.
    pub method: Vec<Action>,
    /// What is undone, whatever happened.
    pub rollbacks: Vec<Action>,
    /// Seeds the load and, where they name none, the faults.
    pub seed: u64,
    /// Offered requests a second, open-loop.
    pub rps: u32,
    /// The largest memory limit under which the target may run.
    pub limit_max_bytes: Option<u64>,
    /// What the fault must have done for the run to prove anything.
    pub arm: Arm,
    /// Checked all the time.
    pub always: Vec<Check>,
    /// Ends the run early.
    pub stop_if: Option<StopIf>,
    /// What must come back after the fault.
    pub recovery: Recovery,
    /// The broken builds that this scenario must fail.
    pub must_fail_with: Vec<Broken>,
}

/// A probe of the steady-state hypothesis.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// For people.
    pub name: String,
    /// What is asked.
    pub call: HttpCall,
    /// The place in the answer.
    pub path: JsonPath,
    /// What must be there.
    pub expect: serde_json::Value,
}

/// Something that is done to the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// For people.
    pub name: String,
    /// What is done.
    pub call: HttpCall,
    /// Waited before it.
    pub pause_before: Duration,
    /// Waited after it.
    pub pause_after: Duration,
}

/// When a fault counts as having been there. Else the run is inconclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arm {
    /// The least hits.
    pub hits_min: Option<u64>,
    /// A balloon must have filled this share of the limit (usage when it was armed, and what it holds)…
    pub ratio_min: Option<f64>,
    /// …for so long in all.
    pub time_at_ratio_min: Duration,
}

/// A reason to stop.
#[derive(Clone, Debug, PartialEq)]
pub struct StopIf {
    /// True when it is time.
    pub check: Check,
    /// For how long it must have been true without a break.
    pub lasting: Duration,
}

/// What must come back.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// By when it must have begun to hold, from the end of the rollbacks.
    pub within: Duration,
    /// For how long it must hold then; rates are counted over this window.
    pub hold: Duration,
    /// What.
    pub expect: Vec<Check>,
}

impl Scenario {
    /// Reads a scenario from a file.
    ///
    /// # Errors
    /// [`ScenarioError`]: the file cannot be read, or is no scenario.
    pub fn from_file(path: &Path) -> Result<Self, ScenarioError> {
        let file = path.display().to_string();
        let error =
            |problem| ScenarioError { file: file.clone(), position: None, path: String::new(), problem };
        let length = std::fs::metadata(path).map_err(|e| error(format!("cannot be read: {e}")))?.len();
        if length > read::BYTES_MAX {
            return Err(error(format!("has {length} bytes; allowed: at most {}", read::BYTES_MAX)));
        }
        let text = std::fs::read_to_string(path).map_err(|e| error(format!("cannot be read: {e}")))?;
        Self::from_text(&file, &text, &|variable| std::env::var(variable).ok())
    }

    /// Reads a scenario from a text. `file` is for errors, `variable` looks up environment variables.
    ///
    /// # Errors
    /// [`ScenarioError`]: it is no scenario.
    pub fn from_text(
        file: &str,
        text: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ScenarioError> {
        read::read(file, text, variable)
    }

    /// The faults that its method arms.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultName> {
        let mut faults: Vec<_> = self.method.iter().filter_map(|action| action.call.arms()).collect();
        faults.sort();
        faults.dedup();
        faults
    }
}

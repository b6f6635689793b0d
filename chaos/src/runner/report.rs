//! What a run is told as: one JSON object for machines, a table for people.

use super::checks::CheckState;
use super::judge::{Judgement, Verdict};
use super::sample::{Recording, Trace};
use super::target::Target;
use crate::broken::Broken;
use crate::expr::Measure;
use crate::scenario::Scenario;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// A judged run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The scenario's file.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The defect that the process had, if it had one.
    pub broken: Option<Broken>,
    /// The scenario's seed.
    pub seed: u64,
    /// How long all of it took.
    pub took_s: f64,
    /// Verdict, reasons, checks.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// The process that got the fault.
    pub subject: Summary,
    /// The one that did not.
    pub control: Option<Summary>,
}

/// One process in figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Its limit, as it describes it.
    pub limit: String,
    /// Requests whose time had come.
    pub offered: Option<u64>,
    /// Answered in full.
    pub completed: Option<u64>,
    /// Refused under pressure.
    pub shed: Option<u64>,
    /// Failed.
    pub errors: Option<u64>,
    /// Not answered in time.
    pub timeouts: Option<u64>,
    /// Highest usage, bytes.
    pub peak_bytes: Option<u64>,
    /// Kills by the kernel.
    pub oom_kills: Option<u64>,
    /// Looks that were taken.
    pub looks: usize,
    /// How it died, if it did.
    pub death: Option<String>,
}

impl Report {
    pub(super) fn new(
        scenario: &Scenario,
        recording: &Recording,
        judgement: Judgement,
        broken: Option<Broken>,
        targets: (&dyn Target, Option<&dyn Target>),
        took: Duration,
    ) -> Self {
        let control = recording.control.as_ref().zip(targets.1);
        Self {
            scenario: scenario.file.clone(),
            title: scenario.title.clone(),
            broken,
            seed: scenario.seed,
            took_s: took.as_secs_f64(),
            judgement,
            subject: Summary::new(&recording.subject, targets.0),
            control: control.map(|(trace, target)| Summary::new(trace, target)),
        }
    }

    /// The exit status: 0 for a pass, 1 for a failure, 3 if nothing is proven.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self.judgement.verdict {
            Verdict::Pass => 0,
            Verdict::FailSafety | Verdict::FailRecovery => 1,
            Verdict::Inconclusive => 3,
        }
    }
}

impl Summary {
    fn new(trace: &Trace, target: &dyn Target) -> Self {
        let load = trace.samples.iter().rev().find_map(|s| s.load.as_ref());
        let memory = trace.samples.iter().rev().find_map(|s| s.memory.as_ref());
        Self {
            limit: target.limit_label(),
            offered: load.map(|l| l.offered),
            completed: load.map(|l| l.completed),
            shed: load.map(|l| l.shed),
            errors: load.map(|l| l.errors),
            timeouts: load.map(|l| l.timeouts),
            peak_bytes: memory.map(|m| m.peak_bytes),
            oom_kills: target.oom_kills().or(memory.map(|m| m.oom_kills)),
            looks: trace.samples.len(),
            death: trace.death.as_ref().map(|(_, how)| how.clone()),
        }
    }
}

/// The table.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Judgement { verdict, reasons, checks, hits, recovered_after_s } = &self.judgement;
        writeln!(f, "{}", self.title)?;
        let build = self
            .broken
            .map_or_else(|| "as it ships".to_owned(), |b| format!("broken on purpose: {}", b.as_str()));
        writeln!(f, "  {}, seed {}, build {build}, {:.0} s\n", self.scenario, self.seed, self.took_s)?;
        let width = checks.iter().map(|c| c.section.len() + c.check.len() + 1).max().unwrap_or(0).min(64);
        for check in checks {
            let mark = match check.state {
                CheckState::Held => "held    ",
                CheckState::Violated => "VIOLATED",
                CheckState::Unknown => "unknown ",
            };
            let name = format!("{} {}", check.section, check.check);
            write!(f, "  {mark}  {name:width$}  {}", check.values)?;
            if check.section == "always" {
                write!(f, " ({} of {} looks)", check.looks - check.unknown, check.looks)?;
            }
            writeln!(f)?;
        }
        let control = self.control.clone().unwrap_or_default();
        let rows: [Row; 8] = [
            ("limit", &|s| Some(s.limit.clone()).filter(|l| !l.is_empty())),
            ("offered", &|s| s.offered.map(|n| n.to_string())),
            ("completed", &|s| s.completed.map(|n| n.to_string())),
            ("shed", &|s| s.shed.map(|n| n.to_string())),
            ("errors", &|s| s.errors.map(|n| n.to_string())),
            ("timeouts", &|s| s.timeouts.map(|n| n.to_string())),
            ("peak", &|s| s.peak_bytes.map(|b| Measure::Usage.show(b as f64))),
            ("oom kills", &|s| s.oom_kills.map(|n| n.to_string())),
        ];
        writeln!(f, "\n  {:12}{:>22}{:>22}", "", "subject", "control")?;
        for (name, value) in rows {
            let show = |summary| value(summary).unwrap_or_else(|| "-".to_owned());
            writeln!(f, "  {name:12}{:>22}{:>22}", show(&self.subject), show(&control))?;
        }
        write!(f, "\n  {hits} hits")?;
        if let Some(after) = recovered_after_s {
            write!(f, ", recovered {after:.1} s after the fault")?;
        }
        writeln!(f, "\n  verdict: {}", verdict.as_str())?;
        for reason in reasons {
            writeln!(f, "    {reason}")?;
        }
        Ok(())
    }
}

type Row<'a> = (&'static str, &'a dyn Fn(&Summary) -> Option<String>);

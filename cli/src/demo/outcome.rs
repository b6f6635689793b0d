//! From the end of a run to its summary and exit status.

use super::fault::{Fault, Struck};
use super::recovery::{self, Sample, recovered_after_s};
use super::run::DemoOptions;
use super::service::PoolsMode;
use super::session::{Ended, Limit};
use super::summary::{LimitKind, Summary};
use super::terminal::Screen;
use crate::allocator;
use crate::failure::Failure;
use crate::units::exact_size;
use pool_chaos::faults::FaultName;
use std::fmt::Write as _;
use std::time::Duration;

/// Why the watching of a run ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The time was up.
    Time,
    /// Somebody wished it.
    Interrupted,
    /// The kernel killed the service for memory, this long after the load began.
    Killed(Duration),
    /// The service ended in another way, or cannot be watched.
    Broken(String),
}

/// What was seen of a run besides its end.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// When the fault was armed and disarmed.
    pub(crate) armed_at: Option<Duration>,
    pub(crate) disarmed_at: Option<Duration>,
    /// When the limit was changed.
    pub(crate) limit_changed_at: Option<Duration>,
    /// What the fault did.
    pub(crate) struck: Struck,
    /// What the service used.
    pub(crate) usage: Usage,
    /// What was seen, for the judgement of the recovery.
    pub(crate) samples: Vec<Sample>,
}

/// Usage at the looks of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    sum_bytes: u64,
    looks: u64,
}

impl Usage {
    /// One look more.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.sum_bytes = self.sum_bytes.saturating_add(bytes);
        self.looks += 1;
    }

    /// The mean of all looks; 0 without any.
    pub(crate) fn mean_bytes(self) -> u64 {
        self.sum_bytes / self.looks.max(1)
    }
}

/// A limit under which the load and the adaptive pools fit, and fixed pools do not.
pub(crate) const LIMIT_SHOWN: &str = "192MiB";

/// The summary of a run.
pub(crate) fn summarize(options: &DemoOptions, end: &End, ended: &Ended, course: &Course) -> Summary {
    let totals = ended.ledger.totals();
    let delays = ended.ledger.delays();
    let seen = ended.last.as_deref();
    let memory = seen.map(|seen| &seen.memory);
    let gets = seen.map(|seen| seen.pools.gets()).unwrap_or_default();
    let killed = match end {
        End::Killed(after) => Some(*after),
        End::Time | End::Interrupted | End::Broken(_) => None,
    };
    let alive = matches!(end, End::Time | End::Interrupted);
    let (limit_bytes, limit_kind) = match options.session.limit {
        Limit::Real(bytes) => (bytes, LimitKind::Real),
        Limit::Simulated(bytes) => (bytes, LimitKind::Simulated),
    };
    Summary {
        pools: options.session.pools,
        fixed_percent: (options.session.pools == PoolsMode::Fixed).then_some(options.session.fixed_percent),
        allocator: memory.map_or_else(|| allocator::adapter().name().to_owned(), |m| m.allocator.clone()),
        load: options.load,
        limit_bytes,
        limit_kind,
        limit_after_bytes: options.limit_after.and_then(|after| course.limit_changed_at.map(|_| after.bytes)),
        offered: totals.offered,
        completed: totals.completed,
        shed: totals.shed,
        errors: totals.errors,
        timeouts: totals.timeouts,
        p50_ms: delays.p50_ms,
        p99_ms: delays.p99_ms,
        peak_bytes: memory.map_or(0, |m| m.peak_bytes).max(ended.kernel_peak_bytes.unwrap_or(0)),
        mean_bytes: course.usage.mean_bytes(),
        lent_peak_bytes: memory.map_or(0, |m| m.lent_peak_bytes),
        idle_at_end_bytes: memory.filter(|_| alive).map_or(0, |m| m.pools_idle_bytes),
        oom_kills: ended.oom_kills,
        killed_after_s: killed.map(|after| after.as_secs_f64()),
        hit_rate: gets.reused() as f64 / gets.total().max(1) as f64,
        decisions: memory.map_or(0, |m| m.decisions_total),
        fault: options.fault.as_ref().map(|fault| fault.flag().to_owned()),
        fault_hits: course.struck.hits,
        fault_sites: course.struck.sites.len(),
        fault_sites_named: recovery::named(&course.samples, &course.struck.sites),
        recovered_after_s: options.fault.as_ref().and_then(|fault| recovered(fault, course)),
        seed: options.session.seed,
        duration_s: ended.lasted.as_secs_f64(),
    }
}

fn recovered(fault: &Fault, course: &Course) -> Option<f64> {
    let (from, until) = course.armed_at.zip(course.disarmed_at)?;
    if course.struck.hits == 0 {
        return None;
    }
    let lost = match fault.name() {
        FaultName::MissingPut => Some((course.struck.hits, course.struck.sites.clone())),
        FaultName::MemoryBalloon => None,
    };
    let struck = recovery::Struck { from_s: from.as_secs_f64(), until_s: until.as_secs_f64(), lost };
    recovered_after_s(&course.samples, &struck)
}

/// Shows the summary and turns it into the command's result.
///
/// # Errors
/// [`Failure::Run`] with everything that did not hold.
pub(crate) fn conclude(
    options: &DemoOptions,
    end: &End,
    ended: &Ended,
    summary: &Summary,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut broken = summary.broken_claims(!matches!(end, End::Interrupted));
    if let End::Broken(why) = end {
        broken.insert(0, why.clone());
    }
    if let Some(after) = options.limit_after.filter(|_| summary.limit_after_bytes.is_none()) {
        let (bytes, from) = (exact_size(after.bytes), after.from.as_secs_f64());
        broken.push(format!(
            "the limit of {bytes} was never in force: due after {from} s, and refused while more was in use"
        ));
    }
    broken.extend(ended.trouble.as_ref().map(|e| format!("{e:#}")));
    if !broken.is_empty() {
        let ring = options.session.postmortem.as_ref().filter(|_| summary.killed_after_s.is_some());
        broken.extend(ring.map(|file| format!("its last minutes: ebbpool postmortem {}", file.display())));
        broken.extend(ended.ledger.first_error().map(|e| format!("the first error: {e}")));
    }
    screen.finish(&text(options, summary, broken.is_empty()));
    if broken.is_empty() { Ok(()) } else { Err(Failure::run(broken.join("; "))) }
}

fn text(options: &DemoOptions, summary: &Summary, well: bool) -> String {
    if options.json {
        return serde_json::to_string(summary).unwrap_or_else(|e| unreachable!("plain fields: {e}"));
    }
    let mut text = format!("\n{summary}");
    if well && summary.limit_kind == LimitKind::Simulated {
        let program = std::env::args().next().unwrap_or_else(|| "ebbpool".to_owned());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\nThe limit was simulated. Under a real one, set by the kernel:\n  {program} demo --limit {LIMIT_SHOWN} \
             --for 60s\nand with pools that never shrink, for comparison:\n  {program} demo --limit {LIMIT_SHOWN} \
             --for 60s --pools fixed"
        );
    }
    text
}

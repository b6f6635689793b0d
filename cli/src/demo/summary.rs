//! What became of a run, in numbers and in a sentence.

use super::load::plan::Shape;
use super::service::PoolsMode;
use crate::units::{exact_size, mib};
use serde::Serialize;
use std::fmt;

/// The summary; `--json` prints it as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// How the service got its objects.
    pub(crate) pools: PoolsMode,
    /// What fixed pools hold, per cent of what an operator gives them; null unless they are fixed.
    pub(crate) fixed_percent: Option<u32>,
    /// The allocator that the service's controller knows: `glibc`, `jemalloc`, `mimalloc` or `unknown`.
    pub(crate) allocator: String,
    /// How the load changes.
    pub(crate) load: Shape,
    /// The memory limit, bytes.
    pub(crate) limit_bytes: u64,
    /// Whether the kernel enforced it.
    pub(crate) limit_kind: LimitKind,
    /// The limit that it was changed to while it ran.
    pub(crate) limit_after_bytes: Option<u64>,
    /// Requests whose time had come. A run that is killed ends there, and so does this count.
    pub(crate) offered: u64,
    /// Of these: answered in full,
    pub(crate) completed: u64,
    /// answered with 503,
    pub(crate) shed: u64,
    /// failed, which includes all that were under way when the service was killed,
    pub(crate) errors: u64,
    /// without an answer for 5 s. The four add up to `offered`.
    pub(crate) timeouts: u64,
    /// Delay of completed requests from when they were to be sent, less what the load itself plans on the wire.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// The highest usage that was seen.
    pub(crate) peak_bytes: u64,
    /// The mean of the usage that was seen four times a second; 0 if none was.
    pub(crate) mean_bytes: u64,
    /// The most that the pools had lent at a time; 0 without pools.
    pub(crate) lent_peak_bytes: u64,
    /// What the pools held idle when the load had ended; 0 without pools and after a kill.
    pub(crate) idle_at_end_bytes: u64,
    /// Processes that the kernel killed for memory.
    pub(crate) oom_kills: u64,
    /// When the service was killed.
    pub(crate) killed_after_s: Option<f64>,
    /// The share of gets that reused an object, all pools together; 0 without pools.
    pub(crate) hit_rate: f64,
    /// Decisions of the controller.
    pub(crate) decisions: u64,
    /// The fault that was armed, as it was given.
    pub(crate) fault: Option<String>,
    /// How often it struck.
    pub(crate) fault_hits: u64,
    /// The places where it struck, if it has places,
    pub(crate) fault_sites: usize,
    /// and how many of them the controller has named.
    pub(crate) fault_sites_named: usize,
    /// From disarming to recovery; null if the pools did not recover, or there was no fault.
    pub(crate) recovered_after_s: Option<f64>,
    pub(crate) seed: u64,
    /// How long the load lasted.
    pub(crate) duration_s: f64,
}

/// Whether a limit is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LimitKind {
    /// By the kernel.
    Real,
    /// By nobody.
    Simulated,
}

/// The share of the offered requests that a run has to complete.
const COMPLETED_RATIO_MIN: f64 = 0.99;

impl Summary {
    /// What the run did not hold of what the demo claims; empty if all is well. `whole`: the run was not
    /// interrupted, so its fault can be judged.
    pub(crate) fn broken_claims(&self, whole: bool) -> Vec<String> {
        let mut broken = Vec::new();
        if let Some(after) = self.killed_after_s {
            broken.push(format!("the kernel killed the service for memory after {after:.1} s"));
        }
        // A simulated limit is one that the busy hour goes to on purpose: what does not fit is refused, not failed.
        let refused = if self.limit_kind == LimitKind::Simulated { self.shed } else { 0 };
        let ratio = (self.completed + refused) as f64 / self.offered.max(1) as f64;
        if self.offered > 0 && ratio < COMPLETED_RATIO_MIN {
            let Self { completed, offered, shed, errors, timeouts, .. } = self;
            broken.push(format!(
                "{completed} of {offered} requests were completed ({:.2} %, at least {:.0} % are expected): \
                 {shed} shed, {errors} errors, {timeouts} timeouts",
                100.0 * ratio,
                100.0 * COMPLETED_RATIO_MIN
            ));
        }
        if let (Some(fault), None, true) = (&self.fault, self.killed_after_s, whole) {
            if self.fault_hits == 0 {
                broken.push(format!("the fault {fault} never struck"));
            } else if self.recovered_after_s.is_none() {
                let Self { fault_sites: sites, fault_sites_named: named, .. } = self;
                let unnamed = if named < sites {
                    format!(": {named} of the {sites} places where leases were lost were named")
                } else {
                    String::new()
                };
                broken.push(format!("the pools did not recover from {fault} before the run ended{unnamed}"));
            }
        }
        broken
    }
}

/// For people: a line each for the load, the memory, the pools, the fault.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offered, completed, shed, errors, timeouts, p50_ms, p99_ms, duration_s, .. } = self;
        writeln!(
            f,
            "load      {offered} offered in {duration_s:.1} s: {completed} completed, {shed} shed, \
             {errors} errors, {timeouts} timeouts"
        )?;
        writeln!(f, "delay     p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms beyond what uploads and egress take")?;
        let kind = match self.limit_kind {
            LimitKind::Real => "real",
            LimitKind::Simulated => "simulated, nothing was killed",
        };
        let [peak, mean] = [self.peak_bytes, self.mean_bytes].map(mib);
        let (limit, allocator) = (exact_size(self.limit_bytes), &self.allocator);
        writeln!(f, "memory    peak {peak} of {limit} ({kind}), mean {mean}; allocator {allocator}")?;
        match self.pools {
            PoolsMode::None => writeln!(f, "pools     none")?,
            PoolsMode::Fixed | PoolsMode::Adaptive => writeln!(
                f,
                "pools     {:.1} % of gets reused an object; at most {} lent, {} idle at the end; {} decisions",
                100.0 * self.hit_rate,
                mib(self.lent_peak_bytes),
                mib(self.idle_at_end_bytes),
                self.decisions
            )?,
        }
        if let Some(fault) = &self.fault {
            let recovered = match self.recovered_after_s {
                Some(after) => format!("recovered {after:.1} s after it was disarmed"),
                None => "not recovered".to_owned(),
            };
            let places = match (self.fault_sites, self.fault_sites_named) {
                (0, _) => String::new(),
                (sites, named) => format!(" at {sites} places, {named} of them named"),
            };
            writeln!(f, "fault     {fault}: {} hits{places}, {recovered}", self.fault_hits)?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn summary() -> Summary {
        Summary {
            pools: PoolsMode::Adaptive,
            fixed_percent: None,
            allocator: "glibc".into(),
            load: Shape::Swap,
            limit_bytes: 192 << 20,
            limit_kind: LimitKind::Real,
            limit_after_bytes: None,
            offered: 1000,
            completed: 995,
            shed: 3,
            errors: 1,
            timeouts: 1,
            p50_ms: 1.0,
            p99_ms: 9.0,
            peak_bytes: 160 << 20,
            mean_bytes: 120 << 20,
            lent_peak_bytes: 90 << 20,
            idle_at_end_bytes: 40 << 20,
            oom_kills: 0,
            killed_after_s: None,
            hit_rate: 0.93,
            decisions: 12,
            fault: None,
            fault_hits: 0,
            fault_sites: 0,
            fault_sites_named: 0,
            recovered_after_s: None,
            seed: 1,
            duration_s: 60.0,
        }
    }

    #[test]
    fn the_keys_are_the_contract() {
        let json = serde_json::to_value(summary()).unwrap();
        let expected = "pools allocator load mean_bytes limit_bytes limit_kind offered completed shed errors timeouts p50_ms p99_ms \
                        peak_bytes lent_peak_bytes idle_at_end_bytes oom_kills killed_after_s hit_rate decisions \
                        fault fault_hits fault_sites fault_sites_named recovered_after_s seed";
        let missing: Vec<&str> = expected.split_whitespace().filter(|k| json.get(k).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!((&json["pools"], &json["limit_kind"]), (&"adaptive".into(), &"real".into()));
        assert!(json["killed_after_s"].is_null() && json["fault"].is_null());
    }

    #[test]
    fn a_run_that_held_breaks_no_claim() {
        assert_eq!(summary().broken_claims(true), Vec::<String>::new());
    }

    #[test]
    fn a_kill_few_completions_and_a_fault_without_effect_or_recovery_each_break_one() {
        let killed = Summary { killed_after_s: Some(7.25), oom_kills: 1, ..summary() };
        assert_eq!(killed.broken_claims(true), ["the kernel killed the service for memory after 7.2 s"]);
        let slow = Summary { completed: 989, shed: 11, ..summary() };
        assert!(slow.broken_claims(true)[0].contains("98.90 %"), "{:?}", slow.broken_claims(true));
        let idle = Summary { fault: Some("missing-put=3%".into()), ..summary() };
        assert!(idle.broken_claims(true)[0].contains("never struck"));
        let lasting = Summary { fault_hits: 9, ..idle };
        assert!(lasting.broken_claims(true)[0].contains("did not recover"));
        assert!(lasting.broken_claims(false).is_empty(), "an interrupted run does not judge its fault");
        let unnamed = Summary { fault_sites: 2, fault_sites_named: 1, ..lasting.clone() };
        assert!(
            unnamed.broken_claims(true)[0]
                .ends_with("ended: 1 of the 2 places where leases were lost were named")
        );
        let recovered = Summary { recovered_after_s: Some(1.5), fault_sites_named: 2, ..unnamed };
        assert!(recovered.broken_claims(true).is_empty());
        let line = "9 hits at 2 places, 2 of them named, recovered 1.5 s after";
        assert!(recovered.to_string().contains(line), "{recovered}");
    }
}

//! The list of all metrics: what each is called and means, and when it has a sample.

/// One metric of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricInfo {
    /// The full name.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Whether it only rises.
    pub is_counter: bool,
    /// When it has a sample, if that is not always: always means from the first tick on, and for metrics with the label
    /// `pool`, from the first pool on.
    pub only_when: Option<&'static str>,
}

impl MetricInfo {
    /// The metrics that a service always has: those of pools only if it has any.
    ///
    /// ```
    /// use pool_controller::metrics::MetricInfo;
    /// assert!(MetricInfo::always(true).count() > MetricInfo::always(false).count());
    /// ```
    pub fn always(has_pools: bool) -> impl Iterator<Item = &'static Self> {
        let is_there = move |metric: &&Self| {
            metric.only_when.is_none() && (has_pools || !metric.labels.contains(&"pool"))
        };
        METRICS.iter().filter(is_there)
    }

    const fn only(self, when: &'static str) -> Self {
        Self { only_when: Some(when), ..self }
    }
}

/// All metrics, by name.
pub const METRICS: &[MetricInfo] = &[
    gauge(
        "ebbpool_bytes",
        &["pool", "state"],
        "Bytes of a pool: idle, lent, or condemned and not dropped yet.",
    ),
    gauge("ebbpool_canary_share", &["pool"], "The share of gets that use the canary, 0 to 1.")
        .only("where a pool has a canary beside it"),
    gauge("ebbpool_canary_verdict", &["pool", "verdict"], "1 for what is said of a canary.")
        .only("where a pool has a canary beside it"),
    gauge("ebbpool_capacity_bytes", &["pool"], "Idle bytes that a pool may hold."),
    gauge("ebbpool_capacity_objects", &["pool"], "Idle objects that a pool may hold."),
    counter("ebbpool_config_errors_total", &[], "Times that a file of configuration was not accepted.")
        .only("with a file of configuration"),
    gauge("ebbpool_config_generation", &[], "How many configurations have been in force.")
        .only("with a file of configuration"),
    counter(
        "ebbpool_controller_admission_refused_total",
        &[],
        "Times that a service was told that there is no room for more work.",
    ),
    gauge("ebbpool_controller_budget_bytes", &[], "Idle bytes that all pools together may hold.")
        .only("while the policy sets a budget"),
    counter(
        "ebbpool_controller_decisions_total",
        &["reason"],
        "Plans that changed something, by first reason.",
    )
    .only("from the first decision on"),
    gauge(
        "ebbpool_controller_grant_bytes",
        &[],
        "Bytes that creates may still take; negative when overdrawn.",
    )
    .only("while creates need a grant"),
    counter("ebbpool_controller_grant_exceeded_total", &[], "Creates that went on without a grant."),
    counter("ebbpool_controller_knob_reversals_total", &[], "Turns of the most restless capacity."),
    gauge("ebbpool_controller_mode", &["mode"], "1 for the mode in force."),
    gauge("ebbpool_controller_pressure", &["part"], "How near trouble is, 0 to 1: memory, psi, pause."),
    gauge("ebbpool_controller_reclaimable", &[], "1 unless what pools give up stays in the process."),
    counter("ebbpool_controller_reclaimed_bytes_total", &[], "Idle bytes taken back by trims and creates."),
    gauge("ebbpool_controller_signal_valid", &["signal"], "1 while a signal can be used."),
    gauge("ebbpool_controller_stalled", &[], "1 while no tick was completed for longer than a plan holds."),
    gauge("ebbpool_controller_state", &["state"], "1 for the state in force."),
    gauge("ebbpool_controller_tick_seconds", &[], "How long the last tick took."),
    counter("ebbpool_controller_ticks_total", &[], "Ticks completed."),
    gauge("ebbpool_create_seconds", &[], "What a create takes, 99th percentile of two seconds, all pools.")
        .only("while creates are timed"),
    counter("ebbpool_dropped_total", &["pool", "reason"], "Objects dropped, on return or idle."),
    counter("ebbpool_gets_total", &["pool", "outcome"], "Gets by where the object came from."),
    gauge("ebbpool_lease_suspects", &["pool"], "Recorded leases that are out for longer than they should."),
    gauge("ebbpool_leases_lost", &["pool"], "Leases that seem to be lost, an estimate."),
    counter("ebbpool_leases_missed_total", &["pool"], "Leases that should have been recorded and were not."),
    gauge("ebbpool_leases_recorded", &["pool"], "Leases on record."),
    gauge("ebbpool_objects", &["pool", "state"], "Objects of a pool: idle, lent, or condemned."),
    gauge("ebbpool_override_active", &["pool", "knob"], "1 for each knob that a person has set for a time.")
        .only("while a person has set a knob"),
    gauge("ebbpool_process_bytes", &["kind"], "Memory: usage, rss, limit, peak, other, watermarks."),
    gauge("ebbpool_process_cpu_taken", &[], "1 while lags are the doing of others who use the processors."),
    gauge("ebbpool_process_lag_seconds", &[], "By how much timers are late, 99th percentile of two seconds.")
        .only("while the controller runs on its own threads"),
    gauge("ebbpool_process_major_faults_per_second", &[], "Pages that had to be read before work went on.")
        .only("where the operating system tells"),
    counter("ebbpool_process_oom_kills_total", &[], "Processes of the group killed for memory."),
    gauge("ebbpool_process_psi_some_ratio", &[], "Share of the time in which some task waited for memory.")
        .only("where the operating system tells"),
    counter("ebbpool_returns_total", &["pool", "outcome"], "Returns kept, or dropped by reason."),
    gauge(
        "ebbpool_staged_generation",
        &["pool", "side"],
        "The stage that is followed: stable, canary or both.",
    )
    .only("with a file that stages settings"),
];

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricInfo {
    MetricInfo { name, help, labels, is_counter: true, only_when: None }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricInfo {
    MetricInfo { name, help, labels, is_counter: false, only_when: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePool;
    use crate::{Controller, LimitSource};

    #[test]
    fn a_new_controller_has_a_sample_of_each_metric_that_is_always_there() {
        let registry = pool_core::Registry::new();
        registry.register(FakePool::new("a")).expect("a new name");
        let builder = Controller::builder().registry(&registry).environment(None);
        let handle =
            builder.limit(LimitSource::Simulated(1 << 40)).build().expect("built").spawn().expect("threads");
        let text = handle.metrics_text().expect("text");
        for metric in MetricInfo::always(true) {
            let is_sample =
                |line: &str| line.strip_prefix(metric.name).is_some_and(|rest| rest.starts_with(['{', ' ']));
            assert!(text.lines().any(is_sample), "{} has none", metric.name);
        }
    }
}

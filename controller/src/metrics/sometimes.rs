//! Metrics that are not always there, and when they are: a figure that is not known has no sample.

use super::{METRICS, MetricInfo};

/// Metrics without a sample in some services, by name, and when they have one.
const SOMETIMES: [(&str, &str); 13] = [
    ("ebbpool_canary_share", "where a pool has a canary beside it"),
    ("ebbpool_canary_verdict", "where a pool has a canary beside it"),
    ("ebbpool_config_errors_total", "with a file of configuration"),
    ("ebbpool_config_generation", "with a file of configuration"),
    ("ebbpool_controller_budget_bytes", "while the policy sets a budget"),
    ("ebbpool_controller_decisions_total", "from the first decision on"),
    ("ebbpool_controller_grant_bytes", "while creates need a grant"),
    ("ebbpool_create_seconds", "while creates are timed"),
    ("ebbpool_override_active", "while a person has set a knob"),
    ("ebbpool_process_lag_seconds", "while the controller runs on its own threads"),
    ("ebbpool_process_major_faults_per_second", "where the operating system tells"),
    ("ebbpool_process_psi_some_ratio", "where the operating system tells"),
    ("ebbpool_staged_generation", "with a file that stages settings"),
];

impl MetricInfo {
    /// When it has a sample, if that is not always: always means from the first tick on, and for metrics with the label
    /// `pool`, from the first pool on.
    ///
    /// ```
    /// use pool_controller::metrics::METRICS;
    /// let metric = |name| METRICS.iter().find(|metric| metric.name == name).unwrap();
    /// assert_eq!(metric("ebbpool_gets_total").only_when(), None);
    /// assert_eq!(metric("ebbpool_create_seconds").only_when(), Some("while creates are timed"));
    /// ```
    #[must_use]
    pub fn only_when(&self) -> Option<&'static str> {
        SOMETIMES.iter().find(|(name, _)| *name == self.name).map(|(_, when)| *when)
    }

    /// The metrics that a service always has: those of pools only if it has any.
    ///
    /// ```
    /// use pool_controller::metrics::MetricInfo;
    /// assert!(MetricInfo::always(true).count() > MetricInfo::always(false).count());
    /// ```
    pub fn always(has_pools: bool) -> impl Iterator<Item = &'static Self> {
        let is_there = move |metric: &&Self| {
            metric.only_when().is_none() && (has_pools || !metric.labels.contains(&"pool"))
        };
        METRICS.iter().filter(is_there)
    }
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

    #[test]
    fn what_is_sometimes_there_is_a_metric() {
        assert!(SOMETIMES.iter().all(|(name, _)| METRICS.iter().any(|metric| metric.name == *name)));
    }
}

//! Metrics: registered into the service's own `prometheus::Registry`, in base units, with bounded labels.
//!
//! [`METRICS`] is the whole list; what is collected is what stands there and nothing else. A figure that is not
//! known has no sample, never a zero. The only part of this crate that knows prometheus.

mod table;

pub use table::{METRICS, MetricInfo};

use crate::canary::CanaryVerdict;
use crate::decide::State;
use crate::mode::Mode;
use crate::overrides::Override;
use crate::runner::{Handle, Runner};
use crate::status::Status;
use pool_core::{DropReason, Managed, PoolStats};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, Registry, TextEncoder};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

impl Handle {
    /// Registers the metrics of this controller and its pools into `registry`, which `/metrics` of the admin
    /// routes serves from then on. The registry does not keep the controller alive.
    ///
    /// # Errors
    /// If metrics of these names are registered there already.
    pub fn metrics(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(Metrics::of(self)?))?;
        let _ = self.shared().served.set(Served(registry.clone()));
        Ok(())
    }

    /// The metrics as text: those of the registry that was given to [`metrics`](Self::metrics), or else those
    /// of this controller alone.
    pub(crate) fn metrics_text(&self) -> Result<String, prometheus::Error> {
        let own;
        let registry = if let Some(Served(registry)) = self.shared().served.get() {
            registry
        } else {
            own = Registry::new();
            own.register(Box::new(Metrics::of(self)?))?;
            &own
        };
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// The registry that the routes serve.
pub(crate) struct Served(Registry);

/// Collects on demand; holds nothing that would keep the controller alive.
struct Metrics {
    runner: Weak<Runner>,
    descs: Vec<Desc>,
}

impl Metrics {
    fn of(handle: &Handle) -> Result<Self, prometheus::Error> {
        let desc = |info: &MetricInfo| {
            let labels = info.labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(info.name.into(), info.help.into(), labels, HashMap::new())
        };
        let descs = METRICS.iter().map(desc).collect::<Result<_, _>>()?;
        Ok(Self { runner: Arc::downgrade(handle.runner()), descs })
    }
}

impl Collector for Metrics {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Some(handle) = self.runner.upgrade().map(Handle::from_runner) else { return Vec::new() };
        let mut samples = Samples::default();
        let status = handle.status();
        collect_controller(&mut samples, &handle, &status);
        collect_changes(&mut samples, &status, &handle.overrides());
        for (at, pool) in handle.shared().registry.list().iter().enumerate() {
            let lost = status.brief(at, pool.name());
            let suspects = pool.suspects(handle.shared().suspect_after()).iter().map(|s| s.count).sum();
            collect_pool(&mut samples, pool.as_ref(), lost.map_or(0, |brief| brief.lost_estimate), suspects);
        }
        samples.into_families()
    }
}

/// What is set by hand is of this moment, the rest of the last tick.
fn collect_changes(samples: &mut Samples, status: &Status, overrides: &[Override]) {
    for canary in &status.canaries {
        samples.add("ebbpool_canary_share", &[&canary.share.pool], canary.share.percent / 100.0);
        for verdict in CanaryVerdict::ALL {
            let is_it = f64::from(u8::from(verdict == canary.verdict));
            samples.add("ebbpool_canary_verdict", &[&canary.share.pool, verdict.as_str()], is_it);
        }
    }
    for staged in status.config.iter().flat_map(|config| &config.staged) {
        samples.add("ebbpool_staged_generation", &[&staged.pool, staged.side], staged.generation as f64);
    }
    for set in overrides {
        samples.add("ebbpool_override_active", &[&set.pool, set.knob], 1.0);
    }
}

fn collect_controller(samples: &mut Samples, handle: &Handle, status: &Status) {
    let memory = &status.memory;
    let flag = |on: bool| if on { 1.0 } else { 0.0 };
    for state in State::ALL {
        samples.add("ebbpool_controller_state", &[state.as_str()], flag(state == memory.state));
    }
    for mode in [Mode::Observe, Mode::Enforce, Mode::Frozen, Mode::Off] {
        samples.add("ebbpool_controller_mode", &[mode.as_str()], flag(mode == handle.mode()));
    }
    for (reason, count) in &status.decisions_by_reason {
        samples.add("ebbpool_controller_decisions_total", &[*reason], *count as f64);
    }
    let parts = memory.pressure_parts;
    for (part, value) in [("memory", parts.memory), ("psi", parts.psi), ("pause", parts.pause)] {
        samples.add("ebbpool_controller_pressure", &[part], value);
    }
    let pause = &memory.pause;
    let signals = [
        ("memory", memory.valid),
        ("psi", pause.psi_some_ratio.is_some()),
        ("lag", pause.lag_p99_ms.is_some()),
    ];
    for (signal, valid) in signals {
        samples.add("ebbpool_controller_signal_valid", &[signal], flag(valid));
    }
    let config = status.config.as_ref();
    let plain = [
        ("ebbpool_config_errors_total", config.map(|config| config.errors_total as f64)),
        ("ebbpool_config_generation", config.map(|config| config.generation as f64)),
        ("ebbpool_controller_admission_refused_total", Some(handle.shared().valve.refused_total() as f64)),
        ("ebbpool_controller_budget_bytes", memory.budget_bytes.map(|b| b as f64)),
        ("ebbpool_controller_grant_bytes", memory.grant_bytes.map(|b| b as f64)),
        ("ebbpool_controller_grant_exceeded_total", Some(memory.grant_exceeded_total as f64)),
        ("ebbpool_controller_knob_reversals_total", Some(memory.knob_reversals as f64)),
        ("ebbpool_controller_reclaimed_bytes_total", Some(memory.reclaimed_bytes_total as f64)),
        ("ebbpool_controller_reclaimable", Some(flag(memory.is_reclaimable))),
        ("ebbpool_controller_stalled", Some(flag(handle.is_stalled()))),
        ("ebbpool_controller_tick_seconds", Some(status.tick_time.as_secs_f64())),
        ("ebbpool_controller_ticks_total", Some(memory.tick as f64)),
        ("ebbpool_create_seconds", pause.create_p99_ms.map(|ms| ms / 1e3)),
        ("ebbpool_process_cpu_taken", Some(flag(pause.cpu_is_taken))),
        ("ebbpool_process_lag_seconds", pause.lag_p99_ms.map(|ms| ms / 1e3)),
        ("ebbpool_process_major_faults_per_second", pause.major_faults_per_s),
        ("ebbpool_process_oom_kills_total", Some(memory.oom_kills as f64)),
        ("ebbpool_process_psi_some_ratio", pause.psi_some_ratio),
    ];
    for (name, value) in plain {
        if let Some(value) = value {
            samples.add(name, &[], value);
        }
    }
    let marks = memory.watermarks;
    let kinds = [
        ("usage", memory.usage_bytes),
        ("rss", memory.rss_bytes),
        ("limit", memory.limit_bytes),
        ("peak", Some(memory.peak_bytes)),
        ("other", memory.usage_bytes.map(|_| memory.other_bytes)),
        ("watermark_elevated", marks.map(|marks| marks.elevated)),
        ("watermark_high", marks.map(|marks| marks.high)),
        ("watermark_critical", marks.map(|marks| marks.critical)),
    ];
    for (kind, bytes) in kinds {
        if let Some(bytes) = bytes {
            samples.add("ebbpool_process_bytes", &[kind], bytes as f64);
        }
    }
}

fn collect_pool(samples: &mut Samples, pool: &dyn Managed, lost: u64, suspects: u64) {
    let stats: PoolStats = pool.stats();
    let name = pool.name();
    for (outcome, count) in stats.gets.by_outcome() {
        samples.add("ebbpool_gets_total", &[name, outcome], count as f64);
    }
    samples.add("ebbpool_returns_total", &[name, "kept"], stats.returns_kept as f64);
    for (i, reason) in DropReason::ALL.into_iter().enumerate() {
        samples.add("ebbpool_returns_total", &[name, reason.as_str()], stats.returns_dropped[i] as f64);
        samples.add("ebbpool_dropped_total", &[name, reason.as_str()], stats.dropped[i] as f64);
    }
    let held = [
        ("idle", stats.idle_objects, stats.idle_bytes),
        ("lent", stats.lent_objects, stats.lent_bytes),
        ("condemned", stats.condemned_objects, stats.condemned_bytes),
    ];
    for (state, objects, bytes) in held {
        samples.add("ebbpool_objects", &[name, state], objects as f64);
        samples.add("ebbpool_bytes", &[name, state], bytes as f64);
    }
    let plain = [
        ("ebbpool_capacity_objects", stats.capacity_objects),
        ("ebbpool_capacity_bytes", stats.capacity_bytes),
        ("ebbpool_lease_suspects", suspects),
        ("ebbpool_leases_lost", lost),
        ("ebbpool_leases_missed_total", stats.leases_missed),
        ("ebbpool_leases_recorded", stats.leases_recorded),
    ];
    for (metric, value) in plain {
        samples.add(metric, &[name], value as f64);
    }
}

/// Samples by metric.
#[derive(Default)]
struct Samples(HashMap<&'static str, Vec<Metric>>);

impl Samples {
    /// Adds one sample; `labels` are the values of the metric's labels, in their order.
    fn add(&mut self, name: &'static str, labels: &[&str], value: f64) {
        let Some(info) = METRICS.iter().find(|info| info.name == name) else {
            debug_assert!(false, "{name} is not in the table");
            return;
        };
        debug_assert_eq!(info.labels.len(), labels.len(), "{name}");
        let pair = |(label, value): (&&str, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*label).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        let mut metric = Metric::default();
        metric.set_label(info.labels.iter().zip(labels).map(pair).collect());
        if info.is_counter {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.0.entry(info.name).or_default().push(metric);
    }

    fn into_families(mut self) -> Vec<MetricFamily> {
        let family = |info: &MetricInfo| {
            let mut family = MetricFamily::default();
            family.set_name(info.name.into());
            family.set_help(info.help.into());
            let kind = if info.is_counter { MetricType::COUNTER } else { MetricType::GAUGE };
            family.set_field_type(kind);
            family.set_metric(self.0.remove(info.name)?);
            Some(family)
        };
        METRICS.iter().filter_map(family).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePool;
    use crate::{Controller, LimitSource};

    fn handle(pools: &[&str]) -> Handle {
        let registry = pool_core::Registry::new();
        for name in pools {
            registry.register(FakePool::new(name)).expect("distinct names");
        }
        let builder = Controller::builder().registry(&registry).environment(None).mode(Mode::Enforce);
        builder
            .limit(LimitSource::Simulated(1 << 40))
            .build()
            .expect("a controller")
            .spawn()
            .expect("threads")
    }

    /// A pool with one knob that a person has set.
    fn overridden() -> Arc<FakePool> {
        let pool = FakePool::new("a");
        let change =
            pool_core::Change::person("by hand", std::time::Duration::from_secs(60)).expect("in range");
        pool.set_capacity(pool_core::Capacity::ZERO, change);
        pool
    }

    #[test]
    fn what_is_collected_is_what_the_table_says() {
        let handle = handle(&["a"]);
        let mut status = Status::clone(&handle.status());
        // What takes two seconds to be known.
        let pause = &mut status.memory.pause;
        pause.create_p99_ms = Some(0.5);
        (pause.lag_p99_ms, pause.psi_some_ratio, pause.major_faults_per_s) =
            (Some(8.0), Some(0.5), Some(3.0));
        let mut config = crate::config::ConfigStatus::default();
        let pool = "a".to_owned();
        config.staged.push(crate::config::StagedStatus { pool, side: "canary", percent: 5.0, generation: 3 });
        status.config = Some(Arc::new(config));
        status.canaries = vec![crate::canary::tests::a_status()];
        let mut samples = Samples::default();
        collect_controller(&mut samples, &handle, &status);
        let overrides = crate::overrides::of_pool("a", &overridden().knobs());
        collect_changes(&mut samples, &status, &overrides);
        collect_pool(&mut samples, FakePool::new("a").as_ref(), 0, 0);
        let families = samples.into_families();
        let value = |name: &str| {
            let family = families.iter().find(|family| family.name() == name);
            family.map(|family| family.get_metric()[0].get_gauge().get_value().to_string())
        };
        assert_eq!(value("ebbpool_process_lag_seconds").as_deref(), Some("0.008"));
        let collected: Vec<_> = families.iter().map(MetricFamily::name).collect();
        let table: Vec<_> = METRICS.iter().map(|info| info.name).collect();
        assert_eq!(collected, table, "sorted by name, and complete");
        for (family, info) in families.iter().zip(METRICS) {
            assert_eq!(family.help(), info.help);
            for metric in family.get_metric() {
                let labels: Vec<_> = metric.get_label().iter().map(LabelPair::name).collect();
                assert_eq!(labels, info.labels, "{}", info.name);
            }
            assert_eq!(info.is_counter, info.name.ends_with("_total"), "{}", info.name);
        }
    }

    #[test]
    fn a_pool_has_at_most_75_series() {
        let count = |pools: &[&str]| {
            let registry = Registry::new();
            let handle = handle(pools);
            handle.metrics(&registry).expect("fresh names");
            registry.gather().iter().map(|family| family.get_metric().len()).sum::<usize>()
        };
        let a_pool = count(&["a", "b"]) - count(&["a"]);
        assert!((1..=75).contains(&a_pool), "{a_pool} series");
    }

    #[test]
    fn figures_that_are_not_known_have_no_sample() {
        let registry = pool_core::Registry::new();
        let builder = Controller::builder().registry(&registry).environment(Some("off"));
        let handle = builder.build().expect("a controller").spawn().expect("no thread");
        let text = handle.metrics_text().expect("text");
        assert!(!text.contains("ebbpool_controller_budget_bytes"), "{text}");
        assert!(text.contains("ebbpool_controller_mode{mode=\"off\"} 1\n"), "{text}");
    }

    #[test]
    fn a_registry_does_not_keep_the_controller_alive() {
        let registry = Registry::new();
        handle(&["a"]).metrics(&registry).expect("fresh names");
        assert_eq!(registry.gather(), []);
    }

    #[test]
    fn the_services_registry_is_what_is_served() {
        let registry = Registry::new();
        registry
            .register(Box::new(prometheus::IntCounter::new("own_total", "Own.").expect("a name")))
            .expect("new");
        let handle = handle(&["a"]);
        handle.metrics(&registry).expect("fresh names");
        let text = handle.metrics_text().expect("text");
        assert!(
            text.contains("own_total 0") && text.contains("ebbpool_capacity_bytes{pool=\"a\"}"),
            "{text}"
        );
        assert!(handle.metrics(&registry).is_err(), "twice is an error");
    }
}

//! The configuration of a controller that runs: which one is in force, what is wrong with the latest, and what
//! follows from a change. A file with errors changes nothing.

use super::{Config, Here, StagedStatus, Watched};
use crate::act::Operator;
use crate::decide::{Decider, Inputs, Policy, policy_by_name};
use crate::mode::Mode;
use crate::sense::LimitSource;
use pool_core::Registry;
use serde::Serialize;
use std::io::{Write as _, stderr};
use std::sync::Arc;
use std::time::Duration;

/// What is said of a file with errors.
pub(crate) const NOT_ACCEPTED: &str = "the configuration is not accepted, the last good one stays";

/// A pool that a configuration names has so long to appear.
const UNUSED_AFTER: Duration = Duration::from_secs(60);

/// The configuration in force, and what is wrong with it or with a later one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ConfigStatus {
    /// The file; `null` if the program built the configuration.
    pub path: Option<String>,
    /// What tells this process from others of its service, for `staged`; empty if nobody has said and the host's name is
    /// not known.
    pub instance: String,
    /// When what is in force was read, milliseconds since the controller started.
    pub loaded_at_ms: u64,
    /// How many configurations have been in force.
    pub generation: u64,
    /// Why the file that is there now is not in force.
    pub error: Option<String>,
    /// Fields that have changed and count after a restart only.
    pub needs_restart: Vec<&'static str>,
    /// Pools that are staged, and on which side this process is.
    pub staged: Vec<StagedStatus>,
    /// Settings that do not fit the pool as it was built, and stages that cannot be followed here.
    pub misfits: Vec<String>,
    /// Pools that are named and were not there for a minute.
    pub unused_pools: Vec<String>,
    /// Times that a file was not accepted, or was gone.
    #[serde(skip)]
    pub errors_total: u64,
}

/// What the builder says, for what a configuration leaves out.
#[derive(Clone, Debug)]
pub(crate) struct Defaults {
    pub(crate) mode: Mode,
    pub(crate) limit: LimitSource,
    pub(crate) suspect_after: Duration,
    pub(crate) instance: String,
}

/// A configuration, followed.
pub(crate) struct Live {
    config: Config,
    watched: Option<Watched>,
    defaults: Defaults,
    limit_at_start: LimitSource,
    /// The builder's policy, while the configuration names another.
    spare_policy: Option<Box<dyn Policy>>,
    operator: Operator,
    /// Knobs have still to follow the configuration.
    is_new: bool,
    status: ConfigStatus,
    published: Option<Arc<ConfigStatus>>,
    loaded_at: Duration,
}

/// What tells this process from others.
fn instance(config: &Config, defaults: &Defaults) -> String {
    config.instance().map_or_else(|| defaults.instance.clone(), |instance| instance.to_string())
}

/// The fields that are no more what the controller was started with, and count after a restart only.
fn needs_restart(started_with: LimitSource, now: LimitSource) -> Vec<&'static str> {
    if started_with == now { Vec::new() } else { vec!["controller.limit"] }
}

impl Live {
    /// `None`: there is no configuration, and there will be none.
    pub(crate) fn new(config: Option<Config>, watched: Option<Watched>, defaults: Defaults) -> Self {
        let path = watched.as_ref().map(Watched::path);
        let is_new = config.is_some();
        let config = config.unwrap_or_default();
        let path = path.or_else(|| config.file().map(str::to_owned));
        let (generation, instance) = (u64::from(is_new), instance(&config, &defaults));
        let status = ConfigStatus { path, instance, generation, ..ConfigStatus::default() };
        let published = is_new.then(|| Arc::new(status.clone()));
        let limit_at_start = config.limit().unwrap_or(defaults.limit);
        Self {
            config,
            watched,
            defaults,
            limit_at_start,
            spare_policy: None,
            operator: Operator::default(),
            is_new,
            status,
            published,
            loaded_at: Duration::ZERO,
        }
    }

    /// The mode that is asked for; the environment and people may say otherwise.
    pub(crate) fn mode(&self) -> Mode {
        self.config.mode().unwrap_or(self.defaults.mode)
    }

    pub(crate) fn limit_at_start(&self) -> LimitSource {
        self.limit_at_start
    }

    pub(crate) fn suspect_after(&self) -> Duration {
        self.config.suspect_after().unwrap_or(self.defaults.suspect_after)
    }

    /// Lets the policy that the configuration names decide, or else the builder's. One that decides already keeps
    /// what it has learnt.
    pub(crate) fn choose_policy(&mut self, decider: &mut Decider) {
        let is_builders = self.spare_policy.is_none();
        match self.config.policy() {
            Some(name) if is_builders || decider.policy_name() != name => {
                if let Some(policy) = policy_by_name(name) {
                    let before = decider.set_policy(policy);
                    self.spare_policy.get_or_insert(before);
                }
            }
            Some(_) => {}
            None => {
                if let Some(policy) = self.spare_policy.take() {
                    decider.resume_policy(policy);
                }
            }
        }
    }

    /// Looks for a change of the file. Whether another configuration is in force now.
    pub(crate) fn look(&mut self, at: Duration) -> bool {
        let has_changed = self.watched.as_mut().is_some_and(|watched| watched.look(at)) && self.reload(at);
        self.is_new |= has_changed;
        has_changed
    }

    /// Has the pools follow, unless knobs must stay as they are now.
    pub(crate) fn follow(&mut self, at: Duration, registry: &Registry, may_write: bool) {
        if self.published.is_none() {
            return;
        }
        let here = Here { instance: &self.status.instance, splits: &registry.splits() };
        if may_write && self.operator.follow(&registry.list(), &self.config, here, self.is_new) {
            self.is_new = false;
            self.status.staged = self.operator.staged().to_vec();
            self.status.misfits = self.operator.misfits().to_vec();
        }
        let is_over = at >= self.loaded_at + UNUSED_AFTER;
        self.status.unused_pools = if is_over { self.operator.unused().to_vec() } else { Vec::new() };
        if self.published.as_deref() != Some(&self.status) {
            self.published = Some(Arc::new(self.status.clone()));
        }
    }

    /// Takes what is in the file now, if it is good. Whether that is another configuration than before.
    fn reload(&mut self, at: Duration) -> bool {
        let Some(watched) = &self.watched else { return false };
        let read = watched.text().map_err(ToString::to_string);
        let read = read.and_then(|text| Config::from_text(&watched.path(), text).map_err(|e| e.to_string()));
        match read {
            Ok(config) => {
                self.status.error = None;
                if config == self.config {
                    return false;
                }
                self.config = config;
                self.status.instance = instance(&self.config, &self.defaults);
                let limit = self.config.limit().unwrap_or(self.defaults.limit);
                self.loaded_at = at;
                self.status.needs_restart = needs_restart(self.limit_at_start, limit);
                self.status.loaded_at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
                self.status.generation += 1;
                true
            }
            Err(error) => {
                self.status.errors_total += 1;
                if self.status.error.as_ref() != Some(&error) {
                    // Where there is no stderr, status and metrics still tell.
                    let _ = writeln!(stderr(), "ebbpool: {NOT_ACCEPTED}: {error}");
                }
                self.status.error = Some(error);
                false
            }
        }
    }

    /// Adds what the configuration leaves to pools before others get any.
    pub(crate) fn add_floors(&self, inputs: &mut Inputs) {
        for pool in inputs.pools.iter_mut().filter(|_| self.operator.has_floors()) {
            let floor = self.operator.floor_bytes(&pool.name);
            pool.floor_bytes = pool.floor_bytes.max(floor);
        }
    }

    /// What is in force and what is wrong; `None` without a configuration.
    pub(crate) fn status(&self) -> Option<Arc<ConfigStatus>> {
        self.published.clone()
    }

    /// Leaves the poll alone.
    #[cfg(test)]
    pub(crate) fn stop_notifying(&mut self) {
        self.watched.as_mut().expect("a file").stop_notifying();
    }
}

#[cfg(all(test, unix))]
#[path = "live_tests.rs"]
mod tests;

//! Builds a controller: settings that stay for its life.

use crate::act::watchdog::LEASE;
use crate::allocator::{self, Allocator};
use crate::config::live::{Defaults, Live};
use crate::config::{Config, ConfigError, Refused, Watched, read_instance};
use crate::control_loop::{Controller, Notes};
use crate::decide::{Decider, Policy, Tide};
use crate::mode::{Mode, UnknownMode};
use crate::postmortem::Ring;
use crate::seen::Senses;
use crate::sense::LimitSource;
use crate::sense::host::host_name;
use crate::shared::Shared;
use crate::steering::Steering;
use pool_core::Registry;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Builds a [`Controller`].
pub struct Builder {
    registry: Option<Registry>,
    mode: Mode,
    policy: Box<dyn Policy>,
    limit: LimitSource,
    allocator: Option<Arc<dyn Allocator>>,
    lease_suspect_after: Duration,
    config: Option<Result<Config, ConfigError>>,
    watched: Option<Watched>,
    environment: Option<OsString>,
    lease: Duration,
    runtime: Option<tokio::runtime::Handle>,
    postmortem: Option<PathBuf>,
    journal: Option<JournalSink>,
    instance: Option<String>,
}

/// What tells this process from others, as long as no file says otherwise: the program's word, the environment's, or the
/// host's name. Empty where that is not known.
fn instance(by_program: Option<String>, by_environment: Option<OsString>) -> Result<String, Refused> {
    if let Some(name) = by_program {
        return read_instance("instance", name.into());
    }
    match by_environment.filter(|name| !name.is_empty()) {
        Some(name) => read_instance(Builder::INSTANCE_VARIABLE, name),
        None => Ok(host_name().unwrap_or_default()),
    }
}

/// Takes lines.
pub(crate) type JournalSink = Box<dyn FnMut(&str) + Send>;

impl Default for Builder {
    fn default() -> Self {
        Self {
            registry: None,
            mode: Mode::default(),
            policy: Box::<Tide>::default(),
            limit: LimitSource::Auto,
            allocator: None,
            lease_suspect_after: Self::LEASE_SUSPECT_AFTER_DEFAULT,
            config: None,
            watched: None,
            environment: std::env::var_os(Mode::VARIABLE),
            lease: LEASE,
            runtime: None,
            postmortem: None,
            journal: None,
            instance: None,
        }
    }
}

impl Builder {
    /// 30 s: longer than a request should take.
    pub const LEASE_SUSPECT_AFTER_DEFAULT: Duration = Duration::from_secs(30);

    /// The environment variable for [`instance`](Self::instance).
    pub const INSTANCE_VARIABLE: &'static str = "EBBPOOL_INSTANCE";

    /// The registry whose pools are steered. Required.
    #[must_use]
    pub fn registry(mut self, registry: &Registry) -> Self {
        self.registry = Some(registry.clone());
        self
    }

    /// What the controller may do: [`Mode::Observe`] unless said otherwise here. The environment variable
    /// `EBBPOOL_CONTROLLER` (`off`, `observe`, `enforce`) has the last word.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Who decides: [`Tide`] unless said otherwise here.
    #[must_use]
    pub fn policy(mut self, policy: Box<dyn Policy>) -> Self {
        self.policy = policy;
        self
    }

    /// Where the limit comes from: the tightest cgroup unless said otherwise here.
    #[must_use]
    pub fn limit(mut self, limit: LimitSource) -> Self {
        self.limit = limit;
        self
    }

    /// The allocator that serves this program's allocations: the program's `#[global_allocator]`, where it has one. Its
    /// free memory is counted and it is asked to give that back. Unless said otherwise here, glibc if a trial shows that
    /// it is glibc, else none is known ([`allocator::detect`](crate::allocator::detect)).
    ///
    /// ```
    /// use pool_controller::Controller;
    /// use pool_controller::allocator::Glibc;
    /// use std::sync::Arc;
    ///
    /// let registry = pool_core::Registry::new();
    /// let mut controller = Controller::builder().registry(&registry).allocator(Arc::new(Glibc)).build()?;
    /// assert_eq!(controller.tick(std::time::Instant::now()).memory.allocator, "glibc");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn allocator(mut self, allocator: Arc<dyn Allocator>) -> Self {
        self.allocator = Some(allocator);
        self
    }

    /// The age from which on a lease on record is a suspect: 30 s unless said otherwise here.
    #[must_use]
    pub fn lease_suspect_after(mut self, age: Duration) -> Self {
        self.lease_suspect_after = age;
        self
    }

    /// The service's runtime: how late its timers are counts as a pause, beside those of a thread. It must have been
    /// built with its time driver (`enable_time` or `enable_all`). A task of 40 short turns a second.
    #[must_use]
    pub fn runtime(mut self, runtime: &tokio::runtime::Handle) -> Self {
        self.runtime = Some(runtime.clone());
        self
    }

    /// Writes the last five minutes of signals, decisions and pools to `file` (1.2 MB), a record a tick, so that they can be
    /// read when the process has been killed: see [`postmortem`](crate::postmortem). What an earlier process left there
    /// is kept as `FILE.old`. A directory in memory, such as `/dev/shm`, or one that outlives the container, suits best.
    #[must_use]
    pub fn postmortem(mut self, file: impl Into<PathBuf>) -> Self {
        self.postmortem = Some(file.into());
        self
    }

    /// Gets a line for each decision, with everything that it was made from: see
    /// [`Replay`](crate::decide::Replay), which decides it again. `sink` runs on the control thread and must not wait.
    #[must_use]
    pub fn journal(mut self, sink: impl FnMut(&str) + Send + 'static) -> Self {
        self.journal = Some(Box::new(sink));
        self
    }

    /// A configuration: what it says counts before what is said here, and it sets knobs of pools. It stays as it is.
    /// A second one, or a file, takes its place.
    ///
    /// ```
    /// use pool_controller::Controller;
    /// use pool_controller::config::Config;
    ///
    /// let registry = pool_core::Registry::new();
    /// let config = Config::default().controller("mode", "enforce")?.pool("http.body", "weight", "200")?;
    /// let controller = Controller::builder().registry(&registry).config(config).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        (self.config, self.watched) = (Some(Ok(config)), None);
        self
    }

    /// A file of configuration, which is read now; if it has errors, [`build`](Self::build) says which. What it says
    /// counts before what is said here, and `EBBPOOL_CONTROLLER` before both. While the controller runs, the file is
    /// read again whenever it changes; one with errors, or that is gone, changes nothing.
    ///
    /// ```
    /// use pool_controller::{BuildError, Controller};
    ///
    /// let registry = pool_core::Registry::new();
    /// let built = Controller::builder().registry(&registry).config_file("no/such.yaml").build();
    /// assert!(matches!(built, Err(BuildError::Config(_))));
    /// ```
    #[must_use]
    pub fn config_file(mut self, path: impl AsRef<Path>) -> Self {
        let watched = Watched::open(path.as_ref());
        let text = watched.text().map_err(|error| ConfigError(vec![error.clone()]));
        self.config = Some(text.and_then(|text| Config::from_text(&watched.path(), text)));
        self.watched = Some(watched);
        self
    }

    /// What tells this process from others of its service, for settings that are staged across processes: the variable
    /// `EBBPOOL_INSTANCE` unless said otherwise here, or else, on Linux, the host's name, which is the pod's in Kubernetes.
    /// 1 to 253 bytes; an empty variable says nothing. A file of configuration may say another.
    ///
    /// ```
    /// use pool_controller::config::Config;
    /// use pool_controller::{BuildError, Controller};
    ///
    /// let registry = pool_core::Registry::new();
    /// let config = Config::default().pool("http.body", "staged.percent", "10")?;
    /// let builder = || Controller::builder().registry(&registry).config(config.clone());
    /// let mut controller = builder().instance("pod-7").build()?;
    /// let status = controller.tick(std::time::Instant::now());
    /// assert_eq!(status.config.as_ref().map(|config| config.instance.as_str()), Some("pod-7"));
    /// assert!(matches!(builder().instance("").build(), Err(BuildError::Instance(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn instance(mut self, name: impl Into<String>) -> Self {
        self.instance = Some(name.into());
        self
    }

    #[cfg(test)]
    pub(crate) fn environment(mut self, value: Option<&str>) -> Self {
        self.environment = value.map(OsString::from);
        self
    }

    #[cfg(test)]
    pub(crate) fn lease(mut self, length: Duration) -> Self {
        self.lease = length;
        self
    }

    /// Builds the controller. Nothing runs yet, and no pool is looked at. Where the limit is to be read is found out, and
    /// whether the allocator is glibc, unless one was named; the file of [`postmortem`](Self::postmortem) is made unless the
    /// mode is off; and with a configuration the name of this [`instance`](Self::instance) is read.
    ///
    /// # Errors
    /// [`BuildError`] without a registry, if `EBBPOOL_CONTROLLER` holds something else than a mode, if the file of
    /// configuration has errors, if the name of this instance with a configuration is not one, or if the file of the last
    /// five minutes cannot be made.
    pub fn build(self) -> Result<Controller, BuildError> {
        let registry = self.registry.ok_or(BuildError::NoRegistry)?;
        let config = self.config.transpose().map_err(BuildError::Config)?;
        let (limit, suspect_after) = (self.limit, self.lease_suspect_after);
        let instance = match &config {
            Some(_) => instance(self.instance, std::env::var_os(Self::INSTANCE_VARIABLE)),
            None => Ok(String::new()),
        };
        let instance = instance.map_err(BuildError::Instance)?;
        let defaults = Defaults { mode: self.mode, limit, suspect_after, instance };
        let live = Live::new(config, self.watched, defaults);
        let mode = live.mode().overridden_by(self.environment.as_deref()).map_err(BuildError::UnknownMode)?;
        let ring = self.postmortem.as_deref().filter(|_| mode != Mode::Off).map(Ring::create).transpose();
        let ring = ring.map_err(|error| BuildError::PostMortem {
            file: self.postmortem.unwrap_or_default(),
            error: error.to_string(),
        })?;
        let steering = Steering::new(mode, self.environment.is_some());
        let shared = Shared::new(registry, steering, live.suspect_after(), self.lease);
        let allocator = self.allocator.unwrap_or_else(allocator::detect);
        let senses = Senses::open(live.limit_at_start(), live.suspect_after(), allocator);
        let notes = Notes { ring, journal: self.journal };
        Ok(Controller::new(senses, Decider::new(self.policy), shared, live, self.runtime, notes))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("mode", &self.mode)
            .field("policy", &self.policy.name())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// Why a controller was not built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// No registry was given.
    NoRegistry,
    /// The environment asks for a mode that does not exist.
    UnknownMode(UnknownMode),
    /// The file for the last five minutes cannot be made.
    PostMortem {
        /// Which.
        file: PathBuf,
        /// What the operating system said.
        error: String,
    },
    /// The file of configuration has errors.
    Config(ConfigError),
    /// What is to tell this process from others is no name: [`Builder::instance`], or the variable.
    Instance(Refused),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRegistry => {
                f.write_str("a controller needs a registry: Controller::builder().registry(…)")
            }
            Self::UnknownMode(error) => error.fmt(f),
            Self::PostMortem { file, error } => write!(f, "postmortem {}: {error}", file.display()),
            Self::Config(error) => error.fmt(f),
            Self::Instance(refused) => refused.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;

//! The configuration of a controller: from a file that is read strictly and again whenever it changes, or built by
//! the program. The only part of this crate that knows YAML.
//!
//! ```yaml
//! version: 1
//! controller: {mode: enforce, policy: tide}
//! pools:
//!   http.body: {capacity: {bytes: 64MiB}, sampling: {leases: 1/32}}
//!   "*": {eviction: {idle_ttl: 10m}}
//! ```
//!
//! - [`Config`] is what a file says, and [`ConfigError`] is everything that is wrong with it.
//! - [`schema`] and [`reference()`] describe the format; they, the parser and its errors come from one table.
//! - [`Document`], [`At`], [`Fields`] are the reader, for strict files of other crates too.
//! - [`units`], [`suggest`], [`Refused`]: durations and sizes as people write them, and what is said of a value that
//!   is not accepted.
//!
//! Which knobs a pool then gets is written by `act`; what changes while the controller runs is in `live`.

pub(crate) mod by_hand;
mod cursor;
mod document;
mod fields;
pub(crate) mod live;
mod node;
mod notify;
mod read;
mod refused;
mod schema;
mod settings;
mod staged;
pub mod suggest;
#[cfg(test)]
mod tests;
pub mod units;
mod value;
mod values;
mod watch;

pub use cursor::{At, Fields, Problem};
pub use document::{Document, FileError};
pub use live::ConfigStatus;
pub use refused::{Refused, RefusedKind};
pub use schema::{reference, schema};
pub(crate) use settings::Wish;
pub(crate) use staged::Here;
pub use staged::StagedStatus;
pub(crate) use values::read_instance;
pub(crate) use watch::Watched;

use crate::mode::Mode;
use crate::sense::LimitSource;
use fields::{CONTROLLER, POOL};
use pool_core::{Knobs, Side};
use staged::Says;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use value::Value;
use values::{Set, Values};

/// The name that stands for all pools that are not named.
const OTHERS: &str = "*";

/// What a controller and its pools are told. What it leaves out stays as the builder, or who built the pool, said.
///
/// ```
/// use pool_controller::Mode;
/// use pool_controller::config::Config;
///
/// let config = Config::from_text("ebbpool.yaml", "version: 1\ncontroller: {mode: enforce}\n")?;
/// assert_eq!(config.mode(), Some(Mode::Enforce));
///
/// let text = "version: 1\npools: {http.body: {capacty: {bytes: 64MiB}}}\n";
/// let error = Config::from_text("ebbpool.yaml", text).unwrap_err().to_string();
/// assert!(error.starts_with("ebbpool.yaml:2:21: pools.http.body.capacty: unknown key, did you mean \"capacity\"?"));
/// # Ok::<(), pool_controller::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    file: Option<String>,
    controller: Values,
    pools: BTreeMap<String, Says>,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`]: it cannot be read, or something in it is not allowed.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = read::text_of(path).map_err(|error| ConfigError(vec![error]))?;
        Self::from_text(&path.display().to_string(), &text)
    }

    /// Reads a text; `file` is for errors and for the reasons of knobs.
    ///
    /// # Errors
    /// [`ConfigError`]: something in it is not allowed.
    pub fn from_text(file: &str, text: &str) -> Result<Self, ConfigError> {
        read::config(file, text)
    }

    /// The same with a field of the controller, told as in a file.
    ///
    /// ```
    /// use pool_controller::config::Config;
    /// let config = Config::default().controller("suspect_after", "45s")?;
    /// assert_eq!(config.suspect_after().map(|age| age.as_secs()), Some(45));
    /// assert!(config.controller("suspect_after", "45").is_err());
    /// # Ok::<(), pool_controller::config::Refused>(())
    /// ```
    ///
    /// # Errors
    /// [`Refused`]: there is no such field, or it may not have this value.
    pub fn controller(mut self, field: &str, value: &str) -> Result<Self, Refused> {
        let shown = format!("{CONTROLLER}{field}");
        let (path, value) = values::read_field(CONTROLLER, field, &shown, value)?;
        self.controller.put(path, Set { value, line: None });
        Ok(self)
    }

    /// The same with a field of a pool, told as in a file; the pool `*` stands for all that are not named.
    ///
    /// ```
    /// use pool_controller::config::Config;
    /// let config = Config::default().pool("http.body", "capacity.bytes", "64MiB")?;
    /// let refused = config.pool("http.body", "weight", "0").unwrap_err();
    /// assert!(refused.to_string().ends_with("allowed: a whole number from 1 to 10000"));
    /// # Ok::<(), pool_controller::config::Refused>(())
    /// ```
    ///
    /// # Errors
    /// [`Refused`]: there is no such field, or it may not have this value.
    pub fn pool(mut self, name: &str, field: &str, value: &str) -> Result<Self, Refused> {
        let says = self.pools.entry(name.to_owned()).or_default();
        says.tell(field, &format!("pools.{name}.{field}"), value)?;
        Ok(self)
    }

    /// The mode that it asks for.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        match self.controller.get("controller.mode")? {
            Value::Word("enforce") => Some(Mode::Enforce),
            Value::Word("observe") => Some(Mode::Observe),
            _ => None,
        }
    }

    /// The name of the policy that it asks for.
    #[must_use]
    pub fn policy(&self) -> Option<&'static str> {
        match self.controller.get("controller.policy")? {
            Value::Word(name) => Some(name),
            _ => None,
        }
    }

    /// Where it wants the limit from.
    #[must_use]
    pub fn limit(&self) -> Option<LimitSource> {
        match self.controller.get("controller.limit")? {
            Value::Auto => Some(LimitSource::Auto),
            Value::Size(bytes) => Some(LimitSource::Simulated(bytes)),
            _ => None,
        }
    }

    /// The age from which on it takes a lease for a suspect.
    #[must_use]
    pub fn suspect_after(&self) -> Option<Duration> {
        match self.controller.get("controller.suspect_after")? {
            Value::Time(age) => Some(age),
            _ => None,
        }
    }

    /// The file that it was read from.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The names of the pools that it has something to say of, [`*`](Self::pool) among them.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        self.pools.keys().map(String::as_str)
    }

    /// What it says, a line for the controller and one a pool.
    ///
    /// ```
    /// use pool_controller::config::Config;
    /// let config = Config::default().pool("http.body", "weight", "200")?;
    /// assert_eq!(config.summary(), ["controller: as built", "http.body: weight 200"]);
    /// # Ok::<(), pool_controller::config::Refused>(())
    /// ```
    #[must_use]
    pub fn summary(&self) -> Vec<String> {
        let controller = format!("controller: {}", self.controller.summary(CONTROLLER));
        let pool = |(name, says): (&String, &Says)| {
            let name = if name == OTHERS { "all other pools" } else { name };
            let mut line = format!("{name}: {}", says.own.summary(POOL));
            for side in [Side::Stable, Side::Canary] {
                let values = says.side(side);
                if *values != Values::default() {
                    line = format!("{line}; {}: {}", side.as_str(), values.summary(POOL));
                }
            }
            line
        };
        [controller].into_iter().chain(self.pools.iter().map(pool)).collect()
    }

    /// What it says tells this process from others.
    pub(crate) fn instance(&self) -> Option<Arc<str>> {
        match self.controller.get("controller.instance")? {
            Value::Text(instance) => Some(instance),
            _ => None,
        }
    }

    /// The knobs that it sets on a pool.
    pub(crate) fn wishes(&self, pool: &str, knobs: &Knobs, here: Here<'_>) -> Vec<Wish> {
        let Some(in_effect) = self.in_effect(pool, here) else { return Vec::new() };
        settings::wishes(&in_effect.values, knobs, |line| format!("{}{}", self.place(line), in_effect.note))
    }

    /// Bytes that policies leave to a pool.
    pub(crate) fn floor_bytes(&self, pool: &str, here: Here<'_>) -> Option<u64> {
        self.in_effect(pool, here)?.values.size("pools.*.floor")
    }

    /// Where a value is told.
    fn place(&self, line: Option<usize>) -> String {
        match (&self.file, line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            _ => "set by the program".to_owned(),
        }
    }
}

/// Everything that is wrong with a file: a line each, at most twenty.
///
/// See the example of [`Config`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub(crate) Vec<FileError>);

impl ConfigError {
    /// What is wrong, in the order of the file.
    #[must_use]
    pub fn errors(&self) -> &[FileError] {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let line = if at == 0 { "" } else { "\n" };
            write!(f, "{line}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

//! An input that was not accepted: which one, what it was, what is wrong with it, and what is allowed.

use serde::Serialize;
use std::fmt;

/// Why an input was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedKind {
    /// It names something that does not exist.
    Unknown,
    /// Its value is not allowed.
    Invalid,
    /// It is fine, but the process is in no state to do it.
    Unable,
}

/// An input that was refused. Its `Display` is one line for people; serialised it is the body of an HTTP error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// What sort of refusal it is.
    pub kind: RefusedKind,
    /// Which input: a field, a flag, a variable.
    pub path: String,
    /// The value as it was given; empty if it was missing.
    pub value: String,
    /// What is wrong with it, with a suggestion if there is one.
    pub problem: String,
    /// What would have been accepted.
    pub allowed: String,
}

impl Refused {
    /// A value that is not allowed.
    ///
    /// ```
    /// use pool_controller::config::Refused;
    /// let refused = Refused::invalid("ttl", "90", "not a duration", "a number with a unit");
    /// assert_eq!(refused.to_string(), "ttl: \"90\": not a duration; allowed: a number with a unit");
    /// ```
    pub fn invalid(
        path: impl Into<String>,
        value: impl Into<String>,
        problem: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            kind: RefusedKind::Invalid,
            path: path.into(),
            value: value.into(),
            problem: problem.into(),
            allowed: allowed.into(),
        }
    }

    /// The same, of another sort.
    #[must_use]
    pub fn of_kind(self, kind: RefusedKind) -> Self {
        Self { kind, ..self }
    }

    /// The same refusal of an input inside `parent`.
    #[must_use]
    pub fn inside(self, parent: &str) -> Self {
        let path = if self.path.is_empty() { parent.to_owned() } else { format!("{parent}.{}", self.path) };
        Self { path, ..self }
    }

    /// What stands behind the path: for errors that show the path in a place of their own.
    #[must_use]
    pub fn what(&self) -> String {
        let Self { value, problem, allowed, .. } = self;
        let value = if value.is_empty() { String::new() } else { format!("{value:?}: ") };
        format!("{value}{problem}; allowed: {allowed}")
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what())
    }
}

impl std::error::Error for Refused {}

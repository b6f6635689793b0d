//! An HTTP request to the target's admin routes.

use crate::faults::FaultName;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// A request, relative to the admin address.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCall {
    /// How.
    pub method: Method,
    /// Path and query: what follows `${admin}`.
    pub path: String,
    /// Besides those that HTTP needs.
    pub headers: Vec<(String, String)>,
    /// Sent as JSON.
    pub arguments: Option<Value>,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// The methods that a scenario may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Asks.
    Get,
    /// Replaces.
    Put,
    /// Does.
    Post,
    /// Removes.
    Delete,
}

impl Method {
    pub(super) const ALL: [Self; 4] = [Self::Get, Self::Put, Self::Post, Self::Delete];

    /// As HTTP spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The route under which faults are armed.
pub(super) const FAULTS: &str = "/v1/faults";

impl HttpCall {
    /// The fault that this call arms.
    #[must_use]
    pub fn arms(&self) -> Option<FaultName> {
        if self.method != Method::Put {
            return None;
        }
        let name = self.path.strip_prefix(FAULTS)?.strip_prefix('/')?;
        FaultName::parse("", name).ok()
    }

    /// The same call with a seed in its arguments, if it arms a fault that takes one and names none.
    #[must_use]
    pub fn seeded(&self, seed: u64) -> Self {
        let mut call = self.clone();
        if self.arms() == Some(FaultName::MissingPut)
            && let Some(Value::Object(arguments)) = &mut call.arguments
        {
            arguments.entry("seed").or_insert_with(|| seed.into());
        }
        call
    }
}

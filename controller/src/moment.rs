//! One tick with everything that its decision is made of: what the stream of inputs carries and recorders write down.

use crate::decide::Inputs;
use crate::status::Status;
use serde::{Deserialize, Serialize};

/// One tick and its inputs. The data of an event of `GET /v1/inputs`.
///
/// ```
/// use pool_controller::Moment;
/// let moment: Moment = serde_json::from_str(r#"{"at_ms": 250, "tick": 2, "inputs": {"limit_bytes": 9}}"#)?;
/// assert_eq!((moment.at_ms, moment.inputs.limit_bytes), (250, Some(9)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Moment {
    /// Milliseconds since the controller started.
    pub at_ms: u64,
    /// Ticks so far.
    pub tick: u64,
    /// The mode in force.
    pub mode: String,
    /// The policy's name.
    pub policy: String,
    /// Where limit and usage are read, as in `GET /v1/memory`.
    pub source: String,
    /// `real`, `simulated` or `none`, as in `GET /v1/memory`.
    pub limit_kind: String,
    /// What the decision of this tick was made of.
    pub inputs: Inputs,
}

/// The JSON of a [`Moment`], without copying what it is made of. `None` if the status has no inputs.
pub(crate) fn moment_json(status: &Status) -> Option<String> {
    #[derive(Serialize)]
    struct Borrowed<'a> {
        at_ms: u64,
        tick: u64,
        mode: &'a str,
        policy: &'a str,
        source: &'a str,
        limit_kind: &'a str,
        inputs: &'a Inputs,
    }
    let memory = &status.memory;
    let moment = Borrowed {
        at_ms: memory.at_ms,
        tick: memory.tick,
        mode: memory.mode,
        policy: memory.policy,
        source: memory.source,
        limit_kind: memory.limit_kind,
        inputs: status.inputs.as_ref()?,
    };
    // Plain figures and strings always serialise.
    serde_json::to_string(&moment).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Controller, LimitSource};
    use std::time::Instant;

    #[test]
    fn what_is_sent_reads_back() {
        let registry = pool_core::Registry::new();
        registry.register(crate::fake::FakePool::new("a")).expect("a new name");
        let builder = Controller::builder().registry(&registry).limit(LimitSource::Simulated(1 << 40));
        let status = builder.environment(None).build().expect("a controller").tick(Instant::now());
        let moment: Moment = serde_json::from_str(&moment_json(&status).expect("inputs")).expect("a moment");
        assert_eq!(Some(&moment.inputs), status.inputs.as_ref());
        assert_eq!(
            (moment.tick, moment.mode.as_str(), moment.limit_kind.as_str()),
            (1, "observe", "simulated")
        );
        assert_eq!(moment.inputs.pools[0].name, "a");
    }
}

//! Looks at both processes at the same time and keeps what they said.

use super::http;
use super::sample::{MemoryReading, PoolsReading, Recording, Sample, Trace};
use super::target::Target;
use std::time::{Duration, Instant};

/// A process that has not answered for so long counts as dead.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// One of the two processes, and since when it has been silent.
pub(super) struct Watched {
    pub(super) target: Box<dyn Target>,
    answered_at: Duration,
}

impl Watched {
    pub(super) fn new(target: Box<dyn Target>) -> Self {
        Self { target, answered_at: Duration::ZERO }
    }
}

/// One look at each; takes as long as the slower one, and `timeout` at most.
pub(super) async fn look(
    start: Instant,
    timeout: Duration,
    subject: &mut Watched,
    control: Option<&mut Watched>,
    recording: &mut Recording,
) {
    let at = start.elapsed();
    match (control, &mut recording.control) {
        (Some(control), Some(trace)) => {
            tokio::join!(one(at, timeout, subject, &mut recording.subject), one(at, timeout, control, trace));
        }
        _ => one(at, timeout, subject, &mut recording.subject).await,
    }
}

async fn one(at: Duration, timeout: Duration, watched: &mut Watched, trace: &mut Trace) {
    let admin = watched.target.admin();
    let (memory, pools, faults) = tokio::join!(
        http::get::<MemoryReading>(admin, "/v1/memory", timeout),
        http::get::<PoolsReading>(admin, "/v1/pools?snapshot=stopped", timeout),
        http::get(admin, "/v1/faults", timeout),
    );
    if trace.death.is_none() {
        // An exit status says more than a refused connection, so it is asked first.
        let death = watched.target.death().or_else(|| match &memory {
            Err(problem) if at.saturating_sub(watched.answered_at) > SILENCE_MAX => {
                Some(format!("it has not answered for {SILENCE_MAX:?}: {problem}"))
            }
            _ => None,
        });
        trace.death = death.map(|how| (at, how));
    }
    if memory.is_ok() {
        watched.answered_at = at;
    }
    trace.samples.push(Sample {
        at,
        memory: memory.ok(),
        pools: pools.ok().filter(|read| read.consistent).map(|read| read.pools),
        faults: faults.ok(),
        load: watched.target.load(),
    });
}

//! What the runner needs of a process under test: its admin address, its load, whether it lives.

use crate::broken::Broken;
use std::collections::BTreeMap;
use std::pin::Pin;

/// Which of the two processes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that gets the fault.
    Subject,
    /// The one that does not, with the same seed, at the same time. It is never a broken build.
    Control,
}

impl Role {
    /// For people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Control => "control",
        }
    }
}

/// What to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetSpec {
    /// Which of the two.
    pub role: Role,
    /// The seed of its load.
    pub seed: u64,
    /// Offered requests a second.
    pub rps: u32,
    /// Its memory limit, bytes.
    pub limit_bytes: u64,
    /// Its defect, if it is to have one.
    pub broken: Option<Broken>,
}

/// Starts processes under test.
pub trait Launcher {
    /// Starts one and waits until it serves and its load runs.
    ///
    /// # Errors
    /// Why it could not be started, for people.
    fn launch(&mut self, spec: &TargetSpec) -> impl Future<Output = Result<Box<dyn Target>, String>>;
}

/// A process under test, and the load that is on it. Dropping it leaves neither behind.
pub trait Target: Send {
    /// The address of its admin routes: `http://127.0.0.1:9901`.
    fn admin(&self) -> &str;

    /// Its limit as it describes it: `192 MiB (real)`.
    fn limit_label(&self) -> String;

    /// The newest figures of the load; `None` if nobody measures it.
    fn load(&self) -> Option<LoadReading>;

    /// Why it is dead, if it is. Cheap: called several times a second.
    fn death(&mut self) -> Option<String>;

    /// Processes of it that the kernel has killed for memory; `None` if only the process itself could tell.
    fn oom_kills(&self) -> Option<u64> {
        None
    }

    /// Ends it in good order.
    fn end(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// What became of the requests so far. Everything is cumulative.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReading {
    /// Requests whose time had come.
    pub offered: u64,
    /// Answered in full.
    pub completed: u64,
    /// Refused under pressure.
    pub shed: u64,
    /// Failed.
    pub errors: u64,
    /// Not answered in time.
    pub timeouts: u64,
    /// Latencies of the completed requests: how many took so many microseconds (upper end of a bucket).
    pub delays_us: BTreeMap<u64, u64>,
}

/// A target that runs already: somebody else started it, drives it and will end it.
#[derive(Clone, Debug)]
pub struct LiveTarget(String);

impl LiveTarget {
    /// The target behind an admin address.
    #[must_use]
    pub fn new(admin: &str) -> Self {
        Self(admin.trim_end_matches('/').to_owned())
    }
}

impl Target for LiveTarget {
    fn admin(&self) -> &str {
        &self.0
    }
    fn limit_label(&self) -> String {
        "its own".to_owned()
    }
    fn load(&self) -> Option<LoadReading> {
        None
    }
    fn death(&mut self) -> Option<String> {
        None
    }
    fn end(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async {})
    }
}

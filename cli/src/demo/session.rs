//! One run: limit, child and load together, and their end in the right order on every path.

use super::child::{Child, Fall};
use super::load::data::Data;
use super::load::generator::Load;
use super::load::ledger::Ledger;
use super::load::plan::{Plan, Shape};
use super::process::ServiceOptions;
use super::service::PoolsMode;
use super::watching::{Seen, Watching, look};
use super::workload::SATURATING_CLIENTS;
use crate::failure::Failure;
use crate::limit::{self, Launcher, LimitError};
use crate::service::Client;
use pool_chaos::broken::Broken;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What a run is made of.
#[derive(Clone, Debug)]
pub(crate) struct SessionOptions {
    /// How the service gets its objects.
    pub(crate) pools: PoolsMode,
    /// What fixed pools hold, per cent of what an operator gives them.
    pub(crate) fixed_percent: u32,
    /// Whether the service's allocator stays as it comes.
    pub(crate) allocator_defaults: bool,
    /// The service's memory limit.
    pub(crate) limit: Limit,
    /// Where the admin routes listen.
    pub(crate) admin: SocketAddr,
    /// Requests per second, 1 or more.
    pub(crate) rps: u32,
    /// The seed of the load.
    pub(crate) seed: u64,
    /// Whether faults can be armed.
    pub(crate) faults: bool,
    /// A defect for the service to run with.
    pub(crate) broken: Option<Broken>,
    /// Where the service keeps its last five minutes.
    pub(crate) postmortem: Option<PathBuf>,
}

/// A memory limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The kernel enforces it.
    Real(u64),
    /// The controller believes in it and nobody enforces it.
    Simulated(u64),
}

/// A running demo. Dropping it kills the child and removes the limit's group.
pub(crate) struct Session {
    // In the order in which they are dropped: the group goes last, when nothing lives in it.
    load: Load,
    watching: Watching,
    child: Child,
    launcher: Option<Launcher>,
    started: Instant,
}

/// What a run leaves.
pub(crate) struct Ended {
    /// How long the load was offered.
    pub(crate) lasted: Duration,
    /// Every request and its end.
    pub(crate) ledger: Arc<Ledger>,
    /// The last view of the child.
    pub(crate) last: Option<Arc<Seen>>,
    /// Processes that the kernel killed for memory; 0 where nothing is enforced.
    pub(crate) oom_kills: u64,
    /// The most that was charged to the group, if the kernel says.
    pub(crate) kernel_peak_bytes: Option<u64>,
    /// What went wrong at the end, such as a child that had to be killed.
    pub(crate) trouble: Option<anyhow::Error>,
}

impl Session {
    /// Prepares the limit, starts the service under it and then the load of [`Shape::Swap`].
    ///
    /// # Errors
    /// [`Failure::Usage`] if the machine does not allow it; nothing is left behind then.
    pub(crate) async fn start(options: SessionOptions) -> Result<Self, Failure> {
        Self::start_with(options, Shape::Swap).await
    }

    /// [`start`](Self::start) with a load that changes as told.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub(crate) async fn start_with(options: SessionOptions, shape: Shape) -> Result<Self, Failure> {
        let launcher = match options.limit {
            Limit::Real(bytes) => Some(limit::launcher(bytes).map_err(Failure::usage)?),
            Limit::Simulated(_) => None,
        };
        let service = ServiceOptions {
            pools: options.pools,
            fixed_percent: options.fixed_percent,
            allocator_defaults: options.allocator_defaults,
            admin: options.admin,
            simulated_limit_bytes: match options.limit {
                Limit::Real(_) => None,
                Limit::Simulated(bytes) => Some(bytes),
            },
            faults: options.faults,
            broken: options.broken,
            postmortem: options.postmortem,
        };
        let child = Child::start(launcher.as_ref(), &service).await?;
        let watching = Watching::start(child.admin);
        let started = Instant::now();
        let data = Data::new(options.seed);
        let load = match shape {
            Shape::Saturate => Load::saturate(child.service, SATURATING_CLIENTS, options.seed, data),
            _ => Load::start(child.service, started, Plan::new(options.seed, options.rps, shape), data),
        };
        Ok(Self { load, watching, child, launcher, started })
    }

    /// Time since the load began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Where the admin routes and the page are.
    pub(crate) const fn admin(&self) -> SocketAddr {
        self.child.admin
    }

    /// By what a real limit is held.
    pub(crate) fn limit_held_by(&self) -> Option<&'static str> {
        self.launcher.as_ref().map(Launcher::kind)
    }

    /// What became of the requests so far.
    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        self.load.ledger()
    }

    /// The latest view of the child.
    pub(crate) fn latest(&self) -> Option<Arc<Seen>> {
        self.watching.latest()
    }

    /// A line that the child has said on stderr meanwhile.
    pub(crate) fn said(&mut self) -> Option<String> {
        self.child.said.try_recv().ok()
    }

    /// Waits until the child falls. Can be dropped and called again.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub(crate) async fn fall(&mut self) -> std::io::Result<Fall> {
        self.child.fall().await
    }

    /// Changes the limit of the running service. `Ok(false)`: the kernel refuses it for now, since more is in use.
    ///
    /// # Errors
    /// If it is not ours to change.
    pub(crate) fn set_limit(&self, limit_bytes: u64) -> Result<bool, LimitError> {
        self.launcher.as_ref().map_or(Ok(true), |launcher| launcher.set_limit(limit_bytes))
    }

    /// How the child has fallen, if it has.
    pub(crate) fn fallen(&mut self) -> Option<Fall> {
        self.child.fallen()
    }

    /// Processes that the kernel has killed for memory so far.
    ///
    /// # Errors
    /// If the kernel's count cannot be read.
    pub(crate) fn oom_kills(&self) -> anyhow::Result<u64> {
        Ok(self.launcher.as_ref().map_or(Ok(0), Launcher::oom_kills)?)
    }

    /// Ends the load, waits for what is under way, reads the child a last time and ends it.
    pub(crate) async fn end(self) -> Ended {
        let Self { load, watching, child, launcher, started } = self;
        let (ledger, stopped) = (load.ledger().clone(), Instant::now());
        load.finish(stopped).await;
        let last = look(&mut Client::new(child.admin)).await.ok().map(Arc::new).or_else(|| watching.latest());
        drop(watching);
        let trouble = child.end().await.err();
        leave(stopped - started, ledger, last, launcher.as_ref(), trouble)
    }

    /// After the child's fall: what is under way ends as errors.
    pub(crate) async fn end_after_fall(self) -> Ended {
        let Self { load, watching, launcher, started, .. } = self;
        let (ledger, lasted) = (load.ledger().clone(), started.elapsed());
        load.abandon().await;
        leave(lasted, ledger, watching.latest(), launcher.as_ref(), None)
    }
}

fn leave(
    lasted: Duration,
    ledger: Arc<Ledger>,
    last: Option<Arc<Seen>>,
    launcher: Option<&Launcher>,
    trouble: Option<anyhow::Error>,
) -> Ended {
    let oom_kills = launcher.map_or(Ok(0), Launcher::oom_kills);
    let kernel_peak_bytes = launcher.and_then(Launcher::peak_bytes);
    let (oom_kills, trouble) = match oom_kills {
        Ok(kills) => (kills, trouble),
        Err(e) => (0, trouble.or(Some(e.into()))),
    };
    Ended { lasted, ledger, last, oom_kills, kernel_peak_bytes, trouble }
}

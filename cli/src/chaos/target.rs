//! The demo as a process under test: its service in a child under a limit, its load from here.

use crate::demo::child::Fall;
use crate::demo::service::PoolsMode;
use crate::demo::session::{Limit, Session, SessionOptions};
use crate::limit;
use crate::units::exact_size;
use pool_chaos::runner::{Launcher, LoadReading, Target, TargetSpec};
use std::net::SocketAddr;
use std::pin::Pin;

/// Starts demos, all of them under the same kind of limit.
pub(super) struct Demos {
    limit_bytes: u64,
    /// Known from the first launch on, unless it was asked for.
    limit: Option<Limit>,
}

impl Demos {
    /// Demos under a limit of `limit_bytes`, enforced by the kernel unless it is to be `simulated`.
    pub(super) fn new(limit_bytes: u64, simulated: bool) -> Self {
        Self { limit_bytes, limit: simulated.then_some(Limit::Simulated(limit_bytes)) }
    }

    /// A real limit if this machine allows one; says so if not.
    fn limit(&mut self) -> Limit {
        let limit_bytes = self.limit_bytes;
        *self.limit.get_or_insert_with(|| match limit::launcher(limit_bytes) {
            Ok(_proof) => Limit::Real(limit_bytes),
            Err(e) => {
                eprintln!("no real memory limit here ({e}); the limit is simulated, nothing will be killed");
                Limit::Simulated(limit_bytes)
            }
        })
    }
}

impl Launcher for Demos {
    async fn launch(&mut self, spec: &TargetSpec) -> Result<Box<dyn Target>, String> {
        let options = SessionOptions {
            pools: PoolsMode::Adaptive,
            fixed_percent: 100,
            allocator_defaults: false,
            limit: self.limit(),
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
            rps: spec.rps,
            seed: spec.seed,
            faults: true,
            broken: spec.broken,
            postmortem: None,
        };
        let session = Session::start(options).await;
        let session = session.map_err(|e| format!("cannot start the {}: {e}", spec.role.as_str()))?;
        let held_by = session.limit_held_by().unwrap_or("simulated");
        let admin = format!("http://{}", session.admin());
        Ok(Box::new(Demo { admin, limit: format!("{} ({held_by})", exact_size(spec.limit_bytes)), session }))
    }
}

/// One demo.
struct Demo {
    session: Session,
    admin: String,
    limit: String,
}

impl Target for Demo {
    fn admin(&self) -> &str {
        &self.admin
    }

    fn limit_label(&self) -> String {
        self.limit.clone()
    }

    fn load(&self) -> Option<LoadReading> {
        let ledger = self.session.ledger();
        let totals = ledger.totals();
        Some(LoadReading {
            offered: totals.offered,
            completed: totals.completed,
            shed: totals.shed,
            errors: totals.errors,
            timeouts: totals.timeouts,
            delays_us: ledger.delays_us().into_iter().collect(),
        })
    }

    fn death(&mut self) -> Option<String> {
        let fall = self.session.fallen()?;
        let kills = match self.session.oom_kills() {
            Ok(0) => String::new(),
            Ok(kills) => format!("; the kernel killed {kills} for memory"),
            Err(e) => format!("; the kernel's count of kills cannot be read: {e}"),
        };
        Some(match fall {
            Fall::Sigkill => format!("killed by SIGKILL{kills}"),
            Fall::Signal(signal) => format!("ended by signal {signal}{kills}"),
            Fall::Exit(status) => format!("ended by itself with status {status}{kills}"),
        })
    }

    fn oom_kills(&self) -> Option<u64> {
        self.session.oom_kills().ok()
    }

    fn end(mut self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let ended = match self.session.fallen() {
                Some(_) => self.session.end_after_fall().await,
                None => self.session.end().await,
            };
            if let Some(trouble) = ended.trouble {
                eprintln!("at the end of {}: {trouble:#}", self.admin);
            }
        })
    }
}

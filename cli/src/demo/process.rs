//! The child: service, pools, controller and admin routes in one process, under the limit.
//!
//! It does nothing before the line [`START`] on its stdin, so that whoever started it can put it under a limit
//! first, and ends when stdin does: a parent that dies by whatever way leaves no service behind.

use super::service::{self, App, PoolsMode};
use super::wire::{Hello, START};
use crate::allocator;
use crate::failure::Failure;
use anyhow::Context as _;
use pool_chaos::broken::Broken;
use pool_chaos::faults::{FaultBox, Memory};
use pool_controller::decide::{Fixed, Policy, Tide};
use pool_controller::{Controller, Handle, LimitSource, Mode, sys};
use pool_core::Registry;
use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// What the child is told.
#[derive(Clone, Debug)]
pub(crate) struct ServiceOptions {
    /// How the service gets its objects.
    pub(crate) pools: PoolsMode,
    /// What fixed pools hold, per cent of what an operator gives them.
    pub(crate) fixed_percent: u32,
    /// Whether the allocator stays as it comes.
    pub(crate) allocator_defaults: bool,
    /// Where the admin routes listen.
    pub(crate) admin: SocketAddr,
    /// A limit that nothing enforces; `None`: the one that the process is under.
    pub(crate) simulated_limit_bytes: Option<u64>,
    /// Whether faults can be armed over the admin routes.
    pub(crate) faults: bool,
    /// A defect to run with.
    pub(crate) broken: Option<Broken>,
    /// Where its last five minutes are kept.
    pub(crate) postmortem: Option<PathBuf>,
}

/// Leases out for longer are suspects: five times what an export takes.
const LEASE_SUSPECT_AFTER: Duration = Duration::from_secs(5);
/// Larger blocks go to the kernel and back one by one. With glibc's moving threshold a freed megabyte stays in
/// the heap, and a pool's trim gives nothing back. The same in every pool mode.
const MMAP_THRESHOLD_BYTES: u64 = 256 << 10;
/// The same on every machine: each thread of a pool has idle objects of its own.
const WORKERS: usize = 2;
/// What is under way at the end gets this long.
const END_TIME_MAX: Duration = Duration::from_secs(1);

/// Runs the child to its end.
///
/// # Errors
/// [`Failure::Usage`] if it cannot listen or the machine does not allow what it needs; this has been said on
/// stdout too, for the parent.
pub(crate) fn run(options: &ServiceOptions) -> Result<(), Failure> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    match read {
        Ok(0) | Err(_) => return Ok(()),
        Ok(_) if line.trim() == START => {}
        Ok(_) => return Err(Failure::usage(format!("expected {START:?} on stdin"))),
    }
    if !options.allocator_defaults {
        // Of glibc; what others are told stands in the environment.
        let _ = sys::set_mmap_threshold(MMAP_THRESHOLD_BYTES);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = runtime.context("cannot start threads").map_err(Failure::Usage)?;
    let served = runtime.block_on(async {
        let started = start(options).await;
        if let Err(e) = &started {
            say(&Hello::Refused(format!("{e:#}")));
        }
        started?.serve().await
    });
    runtime.shutdown_timeout(END_TIME_MAX);
    served.map_err(Failure::Usage)
}

/// A service that listens.
struct Started {
    app: axum::Router,
    service: TcpListener,
    routes: axum::Router,
    admin: TcpListener,
    controller: Handle,
    faults: FaultBox,
}

async fn start(options: &ServiceOptions) -> anyhow::Result<Started> {
    let listen = async |address: SocketAddr, flag: &str| {
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}{flag}"))
    };
    let service = listen(SocketAddr::from(([127, 0, 0, 1], 0)), "").await?;
    let admin =
        listen(options.admin, " (--admin HOST:PORT chooses another port, port 0 any free one)").await?;
    let registry = Registry::new();
    let app = App::new(options.pools, options.fixed_percent, &registry)?;
    let controller = control(options, &registry)?;
    app.ask(controller.admission());
    let seen = controller.clone();
    let faults = FaultBox::new(&registry, move || memory(&seen));
    // What FAILPOINTS names is armed as users of the fail crate expect it; the routes have a flag of their own.
    faults.arm_from_env()?;
    let routes = options.faults.then(|| pool_chaos::admin::admin_routes(faults.clone()));
    // Behind the same guard as the controller's own routes.
    let more = routes.unwrap_or_default();
    let routes = controller.router_with(more);
    Ok(Started { app: service::router(app), service, routes, admin, controller, faults })
}

fn control(options: &ServiceOptions, registry: &Registry) -> anyhow::Result<Handle> {
    let (mut mode, mut policy): (Mode, Box<dyn Policy>) = match options.pools {
        PoolsMode::None | PoolsMode::Fixed => (Mode::Observe, Box::new(Fixed::default())),
        PoolsMode::Adaptive => (Mode::Enforce, Box::<Tide>::default()),
    };
    if let Some(broken) = options.broken {
        broken.break_pools(registry);
        (mode, policy) = (broken.mode(mode), broken.policy(policy));
    }
    let limit = options.simulated_limit_bytes.map_or(LimitSource::Auto, LimitSource::Simulated);
    let mut builder = Controller::builder()
        .registry(registry)
        .mode(mode)
        .policy(policy)
        .limit(limit)
        .allocator(allocator::adapter())
        .runtime(&tokio::runtime::Handle::current())
        .lease_suspect_after(LEASE_SUSPECT_AFTER);
    if let Some(file) = &options.postmortem {
        builder = builder.postmortem(file);
    }
    builder.build()?.spawn().context("cannot start the control thread")
}

/// Usage and limit, for a balloon to fill the one up to a share of the other.
fn memory(controller: &Handle) -> Option<Memory> {
    let status = controller.status();
    Some(Memory { usage_bytes: status.memory.usage_bytes?, limit_bytes: status.memory.limit_bytes? })
}

impl Started {
    /// Serves until stdin ends.
    async fn serve(self) -> anyhow::Result<()> {
        let stdin_ended = stdin_ended().context("cannot watch stdin")?;
        say(&Hello::Ready { service: self.service.local_addr()?, admin: self.admin.local_addr()? });
        let service = axum::serve(self.service, self.app);
        let admin = axum::serve(self.admin, self.routes);
        let ended = tokio::select! {
            ended = service.into_future() => ended.context("the service ended"),
            ended = admin.into_future() => ended.context("the admin routes ended"),
            _ = stdin_ended => Ok(()),
        };
        self.faults.disarm_all();
        self.controller.shutdown();
        ended
    }
}

/// A thread of its own: reading stdin cannot be cancelled, and must not keep a runtime from its end.
fn stdin_ended() -> std::io::Result<oneshot::Receiver<()>> {
    let (ended, receiver) = oneshot::channel();
    std::thread::Builder::new().name("ebbpool-stdin".into()).spawn(move || {
        let mut ignored = String::new();
        while std::io::stdin().lock().read_line(&mut ignored).is_ok_and(|bytes| bytes > 0) {
            ignored.clear();
        }
        let _ = ended.send(());
    })?;
    Ok(receiver)
}

/// Says one line on stdout. If nobody listens, stdin is about to end too.
fn say(hello: &Hello) {
    let mut stdout = std::io::stdout().lock();
    if let Ok(line) = serde_json::to_string(hello) {
        let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    }
}

//! Steers object pools by the memory there really is: sense → decide → act, and show.
//!
//! ```text
//!                 ┌──────────────────── every 250 ms, or when the grant is used up ───────────────────┐
//!  cgroups, RSS ──► sense ─► Inputs ─► decide (pure) ─► Plan ─► act ─► capacities, trims, grant, purge │
//!  allocator, pools ┘                                    │       watchdog: no plan for 5 s → safe       │
//!                                                        └─► Status ─► metrics, routes, page            ┘
//! ```
//!
//! [`sense`] reads limit and usage and says whether to believe them. [`decide`] turns numbers into a plan with
//! reasons, and nothing else. `act` alone writes knobs. What was seen, decided and done is published as a
//! [`Status`], which [`metrics`] and the [`admin`] routes show.
//!
//! # In a service
//! The pools share a registry, the controller follows it; without configuration it finds the tightest cgroup:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use pool_controller::{Controller, Mode, admin};
//! use pool_core::{Pool, Registry};
//!
//! # async fn service() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::new();
//! let bodies = Pool::builder("http.body").registry(&registry).build_with(Vec::<u8>::new)?;
//! let controller = Controller::builder().registry(&registry).mode(Mode::Enforce).build()?.spawn()?;
//! tokio::spawn(admin::serve(([127, 0, 0, 1], 9901).into(), controller.router(), |_| {}));
//!
//! let app = Router::new().route("/", get(async move || {
//!     let mut body = bodies.get();
//!     body.extend_from_slice(b"hello");
//!     body.to_vec()
//! }));
//! axum::serve(tokio::net::TcpListener::bind("0.0.0.0:8080").await?, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A file may say more, also while the service runs: [`config`].
//!
//! Begin with [`Mode::Observe`] to see what it would do. `EBBPOOL_CONTROLLER=off` switches it off without a build.
//!
//! What it does not know: what is in a pool, what a request is.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod act;
pub mod admin;
mod admission;
pub mod allocator;
mod builder;
mod canary;
pub mod config;
mod control_loop;
mod creates;
pub mod decide;
#[cfg(test)]
mod fake;
mod heap;
mod history;
pub mod metrics;
mod mode;
mod moment;
mod overrides;
pub mod postmortem;
mod runner;
mod seen;
pub mod sense;
mod shared;
mod shed;
mod status;
mod steering;
pub mod sys;

pub use admission::Admission;
pub use builder::{BuildError, Builder};
pub use canary::{CanaryEvidence, CanaryShare, CanarySide, CanaryStatus, CanaryVerdict};
pub use control_loop::{Controller, TICK};
pub use mode::{Mode, UnknownMode};
pub use moment::Moment;
pub use overrides::Override;
pub use runner::Handle;
pub use sense::LimitSource;
pub use shed::{Shed, ShedFuture, ShedLayer};
pub use status::{Decision, MemoryStatus, PauseStatus, PoolBrief, Status, Watermarks};
pub use steering::ModeRefused;

//! The admin routes: what people and tools see of a controller. The only part of this crate that knows axum.
//!
//! | route | answer |
//! | --- | --- |
//! | `GET /` | the live page |
//! | `GET /healthz` | `ok` or `degraded`, with details |
//! | `GET /v1/memory` | limit, usage, state, budget, last decision |
//! | `GET /v1/pools[?snapshot=stopped]` | every figure of every pool |
//! | `GET /v1/pools/{pool}/knobs` | a pool's knobs: values, who set them, why, until when |
//! | `PUT /v1/pools/{pool}/knobs` | sets fields of them by hand, for a time |
//! | `DELETE /v1/pools/{pool}/knobs?knob=NAME` | takes that back |
//! | `GET /v1/overrides` | what is set by hand, of all pools |
//! | `GET /v1/canaries` | pools with a canary beside them: both, and how it does |
//! | `GET /v1/canaries/{pool}` | one of them |
//! | `PUT /v1/canaries/{pool}` | sets the share of gets that use the canary by hand, for a time |
//! | `DELETE /v1/canaries/{pool}` | takes that back |
//! | `GET /v1/mode` | the mode in force |
//! | `PUT /v1/mode` | changes it, or freezes |
//! | `GET /v1/events` | server-sent events, one `tick` a tick |
//! | `GET /v1/inputs` | server-sent events, one `inputs` a tick: what decisions are made of |
//! | `GET /v1/openapi.json` | the description of these routes |
//! | `GET /metrics` | Prometheus text |
//!
//! No GET changes anything. [`secure`] is the guard in front of all of them; routes of other crates go behind the
//! same guard with [`Handle::router_with`]. Handlers read what the loop has published; they cannot make it wait.

mod canaries;
mod events;
mod guard;
mod inputs;
mod knobs;
mod memory;
mod mode;
mod page;
mod pools;
mod server;

pub use guard::secure;
pub use server::{ServeError, serve};

use crate::runner::Handle;
use axum::Router;
use axum::routing::get;
use std::io::{Write as _, stderr};

/// The description of the routes, an OpenAPI 3.1 document.
pub const OPENAPI_JSON: &str = include_str!("../../openapi.json");

/// What handlers share.
#[derive(Clone)]
struct Admin {
    handle: Handle,
    events: events::Events,
}

impl Handle {
    /// The admin routes behind their guard, to be merged into a router of yours that listens on loopback, or to
    /// be served by [`admin::serve`](serve).
    pub fn router(&self) -> Router {
        self.router_with(Router::new())
    }

    /// The admin routes and `more` routes, all of them behind the guard.
    ///
    /// ```
    /// # use pool_controller::Controller;
    /// # use axum::{Router, routing::get};
    /// # let registry = pool_core::Registry::new();
    /// # let handle = Controller::builder().registry(&registry).build()?.spawn()?;
    /// let more = Router::new().route("/v1/mine", get(async || "mine"));
    /// let router = handle.router_with(more);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn router_with(&self, more: Router) -> Router {
        secure(routes(self).merge(more))
    }
}

/// Tells of a change on stderr. Where there is no stderr, or nobody reads it any more, the change is made all the same:
/// status and metrics still tell.
fn say(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(stderr(), "ebbpool: {what}");
}

/// The admin routes without their guard.
fn routes(handle: &Handle) -> Router {
    let admin = Admin { handle: handle.clone(), events: events::Events::of(handle) };
    page::routes()
        .route("/healthz", get(memory::health))
        .route("/metrics", get(memory::metrics))
        .route("/v1/memory", get(memory::memory))
        .route("/v1/mode", get(mode::mode).put(mode::set_mode))
        .route("/v1/canaries", get(canaries::canaries))
        .route("/v1/canaries/{pool}", get(canaries::canary).put(canaries::set).delete(canaries::clear))
        .route("/v1/overrides", get(knobs::overrides))
        .route("/v1/pools", get(pools::pools))
        .route("/v1/pools/{pool}/knobs", get(knobs::knobs).put(knobs::set).delete(knobs::clear))
        .route(pool_dashboards::EVENTS_PATH, get(events::events))
        .route("/v1/inputs", get(inputs::inputs))
        .route("/v1/openapi.json", get(page::openapi))
        .with_state(admin)
}

//! The demo: a service with pools under a memory limit, and a load that makes it need them.
//!
//! ```text
//!  this process                                  child, under the limit
//!  session ─ load ──────── HTTP, open loop ────► service ─ pools ◄─ controller
//!     │  └── watch ─────── HTTP, 4 per second ─► admin (state, faults, page)
//!     └─ terminal, summary                       ends when its stdin closes
//! ```
//!
//! The generator and its memory are outside the limit; the two processes share nothing but loopback
//! connections and the child's standard streams.

pub(crate) mod child;
pub(crate) mod fault;
pub(crate) mod load;
mod outcome;
mod paced;
pub(crate) mod process;
mod recovery;
pub(crate) mod run;
pub(crate) mod service;
pub(crate) mod session;
mod story;
mod summary;
mod terminal;
mod watching;
mod wire;
pub(crate) mod workload;

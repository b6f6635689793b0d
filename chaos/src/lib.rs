//! Faults, scenarios and verdicts: proof that a service with pools recovers.
//!
//! ```text
//!  scenario file ──► scenario ──► runner ──HTTP──► admin routes of the target ──► faults ──► pools
//!                      │ expr        │ samples
//!                      └─────────► judge ──► verdict and report
//! ```
//!
//! - [`faults`]: what can go wrong on purpose, with a rate, a seed, a time-to-live and a hit counter. It runs
//!   inside the target.
//! - [`admin`]: the HTTP routes that arm and disarm faults. A service mounts them behind a flag of its own.
//! - [`scenario`]: reads experiments in the format of Chaos Toolkit, strictly, with file, line and path in
//!   each error.
//! - [`expr`]: the expressions of a scenario's checks, and the measures that they may name.
//! - [`runner`]: drives a target and its control run through a scenario, and judges what it saw. The judge is
//!   a pure function of the samples.
//! - [`record`]: what a live service saw, in a file.
//! - [`simulate`]: policies in virtual time, in scenarios and in what was recorded.
//! - [`broken`]: builds with a defect on purpose; a scenario must fail them.
//!
//! This crate does not know how a target is started: that is behind [`runner::Target`].
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod admin;
pub mod broken;
pub mod expr;
pub mod faults;
pub mod record;
pub mod runner;
pub mod scenario;
pub mod simulate;

pub use pool_controller::config::{Refused, RefusedKind, units};

pub(crate) use pool_controller::config::suggest;

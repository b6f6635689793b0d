//! The simulator: shipping policies on a model of a service, its pools and its limit, in virtual time.
//!
//! ```text
//!  scenario ─► demand ─┬─► plant ──► sensors ──► policy (the one that ships) ──► plan ─┐
//!     (data)           │     ▲                                                         │
//!                      │     └────────────── knobs, trims, grant, purge ◄──────────────┘
//!                      └─► optimum (offline, full knowledge)        run ─► figures ─► rows, tables, plots
//! ```
//!
//! - a scenario ([`Scenario`], [`SCENARIOS`]) is data: what demand, others, the limit, the readings and the controller do;
//! - the plant is counts of objects in slots of a millisecond: pools with their capacity, cycles and grant, an allocator, the
//!   kernel's limit;
//! - the optimum is an upper bound of what any policy can save in this plant;
//! - [`simulate`] runs policies through scenarios, and [`Report`] shows the figures;
//! - [`replay`] runs them through what was recorded of a live service, and [`advise`] says what to set there.
//!
//! The same seed gives the same run. It does not know how real allocators, kernels or threads behave beyond what
//! stands in the plant; a figure from here is a comparison of laws and no promise for a machine.

mod advise;
mod allocator;
mod best;
mod compare;
mod cover;
mod demand;
mod document;
mod measure;
mod optimum;
mod plant;
mod pool;
#[cfg(test)]
mod property_tests;
mod random;
mod recorded;
mod replay;
mod report;
mod run;
mod scenario;
mod scenarios;
mod sensors;
mod shape;
mod svg;
mod targets;
mod world;

pub use advise::{Advice, Confidence, Expected, NotEnough, Part, PoolAdvice, Support, advise};
pub use compare::{FIXED_BEST, Report, Row, UnknownPolicy, policy_names, simulate};
pub use document::NoPlace;
pub use replay::{Replay, ReplayError, ReplayRow, replay};
pub use scenario::{Allocator, LIMIT_BYTES, Lie, PoolSpec, Readings, Scenario, Signal, SignalFault, Trouble};
pub use scenarios::{SCENARIOS, scenario_by_name};
pub use shape::Shape;
pub use targets::Target;

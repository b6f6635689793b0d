//! Knobs: settings that may change while the pool serves.
//!
//! A knob is a plain value with a range. Outside the range it cannot be built, so nothing downstream clamps.
//! Every change carries who made it and why, and moves a generation on. What was set by a policy, by an operator
//! and by a person are layers: the highest one is in force, and below an override that expires or is withdrawn
//! stands what was set before. This module knows no pool.

mod capacity;
mod error;
mod eviction;
mod layers;
mod priority;
mod ratio;
mod sampling;

pub use capacity::Capacity;
pub use error::KnobError;
pub use eviction::Eviction;
#[cfg(not(ebbpool_loom))]
pub(crate) use layers::Layers;
pub use layers::{Applied, Author, Change, Knob, KnobKind, KnobSet, Knobs, Setting};
pub use priority::{Priority, Reuse};
pub use ratio::Ratio;
pub use sampling::{LeaseLevel, Sampling};

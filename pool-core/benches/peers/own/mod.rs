//! What only this crate is asked for: how it behaves under drains, with every lease on record, with many pools and
//! threads, and what it costs in memory.

mod drained;
mod growth;
mod leases;
mod overhead;
mod pass;

use crate::Plan;
use crate::figures::Figures;

pub(crate) use overhead::{CHILD, child};

/// A part of the benchmark that can be chosen by name.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) measure: fn(&Plan, &mut Figures) -> Result<(), String>,
}

pub(crate) const PARTS: [Part; 5] = [
    Part { name: "drained", measure: drained::measure },
    Part { name: "leases", measure: leases::measure },
    Part { name: "pass", measure: pass::measure },
    Part { name: "growth", measure: growth::measure },
    Part { name: "overhead", measure: overhead::measure },
];

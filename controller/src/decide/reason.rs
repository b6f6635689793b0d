//! Why a plan is what it is: an enum, so that a reason can be a label, with a text for people.

use super::Pressure;
use super::bands::Band;
use super::state::Transition;
use serde::{Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A reason of a plan. In JSON it is its text.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing to change.
    Steady,
    /// The first budget.
    Started {
        /// The budget, bytes.
        budget_bytes: u64,
    },
    /// Others need more: the budget shrank at once.
    Shrank {
        /// The budget before, bytes.
        from_bytes: u64,
        /// The budget now, bytes.
        to_bytes: u64,
        /// The peak of what is not idle in pools, bytes.
        others_peak_bytes: u64,
    },
    /// There is room and the pools use what they have: the budget grew.
    Grew {
        /// The budget before, bytes.
        from_bytes: u64,
        /// The budget now, bytes.
        to_bytes: u64,
        /// Where it is going, bytes.
        target_bytes: u64,
    },
    /// There is room, and the budget does not grow yet.
    GrowthHeld(Hold),
    /// Another state.
    State(Transition),
    /// Critical was entered: the budget was halved, once.
    Halved {
        /// The budget before, bytes.
        from_bytes: u64,
        /// The budget now, bytes.
        to_bytes: u64,
    },
    /// A reading is missing: nothing grows.
    SignalInvalid {
        /// Time since the last valid pair of limit and usage.
        since: Duration,
    },
    /// A reading has been missing for too long: the budget goes to its safe value.
    Decaying {
        /// The budget now, bytes.
        to_bytes: u64,
    },
    /// No limit was ever known: the pools get their safe capacity and creates are not limited.
    NoLimit,
    /// Someone else lowered capacities below the budget: it goes on from there.
    Lowered {
        /// The budget now, bytes.
        to_bytes: u64,
    },
    /// Another limit, or another group's.
    LimitChanged {
        /// The limit before, bytes.
        from_bytes: u64,
        /// The limit now, bytes.
        to_bytes: u64,
    },
    /// The pools' shares of an unchanged budget moved with their demand.
    Rebalanced,
    /// The policy changes nothing, whatever happens.
    Fixed,
    /// Pressure turned knobs beside capacity: how much is watched, how fast idle objects age.
    Turned(Pressure),
    /// What pools give up does not leave the process: they keep what they have.
    NotReclaimable {
        /// What the allocator keeps of what was freed, bytes.
        retained_bytes: u64,
    },
    /// The band in which utilisation is, and so what goes.
    Band(Band),
    /// So many objects at this share of time lost to pauses.
    PauseRatio {
        /// The share, 0 to 1.
        ratio: f64,
        /// Objects that each pool may hold.
        objects: u64,
    },
    /// A period was compared with the one before: the share of gets that may reuse.
    Reuse {
        /// The share before, 0 to 1.
        from: f64,
        /// The share now; the same if nothing spoke for another one.
        to: f64,
    },
    /// A law that has nothing new to say at this tick.
    LawHolds,
    /// What this policy decides by cannot be read: nothing grows.
    NoReading,
    /// Leases of a pool seem to be lost.
    LeakSuspected {
        /// The pool.
        pool: String,
        /// How many leases.
        lost: u64,
    },
    /// Every lease of a pool is recorded from now on, to find the site that loses them.
    LeasesRaised {
        /// The pool.
        pool: String,
    },
    /// Leases of a pool are recorded as before.
    LeasesLowered {
        /// The pool.
        pool: String,
    },
    /// A reason of a policy of your own.
    Other(String),
}

/// What keeps the budget from growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The peak window is not full yet.
    Window,
    /// Usage is above a watermark.
    State,
    /// The pools use half of what they have, or less.
    Unused,
    /// The conditions have not held for two seconds yet.
    Patience,
    /// Usage rises faster than the budget may grow.
    Slope,
    /// Tasks wait for memory, or things are late.
    Pressure,
}

impl Reason {
    /// A label of bounded cardinality.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Started { .. } => "started",
            Self::Shrank { .. } => "shrank",
            Self::Grew { .. } => "grew",
            Self::GrowthHeld(_) => "growth_held",
            Self::State(_) => "state",
            Self::Halved { .. } => "halved",
            Self::SignalInvalid { .. } => "signal_invalid",
            Self::Decaying { .. } => "decaying",
            Self::NoLimit => "no_limit",
            Self::Lowered { .. } => "lowered",
            Self::LimitChanged { .. } => "limit_changed",
            Self::Rebalanced => "rebalanced",
            Self::Fixed => "fixed",
            Self::Turned(_) => "turned",
            Self::NotReclaimable { .. } => "not_reclaimable",
            Self::Band(_) => "band",
            Self::PauseRatio { .. } => "pause_ratio",
            Self::Reuse { .. } => "reuse",
            Self::LawHolds => "law_holds",
            Self::NoReading => "no_reading",
            Self::LeakSuspected { .. } => "leak_suspected",
            Self::LeasesRaised { .. } => "leases_raised",
            Self::LeasesLowered { .. } => "leases_lowered",
            Self::Other(_) => "other",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steady => f.write_str("nothing to change"),
            Self::Started { budget_bytes } => write!(f, "started with a budget of {}", Mib(*budget_bytes)),
            Self::Shrank { from_bytes, to_bytes, others_peak_bytes } => write!(
                f,
                "budget {} → {}: others peaked at {}",
                Mib(*from_bytes),
                Mib(*to_bytes),
                Mib(*others_peak_bytes)
            ),
            Self::Grew { from_bytes, to_bytes, target_bytes } => write!(
                f,
                "budget {} → {}: there is room for {}",
                Mib(*from_bytes),
                Mib(*to_bytes),
                Mib(*target_bytes)
            ),
            Self::GrowthHeld(hold) => write!(f, "growth held: {hold}"),
            Self::State(Transition { from, to, cause }) => write!(f, "{from} → {to}: {cause}"),
            Self::Halved { from_bytes, to_bytes } => {
                write!(f, "budget {} → {}: halved on entering critical", Mib(*from_bytes), Mib(*to_bytes))
            }
            Self::SignalInvalid { since } => {
                write!(f, "no valid reading for {} ms: nothing grows", since.as_millis())
            }
            Self::Decaying { to_bytes } => {
                write!(f, "no valid reading for too long: budget falls to {}", Mib(*to_bytes))
            }
            Self::NoLimit => f.write_str("no limit is known: safe capacity, no grant"),
            Self::Lowered { to_bytes } => {
                write!(f, "capacities were lowered elsewhere: going on from {}", Mib(*to_bytes))
            }
            Self::LimitChanged { from_bytes, to_bytes } => {
                write!(f, "limit {} → {}", Mib(*from_bytes), Mib(*to_bytes))
            }
            Self::Rebalanced => f.write_str("shares moved with demand"),
            Self::Fixed => f.write_str("this policy changes nothing"),
            Self::Turned(Pressure { memory, psi, pause }) => {
                write!(f, "pressure: memory {memory:.2}, waiting {psi:.2}, lateness {pause:.2}")
            }
            Self::NotReclaimable { retained_bytes } => {
                write!(f, "not reclaimable: the allocator keeps {} of what was freed", Mib(*retained_bytes))
            }
            Self::Band(band) => write!(f, "band: {band}"),
            Self::PauseRatio { ratio, objects } => {
                write!(f, "{objects} objects a pool: pauses take {:.1} % of the time", ratio * 100.0)
            }
            Self::Reuse { from, to } => write!(f, "share of gets that reuse {from:.2} → {to:.2}"),
            Self::LawHolds => f.write_str("the law goes on as before"),
            Self::NoReading => f.write_str("what this policy decides by cannot be read: nothing grows"),
            Self::LeakSuspected { pool, lost } => write!(f, "{pool}: {lost} leases seem to be lost"),
            Self::LeasesRaised { pool } => write!(f, "{pool}: recording every lease to find the site"),
            Self::LeasesLowered { pool } => write!(f, "{pool}: recording leases as before"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Window => "the peak window is not full yet",
            Self::State => "usage is above a watermark",
            Self::Unused => "the pools use half of what they have or less",
            Self::Patience => "the room must last for 2 s",
            Self::Slope => "usage rises faster",
            Self::Pressure => "work waits",
        })
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bytes for people: one decimal of a MiB.
struct Mib(u64);

impl fmt::Display for Mib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MiB", self.0 as f64 / f64::from(1 << 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::state::{Cause, State};

    #[test]
    fn texts_carry_the_figures() {
        let texts = [
            Reason::Shrank { from_bytes: 54 << 20, to_bytes: 1 << 19, others_peak_bytes: 150 << 20 },
            Reason::State(Transition { from: State::Normal, to: State::High, cause: Cause::Usage }),
            Reason::SignalInvalid { since: Duration::from_millis(750) },
        ]
        .map(|reason| reason.to_string());
        assert_eq!(
            texts,
            [
                "budget 54.0 MiB → 0.5 MiB: others peaked at 150.0 MiB",
                "normal → high: usage crossed a watermark",
                "no valid reading for 750 ms: nothing grows",
            ]
        );
    }
}

//! A scenario: all that happens to a plant, as data.

use super::Shape;

/// The limit that shares of a scenario refer to, bytes.
pub const LIMIT_BYTES: u64 = 256 << 20;

/// All that happens to a plant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// The name, as on the command line.
    pub name: &'static str,
    /// What happens, in a line.
    pub about: &'static str,
    /// How long it lasts.
    pub seconds: u32,
    /// Seconds at the start in which hits do not count yet.
    pub warm_up_s: u32,
    /// The limit, in shares of [`LIMIT_BYTES`]. Less than 1 is a limit that throttles (`memory.high`): what kills stays
    /// at 1. A platform that sets a killing limit below usage kills at once, whatever a controller does.
    pub limit: Shape,
    /// What is used beside the pools, in shares of [`LIMIT_BYTES`], without clean page cache.
    pub others: Shape,
    /// Clean page cache, in shares of [`LIMIT_BYTES`]; it gives way to anything.
    pub cache: Shape,
    /// The pools of each process.
    pub pools: &'static [PoolSpec],
    /// Processes in the group, each with its pools, its controller and its part of the demand.
    pub processes: u32,
    /// What becomes of freed memory.
    pub allocator: Allocator,
    /// By how much timers are late, ms.
    pub lag_ms: Shape,
    /// What is wrong with readings.
    pub readings: Readings,
    /// What is wrong with the controller.
    pub controller: Trouble,
    /// When the disturbance begins and, if it does, ends, seconds.
    pub disturbance: Option<(f64, Option<f64>)>,
}

/// A pool and its demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolSpec {
    /// The name.
    pub name: &'static str,
    /// What an object weighs, bytes.
    pub weight_bytes: u64,
    /// What a reuse saves, ns.
    pub saved_ns: f64,
    /// For how long an object is held on the average, ms; from half of it to half as much again.
    pub hold_ms: u32,
    /// Objects that are held at a time, on the average, if demand stays what it is.
    pub in_flight: Shape,
}

/// What becomes of memory that pools have freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocator {
    /// It is kept until someone asks for it, and the allocator says how much it is.
    Keeps,
    /// It is returned after 10 s, and the allocator says how much it still has.
    Decays,
    /// It is kept for good, whoever asks.
    Nothing,
    /// As [`Keeps`](Self::Keeps), and the allocator does not say how much it is.
    Silent,
}

/// What is wrong with readings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Readings {
    /// Deviation of usage, a share of it.
    pub noise: f64,
    /// How old limit and usage are when they are read, ms.
    pub delay_ms: u64,
    /// What pools and the allocator say is read every so many ticks only; usage at each.
    pub unmatched_ticks: u64,
    /// One signal that lies.
    pub fault: Option<SignalFault>,
}

/// A signal that lies for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignalFault {
    /// Which.
    pub signal: Signal,
    /// How.
    pub lie: Lie,
    /// From when on, seconds.
    pub from_s: f64,
    /// Until when.
    pub to_s: f64,
}

/// What a controller reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The limit.
    Limit,
    /// Usage.
    Usage,
    /// Resident memory of the process.
    Rss,
    /// Free memory in the allocator.
    Heap,
    /// Waiting for memory.
    Psi,
    /// Lateness.
    Pause,
}

/// How a signal lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It reads zero. Limit, usage and resident memory cannot be zero, so sensing passes them on as missing.
    Zero,
    /// It stays at what it was.
    Stuck,
    /// It cannot be read.
    Missing,
    /// Each eighth reading is far too high.
    Spiking,
}

/// What is wrong with the controller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// It does not run between two moments, seconds; the watchdog does.
    Dead(f64, f64),
    /// Ticks are early or late by up to so many ms.
    Jitter(u64),
    /// Its clock goes forward by this much (second number) at a moment (first), seconds.
    ClockJump(f64, f64),
}

impl Scenario {
    /// Whether the same happens to the pools, so that both have one optimum.
    pub(super) fn has_optimum_of(&self, other: &Self) -> bool {
        let of = |s: &Self| (s.seconds, s.warm_up_s, s.limit, s.others, s.pools, s.processes);
        of(self) == of(other)
    }

    /// Whether pools that nobody steers fare the same.
    pub(super) fn has_fixed_of(&self, other: &Self) -> bool {
        self.has_optimum_of(other) && self.allocator == other.allocator
    }

    /// The limit at a moment, bytes.
    #[must_use]
    pub fn limit_bytes(&self, seconds: f64) -> u64 {
        share(self.limit.at(seconds))
    }

    /// Usage beside the pools at a moment, bytes.
    #[must_use]
    pub fn others_bytes(&self, seconds: f64) -> u64 {
        share(self.others.at(seconds))
    }

    /// What someone who knows the demand gives each pool of a process: room for its peak and two fifths more, bytes.
    #[must_use]
    pub fn usual_capacity(&self, pool: &PoolSpec) -> u64 {
        let objects = pool.in_flight.highest().min(Self::PEAK_OBJECTS) * 1.4 / f64::from(self.processes);
        whole(objects) * pool.weight_bytes
    }

    /// Nobody plans for more objects in one pool.
    const PEAK_OBJECTS: f64 = 1000.0;
}

/// A share of [`LIMIT_BYTES`].
pub(super) fn share(share: f64) -> u64 {
    whole(share * LIMIT_BYTES as f64)
}

/// Rounds what is not negative.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and far below 2^53"
)]
pub(super) fn whole(value: f64) -> u64 {
    value.max(0.0).round() as u64
}

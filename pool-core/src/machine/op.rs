//! What may happen in a run, and how four bytes say it.
//!
//! One decoder serves proptest, which draws and shrinks arrays of four bytes, and libFuzzer, which knows bytes only.
//! Small numbers mean small things, so that a run that shrank is one that a person can read.

use crate::{Author, Capacity, Eviction, LeaseLevel, Ratio, Reuse, Sampling, Setting};
use std::num::NonZeroU32;
use std::time::Duration;

/// Virtual threads.
pub(crate) const THREADS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    /// A thread gets this many, and holds them.
    Get {
        thread: usize,
        count: usize,
    },
    /// A thread gets one, and its create, if there is one, panics.
    GetPanics {
        thread: usize,
    },
    /// A thread returns some of what is held, whoever got it.
    Return {
        thread: usize,
        which: usize,
        count: usize,
    },
    /// The same for one, in one of these ways.
    ReturnBadly {
        thread: usize,
        which: usize,
        how: Badly,
    },
    /// A held value's user makes it hold so much and use so much.
    Use {
        which: usize,
        units: usize,
        used_units: usize,
    },
    /// A held value's drop will panic.
    DropPanics {
        which: usize,
    },
    /// A thread exits; what it does afterwards is done by what runs after its thread-locals are gone. When it is
    /// exited already, a new thread takes its place.
    Exit {
        thread: usize,
    },
    Set {
        setting: Setting,
        author: Author,
        ttl: Option<Duration>,
    },
    Withdraw {
        knob: usize,
        author: Author,
    },
    Advance(Duration),
    Grant(Option<u64>),
    /// A pass over the registry.
    Pass(Pass),
    /// The three steps of a pass, one by one.
    Mark,
    Fence,
    Collect(Pass),
    /// A cycle, if one is due.
    Tick,
    Trim {
        extra_bytes: u64,
    },
    Reclaim {
        bytes: u64,
    },
    DropCondemned {
        budget: Duration,
    },
    CloneHandle,
    DropHandle,
    /// The next operation is interrupted at its yield point of this number (from 0), and the `count` operations
    /// after it happen there.
    Interrupt {
        at: usize,
        count: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Badly {
    WhilePanicking,
    RecyclePanics,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Reclaim { extra_bytes: u64 },
    Snapshot,
    Cycle,
}

impl Op {
    pub(crate) fn decode([kind, thread, a, b]: [u8; 4]) -> Self {
        let author = [Author::Policy, Author::Operator, Author::Person][usize::from(thread) % 3];
        let thread = usize::from(thread) % THREADS;
        let (a_usize, b_usize) = (usize::from(a), usize::from(b));
        let which = a_usize;
        match kind % 32 {
            0..=4 => Self::Get { thread, count: 1 + many(a) },
            5..=9 => Self::Return { thread, which, count: 1 + many(b) },
            10..=13 => Self::Interrupt { at: a_usize % 7, count: 1 + b_usize % 4 },
            14 => Self::GetPanics { thread },
            15 => {
                let how = [Badly::WhilePanicking, Badly::RecyclePanics, Badly::Refused][b_usize % 3];
                Self::ReturnBadly { thread, which, how }
            }
            16 => Self::Use { which, units: b_usize % 16, used_units: b_usize / 16 },
            17 => Self::DropPanics { which },
            18 => Self::Exit { thread },
            19 | 20 => {
                let ttl = ttl(a / 8);
                let ttl = if author == Author::Person { ttl.or(Some(Duration::from_secs(60))) } else { ttl };
                Self::Set { setting: setting(a, b), author, ttl }
            }
            21 => Self::Withdraw { knob: a_usize % 4, author },
            22 => Self::Advance(Duration::from_millis(1 << (a % 16))),
            23 => Self::Grant((a % 4 != 0).then_some(u64::from(b) * 1000)),
            24 => Self::Pass(pass(a, b)),
            25 => Self::Mark,
            26 => Self::Fence,
            27 => Self::Collect(pass(a, b)),
            28 => Self::Tick,
            29 if a % 2 == 0 => Self::Trim { extra_bytes: bytes(b) },
            29 => Self::Reclaim { bytes: bytes(b) },
            30 => Self::DropCondemned { budget: Duration::from_micros(u64::from(a % 8)) },
            _ if a % 8 < 7 => Self::CloneHandle,
            _ => Self::DropHandle,
        }
    }
}

/// Mostly few, sometimes more than a magazine.
fn many(n: u8) -> usize {
    let n = usize::from(n);
    if n < 224 { n % 6 } else { 20 + n % 64 }
}

fn bytes(n: u8) -> u64 {
    if n == 255 { u64::MAX } else { u64::from(n) * 1500 }
}

fn ttl(n: u8) -> Option<Duration> {
    (n % 4 != 0).then(|| Duration::from_millis(10 << (n % 4 * 4)))
}

fn pass(a: u8, b: u8) -> Pass {
    match a % 4 {
        0 => Pass::Reclaim { extra_bytes: 0 },
        1 => Pass::Reclaim { extra_bytes: bytes(b) },
        2 => Pass::Snapshot,
        _ => Pass::Cycle,
    }
}

/// Every number here is within its range.
fn setting(a: u8, b: u8) -> Setting {
    let in_range = "a number in its range";
    match a % 8 {
        0..=3 => {
            let objects = [0, 1, 3, 10, 64, 130, 300, 4000][usize::from(b) % 8];
            let bytes = [0, 5000, 60_000, 1 << 20, 1 << 30][usize::from(b) / 8 % 5];
            let floor = if b > 127 { objects.min(4) } else { 0 };
            let capacity = Capacity::new(objects, bytes).and_then(|c| c.with_floor(floor));
            Setting::Capacity(capacity.expect(in_range))
        }
        4 => Setting::Reuse(Reuse(ratio(b))),
        5 => {
            let eviction = Eviction::DEFAULT
                .with_max_age_cycles(2 + u32::from(b) % 3)
                .and_then(|e| e.with_idle_ttl((b > 127).then(|| Duration::from_millis(50 << (b % 8)))))
                .and_then(|e| e.with_cycle(Duration::from_millis(10 << (b % 5 * 2))));
            Setting::Eviction(eviction.expect(in_range))
        }
        _ => {
            let leases = match b % 4 {
                0 => LeaseLevel::Off,
                1 => LeaseLevel::All,
                _ => LeaseLevel::Sampled(NonZeroU32::new(u32::from(b)).expect(in_range)),
            };
            let timing = if b > 200 { 1 + u32::from(b % 8) } else { 0 };
            let sampling = Sampling::DEFAULT.with_leases(leases).with_evict_ratio(ratio(b / 2));
            Setting::Sampling(sampling.with_timing_one_in(timing).expect(in_range))
        }
    }
}

/// Mostly 1, where more can be said.
fn ratio(n: u8) -> Ratio {
    [Ratio::ONE, Ratio::ONE, Ratio::ZERO, Ratio::new(0.5).unwrap_or(Ratio::ONE)][usize::from(n) % 4]
}

//! Advice from a record: which limit, which floors and weights, how sure that is, and what would shrink first.
//!
//! - **The limit.** `tide` is replayed without a limit, and under limits 3 % apart, from the most that others used and pools
//!   lent at a time. It goes well where nothing is killed, usage stays at or below .90 for 99 % of the time, and reuse
//!   saves at least .95 of what it saves without a limit. Bisection finds the least such limit: with more than it, a
//!   replay goes no worse. A margin comes on top (`support.rs`): it is what the record cannot say. What is advised is
//!   replayed, too, and the limit rises until that goes well.
//! - **Floors.** In each ten seconds some of a pool's objects come back and are wanted again: the most that were lent minus
//!   the fewest. A floor keeps the tenth percentile of that, and all floors together a tenth of the limit at most.
//! - **Weights.** A controller weighs pools by what a reuse saves per byte, where it is measured, so a weight would count it
//!   twice. One is advised where the record knows the saving and the controller did not for half of the record.
//!
//! It does not know requests that the service refused, nor demand that was never there.

mod floors;
mod support;
mod text;

pub use support::{Confidence, Part, Support};

use super::recorded::{Point, Recorded, Unfit};
use super::run::{Outcome, run};
use crate::record::Record;
use pool_controller::decide::Tide;
use serde::Serialize;
use std::fmt;

/// A record must last so long, s.
const SECONDS_MIN: f64 = 60.0;
/// And have so many gets.
const GETS_MIN: u64 = 1000;
/// And no larger share of moments at which limit or usage could not be read.
const UNREADABLE_MAX: f64 = 0.2;
/// A limit is well kept with no more than this share of the time above .90 of it,
const OVER_MAX: f64 = 0.01;
/// and if at least this share is saved of what is saved without one.
const SAVED_MIN: f64 = 0.95;
/// Limits that are tried are so many hundredths of the one before.
const GRID_PERCENT: u64 = 103;
/// With floors and weights, so many limits are tried.
const SETTLED_WITHIN: usize = 8;
/// Limits are tried up to so many times what the service would use without one.
const TRIED_MAX: u64 = 2;
/// No limit at all, for the law: 2^46 bytes.
const NO_LIMIT_BYTES: u64 = 1 << 46;
/// Advice is given in steps of this.
const MIB: u64 = 1 << 20;

/// What to set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// The limit to give the service, bytes: the least, and the margin.
    pub limit_bytes: u64,
    /// A limit under which the replay went well, bytes; under the next lower one that could be it did not.
    pub least_bytes: u64,
    /// What the record supports, and the margin that comes from it.
    pub support: Support,
    /// The replay under the advised limit, with the advised floors and weights.
    pub expected: Expected,
    /// Pools, what shrinks first in front.
    pub pools: Vec<PoolAdvice>,
    /// The same as a file of configuration, which `ebbpool check` accepts.
    pub config: String,
    /// What a reader should know of the record.
    pub notes: Vec<String>,
}

/// What a replay under the advised limit came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Expected {
    /// Highest usage, a share of the limit.
    pub peak: f64,
    /// The share of the time above .90 of the limit.
    pub over_090: f64,
    /// What is saved, as a share of what is saved without a limit.
    pub saved: f64,
    /// 1 if it was killed: there is no such advice.
    pub oom: u8,
}

impl Expected {
    /// Whether it is what an advice promises.
    fn is_good(&self) -> bool {
        self.oom == 0 && self.over_090 <= OVER_MAX && self.saved >= SAVED_MIN
    }
}

/// What to set for a pool.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoolAdvice {
    /// The pool's name.
    pub name: String,
    /// Idle bytes that it keeps before others get any, no fewer than it has now; whole KiB, and 0: none.
    pub floor_bytes: u64,
    /// How much its demand counts; 100 is usual.
    pub weight: u32,
    /// What a reuse saves, ns a byte; `None` if it was never measured.
    pub worth_ns_per_byte: Option<f64>,
    /// What it held idle on the average of the record, bytes.
    pub idle_mean_bytes: u64,
    /// A person or an operator has set its capacity: the controller does not size it.
    pub is_pinned: bool,
}

/// Why there is no advice: each thing that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotEnough(pub Vec<String>);

impl fmt::Display for NotEnough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too little to advise from: {}", self.0.join("; "))
    }
}

impl std::error::Error for NotEnough {}

/// Advises. Takes some ten replays of the record.
///
/// # Errors
/// [`NotEnough`] with everything that is missing.
///
/// ```
/// use pool_chaos::record::Record;
/// use pool_chaos::simulate::advise;
/// let record = Record::parse(include_bytes!("../../../tests/records/demo.record"))?;
/// let advice = advise(&record, 1)?;
/// assert!(advice.limit_bytes > advice.least_bytes && advice.expected.oom == 0);
/// assert!(advice.config.starts_with("# "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn advise(record: &Record, seed: u64) -> Result<Advice, NotEnough> {
    let world = enough(record)?;
    let tide = |world: &Recorded| run(world, &world.demand, seed, || Box::<Tide>::default());
    let free = tide(&world.under(NO_LIMIT_BYTES));
    let least = least_limit(&world, &free, tide)?;
    let support = Support::of(&world);
    let with_floors = |limit| {
        let pools = floors::pools(&world, limit);
        let mut set = world.under(limit);
        for start in set.pools_mut() {
            if let Some(pool) = pools.iter().find(|pool| pool.name == start.name) {
                (start.floor_bytes, start.priority) = (pool.floor_bytes, pool.weight);
            }
        }
        (pools, expected(&world, &tide(&set), &free))
    };
    let (limit, (pools, expected)) =
        settle(support.with_margin(least).div_ceil(MIB) * MIB, with_floors, |(_, expected)| {
            expected.is_good()
        })?;
    let mut notes = record.notes.clone();
    notes.extend(pools.iter().filter(|pool| pool.is_pinned).map(|pool| {
        format!("the capacity of {} is set by hand or by a file: the controller plans around it", pool.name)
    }));
    let config = text::config(limit, &support, &pools);
    Ok(Advice { limit_bytes: limit, least_bytes: least, support, expected, pools, config, notes })
}

/// The record taken apart, if there is enough of it.
fn enough(record: &Record) -> Result<Recorded, NotEnough> {
    let world = Recorded::of(record).map_err(|unfit| {
        NotEnough(vec![match unfit {
            Unfit::TooLittle => {
                "two moments that are apart, and a limit and a usage that could be read".to_owned()
            }
            Unfit::Beyond(problem) => format!("it cannot be replayed ({problem})"),
        }])
    })?;
    let facts = &world.facts;
    let gets: u64 =
        world.demand.pools.iter().flat_map(|trace| &trace.gets).map(|gets| u64::from(*gets)).sum();
    let mut missing = Vec::new();
    if world.seconds() < SECONDS_MIN {
        missing.push(format!("it lasts {:.1} s, and should last {SECONDS_MIN} s at least", world.seconds()));
    }
    if gets < GETS_MIN {
        missing
            .push(format!("it has {gets} gets of pools, and should have {GETS_MIN} at least, in usual work"));
    }
    if facts.unreadable > UNREADABLE_MAX {
        let (percent, most) = (100.0 * facts.unreadable, 100.0 * UNREADABLE_MAX);
        missing.push(format!(
            "limit or usage could not be read at {percent:.0} % of its moments; {most:.0} % may be missing"
        ));
    }
    if missing.is_empty() { Ok(world) } else { Err(NotEnough(missing)) }
}

/// Limits from this one up.
fn grid(from: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(from), |limit| Some((limit / 100 * GRID_PERCENT).div_ceil(MIB) * MIB))
}

/// The least limit under which the replay goes well.
fn least_limit(
    world: &Recorded,
    free: &Outcome,
    tide: impl Fn(&Recorded) -> Outcome,
) -> Result<u64, NotEnough> {
    let most = free.measure.peak_bytes.saturating_mul(TRIED_MAX);
    let needed = world.points().iter().map(Point::needs).max().unwrap_or(0).div_ceil(MIB).max(1) * MIB;
    let limits: Vec<u64> = grid(needed).take_while(|limit| *limit <= most).collect();
    let is_too_low = |limit: &u64| !expected(world, &tide(&world.under(*limit)), free).is_good();
    limits.get(limits.partition_point(is_too_low)).copied().ok_or_else(|| {
        let found = format!("no limit up to {} MiB keeps what the record has of reuse", most / MIB);
        NotEnough(vec![found + ": its work is too uneven for its length"])
    })
}

/// The first of a few limits from `limit` on with which what is set is good, and what is set.
fn settle<T>(
    limit: u64,
    set: impl Fn(u64) -> T,
    is_good: impl Fn(&T) -> bool,
) -> Result<(u64, T), NotEnough> {
    let mut tried = grid(limit).take(SETTLED_WITHIN).map(|limit| (limit, set(limit)));
    tried.find(|(_, set)| is_good(set)).ok_or_else(|| {
        let found = format!("with floors and weights, no limit from {} MiB up goes well", limit / MIB);
        NotEnough(vec![found + ": its work is too uneven for its length"])
    })
}

fn expected(world: &Recorded, outcome: &Outcome, free: &Outcome) -> Expected {
    let share = if free.saved_ns > 0.0 { outcome.saved_ns / free.saved_ns } else { 1.0 };
    let rounded = |value: f64| (value * 1e4).round() / 1e4;
    Expected {
        peak: rounded(outcome.measure.peak),
        over_090: rounded(outcome.measure.seconds_over_090 / world.seconds()),
        saved: rounded(share),
        oom: u8::from(outcome.is_killed),
    }
}

#[cfg(test)]
mod tests;

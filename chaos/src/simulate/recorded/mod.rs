//! What a record says that happened, as a world to put a plant into.
//!
//! A record has counters and levels some times a second. In between, gets and returns come evenly, and what others use
//! goes in a straight line. What others use is usage minus what the pools held and what the allocator kept; the latter no
//! allocator tells, so it is what the plant's own allocator would have kept of what the recorded pools freed
//! (`held.rs`). A replay of the same policy at the same limit then starts from the recorded usage, and differs from it by
//! what the plant does otherwise than the service did.

mod bounds;
mod demand;
mod held;
mod reach;

use bounds::OBJECTS_MAX;

pub(super) use bounds::BYTES_MAX;

use super::demand::{Demand, STEP_MS};
use super::plant::Process;
use super::scenario::Allocator;
use super::world::{Start, World};
use crate::record::Record;
use pool_controller::decide::{Inputs, PauseInputs};
use std::fmt;
use std::sync::Arc;

/// Strain (what others use, as a share of the limit) that is so much above its median is a disturbance, until it is no more
/// than half as much above it.
const DISTURBED: f64 = 0.10;
/// Ns that a reuse counts in a pool in which it was never measured: all of them alike.
const UNMEASURED_NS: f64 = 1000.0;

/// Under another limit, a replay begins with no more idle than leaves usage at so many hundredths of it.
const BEGINS_PERCENT: u64 = 80;

/// A recorded service. Cheap to clone.
#[derive(Clone)]
pub(super) struct Recorded {
    starts: Vec<Start>,
    points: Arc<[Point]>,
    /// Of each step, the point that it comes after.
    point_of: Arc<[u32]>,
    allocator: Allocator,
    limit: Option<u64>,
    disturbance: Option<(f64, Option<f64>)>,
    pub(super) demand: Arc<Demand>,
    pub(super) facts: Facts,
}

/// Why a record cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It has fewer than two moments, or never a limit and a usage.
    TooLittle,
    /// It has figures that cannot be, or too many.
    Beyond(String),
}

/// What was recorded, in figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub(super) policy: String,
    pub(super) seconds: f64,
    pub(super) moments: usize,
    /// Highest usage, bytes, and as a share of the limit of that moment.
    pub(super) peak_bytes: u64,
    pub(super) peak: f64,
    /// Seconds after a moment with usage above .90 of the limit.
    pub(super) seconds_over_090: f64,
    /// Of the gets, the share that reused.
    pub(super) hit_ratio: Option<f64>,
    /// Kills and failed reclaims.
    pub(super) oom: u64,
    /// The share of moments at which limit or usage could not be read.
    pub(super) unreadable: f64,
    /// The share of moments with a measured saving, of each pool.
    pub(super) measured: Vec<f64>,
}

/// What was so at a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Point {
    pub(super) step: usize,
    pub(super) limit: u64,
    /// Whether a usage above the limit is killed.
    pub(super) kills: bool,
    pub(super) others: i64,
    /// What is left of what the allocator keeps, thousandths: less than 1000 where it had less than the plant would.
    pub(super) kept_permille: u64,
    pub(super) can_read: (bool, bool),
    pub(super) psi: Option<f64>,
    pub(super) pause: PauseInputs,
    pub(super) pools: Vec<PoolPoint>,
}

/// A pool at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PoolPoint {
    pub(super) gets: u64,
    pub(super) created: u64,
    pub(super) idle: u64,
    pub(super) lent: u64,
    pub(super) weight: u64,
    pub(super) lent_weight: u64,
    pub(super) expected_weight: u64,
    pub(super) capacity_objects: u64,
    pub(super) capacity_bytes: u64,
    /// Bytes that the record has for what is idle and lent.
    pub(super) bytes: u64,
}

impl PoolPoint {
    /// Objects that the pool may hold.
    fn room(&self) -> u64 {
        self.capacity_objects.min(self.capacity_bytes / self.weight.max(1))
    }
}

impl Point {
    /// What others used and pools had lent, bytes: what no policy can take back.
    pub(super) fn needs(&self) -> u64 {
        let lent: u64 = self.pools.iter().map(|pool| pool.lent * pool.lent_weight).sum();
        lent.saturating_add_signed(self.others)
    }
}

impl Recorded {
    /// Takes a record apart.
    ///
    /// # Errors
    /// [`Unfit`] with why it cannot be.
    pub(super) fn of(record: &Record) -> Result<Self, Unfit> {
        let names = demand::names(record);
        bounds::check(record, &names).map_err(Unfit::Beyond)?;
        let mut points = demand::points(record, &names).ok_or(Unfit::TooLittle)?;
        let kind = held::allocator(record);
        held::take_off(record, &mut points, kind);
        let steps = points.last().map_or(0, |point| point.step);
        if steps == 0 {
            return Err(Unfit::TooLittle);
        }
        let mut starts = demand::starts(record, &names, &points);
        let demand = demand::demand(&points, steps, names.len());
        reach::find(&mut starts, &points, &demand.pools);
        let mut world = Self {
            demand: Arc::new(demand),
            starts,
            point_of: point_of(&points, steps).into(),
            points: points.into(),
            allocator: kind,
            limit: None,
            disturbance: None,
            facts: Facts::default(),
        };
        world.disturbance = world.find_disturbance();
        world.facts = demand::facts(record, &world);
        Ok(world)
    }

    /// The same under another limit, one that kills. A service would not have come to the first moment with more idle than
    /// fits, so there is no more.
    pub(super) fn under(&self, limit_bytes: u64) -> Self {
        let limit_bytes = limit_bytes.clamp(1, BYTES_MAX);
        let mut world = Self { limit: Some(limit_bytes), ..self.clone() };
        let idle: u64 = self.points[0].pools.iter().map(|pool| pool.idle * pool.weight).sum();
        let room = (limit_bytes / 100 * BEGINS_PERCENT).saturating_sub(self.points[0].needs());
        for start in world.starts.iter_mut().filter(|_| idle > room) {
            let part = u128::from(start.idle) * u128::from(room) / u128::from(idle);
            start.idle = u64::try_from(part).unwrap_or(start.idle);
        }
        world.disturbance = world.find_disturbance();
        world
    }

    /// The pools as the record has them at the start.
    pub(super) fn pools_mut(&mut self) -> &mut [Start] {
        &mut self.starts
    }

    /// What was so at the recorded moments.
    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// Seconds of the record.
    pub(super) fn seconds(&self) -> f64 {
        self.demand.steps as f64 * STEP_MS as f64 / 1000.0
    }

    fn limit_of(&self, point: &Point) -> u64 {
        self.limit.unwrap_or(point.limit)
    }

    fn point(&self, step: usize) -> (&Point, &Point) {
        let at = self.point_of.get(step).map_or(self.points.len() - 1, |at| *at as usize);
        (&self.points[at], &self.points[(at + 1).min(self.points.len() - 1)])
    }

    /// Between two points in a straight line.
    fn between(&self, step: usize, of: impl Fn(&Point) -> i64) -> i64 {
        let (before, after) = self.point(step);
        let (from, to) = (of(before), of(after));
        let (passed, all) = (step.saturating_sub(before.step), (after.step - before.step).max(1));
        let moved = i128::from(to - from) * passed.min(all) as i128 / all as i128;
        from + i64::try_from(moved).unwrap_or(0)
    }

    /// What objects of a pool weigh: at least a byte.
    fn weight(&self, step: usize, of: impl Fn(&Point) -> u64) -> u64 {
        self.between(step, |point| of(point).cast_signed()).max(1).cast_unsigned()
    }

    /// The first time for which others take more of the limit than they usually do.
    fn find_disturbance(&self) -> Option<(f64, Option<f64>)> {
        let strain = |point: &Point| point.others as f64 / self.limit_of(point).max(1) as f64;
        let mut sorted: Vec<f64> = self.points.iter().map(strain).collect();
        sorted.sort_by(f64::total_cmp);
        let usual = sorted[sorted.len() / 2];
        let at = |point: &Point| super::demand::seconds(point.step);
        let begins = self.points.iter().position(|point| strain(point) > usual + DISTURBED)?;
        let rest = &self.points[begins..];
        let ends = rest.iter().find(|point| strain(point) <= usual + DISTURBED / 2.0);
        Some((at(&self.points[begins]), ends.map(at)))
    }
}

impl World for Recorded {
    fn starts(&self) -> Vec<Start> {
        self.starts.clone()
    }

    /// None: what is created too much in a warm-up could be reused after it, and no optimum would bound that. The pools
    /// begin with what they held.
    fn warm_up_s(&self) -> u32 {
        0
    }

    fn allocator(&self) -> Allocator {
        self.allocator
    }

    fn limit_bytes(&self, step: usize) -> u64 {
        self.limit_of(self.point(step).0)
    }

    fn kills_above_bytes(&self, step: usize) -> u64 {
        let kills = self.limit.is_some() || self.point(step).0.kills;
        if kills { self.limit_bytes(step) } else { u64::MAX }
    }

    fn limit_max_bytes(&self) -> u64 {
        self.points.iter().map(|point| self.limit_of(point)).max().unwrap_or(0)
    }

    fn others_bytes(&self, step: usize) -> i64 {
        self.between(step, |point| point.others)
    }

    fn pauses(&self, step: usize, waited: f64) -> (PauseInputs, Option<f64>) {
        let (point, _) = self.point(step);
        (point.pause.clone(), point.psi.map(|psi| psi.max(waited)))
    }

    fn change(&self, step: usize, process: &mut Process) {
        let (point, _) = self.point(step);
        for (n, (pool, recorded)) in process.pools.iter_mut().zip(&point.pools).enumerate() {
            pool.weight = self.weight(step, |point| point.pools[n].weight);
            pool.lent_weight = self.lent_weight(step, n);
            pool.expected_weight = recorded.expected_weight;
        }
        if point.step == step {
            process.heap.keep(point.kept_permille);
        }
    }

    fn hide(&self, step: usize, inputs: &mut Inputs) {
        let (limit, usage) = self.point(step).0.can_read;
        inputs.limit_bytes = inputs.limit_bytes.filter(|_| limit || self.limit.is_some());
        inputs.usage_bytes = inputs.usage_bytes.filter(|_| usage);
    }

    fn lent_weight(&self, step: usize, pool: usize) -> u64 {
        self.weight(step, |point| point.pools[pool].lent_weight)
    }

    fn disturbance(&self) -> Option<(f64, Option<f64>)> {
        self.disturbance
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("facts", &self.facts).finish_non_exhaustive()
    }
}

fn point_of(points: &[Point], steps: usize) -> Vec<u32> {
    let mut at = 0;
    let mut of = |step: usize| {
        while points.get(at + 1).is_some_and(|next| next.step <= step) {
            at += 1;
        }
        u32::try_from(at).unwrap_or(u32::MAX)
    };
    (0..steps).map(&mut of).collect()
}

#[cfg(test)]
pub(super) mod tests;

//! Demand from counters: gets as they were counted, and as many returns as leave what was lent.

use super::super::demand::{Demand, SLOTS, STEP_MS, Trace};
use super::super::scenario::whole;
use super::super::world::{Start, World as _};
use super::{BYTES_MAX, Facts, OBJECTS_MAX, Point, PoolPoint, Recorded, UNMEASURED_NS};
use crate::record::Record;
use pool_controller::decide::PoolInputs;
use std::collections::{BTreeMap, BTreeSet};

/// All pools that were ever there, in the order in which they came.
pub(super) fn names(record: &Record) -> Vec<String> {
    let (mut names, mut known): (Vec<String>, _) = (Vec::new(), BTreeSet::new());
    for moment in &record.moments {
        let pools = &moment.inputs.pools;
        if pools.len() == names.len()
            && pools.iter().zip(&names).all(|(pool, name)| pool.name == name.as_str())
        {
            continue;
        }
        for pool in pools {
            if known.insert(pool.name.as_str()) {
                names.push(pool.name.as_str().to_owned());
            }
        }
    }
    names
}

/// The moments as points. What could not be read is as it was before. Of moments in one step the last counts.
pub(super) fn points(record: &Record, names: &[String]) -> Option<Vec<Point>> {
    let known = |of: fn(&pool_controller::Moment) -> Option<u64>| record.moments.iter().find_map(of);
    let (mut limit, mut usage) = (known(|m| m.inputs.limit_bytes)?, known(|m| m.inputs.usage_bytes)?);
    let began_ms = record.moments.first()?.at_ms;
    let mut points: Vec<Point> = Vec::with_capacity(record.moments.len());
    for moment in &record.moments {
        let inputs = &moment.inputs;
        limit = inputs.limit_bytes.unwrap_or(limit).clamp(1, BYTES_MAX);
        usage = inputs.usage_bytes.unwrap_or(usage);
        let before = points.last().map(|point| point.pools.as_slice());
        let pools = pool_points(names, &inputs.pools, before);
        let step = usize::try_from(moment.at_ms.saturating_sub(began_ms) / STEP_MS).unwrap_or(usize::MAX);
        let point = Point {
            step,
            limit,
            kills: moment.limit_kind == "real",
            // What pools and allocator hold is taken off later.
            others: usage.cast_signed(),
            kept_permille: 1000,
            can_read: (inputs.limit_bytes.is_some(), inputs.usage_bytes.is_some()),
            psi: inputs.psi_some_ratio,
            pause: inputs.pause.clone(),
            pools,
        };
        match points.last_mut() {
            Some(last) if last.step >= step => *last = Point { step: last.step, ..point },
            _ => points.push(point),
        }
    }
    complete_weights(&mut points, names.len());
    Some(points)
}

/// Before a weight was known it is what it was then. Where that of what is idle, or lent, never was, it is the other one.
fn complete_weights(points: &mut [Point], pools: usize) {
    for pool in 0..pools {
        let first = |of: fn(&PoolPoint) -> u64| {
            points.iter().map(|point| of(&point.pools[pool])).find(|weight| *weight > 0)
        };
        let (idle, lent) = (first(|pool| pool.weight), first(|pool| pool.lent_weight));
        let (idle, lent) = (idle.or(lent).unwrap_or(1), lent.or(idle).unwrap_or(1));
        for pool in points.iter_mut().map(|point| &mut point.pools[pool]) {
            pool.weight = if pool.weight > 0 { pool.weight } else { idle };
            pool.lent_weight = if pool.lent_weight > 0 { pool.lent_weight } else { lent };
        }
    }
}

fn pool_points(names: &[String], pools: &[PoolInputs], before: Option<&[PoolPoint]>) -> Vec<PoolPoint> {
    let by_name: BTreeMap<&str, &PoolInputs> = pools.iter().map(|pool| (pool.name.as_str(), pool)).collect();
    let point = |(n, name): (usize, &String)| {
        let before = before.map_or(PoolPoint::default(), |before| before[n]);
        let Some(pool) = by_name.get(name.as_str()) else {
            // One that is gone, or not there yet, holds nothing.
            return PoolPoint { idle: 0, lent: 0, bytes: 0, ..before };
        };
        let mean = |bytes: u64, objects: u64, before: u64| match objects {
            0 if before > 0 => before,
            0 => pool.expected_weight_bytes,
            objects => (bytes / objects).max(1),
        };
        PoolPoint {
            gets: pool.gets_total,
            created: pool.created_total,
            idle: pool.idle_objects,
            lent: pool.lent_objects,
            weight: mean(pool.idle_bytes, pool.idle_objects, before.weight),
            lent_weight: mean(pool.lent_bytes, pool.lent_objects, before.lent_weight),
            expected_weight: pool.expected_weight_bytes,
            capacity_objects: pool.capacity_objects,
            capacity_bytes: pool.capacity_bytes,
            bytes: pool.idle_bytes + pool.lent_bytes,
        }
    };
    names.iter().enumerate().map(point).collect()
}

/// The pools as they were at the first moment; those that came later are empty.
pub(super) fn starts(record: &Record, names: &[String], points: &[Point]) -> Vec<Start> {
    let start = |(n, name): (usize, &String)| {
        let all = || {
            record
                .moments
                .iter()
                .filter_map(|m| m.inputs.pools.iter().find(|pool| pool.name == name.as_str()))
        };
        let first = all().next().cloned().unwrap_or_default();
        // It is learnt while the record goes on; the last word is the best.
        let saved_ns = all().rev().find_map(|pool| pool.saved_ns);
        let mut weights: Vec<u64> = points.iter().map(|point| point.pools[n].weight).collect();
        weights.sort_unstable();
        let pool = points[0].pools[n];
        Start {
            name: name.clone(),
            weight: weights[weights.len() / 2],
            least_weight: weights[0],
            saved_ns: saved_ns.unwrap_or(UNMEASURED_NS),
            is_measured: saved_ns.is_some(),
            capacity_bytes: first.capacity_bytes.min(BYTES_MAX),
            objects_max: first.capacity_objects.min(OBJECTS_MAX),
            idle: pool.idle,
            lent: pool.lent,
            out_of_reach: 0,
            out_of_reach_room: 1,
            floor_bytes: first.floor_bytes.min(BYTES_MAX),
            priority: first.weight,
            is_pinned: first.pinned,
        }
    };
    names.iter().enumerate().map(start).collect()
}

/// Gets and returns by slot.
pub(super) fn demand(points: &[Point], steps: usize, pools: usize) -> Demand {
    Demand { steps, pools: (0..pools).map(|pool| trace(points, steps, pool)).collect() }
}

fn trace(points: &[Point], steps: usize, pool: usize) -> Trace {
    let slots = steps * SLOTS;
    let most = points.iter().map(|point| point.pools[pool].lent).max().unwrap_or(0).max(1);
    let first = points[0].pools[pool];
    let mut trace = Trace {
        gets: vec![0; slots],
        returns: vec![0; slots],
        // No more than were ever seen lent are lent in an instant.
        together: u32::try_from(most).unwrap_or(u32::MAX),
        at_start: (first.idle, first.lent),
    };
    let mut lent = first.lent;
    for pair in points.windows(2) {
        let (before, after) = (pair[0].pools[pool], pair[1].pools[pool]);
        let grown = after.lent.saturating_sub(lent);
        let gets = after.gets.saturating_sub(before.gets).max(grown);
        let returns = (lent + gets).saturating_sub(after.lent);
        let (from, to) = (pair[0].step * SLOTS, pair[1].step * SLOTS);
        let (mut got, mut returned) = (0, 0);
        for slot in from..to {
            let due = |all: u64| u128::from(all) * (slot - from + 1) as u128 / (to - from) as u128;
            let due = |all: u64| u64::try_from(due(all)).unwrap_or(all);
            let get = due(gets) - got;
            // Nothing comes back that is not out.
            let put = (due(returns) - returned).min(lent + get);
            (got, returned, lent) = (got + get, returned + put, lent + get - put);
            trace.gets[slot] = u32::try_from(get).unwrap_or(u32::MAX);
            trace.returns[slot] = u32::try_from(put).unwrap_or(u32::MAX);
        }
    }
    trace
}

/// The record in figures.
pub(super) fn facts(record: &Record, world: &Recorded) -> Facts {
    let points = world.points();
    let ratio = |usage: u64, limit: u64| usage as f64 / limit.max(1) as f64;
    let both = || record.moments.iter().filter_map(|m| Some((m.inputs.usage_bytes?, m.inputs.limit_bytes?)));
    let over_ms = record.moments.windows(2).filter_map(|pair| {
        let (usage, limit) = (pair[0].inputs.usage_bytes?, pair[0].inputs.limit_bytes?);
        (ratio(usage, limit) > 0.9).then(|| pair[1].at_ms.saturating_sub(pair[0].at_ms))
    });
    let since = |of: fn(&PoolPoint) -> u64| {
        let sum = |point: &Point| point.pools.iter().map(|pool| u128::from(of(pool))).sum::<u128>();
        points.last().map_or(0, sum).saturating_sub(points.first().map_or(0, sum))
    };
    let (gets, created) = (since(|pool| pool.gets), since(|pool| pool.created));
    let moments = record.moments.len();
    let share = |count: usize| count as f64 / moments.max(1) as f64;
    let is_measured = |start: &Start| {
        let known = |m: &&pool_controller::Moment| {
            m.inputs.pools.iter().any(|pool| pool.name == start.name.as_str() && pool.saved_ns.is_some())
        };
        share(record.moments.iter().filter(known).count())
    };
    let oom = |at: Option<&pool_controller::Moment>| at.map_or(0, |moment| moment.inputs.oom_total);
    Facts {
        policy: record.moments.first().map(|moment| moment.policy.clone()).unwrap_or_default(),
        seconds: world.seconds(),
        moments,
        peak_bytes: record.peak_bytes().unwrap_or(0),
        peak: both().map(|(usage, limit)| ratio(usage, limit)).fold(0.0, f64::max),
        seconds_over_090: over_ms.sum::<u64>() as f64 / 1000.0,
        hit_ratio: (gets > 0).then(|| 1.0 - created.min(gets) as f64 / gets as f64),
        oom: oom(record.moments.last()).saturating_sub(oom(record.moments.first())),
        unreadable: share(moments - both().count().min(moments)),
        measured: world.starts().iter().map(is_measured).collect(),
    }
}

/// Objects of a share of something.
pub(super) fn dropped(before: &PoolPoint, after: &PoolPoint) -> u64 {
    let created = after.created.saturating_sub(before.created);
    (created + before.idle + before.lent).saturating_sub(after.idle + after.lent)
}

/// A share as thousandths.
pub(super) fn permille(part: u64, all: u64) -> u64 {
    if all == 0 { 1000 } else { whole(part as f64 * 1000.0 / all as f64).min(1000) }
}

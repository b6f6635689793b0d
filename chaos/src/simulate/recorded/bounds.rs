//! What a record may say to be replayed. A file can say anything: figures beyond these would overflow what is computed from
//! them, or take more memory and time than there is. No service has them.

use super::super::demand::STEP_MS;
use crate::record::Record;
use pool_controller::decide::PoolInputs;

/// Bytes of a process or a pool: a pebibyte. A limit above it is one of so much.
pub(in crate::simulate) const BYTES_MAX: u64 = 1 << 50;
/// Objects of a pool at a moment.
const OBJECTS_MAX: u64 = 1 << 32;
/// Gets, or creates, that were ever counted; and milliseconds since the controller started.
const COUNT_MAX: u64 = 1 << 53;
/// Gets of a pool in a record.
const GETS_MAX: u64 = 1 << 40;
/// What a reuse saves, ns: a thousand seconds.
const SAVED_NS_MAX: f64 = 1e12;
/// Bytes of all objects of all pools, were each as heavy as the heaviest of its pool.
const ALL_BYTES_MAX: u128 = 1 << 60;
/// Steps and moments, times all pools that were ever there. A record that is as long as one may be, of a service that ticks
/// as usual and keeps its pools, has a quarter of it.
const CELLS_MAX: u64 = 200 * Record::CELLS_MAX as u64;

/// Says what is beyond, if anything is. `names` are those of all pools.
pub(super) fn check(record: &Record, names: &[String]) -> Result<(), String> {
    let at = |of: fn(u64, u64) -> u64| record.moments.iter().map(|moment| moment.at_ms).reduce(of);
    let (first, last) = (at(u64::min).unwrap_or(0), at(u64::max).unwrap_or(0));
    within("milliseconds", last, COUNT_MAX)?;
    let length = (last - first) / STEP_MS + record.moments.len() as u64;
    if length.saturating_mul(names.len().max(1) as u64) > CELLS_MAX {
        let (seconds, pools) = ((last - first) / 1000, names.len());
        return Err(format!("{seconds} s with {pools} pools that came and went are too much to replay"));
    }
    for moment in &record.moments {
        within("bytes of usage", moment.inputs.usage_bytes.unwrap_or(0), BYTES_MAX)?;
        for pool in &moment.inputs.pools {
            figures(pool).map_err(|problem| format!("{}: {problem}", pool.name))?;
        }
    }
    let all: u128 = names.iter().map(|name| heaviest(record, name)).sum::<Result<u128, _>>()?;
    if all > ALL_BYTES_MAX {
        return Err(format!("objects that would weigh {all} bytes together are more than can be"));
    }
    Ok(())
}

fn figures(pool: &PoolInputs) -> Result<(), String> {
    within("bytes", pool.idle_bytes.max(pool.lent_bytes).max(pool.expected_weight_bytes), BYTES_MAX)?;
    within("objects", pool.idle_objects.max(pool.lent_objects), OBJECTS_MAX)?;
    within("gets", pool.gets_total.max(pool.created_total), COUNT_MAX)?;
    match pool.saved_ns {
        Some(ns) if !(0.0..=SAVED_NS_MAX).contains(&ns) => {
            Err(format!("no reuse saves {ns} ns: at most {SAVED_NS_MAX}"))
        }
        _ => Ok(()),
    }
}

/// Bytes of what a pool had at most and created, were all of it as heavy as its heaviest.
fn heaviest(record: &Record, name: &str) -> Result<u128, String> {
    let seen = || {
        record.moments.iter().filter_map(|m| m.inputs.pools.iter().find(|pool| pool.name.as_str() == name))
    };
    let weight = |pool: &PoolInputs| {
        let idle = pool.idle_bytes / pool.idle_objects.max(1);
        idle.max(pool.lent_bytes / pool.lent_objects.max(1)).max(pool.expected_weight_bytes)
    };
    let most = |of: fn(&PoolInputs) -> u64| seen().map(of).max().unwrap_or(0);
    let grown = |of: fn(&PoolInputs) -> u64| most(of) - seen().map(of).min().unwrap_or(0);
    within("gets", grown(|pool| pool.gets_total), GETS_MAX)
        .map_err(|problem| format!("{name}: {problem}"))?;
    let objects = most(|pool| pool.idle_objects + pool.lent_objects) + grown(|pool| pool.created_total);
    Ok(u128::from(seen().map(weight).max().unwrap_or(0)) * u128::from(objects))
}

fn within(what: &str, number: u64, most: u64) -> Result<(), String> {
    if number <= most { Ok(()) } else { Err(format!("{number} {what} are more than can be: at most {most}")) }
}

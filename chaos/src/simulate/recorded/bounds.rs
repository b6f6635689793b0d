//! What a record may say to be replayed. A file can say anything: figures beyond these would overflow what is computed from
//! them, or take more memory and time than there is. No service has them.

use super::super::demand::STEP_MS;
use crate::record::Record;
use pool_controller::decide::PoolInputs;
use std::collections::BTreeMap;

/// Bytes of a process or a pool: a pebibyte. A limit, a capacity or a floor above it is one of so much.
pub(in crate::simulate) const BYTES_MAX: u64 = 1 << 50;
/// Objects of a pool at a moment, idle or lent. A capacity above it is one of so many.
pub(super) const OBJECTS_MAX: u64 = 1 << 30;
/// Gets, or creates, that were ever counted; and milliseconds since the controller started.
const COUNT_MAX: u64 = 1 << 53;
/// Gets of a pool between two moments. With what is lent, its returns are counted in 32 bits.
const GETS_MAX: u64 = 1 << 31;
/// What a reuse saves, ns: a thousand seconds.
const SAVED_NS_MAX: f64 = 1e12;
/// Pools that were ever there: sums over them have room in 64 bits.
const POOLS_MAX: usize = 1 << 12;
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
    if names.len() > POOLS_MAX || length.saturating_mul(names.len().max(1) as u64) > CELLS_MAX {
        let (seconds, pools) = ((last - first) / 1000, names.len());
        return Err(format!("{seconds} s with {pools} pools that came and went are too much to replay"));
    }
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for moment in &record.moments {
        within("bytes of usage", moment.inputs.usage_bytes.unwrap_or(0), BYTES_MAX)?;
        for pool in &moment.inputs.pools {
            let seen = seen.entry(pool.name.as_str()).or_insert_with(|| Seen::of(pool));
            figures(pool).and_then(|()| seen.see(pool)).map_err(|what| format!("{}: {what}", pool.name))?;
        }
    }
    let all = seen.values().map(Seen::bytes).sum::<u128>();
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

/// What was seen of a pool so far.
struct Seen {
    gets: u64,
    /// The fewest and the most that it had created.
    created: (u64, u64),
    objects: u64,
    weight: u64,
}

impl Seen {
    fn of(pool: &PoolInputs) -> Self {
        let created = (pool.created_total, pool.created_total);
        Self { gets: pool.gets_total, created, objects: 1, weight: 0 }
    }

    fn see(&mut self, pool: &PoolInputs) -> Result<(), String> {
        within("gets between two moments", pool.gets_total.saturating_sub(self.gets), GETS_MAX)?;
        self.gets = pool.gets_total;
        self.created = (self.created.0.min(pool.created_total), self.created.1.max(pool.created_total));
        self.objects = self.objects.max(pool.idle_objects + pool.lent_objects);
        let idle = pool.idle_bytes / pool.idle_objects.max(1);
        let lent = pool.lent_bytes / pool.lent_objects.max(1);
        self.weight = self.weight.max(idle).max(lent).max(pool.expected_weight_bytes);
        Ok(())
    }

    /// What it had at most and created, were all of it as heavy as its heaviest.
    fn bytes(&self) -> u128 {
        u128::from(self.weight) * u128::from(self.objects + (self.created.1 - self.created.0))
    }
}

fn within(what: &str, number: u64, most: u64) -> Result<(), String> {
    if number <= most { Ok(()) } else { Err(format!("{number} {what} are more than can be: at most {most}")) }
}

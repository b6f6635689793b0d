//! What a configuration says of one pool, turned into knobs. What it leaves out of a knob is as the pool was built.

use super::Values;
use super::value::Value;
use pool_core::{Capacity, Eviction, KnobError, KnobKind, Knobs, LeaseLevel, Priority, Ratio, Reuse};
use pool_core::{Sampling, Setting};
use std::num::NonZeroU32;

/// One knob that a configuration sets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wish {
    pub(crate) kind: KnobKind,
    /// Or why it does not fit the pool.
    pub(crate) setting: Result<Setting, KnobError>,
    /// Where the configuration says so: `FILE:LINE`.
    pub(crate) reason: String,
}

pub(super) type Build = fn(&Values, &Knobs) -> Result<Setting, KnobError>;

/// Each knob with the start of its fields.
pub(super) const KNOBS: [(KnobKind, &[&str], Build); 5] = [
    (KnobKind::Capacity, &["pools.*.capacity."], capacity),
    (KnobKind::Sampling, &["pools.*.sampling."], sampling),
    (KnobKind::Eviction, &["pools.*.eviction."], eviction),
    (KnobKind::Reuse, &["pools.*.reuse"], reuse),
    (KnobKind::Priority, &["pools.*.weight", "pools.*.pinned"], priority),
];

/// The knobs that `values` set, for a pool with `knobs`.
pub(super) fn wishes(values: &Values, knobs: &Knobs, place: impl Fn(Option<usize>) -> String) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for (kind, starts, build) in KNOBS {
        let lines = values.lines(|path| starts.iter().any(|start| path.starts_with(start)));
        if let Some(line) = lines.min() {
            wishes.push(Wish { kind, setting: build(values, knobs), reason: place(line) });
        }
    }
    wishes
}

fn capacity(values: &Values, knobs: &Knobs) -> Result<Setting, KnobError> {
    let built = knobs.capacity.built;
    let objects = values.whole("pools.*.capacity.objects").unwrap_or(built.objects_max());
    let bytes = values.size("pools.*.capacity.bytes").unwrap_or(built.bytes_max());
    // A floor that was built in gives way to a capacity below it; one that is asked for does not.
    let floor = values.whole("pools.*.capacity.floor").unwrap_or(built.objects_floor().min(objects));
    Capacity::new(objects, bytes)?.with_floor(floor).map(Setting::Capacity)
}

fn sampling(values: &Values, knobs: &Knobs) -> Result<Setting, KnobError> {
    let mut sampling: Sampling = knobs.sampling.built;
    match values.get("pools.*.sampling.leases") {
        Some(Value::Off) => sampling = sampling.with_leases(LeaseLevel::Off),
        Some(Value::All) => sampling = sampling.with_leases(LeaseLevel::All),
        Some(Value::OneIn(n)) => {
            let one_in = NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
            sampling = sampling.with_leases(LeaseLevel::Sampled(one_in));
        }
        _ => {}
    }
    match values.get("pools.*.sampling.timing") {
        Some(Value::Off) => sampling = sampling.with_timing_one_in(0)?,
        Some(Value::OneIn(n)) => sampling = sampling.with_timing_one_in(n)?,
        _ => {}
    }
    if let Some(share) = values.share("pools.*.sampling.evict_ratio") {
        sampling = sampling.with_evict_ratio(Ratio::new(share)?);
    }
    Ok(Setting::Sampling(sampling))
}

fn eviction(values: &Values, knobs: &Knobs) -> Result<Setting, KnobError> {
    let mut eviction: Eviction = knobs.eviction.built;
    if let Some(Value::Time(cycle)) = values.get("pools.*.eviction.cycle") {
        eviction = eviction.with_cycle(cycle)?;
    }
    if let Some(cycles) = values.whole("pools.*.eviction.max_age_cycles") {
        eviction = eviction.with_max_age_cycles(cycles)?;
    }
    match values.get("pools.*.eviction.idle_ttl") {
        Some(Value::Never) => eviction = eviction.with_idle_ttl(None)?,
        Some(Value::Time(ttl)) => eviction = eviction.with_idle_ttl(Some(ttl))?,
        _ => {}
    }
    if let Some(Value::Time(slice)) = values.get("pools.*.eviction.slice") {
        eviction = eviction.with_slice(slice)?;
    }
    Ok(Setting::Eviction(eviction))
}

fn reuse(values: &Values, knobs: &Knobs) -> Result<Setting, KnobError> {
    let share = values.share("pools.*.reuse").unwrap_or(knobs.reuse.built.0.get());
    Ratio::new(share).map(Reuse).map(Setting::Reuse)
}

fn priority(values: &Values, knobs: &Knobs) -> Result<Setting, KnobError> {
    let built = knobs.priority.built;
    let priority = Priority::new(values.whole("pools.*.weight").unwrap_or(built.weight()))?;
    let pinned = match values.get("pools.*.pinned") {
        Some(Value::Flag(pinned)) => pinned,
        _ => built.is_pinned(),
    };
    Ok(Setting::Priority(if pinned { priority.pinned() } else { priority }))
}

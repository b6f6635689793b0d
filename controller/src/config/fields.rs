//! Every field there is, once: parser, errors, schema and reference come from this table.

use super::staged::STAGED;
use super::value::Kind;
use crate::decide;
use pool_core::{Capacity, Eviction, Priority, Sampling};
use std::time::Duration;

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    /// Where it stands; `*` is a pool's name.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    /// One line.
    pub(super) doc: &'static str,
}

/// The format that is read.
pub(super) const VERSION: u64 = 1;

/// What stands before the fields of the controller, and of a pool.
pub(super) const CONTROLLER: &str = "controller.";
pub(super) const POOL: &str = "pools.*.";

/// Sections with what they are about.
pub(super) const SECTIONS: [(&str, &str); 2] = [
    ("controller", "What the controller does."),
    ("pools", "Knobs by the name of a pool; `\"*\"` is for all pools that are not named."),
];

const fn time((min, max): (Duration, Duration)) -> Kind {
    Kind::Time { min, max, or_never: false }
}

const fn field(path: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field { path, kind, doc }
}

/// The name of a process: as long as that of a host may be.
pub(super) const INSTANCE: Kind = Kind::Text { max: 253 };

const SIZE: Kind = Kind::Size { min: 0, max: Capacity::BYTES_LIMIT };
const OBJECTS: Kind = Kind::Whole { min: 0, max: Capacity::OBJECTS_LIMIT as u64 };

/// The fields of a pool's knobs, without what stands before them.
pub(super) fn knob_fields() -> impl Iterator<Item = (&'static str, &'static Field)> + Clone {
    let of_knobs = |rest: &&str| !rest.starts_with(STAGED) && *rest != "floor";
    FIELDS.iter().filter_map(move |field| Some((field.path.strip_prefix(POOL).filter(of_knobs)?, field)))
}

/// Their first keys.
pub(super) fn knob_keys() -> Vec<&'static str> {
    let mut keys: Vec<_> =
        knob_fields().map(|(rest, _)| rest.split('.').next().unwrap_or_default()).collect();
    keys.dedup();
    keys
}

pub(super) const FIELDS: &[Field] = &[
    field("version", Kind::Version(VERSION), "The format of the file. Required."),
    field(
        "controller.mode",
        Kind::Word(&["observe", "enforce"]),
        "Whether plans are only published, or carried out. The variable `EBBPOOL_CONTROLLER` has the last word.",
    ),
    field("controller.policy", Kind::Word(&decide::POLICIES), "Who decides."),
    field(
        "controller.limit",
        Kind::AutoOrSize { min: 1 << 20, max: Capacity::BYTES_LIMIT },
        "Where the limit comes from: the tightest cgroup, or a simulated limit of this size.",
    ),
    field(
        "controller.suspect_after",
        time((Duration::from_millis(1), Duration::from_secs(24 * 3600))),
        "The age from which on a lease on record is a suspect.",
    ),
    field(
        "controller.instance",
        INSTANCE,
        "What tells this process from others of its service, for `staged`. Left out: the builder's word, the variable \
         `EBBPOOL_INSTANCE`, or the host's name.",
    ),
    field("pools.*.capacity.objects", OBJECTS, "Idle objects, at most."),
    field("pools.*.capacity.bytes", SIZE, "Idle bytes, at most."),
    field("pools.*.capacity.floor", OBJECTS, "Idle objects that cycles leave."),
    field(
        "pools.*.sampling.leases",
        Kind::OneIn { max: u32::MAX, or_all: true },
        "Leases of which there is a record of where and when they began.",
    ),
    field(
        "pools.*.sampling.timing",
        Kind::OneIn { max: Sampling::TIMING_ONE_IN_MAX, or_all: false },
        "Leases that are timed.",
    ),
    field(
        "pools.*.sampling.evict_ratio",
        Kind::Share,
        "The share of a cycle's surplus that goes to the victim.",
    ),
    field("pools.*.eviction.cycle", time(Eviction::CYCLE), "Time between two cycles."),
    field(
        "pools.*.eviction.max_age_cycles",
        Kind::Whole { min: Eviction::MAX_AGE_CYCLES.0 as u64, max: Eviction::MAX_AGE_CYCLES.1 as u64 },
        "The age, in cycles, at which idle objects are dropped in any case.",
    ),
    field(
        "pools.*.eviction.idle_ttl",
        Kind::Time { min: Eviction::IDLE_TTL.0, max: Eviction::IDLE_TTL.1, or_never: true },
        "The time after which idle objects are dropped in any case.",
    ),
    field(
        "pools.*.eviction.slice",
        time(Eviction::SLICE),
        "The time that dropping takes in one go, at most.",
    ),
    field("pools.*.reuse", Kind::Share, "The share of gets that may reuse."),
    field(
        "pools.*.weight",
        Kind::Whole { min: 1, max: Priority::WEIGHT_MAX as u64 },
        "What a byte of this pool is worth against those of others; 100 is usual.",
    ),
    field(
        "pools.*.pinned",
        Kind::Flag,
        "Whether policies and creates of other pools leave what is idle alone.",
    ),
    field("pools.*.floor", SIZE, "Idle bytes that policies leave to the pool before others get any."),
    field(
        "pools.*.staged.percent",
        Kind::Percent,
        "The share of gets, or of processes, that is the canary's; see below. Left out: 0.",
    ),
    field(
        "pools.*.staged.salt",
        Kind::Text { max: 63 },
        "Another salt chooses others. Left out: the pool's name.",
    ),
    field(
        "pools.*.staged.generation",
        Kind::Whole { min: 0, max: 1 << 53 },
        "A number of yours for this stage, to see which one a process follows. Left out: 0.",
    ),
    field("pools.*.staged.stable", Kind::Knobs, "Knobs on top of those above, for what is not the canary's."),
    field("pools.*.staged.canary", Kind::Knobs, "Knobs on top of those above, for the canary."),
];

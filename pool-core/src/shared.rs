//! The part of a pool that needs no type: slots, depot, credit, counters, and what it knows of weights.
//!
//! It knows values only as nodes that weigh something. What is done with it stands in modules of its own: `serve`
//! (gets), `accept` (returns), `entry` (both), `drain` and `cycle` (from outside). No user code (create, recycle,
//! drop) runs while an owner is inside its slot or a lock is held.

use crate::counters::Counters;
use crate::creates::Creates;
use crate::credit::Credit;
use crate::depot::Depot;
use crate::events::Rates;
use crate::ghosts::Ghosts;
use crate::inside::Counts;
use crate::knobs::{Capacity, KnobSet};
use crate::lease::Leases;
use crate::node::NodePtr;
use crate::settings::{Settings, Shown};
#[cfg(feature = "failpoints")]
use crate::slot::attention;
use crate::stats::DropReason;
#[cfg(feature = "failpoints")]
use crate::sync::atomic::Ordering::Release;
use crate::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use crate::sync::clock::{self, Instant};
use crate::sync::{Mutex, STRIPES};
use crate::table::Table;
use crate::thread_id;
use crate::trials::Trials;
use crate::victim::Victim;
use std::collections::VecDeque;

pub(crate) struct Shared {
    pub(crate) table: Table,
    pub(crate) account: Account,
    pub(crate) closed: AtomicBool,
    pub(crate) rates: Rates,
    #[cfg(feature = "failpoints")]
    pub(crate) faults: AtomicBool,
    pub(crate) depot: Depot,
    pub(crate) victim: Victim,
    pub(crate) outside: Outside,
    pub(crate) leases: Leases,
    /// The most that a new object weighed.
    born_weight: AtomicU64,
    pub(crate) watched: Watched,
    pub(crate) trimmed: Trimmed,
    pub(crate) prefilled: Prefilled,
    pub(crate) condemned: Mutex<VecDeque<NodePtr>>,
    pub(crate) settings: Settings,
    pub(crate) cycles: Cycles,
    pub(crate) trials: Trials,
    built: Instant,
    pub(crate) name: Box<str>,
    #[cfg(not(ebbpool_loom))]
    pub(crate) registry: Option<crate::registry::WeakRegistry>,
}

/// What the slow paths of all threads write: on cache lines of its own, away from what every fast path reads.
#[repr(align(128))]
pub(crate) struct Account {
    /// Rule I1.
    pub(crate) counts: Counts,
    pub(crate) credit: Credit,
    /// Returns that found no credit.
    pub(crate) refused: AtomicU64,
    pub(crate) ghosts: Ghosts,
    pub(crate) creates: Creates,
    /// What a return weighs, smoothed over the last eight changes.
    expected_weight: AtomicU64,
}

/// What a controller looks at in every pool at each tick, beside slots and levels: on one cache line, since it is cold
/// whenever somebody looks. Relaxed, all of it: each word is an account of its own.
#[repr(C, align(64))]
pub(crate) struct Watched {
    /// Bytes that drainers condemned, ever; written under the drainer lock.
    pub(crate) trimmed_bytes: AtomicU64,
    /// Objects condemned and not dropped yet: no fewer than are in the list.
    pub(crate) pending_objects: AtomicU64,
    /// Bytes that were created for nobody; written by whoever prefills.
    pub(crate) prefilled_bytes: AtomicU64,
    /// The pool's age when the last cycle began, ns; written by whoever drives cycles.
    pub(crate) last_cycle_ns: AtomicU64,
    pub(crate) shown: Shown,
}

/// Cycles so far.
pub(crate) struct Cycles {
    pub(crate) count: AtomicU64,
    /// The pool's age at the latest cycles, ns, oldest in front: how many cycles a lease has seen.
    pub(crate) begun: Mutex<VecDeque<u64>>,
}

/// Cycles that [`Cycles::begun`] remembers.
pub(crate) const CYCLES_KEPT: usize = 32;

/// Gets and returns that did not go through a slot: threads without an id, and owners that met a drainer.
#[repr(align(128))]
pub(crate) struct Outside {
    pub(crate) begun: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) counters: Counters,
}

/// Idle objects that drainers condemned; written under the drainer lock.
pub(crate) struct Trimmed {
    pub(crate) objects: [AtomicU64; DropReason::ALL.len()],
    /// Bytes condemned and not dropped yet.
    pub(crate) pending_bytes: AtomicU64,
}

/// Objects that were created for nobody; written by whoever prefills.
pub(crate) struct Prefilled {
    pub(crate) objects: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        name: &str,
        mut set: KnobSet,
        #[cfg(not(ebbpool_loom))] registry: Option<crate::registry::WeakRegistry>,
    ) -> Self {
        let now = clock::now();
        let knobs = set.read(now);
        let capacity = knobs.capacity.value;
        let (objects, bytes) = (i64::from(capacity.objects_max()), signed(capacity.bytes_max()));
        let rates = Rates::new();
        rates.set(knobs.sampling.value, knobs.reuse.value);
        Self {
            table: Table::new(),
            account: Account {
                counts: Counts::new(),
                credit: Credit::new(objects, bytes),
                refused: AtomicU64::new(0),
                ghosts: Ghosts::new(),
                creates: Creates::new(),
                expected_weight: AtomicU64::new(0),
            },
            closed: AtomicBool::new(false),
            rates,
            #[cfg(feature = "failpoints")]
            faults: AtomicBool::new(false),
            depot: Depot::new(),
            victim: Victim::new(),
            outside: Outside {
                begun: AtomicU64::new(0),
                ended: AtomicU64::new(0),
                counters: Counters::new(),
            },
            leases: Leases::new(),
            born_weight: AtomicU64::new(0),
            watched: Watched {
                trimmed_bytes: AtomicU64::new(0),
                pending_objects: AtomicU64::new(0),
                prefilled_bytes: AtomicU64::new(0),
                last_cycle_ns: AtomicU64::new(0),
                // Nothing expires of what a pool is built with.
                shown: Shown::new(knobs.generation, u64::MAX, knobs.eviction.value),
            },
            trimmed: Trimmed {
                objects: std::array::from_fn(|_| AtomicU64::new(0)),
                pending_bytes: AtomicU64::new(0),
            },
            prefilled: Prefilled { objects: AtomicU64::new(0) },
            condemned: Mutex::new(VecDeque::new()),
            settings: Settings::new(set),
            trials: Trials::new(now),
            built: now,
            cycles: Cycles { count: AtomicU64::new(0), begun: Mutex::new(VecDeque::new()) },
            name: name.into(),
            #[cfg(not(ebbpool_loom))]
            registry,
        }
    }

    /// Whether nothing is kept any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// What an object is expected to weigh at its return, bytes; 0 before the first.
    pub(crate) fn expected_weight(&self) -> u64 {
        self.account.expected_weight.load(Relaxed)
    }

    /// The most that a new object weighed, bytes.
    #[inline(always)]
    pub(crate) fn born_weight(&self) -> u64 {
        self.born_weight.load(Relaxed)
    }

    /// Takes note of what a new object weighs. It is the first thing known of a pool's objects; later it says
    /// nothing of what they weigh at their return: a buffer is born small.
    pub(crate) fn note_birth(&self, weight: u64) {
        if self.account.expected_weight.load(Relaxed) == 0 {
            self.account.expected_weight.store(weight, Relaxed);
        }
        if weight > self.born_weight.load(Relaxed) {
            self.born_weight.store(weight, Relaxed);
        }
    }

    /// Lost updates are harmless: it is an estimate.
    pub(crate) fn expect_weight(&self, weight: u64) {
        let old = self.account.expected_weight.load(Relaxed);
        let new = if old == 0 { weight } else { old - old / 8 + weight / 8 };
        self.account.expected_weight.store(new, Relaxed);
    }

    /// Time since the pool was built, ns.
    pub(crate) fn age_ns(&self) -> u64 {
        self.age_at_ns(clock::now())
    }

    /// The pool's age at that time, ns; 0 before it was built.
    pub(crate) fn age_at_ns(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.built).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Idle objects and bytes; a racing read.
    pub(crate) fn idle(&self) -> (u64, u64) {
        let in_slots = self.table.with_slots(|slots| {
            slots.fold((0, 0), |(n, bytes), slot| (n + slot.len() as u64, bytes + slot.bytes()))
        });
        let (depot, victim) = (self.depot.level(), self.victim.level());
        (in_slots.0 + depot.0 + victim.0, in_slots.1 + depot.1 + victim.1)
    }

    #[cfg(feature = "failpoints")]
    pub(crate) fn faults_armed(&self) -> bool {
        self.faults.load(Relaxed)
    }

    #[cfg(feature = "failpoints")]
    pub(crate) fn set_faults_armed(&self, armed: bool) {
        self.table.with_slots(|slots| {
            self.faults.store(armed, SeqCst);
            slots.for_each(|slot| {
                if armed {
                    slot.set(attention::FAULTS);
                } else {
                    slot.unset(attention::FAULTS, Release);
                }
            });
        });
    }
}

/// What an object counts for at most: more than any capacity, so that it is never kept, and far from overflow.
pub(crate) const WEIGHT_MAX: u64 = Capacity::BYTES_LIMIT + 1;

/// The stripe of the depot that this thread tries first.
pub(crate) fn home() -> usize {
    thread_id::current() as usize % STRIPES
}

/// Weights and capacities are far below 2^63; what a user's `weight` may claim beyond that counts as 2^62.
pub(crate) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX / 2).min(i64::MAX / 2)
}

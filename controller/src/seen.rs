//! What one tick sees: memory, heap and pools, taken together. Turns it into inputs for the decision.

use crate::act::{Base, Done, Knobs, is_pinned};
use crate::creates::Creates;
use crate::decide::{Inputs, PauseInputs, PoolInputs};
use crate::heap::Heap;
use crate::sense::lag::Probes;
use crate::sense::pause::Pauses;
use crate::sense::{LimitSource, MemorySample, MemorySensor, PauseSample};
use pool_core::{Managed, PoolStats, Registry, Worth};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Suspects are looked up this often: a pool reads its whole table of leases for it.
const SUSPECTS_EVERY: Duration = Duration::from_secs(1);

/// The senses of a controller.
#[derive(Debug)]
pub(crate) struct Senses {
    memory: MemorySensor,
    pauses: Pauses,
    /// Those that run; without any, lag is not known.
    pub(crate) probes: Probes,
    heap: Heap,
    creates: Creates,
    suspect_after: Duration,
    suspect_sites: BTreeMap<String, u64>,
    suspects_due: Duration,
}

/// What was seen at one moment.
pub(crate) struct Seen {
    pub(crate) memory: MemorySample,
    pub(crate) pause: PauseSample,
    pub(crate) create_p99_ns: Option<u64>,
    pub(crate) heap_free_bytes: Option<u64>,
    pub(crate) grant_left_bytes: Option<i64>,
    /// The pools that follow, as they can be acted upon.
    pub(crate) managed: Vec<Arc<dyn Managed>>,
    pub(crate) pools: Vec<SeenPool>,
    suspects_looked_up: bool,
}

/// One pool at that moment.
pub(crate) struct SeenPool {
    pub(crate) stats: PoolStats,
    pub(crate) knobs: pool_core::Knobs,
    pub(crate) suspect_sites: u64,
}

impl Senses {
    pub(crate) fn open(limit: LimitSource, suspect_after: Duration) -> Self {
        Self {
            memory: MemorySensor::open(limit),
            pauses: Pauses::open(),
            probes: Probes::default(),
            heap: Heap::default(),
            creates: Creates::default(),
            suspect_after,
            suspect_sites: BTreeMap::new(),
            suspects_due: Duration::ZERO,
        }
    }

    pub(crate) fn set_suspect_after(&mut self, age: Duration) {
        self.suspect_after = age;
    }

    #[cfg(test)]
    pub(crate) fn replace_memory(&mut self, memory: MemorySensor) {
        self.memory = memory;
    }

    /// Looks at everything once. Memory and pools are read right after each other: the law subtracts one from
    /// the other.
    pub(crate) fn look(&mut self, at: Duration, now: Instant, registry: &Registry) -> Seen {
        let pause = self.pauses.look(at, now, &self.probes);
        let heap_free_bytes = self.heap.free_bytes(at);
        let managed = registry.pools();
        let memory = self.memory.sample();
        let figures: Vec<_> = managed.iter().map(|pool| (pool.stats(), pool.knobs())).collect();
        let grant_left_bytes = registry.grant().left();
        let create_p99_ns = self.creates.p99_ns(at, figures.iter().map(|(stats, _)| &stats.creates));
        let suspects_looked_up = self.look_for_suspects(at, &managed);
        let sites = |name: &str| self.suspect_sites.get(name).copied().unwrap_or(0);
        let pools = figures.into_iter().map(|(stats, knobs)| {
            let suspect_sites = sites(&stats.name);
            SeenPool { stats, knobs, suspect_sites }
        });
        let pools = pools.collect();
        Seen {
            memory,
            pause,
            create_p99_ns,
            heap_free_bytes,
            grant_left_bytes,
            managed,
            pools,
            suspects_looked_up,
        }
    }

    /// Whether it was time to.
    fn look_for_suspects(&mut self, at: Duration, pools: &[Arc<dyn Managed>]) -> bool {
        if at < self.suspects_due {
            return false;
        }
        self.suspects_due = at + SUSPECTS_EVERY;
        let sites = |pool: &Arc<dyn Managed>| {
            let sites = pool.suspects(self.suspect_after).iter().filter(|suspect| suspect.count > 0).count();
            (pool.name().to_owned(), u64::try_from(sites).unwrap_or(u64::MAX))
        };
        self.suspect_sites = pools.iter().map(sites).collect();
        true
    }
}

impl SeenPool {
    /// What a reuse saves, once enough leases have been timed to say.
    fn saved_ns(&self) -> Option<f64> {
        let arms = &self.stats.arms;
        let enough = arms.pooled.samples.min(arms.fresh.samples) >= Worth::SAMPLES;
        enough.then(|| self.stats.worth().saved_ns_per_lease.max(0.0))
    }

    fn floor_bytes(&self) -> u64 {
        let objects = u64::from(self.knobs.capacity.value.objects_floor());
        objects.saturating_mul(self.stats.expected_weight)
    }
}

impl Seen {
    /// Has each pool tell its listeners what is new, as often as suspects are looked up. They are somebody's code:
    /// what panics there has been printed, and ends nothing here.
    pub(crate) fn tell_suspects(&self) {
        for pool in self.managed.iter().filter(|_| self.suspects_looked_up) {
            let _ = catch_unwind(AssertUnwindSafe(|| pool.tell_suspects()));
        }
    }

    /// What all pools together have lent.
    pub(crate) fn lent_bytes(&self) -> u64 {
        self.pools.iter().map(|pool| pool.stats.lent_bytes).sum()
    }

    fn pause_inputs(&self) -> PauseInputs {
        let pause = &self.pause;
        let lag = pause.lag.as_ref();
        let window_ns = PauseSample::WINDOW.as_nanos() as f64;
        PauseInputs {
            lag_p99_ns: lag.map(|lag| lag.p99_ns),
            lag_p95_ns: lag.map(|lag| lag.p95_ns),
            lag_ratio: lag.map(|lag| (lag.sum_ns as f64 / window_ns).min(1.0)),
            create_p99_ns: self.create_p99_ns,
            cpu_is_taken: pause.cpu_is_taken,
        }
    }

    /// The figures a decision is made of, with the knobs as the decision should see them.
    pub(crate) fn inputs(&self, knobs: &Knobs, done: &Done) -> Inputs {
        let memory = &self.memory;
        let pool = |pool: &SeenPool| {
            let base = Base::of(&pool.knobs);
            PoolInputs {
                name: pool.stats.name.clone(),
                idle_objects: pool.stats.idle_objects,
                idle_bytes: pool.stats.idle_bytes,
                lent_objects: pool.stats.lent_objects,
                lent_bytes: pool.stats.lent_bytes,
                gets_total: pool.stats.gets.total(),
                created_total: pool.stats.gets.created,
                ghost_hits_total: pool.stats.ghost_hits,
                saved_ns: pool.saved_ns(),
                expected_weight_bytes: pool.stats.expected_weight,
                capacity_bytes: knobs.capacity_bytes(&pool.stats.name, &pool.knobs.capacity),
                capacity_objects: pool.stats.capacity_objects,
                floor_bytes: pool.floor_bytes(),
                weight: pool.knobs.priority.value.weight(),
                pinned: is_pinned(&pool.knobs),
                suspect_sites: pool.suspect_sites,
                evict_ratio: base.sampling.evict_ratio().get(),
                cycle_ms: u64::try_from(base.eviction.cycle().as_millis()).unwrap_or(u64::MAX),
                slice_us: u64::try_from(base.eviction.slice().as_micros()).unwrap_or(u64::MAX),
            }
        };
        Inputs {
            limit_bytes: memory.limit.value(),
            usage_bytes: memory.usage.value(),
            rss_bytes: memory.rss.value(),
            level: memory.level.clone(),
            oom_total: memory.oom_kills.saturating_add(memory.oom_events),
            max_total: memory.max_events,
            grant_left_bytes: self.grant_left_bytes,
            heap_free_bytes: self.heap_free_bytes,
            heap_clean_bytes: done.heap_clean_bytes,
            purges_total: done.purges_total,
            psi_some_ratio: self.pause.psi_some_ratio.value(),
            pause: self.pause_inputs(),
            pools: self.pools.iter().map(pool).collect(),
        }
    }
}

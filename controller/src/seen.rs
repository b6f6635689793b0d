//! What one tick sees: memory, heap and pools, taken together. Turns it into inputs for the decision.

mod pools;

pub(crate) use self::pools::{SeenPool, SeenPools};

use crate::act::{Done, Knobs};
use crate::allocator::Allocator;
use crate::creates::Creates;
use crate::decide::{Inputs, PauseInputs};
use crate::heap::Heap;
use crate::sense::lag::Probes;
use crate::sense::pause::Pauses;
use crate::sense::{LimitSource, MemorySample, MemorySensor, PauseSample};
use pool_core::Registry;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Suspects of a pool are looked up this often: it reads its whole table of leases for it.
const SUSPECTS_EVERY: Duration = Duration::from_secs(1);
/// The pools take turns, so that no tick has all of that to do.
const SUSPECTS_TURNS: u32 = 4;

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
    /// When the next turn is due, and which one.
    suspects_due: (Duration, usize),
}

/// What was seen at one moment.
pub(crate) struct Seen {
    pub(crate) memory: MemorySample,
    pub(crate) pause: PauseSample,
    pub(crate) create_p99_ns: Option<u64>,
    pub(crate) heap_free_bytes: Option<u64>,
    /// Whose reading that is.
    pub(crate) allocator: &'static str,
    pub(crate) grant_left_bytes: Option<i64>,
    pub(crate) pools: SeenPools,
    suspects_turn: Option<usize>,
}

impl Senses {
    pub(crate) fn open(limit: LimitSource, suspect_after: Duration, allocator: Arc<dyn Allocator>) -> Self {
        Self {
            memory: MemorySensor::open(limit),
            pauses: Pauses::open(),
            probes: Probes::default(),
            heap: Heap::of(allocator),
            creates: Creates::default(),
            suspect_after,
            suspects_due: (Duration::ZERO, 0),
        }
    }

    /// The allocator whose memory is read.
    pub(crate) fn allocator(&self) -> Arc<dyn Allocator> {
        self.heap.allocator()
    }

    pub(crate) fn set_suspect_after(&mut self, age: Duration) {
        self.suspect_after = age;
    }

    #[cfg(test)]
    pub(crate) fn replace_memory(&mut self, memory: MemorySensor) {
        self.memory = memory;
    }

    /// Looks at everything once; `pools` are as the last look left them. Memory and pools are read right after each
    /// other: the law subtracts one from the other.
    pub(crate) fn look(
        &mut self,
        mut pools: SeenPools,
        (at, now): (Duration, Instant),
        registry: &Registry,
    ) -> Seen {
        let pause = self.pauses.look(at, now, &self.probes);
        let heap_free_bytes = self.heap.free_bytes(at);
        pools.meet(registry.list());
        let memory = self.memory.sample();
        pools.look();
        let grant_left_bytes = registry.grant().left();
        let create_p99_ns = self.creates.p99_ns(at, &pools);
        let suspects_turn = self.suspects_turn(at);
        pools.look_for_suspects(self.suspect_after, in_turn(suspects_turn));
        let allocator = self.heap.name();
        Seen {
            memory,
            pause,
            create_p99_ns,
            heap_free_bytes,
            allocator,
            grant_left_bytes,
            pools,
            suspects_turn,
        }
    }

    /// One turn at a time, however late the tick: turns that were missed are put off.
    fn suspects_turn(&mut self, at: Duration) -> Option<usize> {
        let (due, turn) = self.suspects_due;
        if at < due {
            return None;
        }
        let next = at.max(due + SUSPECTS_EVERY / SUSPECTS_TURNS);
        self.suspects_due = (next, (turn + 1) % SUSPECTS_TURNS as usize);
        Some(turn)
    }
}

/// Whether it is the turn of the pool that stands there.
fn in_turn(turn: Option<usize>) -> impl Fn(usize) -> bool {
    move |at| turn == Some(at % SUSPECTS_TURNS as usize)
}

impl Seen {
    /// Has each pool tell its listeners what is new, as often as suspects are looked up. They are somebody's code:
    /// what panics there has been printed, and ends nothing here.
    pub(crate) fn tell_suspects(&self) {
        let is_its_turn = in_turn(self.suspects_turn);
        let pools = self.pools.managed.iter().enumerate().filter(|(at, _)| is_its_turn(*at));
        for (_, pool) in pools {
            let _ = catch_unwind(AssertUnwindSafe(|| pool.tell_suspects()));
        }
    }

    /// What all pools together have lent.
    pub(crate) fn lent_bytes(&self) -> u64 {
        self.pools.iter().map(|pool| pool.figures.lent_bytes).sum()
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
            pools: self.pools.inputs(knobs),
        }
    }
}

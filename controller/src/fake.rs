//! A pool for tests: figures as set, knobs and trims that work; an allocator that says what it was told, and one
//! that is broken.

use crate::allocator::Allocator;
use pool_core::{
    Applied, Author, Capacity, Change, Collected, DropReason, Fenced, Job, KnobKind, KnobSet, Knobs, Managed,
    PoolStats, Setting, Suspect, Taken,
};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Keeps what it was told, reading by reading; the last one stays. Giving back changes nothing.
#[derive(Debug)]
pub(crate) struct FakeAllocator(Mutex<Vec<Option<u64>>>);

impl FakeAllocator {
    pub(crate) fn keeps(readings: impl IntoIterator<Item = Option<u64>>) -> Self {
        let mut readings: Vec<_> = readings.into_iter().collect();
        readings.reverse();
        Self(Mutex::new(readings))
    }
}

impl Allocator for FakeAllocator {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn kept_bytes(&self) -> Option<u64> {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = *readings.last()?;
        if readings.len() > 1 {
            readings.pop();
        }
        last
    }

    fn give_back(&self) -> bool {
        true
    }
}

/// Panics whatever it is asked.
#[derive(Debug)]
pub(crate) struct BrokenAllocator;

impl Allocator for BrokenAllocator {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn kept_bytes(&self) -> Option<u64> {
        panic!("a test's allocator has no reading")
    }

    fn give_back(&self) -> bool {
        panic!("a test's allocator gives nothing back")
    }
}

pub(crate) struct FakePool {
    inner: Mutex<Inner>,
    written: Condvar,
    name: String,
}

struct Inner {
    stats: PoolStats,
    knobs: KnobSet,
    /// Of the capacity: settings so far.
    written: u64,
    /// Readings of the knobs so far.
    readings: u64,
    on_reading: Option<Arc<dyn Fn() + Send + Sync>>,
    passes: u32,
    drop_time: Duration,
    longest_slice: Duration,
    suspects: Vec<Suspect>,
}

impl FakePool {
    pub(crate) const OBJECTS_MAX: u32 = 1000;

    pub(crate) fn new(name: &str) -> Arc<Self> {
        Self::built_with(name, Capacity::new(Self::OBJECTS_MAX, 64 << 20).expect("in range"))
    }

    pub(crate) fn built_with(name: &str, capacity: Capacity) -> Arc<Self> {
        let stats = PoolStats { name: name.into(), ..PoolStats::default() };
        let inner = Inner {
            stats,
            knobs: KnobSet::new(capacity),
            written: 0,
            readings: 0,
            on_reading: None,
            passes: 0,
            drop_time: Duration::ZERO,
            longest_slice: Duration::ZERO,
            suspects: Vec::new(),
        };
        Arc::new(Self { inner: Mutex::new(inner), written: Condvar::new(), name: name.into() })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_stats(&self, change: impl FnOnce(&mut PoolStats)) {
        change(&mut self.inner().stats);
    }

    pub(crate) fn set_drop_time(&self, time: Duration) {
        self.inner().drop_time = time;
    }

    pub(crate) fn set_suspects(&self, suspects: Vec<Suspect>) {
        self.inner().suspects = suspects;
    }

    /// Waits until the capacity has been written this often.
    pub(crate) fn wait_for_generation(&self, generation: u64) {
        let early = |inner: &mut Inner| inner.written < generation;
        let waited = self.written.wait_timeout_while(self.inner(), Duration::from_secs(60), early);
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(inner.written >= generation, "nothing was written");
    }

    /// Waits until the knobs have been read this often.
    pub(crate) fn wait_for_readings(&self, readings: u64) {
        let early = |inner: &mut Inner| inner.readings < readings;
        let waited = self.written.wait_timeout_while(self.inner(), Duration::from_secs(60), early);
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(inner.readings >= readings, "nobody reads");
    }

    /// Has `then` called whenever the knobs have been read, before anybody is told.
    pub(crate) fn on_reading(&self, then: impl Fn() + Send + Sync + 'static) {
        self.inner().on_reading = Some(Arc::new(then));
    }

    pub(crate) fn passes(&self) -> u32 {
        self.inner().passes
    }

    /// The longest time that a turn of drops was given.
    pub(crate) fn longest_slice(&self) -> Duration {
        self.inner().longest_slice
    }
}

impl Inner {
    /// Condemns what is above capacity among `objects` equal idle objects.
    fn condemn(&mut self, objects: u64) -> Taken {
        let capacity = self.knobs.read(Instant::now()).capacity.value;
        let stats = &mut self.stats;
        let weight = stats.idle_bytes.checked_div(stats.idle_objects).unwrap_or(0);
        let over = stats.idle_bytes.saturating_sub(capacity.bytes_max());
        let taken = over.checked_div(weight).unwrap_or(0).min(objects).min(stats.idle_objects);
        stats.idle_objects -= taken;
        stats.depot_objects -= taken.min(stats.depot_objects);
        stats.idle_bytes -= taken * weight;
        stats.condemned_objects += taken;
        stats.condemned_bytes += taken * weight;
        Taken { objects: taken, bytes: taken * weight }
    }
}

impl Managed for FakePool {
    fn name(&self) -> &str {
        &self.name
    }

    fn stats(&self) -> PoolStats {
        let mut inner = self.inner();
        let capacity = inner.knobs.read(Instant::now()).capacity.value;
        PoolStats {
            capacity_bytes: capacity.bytes_max(),
            capacity_objects: u64::from(capacity.objects_max()),
            ..inner.stats.clone()
        }
    }

    fn knobs(&self) -> Knobs {
        let mut inner = self.inner();
        inner.readings += 1;
        self.written.notify_all();
        let knobs = inner.knobs.read(Instant::now());
        let then = inner.on_reading.clone();
        drop(inner);
        if let Some(then) = then {
            then();
        }
        knobs
    }

    fn set(&self, setting: Setting, change: Change) -> Applied {
        let mut inner = self.inner();
        inner.written += u64::from(matches!(setting, Setting::Capacity(_)));
        self.written.notify_all();
        inner.knobs.set(setting, change, Instant::now())
    }

    fn withdraw(&self, knob: KnobKind, author: Author) -> bool {
        self.inner().knobs.withdraw(knob, author)
    }

    fn suspects(&self, _older_than: Duration) -> Vec<Suspect> {
        self.inner().suspects.clone()
    }

    fn trim_depot(&self, _extra_bytes: u64, _reason: DropReason) -> Taken {
        let mut inner = self.inner();
        let depot = inner.stats.depot_objects;
        inner.condemn(depot)
    }

    fn mark(&self) {}

    fn collect(&self, _fenced: &Fenced, job: Job) -> Collected {
        let mut inner = self.inner();
        match job {
            Job::Reclaim { .. } | Job::Cycle { .. } => {
                inner.passes += 1;
                let taken = inner.condemn(u64::MAX);
                Collected { taken, ..Collected::default() }
            }
            Job::Snapshot => {
                let stats = PoolStats { consistent: true, ..inner.stats.clone() };
                Collected { snapshot: Some(stats), ..Collected::default() }
            }
        }
    }

    fn drop_condemned(&self, budget: Duration) -> bool {
        let began = Instant::now();
        let mut inner = self.inner();
        while inner.stats.condemned_objects > 0 {
            std::thread::sleep(inner.drop_time);
            inner.stats.condemned_objects -= 1;
            if inner.stats.condemned_objects == 0 {
                inner.stats.condemned_bytes = 0;
            }
            if began.elapsed() >= budget {
                break;
            }
        }
        inner.longest_slice = inner.longest_slice.max(budget);
        inner.stats.condemned_objects == 0
    }

    fn is_finished(&self) -> bool {
        false
    }

    fn set_faults_armed(&self, _armed: bool) {}
}

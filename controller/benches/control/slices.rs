//! Slices: 10,000 heavy objects are trimmed by a controller, and every turn of dropping them is timed.
//!
//! The pool is registered behind a wrapper that times what the controller asks of it.

use crate::figures::Row;
use pool_controller::decide::Fixed;
use pool_controller::{Controller, LimitSource, Mode};
use pool_core::{
    Applied, Author, Change, Collected, DropReason, Fenced, Job, KnobKind, Knobs, Managed, Pool, PoolStats,
    Recycle, Registry, Setting, Suspect, Taken,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was promised.
const PROMISED: Duration = Duration::from_millis(1);
/// Parts of an object, each of which is freed by itself.
const PARTS: usize = 64;

/// 16 KiB in 64 pieces.
struct Heavy(Vec<Vec<u8>>);

impl Recycle for Heavy {
    fn recycle(&mut self, _: &pool_core::Retention) -> pool_core::Keep {
        pool_core::Keep::Yes
    }
    fn weight(&self) -> usize {
        self.0.len() * 256
    }
}

pub(crate) fn rows(quick: bool) -> Vec<Row> {
    let objects = if quick { 500 } else { 10_000 };
    let (slices, ticks) = trimmed(objects);
    let what = format!("slice of dropping, {objects} objects of {PARTS} allocations trimmed");
    let meanwhile = format!("tick meanwhile, {} of them", ticks.len());
    vec![Row::of_times(what, &slices, Some(PROMISED)), Row::of_times(meanwhile, &ticks, None)]
}

/// The times of all slices, and of the ticks that they were parts of.
fn trimmed(objects: usize) -> (Vec<Duration>, Vec<Duration>) {
    let registry = Registry::new();
    let pool = Pool::new("heavy", || Heavy(vec![vec![1; 256]; PARTS]));
    let timed = Arc::new(Timed { pool: pool.managed(), slices: Mutex::default() });
    registry.register(Arc::clone(&timed) as Arc<dyn Managed>).expect("a fresh name");
    drop((0..objects).map(|_| pool.get()).collect::<Vec<_>>());
    let builder = Controller::builder().registry(&registry).mode(Mode::Enforce);
    let nothing = Fixed::at([("heavy".to_owned(), 0)]);
    let builder = builder.limit(LimitSource::Simulated(4 << 30)).policy(Box::new(nothing));
    let mut controller = builder.build().expect("a controller");
    let (mut now, mut ticks) = (Instant::now(), Vec::new());
    while pool.stats().dropped.iter().sum::<u64>() < objects as u64 || timed.has_condemned() {
        let began = Instant::now();
        controller.tick(now);
        now += Duration::from_millis(250);
        ticks.push(began.elapsed());
    }
    let slices = std::mem::take(&mut *timed.slices.lock().unwrap_or_else(PoisonError::into_inner));
    (slices, ticks)
}

/// A pool, and how long each turn of its dropping took.
struct Timed {
    pool: Arc<dyn Managed>,
    slices: Mutex<Vec<Duration>>,
}

impl Managed for Timed {
    fn name(&self) -> &str {
        self.pool.name()
    }
    fn stats(&self) -> PoolStats {
        self.pool.stats()
    }
    fn knobs(&self) -> Knobs {
        self.pool.knobs()
    }
    fn set(&self, setting: Setting, change: Change) -> Applied {
        self.pool.set(setting, change)
    }
    fn withdraw(&self, knob: KnobKind, author: Author) -> bool {
        self.pool.withdraw(knob, author)
    }
    fn suspects(&self, older_than: Duration) -> Vec<Suspect> {
        self.pool.suspects(older_than)
    }
    fn trim_depot(&self, extra_bytes: u64, reason: DropReason) -> Taken {
        self.pool.trim_depot(extra_bytes, reason)
    }
    fn mark(&self) {
        self.pool.mark();
    }
    fn collect(&self, fenced: &Fenced, job: Job) -> Collected {
        self.pool.collect(fenced, job)
    }
    fn has_condemned(&self) -> bool {
        self.pool.has_condemned()
    }
    fn drop_condemned(&self, budget: Duration) -> bool {
        let began = Instant::now();
        let is_done = self.pool.drop_condemned(budget);
        self.slices.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
        is_done
    }
    fn is_finished(&self) -> bool {
        self.pool.is_finished()
    }
}

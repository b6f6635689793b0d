//! The ends of what people set for a time: a thread waits for the next one, and reads the knobs then.
//!
//! It is started by the first end and goes with the last one; the data path knows nothing of it.

use super::are_one;
use super::trim::make_room;
use crate::shared::lock;
use pool_core::{Change, Knobs, Managed, Split};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// All ends that are to come.
#[derive(Default)]
pub(super) struct Ends {
    due: Mutex<Due>,
    newer: Condvar,
}

#[derive(Default)]
struct Due {
    has_thread: bool,
    /// Overrides that are being set: their ends are not known yet.
    coming: u32,
    /// The next end of each pool and split that has one: what comes after it is known when it is read.
    at: Vec<(Instant, Ending)>,
}

/// What has an end.
pub(super) enum Ending {
    Pool(Weak<dyn Managed>),
    Split(Weak<Split>),
}

/// A thread is there and stays, until this is gone and nothing is left to end.
pub(super) struct Coming<'a>(&'a Ends);

impl Ends {
    /// Has a thread there for an end that is not known yet.
    ///
    /// # Errors
    /// If the operating system gives none.
    pub(super) fn expect_one(self: &Arc<Self>) -> io::Result<Coming<'_>> {
        let mut due = lock(&self.due);
        if !due.has_thread {
            let ends = Arc::clone(self);
            std::thread::Builder::new().name("ebbpool-override".into()).spawn(move || ends.run())?;
            due.has_thread = true;
        }
        due.coming += 1;
        Ok(Coming(self))
    }

    /// Until nothing is left to end.
    fn run(&self) {
        while let Some(over) = self.wait() {
            for ending in over {
                if let Some(left) = ending.end() {
                    lock(&self.due).add(Instant::now() + left.max(Change::TTL.0), ending);
                }
            }
        }
    }

    /// Waits for the next end, and takes out what it concerns. `None`: there is none.
    fn wait(&self) -> Option<Vec<Ending>> {
        let mut due = lock(&self.due);
        loop {
            due.at.retain(|(_, ending)| !ending.is_gone());
            let Some(first) = due.at.iter().map(|(until, _)| *until).min() else {
                if due.coming == 0 {
                    due.has_thread = false;
                    return None;
                }
                due = self.newer.wait(due).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let now = Instant::now();
            if first <= now {
                let (over, later): (Vec<_>, Vec<_>) = due.at.drain(..).partition(|(until, _)| *until <= now);
                due.at = later;
                return Some(over.into_iter().map(|(_, ending)| ending).collect());
            }
            due = self.newer.wait_timeout(due, first - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Coming<'_> {
    /// Has it read at `until`.
    pub(super) fn ends_at(&self, until: Instant, ending: Ending) {
        lock(&self.0.due).add(until, ending);
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        lock(&self.0.due).coming -= 1;
        self.0.newer.notify_one();
    }
}

impl Due {
    fn add(&mut self, until: Instant, ending: Ending) {
        match self.at.iter_mut().find(|(_, known)| known.is(&ending)) {
            Some((known, _)) => *known = until.min(*known),
            None => self.at.push((until, ending)),
        }
    }
}

impl Ending {
    fn is_gone(&self) -> bool {
        match self {
            Self::Pool(pool) => pool.strong_count() == 0,
            Self::Split(split) => split.strong_count() == 0,
        }
    }

    /// Whether both are of one pool or split.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pool(one), Self::Pool(other)) => are_one(one, other),
            (Self::Split(one), Self::Split(other)) => one.ptr_eq(other),
            (Self::Pool(_), Self::Split(_)) | (Self::Split(_), Self::Pool(_)) => false,
        }
    }

    /// Takes off what is over, and drops what there is no room for any more. How long it is until there is something to do
    /// again, if there is. A pool is somebody's code, and others have ends, too: what panics there is done with.
    fn end(&self) -> Option<Duration> {
        let left = catch_unwind(AssertUnwindSafe(|| self.read())).unwrap_or(None);
        let has_more = catch_unwind(AssertUnwindSafe(|| self.make_room())).is_ok_and(|is_done| !is_done);
        if has_more { Some(Duration::ZERO) } else { left }
    }

    /// Reads it, which takes off what is over. How long it is to its next end, if there is one.
    fn read(&self) -> Option<Duration> {
        match self {
            Self::Pool(pool) => {
                let Knobs { capacity, sampling, eviction, reuse, priority, generation: _ } =
                    pool.upgrade()?.knobs();
                let ends = [
                    capacity.expires_in,
                    sampling.expires_in,
                    eviction.expires_in,
                    reuse.expires_in,
                    priority.expires_in,
                ];
                ends.into_iter().flatten().min()
            }
            Self::Split(split) => split.upgrade()?.share().expires_in,
        }
    }

    /// Whether nothing is left to drop.
    fn make_room(&self) -> bool {
        match self {
            Self::Pool(pool) => pool.upgrade().is_none_or(|pool| make_room(pool.as_ref())),
            Self::Split(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePool;
    use pool_core::{Capacity, Priority, Setting};

    const HOUR: Duration = Duration::from_secs(3600);
    const MILLISECOND: Duration = Duration::from_millis(1);

    fn heavy() -> Setting {
        Setting::Priority(Priority::new(900).expect("in range"))
    }

    /// Sets `setting` and has it end.
    fn set(ends: &Arc<Ends>, pool: &Arc<FakePool>, setting: Setting, time: Duration) {
        let coming = ends.expect_one().expect("a thread");
        pool.set(setting, Change::person("by hand", time).expect("in range"));
        coming.ends_at(Instant::now() + time, ending(pool));
    }

    fn ending(pool: &Arc<FakePool>) -> Ending {
        let pool = Arc::clone(pool) as Arc<dyn Managed>;
        Ending::Pool(Arc::downgrade(&pool))
    }

    fn wait_for_the_last(ends: &Ends) {
        let until = Instant::now() + Duration::from_secs(60);
        while lock(&ends.due).has_thread {
            assert!(Instant::now() < until, "the thread has nothing left to do and stays");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_is_set_ends_although_nobody_looks() {
        let (ends, pool) = (Arc::new(Ends::default()), FakePool::new("a"));
        set(&ends, &pool, heavy(), MILLISECOND);
        // What the thread does at the end is the one thing here that reads knobs.
        pool.wait_for_readings(1);
        wait_for_the_last(&ends);
        assert_eq!(pool.knobs().priority.value, Priority::DEFAULT);
    }

    #[test]
    fn what_had_room_only_for_that_time_is_dropped_at_its_end() {
        let (ends, pool) = (Arc::new(Ends::default()), FakePool::new("a"));
        let capacity = |bytes| Setting::Capacity(Capacity::new(1000, bytes).expect("in range"));
        pool.set(capacity(500), Change::operator("by a file"));
        pool.set_stats(|stats| (stats.idle_bytes, stats.idle_objects, stats.depot_objects) = (1000, 10, 10));
        set(&ends, &pool, capacity(5000), MILLISECOND);
        wait_for_the_last(&ends);
        let stats = pool.stats();
        assert_eq!((stats.idle_bytes, stats.condemned_objects), (500, 0));
    }

    #[test]
    fn a_pool_that_is_gone_keeps_the_thread_no_longer_than_others_do() {
        let (ends, gone, pool) = (Arc::new(Ends::default()), FakePool::new("a"), FakePool::new("b"));
        set(&ends, &gone, heavy(), HOUR);
        drop(gone);
        set(&ends, &pool, heavy(), MILLISECOND);
        wait_for_the_last(&ends);
    }

    #[test]
    fn who_sets_a_knob_again_and_again_leaves_one_end() {
        let (ends, pool) = (Arc::new(Ends::default()), FakePool::new("a"));
        for _ in 1..100 {
            set(&ends, &pool, heavy(), HOUR);
        }
        assert_eq!(lock(&ends.due).at.len(), 1);
    }

    #[test]
    fn the_sooner_of_two_ends_is_waited_for_whichever_was_told_first() {
        let (now, pool) = (Instant::now(), FakePool::new("a"));
        let (soon, later) = (now + HOUR, now + 2 * HOUR);
        for both in [[soon, later], [later, soon]] {
            let mut due = Due::default();
            for until in both {
                due.add(until, ending(&pool));
            }
            assert_eq!(due.at.iter().map(|(until, _)| *until).collect::<Vec<_>>(), [soon]);
        }
    }

    #[test]
    fn a_short_time_does_not_wait_for_a_long_one() {
        for times in [[HOUR, MILLISECOND], [MILLISECOND, HOUR]] {
            let (ends, pool) = (Arc::new(Ends::default()), FakePool::new("a"));
            for (setting, time) in [heavy(), Setting::Capacity(Capacity::ZERO)].into_iter().zip(times) {
                set(&ends, &pool, setting, time);
            }
            pool.wait_for_readings(1);
        }
    }

    #[test]
    fn the_later_of_two_ends_is_waited_for() {
        let (ends, pool) = (Arc::new(Ends::default()), FakePool::new("a"));
        let (soon, later) = (MILLISECOND, Duration::from_millis(200));
        let began = Instant::now();
        set(&ends, &pool, heavy(), later);
        set(&ends, &pool, Setting::Capacity(Capacity::ZERO), soon);
        wait_for_the_last(&ends);
        assert!(began.elapsed() >= later, "the thread has gone before the later end");
    }
}

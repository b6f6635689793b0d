//! Writes what a person wants for a time onto the person's layer of a pool, and sees to it that the time ends.
//!
//! A pool takes an override off when its knobs are next read. The loop sees to it at each tick; but an override must end
//! too when the loop hangs, has ended, or was never started. So whoever sets one has a thread wait for its end and read
//! the knobs then. The thread is started by the first override and ends with the last one; the data path knows nothing of
//! it. Knows neither requests nor configuration.

use super::trim::drop_for;
use crate::shared::lock;
use pool_core::{
    Author, Change, DropReason, Job, KnobError, KnobKind, Knobs, Managed, Registry, Setting, Share, Split,
};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What makes room after a cut may take so long on the thread of who cut.
const DROP_TIME: Duration = Duration::from_millis(100);

/// Overrides by hand, and their ends.
#[derive(Default)]
pub(crate) struct Person {
    ends: Arc<Ends>,
}

#[derive(Default)]
struct Ends {
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
enum Ending {
    Pool(Weak<dyn Managed>),
    Split(Weak<Split>),
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
            (Self::Pool(one), Self::Pool(other)) => std::ptr::addr_eq(one.as_ptr(), other.as_ptr()),
            (Self::Split(one), Self::Split(other)) => one.ptr_eq(other),
            (Self::Pool(_), Self::Split(_)) | (Self::Split(_), Self::Pool(_)) => false,
        }
    }

    /// Reads it, which takes off what is over. How long it is to its next end, if there is one.
    fn read(&self) -> Option<Duration> {
        match self {
            Self::Pool(pool) => {
                let pool = pool.upgrade()?;
                let Knobs { capacity, sampling, eviction, reuse, priority, .. } = pool.knobs();
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

    /// Drops what a pool has no room for any more.
    fn make_room(&self) {
        if let Self::Pool(pool) = self
            && let Some(pool) = pool.upgrade()
        {
            pool.trim_depot(0, DropReason::Pressure);
        }
    }
}

/// Why an override was not set.
#[derive(Debug)]
pub(crate) enum NotSet {
    /// Its time is out of range.
    Time(KnobError),
    /// Nobody would end it.
    Thread(io::Error),
}

impl Person {
    /// Sets knobs of a pool for `time`. What a lower capacity leaves no room for goes now.
    pub(crate) fn set(
        &self,
        registry: &Registry,
        pool: &Arc<dyn Managed>,
        settings: Vec<Setting>,
        reason: &str,
        time: Duration,
    ) -> Result<(), NotSet> {
        let change = Change::person(reason, time).map_err(NotSet::Time)?;
        // First: what nobody ends must not begin.
        let coming = Coming::new(&self.ends).map_err(NotSet::Thread)?;
        let before = pool.capacity().value;
        for setting in settings {
            pool.set(setting, change.clone());
        }
        coming.ends_at(Instant::now() + time, Ending::Pool(Arc::downgrade(pool)));
        let after = pool.capacity().value;
        if after.bytes_max() < before.bytes_max() || after.objects_max() < before.objects_max() {
            pool.trim_depot(0, DropReason::Pressure);
            registry.pass(Job::Reclaim { extra_bytes: 0 });
            drop_for(registry, DROP_TIME);
        }
        Ok(())
    }

    /// Sets the share of gets that use a canary, for `time`.
    pub(crate) fn set_share(
        &self,
        split: &Arc<Split>,
        share: Share,
        reason: &str,
        time: Duration,
    ) -> Result<(), NotSet> {
        let change = Change::person(reason, time).map_err(NotSet::Time)?;
        let coming = Coming::new(&self.ends).map_err(NotSet::Thread)?;
        split.set(share, change);
        coming.ends_at(Instant::now() + time, Ending::Split(Arc::downgrade(split)));
        Ok(())
    }
}

/// Takes the person's layer off a knob; whether there was one.
pub(crate) fn withdraw(pool: &dyn Managed, knob: KnobKind) -> bool {
    // One that is over is taken off by the reading, and is none.
    let _ = pool.knobs();
    pool.withdraw(knob, Author::Person)
}

/// A thread is there and stays, until an end is known or nothing comes of it.
struct Coming<'a>(&'a Ends);

impl<'a> Coming<'a> {
    fn new(ends: &'a Arc<Ends>) -> io::Result<Self> {
        let mut due = lock(&ends.due);
        if !due.has_thread {
            let ends = Arc::clone(ends);
            std::thread::Builder::new().name("ebbpool-override".into()).spawn(move || ends.run())?;
            due.has_thread = true;
        }
        due.coming += 1;
        Ok(Self(ends))
    }

    /// Has it read at `until`.
    fn ends_at(self, until: Instant, ending: Ending) {
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

impl Ends {
    /// Until nothing is left to end.
    fn run(&self) {
        while let Some(over) = self.wait() {
            for ending in over {
                // A pool is somebody's code; others have ends, too.
                let left = catch_unwind(AssertUnwindSafe(|| ending.read())).unwrap_or(None);
                let _ = catch_unwind(AssertUnwindSafe(|| ending.make_room()));
                if let Some(left) = left {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePool;
    use pool_core::{Capacity, Priority};

    fn rig() -> (Registry, Arc<FakePool>, Arc<dyn Managed>) {
        let (registry, fake) = (Registry::new(), FakePool::new("a"));
        let pool = Arc::clone(&fake) as Arc<dyn Managed>;
        registry.register(Arc::clone(&pool)).expect("a new name");
        (registry, fake, pool)
    }

    #[test]
    fn an_override_ends_although_nobody_looks() {
        let (registry, fake, pool) = rig();
        let person = Person::default();
        let heavy = Setting::Priority(Priority::new(900).expect("in range"));
        let millisecond = Duration::from_millis(1);
        person.set(&registry, &pool, vec![heavy], "by hand", millisecond).expect("set");
        // What the thread does at the end is the one thing here that reads knobs; the fake counts readings.
        fake.wait_for_readings(fake.readings_at_set() + 1);
        let until = Instant::now() + Duration::from_secs(60);
        while lock(&person.ends.due).has_thread {
            assert!(Instant::now() < until, "the thread has nothing left to do and stays");
            std::thread::yield_now();
        }
        assert_eq!(pool.knobs().priority.value, Priority::DEFAULT);
    }

    #[test]
    fn a_cut_is_made_room_for_and_a_rise_is_not() {
        let (registry, fake, pool) = rig();
        fake.set_stats(|stats| (stats.idle_bytes, stats.idle_objects, stats.depot_objects) = (1000, 10, 10));
        let person = Person::default();
        let capacity = |bytes| vec![Setting::Capacity(Capacity::new(1000, bytes).expect("in range"))];
        let minute = Duration::from_secs(60);
        person.set(&registry, &pool, capacity(500), "incident", minute).expect("set");
        assert_eq!((pool.stats().idle_bytes, fake.passes()), (500, 1));
        person.set(&registry, &pool, capacity(5000), "over", minute).expect("set");
        assert_eq!(fake.passes(), 1);
        assert!(withdraw(pool.as_ref(), KnobKind::Capacity));
        assert!(!withdraw(pool.as_ref(), KnobKind::Capacity));
        assert_eq!(pool.capacity().generation, 0);
    }

    #[test]
    fn a_pool_that_is_gone_is_not_waited_for() {
        let (registry, fake, pool) = rig();
        let person = Person::default();
        let thin = Setting::Priority(Priority::new(1).expect("in range"));
        person.set(&registry, &pool, vec![thin], "by hand", Duration::from_secs(3600)).expect("set");
        drop((registry, fake, pool));
        person.ends.newer.notify_all();
        let until = Instant::now() + Duration::from_secs(60);
        while lock(&person.ends.due).has_thread {
            assert!(Instant::now() < until, "the thread waits for a pool that is gone");
            person.ends.newer.notify_all();
            std::thread::yield_now();
        }
    }

    #[test]
    fn who_sets_a_knob_again_and_again_leaves_one_end() {
        let (registry, _fake, pool) = rig();
        let person = Person::default();
        let heavy = |n| vec![Setting::Priority(Priority::new(n).expect("in range"))];
        for n in 1..100 {
            person.set(&registry, &pool, heavy(n), "by hand", Duration::from_secs(3600)).expect("set");
        }
        assert_eq!(lock(&person.ends.due).at.len(), 1);
    }

    #[test]
    fn the_later_of_two_ends_is_waited_for() {
        let (registry, _fake, pool) = rig();
        let person = Person::default();
        let (soon, later) = (Duration::from_millis(1), Duration::from_millis(200));
        let heavy = Setting::Priority(Priority::new(900).expect("in range"));
        let began = Instant::now();
        person.set(&registry, &pool, vec![heavy], "by hand", later).expect("set");
        person.set(&registry, &pool, vec![Setting::Capacity(Capacity::ZERO)], "by hand", soon).expect("set");
        let until = began + Duration::from_secs(60);
        while lock(&person.ends.due).has_thread {
            assert!(Instant::now() < until, "the thread has nothing left to do and stays");
            std::thread::yield_now();
        }
        assert!(began.elapsed() >= later, "the thread has gone before the later end");
    }
}

//! Writes what a person wants for a time onto the person's layer of a pool, and sees to it that the time ends.
//!
//! A pool takes an override off when its knobs are next read. The loop sees to it at each tick; but an override must end
//! too when the loop hangs, has ended, or was never started. So whoever sets one has a thread wait for its end
//! (`ends.rs`). Knows neither requests nor configuration.

use super::ends::{Ending, Ends};
use super::trim::make_room;
use crate::shared::lock;
use pool_core::{Author, Change, Job, KnobKind, Managed, Registry, Setting, Share, Split};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Overrides by hand, and their ends.
#[derive(Default)]
pub(crate) struct Person {
    turn: Mutex<()>,
    ends: Arc<Ends>,
}

/// What a person says of a change.
pub(crate) struct Said {
    pub(crate) change: Change,
    /// How long the change lasts.
    pub(crate) time: Duration,
}

impl Person {
    /// Waits until nobody else is at it.
    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn { ends: &self.ends, only: lock(&self.turn) }
    }

    #[cfg(test)]
    pub(crate) fn has_turn(&self) -> bool {
        self.turn.try_lock().is_err()
    }

    /// Sets the share of gets that use a canary. Each change is the whole share, so it needs no turn.
    ///
    /// # Errors
    /// If the operating system gives no thread that would end it.
    pub(crate) fn set_share(&self, split: &Arc<Split>, share: Share, said: Said) -> io::Result<()> {
        let coming = self.ends.expect_one()?;
        split.set(share, said.change);
        coming.ends_at(Instant::now() + said.time, Ending::Split(Arc::downgrade(split)));
        Ok(())
    }
}

/// One change of knobs at a time: a person says fields and a knob is set as a whole, so what is read before it is set must
/// not change in between. Ends do not wait for it.
pub(crate) struct Turn<'a> {
    ends: &'a Arc<Ends>,
    only: MutexGuard<'a, ()>,
}

impl Turn<'_> {
    /// Sets knobs of a pool. What a lower capacity leaves no room for goes now, after the turn; with a pass over the pool
    /// where `passes` says whose, else without what is in magazines.
    ///
    /// # Errors
    /// If the operating system gives no thread that would end it; then nothing is set.
    pub(crate) fn set(
        self,
        pool: &Arc<dyn Managed>,
        settings: Vec<Setting>,
        said: &Said,
        passes: Option<&Registry>,
    ) -> io::Result<()> {
        // First: what nobody ends must not begin.
        let coming = self.ends.expect_one()?;
        let before = pool.capacity().value;
        for setting in settings {
            pool.set(setting, said.change.clone());
        }
        let ending = || Ending::Pool(Arc::downgrade(pool));
        coming.ends_at(Instant::now() + said.time, ending());
        let after = pool.capacity().value;
        drop(self);
        if after.bytes_max() < before.bytes_max() || after.objects_max() < before.objects_max() {
            if let Some(registry) = passes {
                let job = |one: &_| Arc::ptr_eq(one, pool).then_some(Job::Reclaim { extra_bytes: 0 });
                registry.pass_over(job, |_, _| ());
            }
            if !make_room(pool.as_ref()) {
                coming.ends_at(Instant::now(), ending()); // there the rest goes
            }
        }
        Ok(())
    }

    /// Takes the person's layer off a knob; whether there was one.
    pub(crate) fn withdraw(self, pool: &dyn Managed, knob: KnobKind) -> bool {
        let _until_done = self.only;
        // One that is over is taken off by the reading, and is none.
        let _ = pool.knobs();
        pool.withdraw(knob, Author::Person)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePool;
    use pool_core::Capacity;

    struct Rig {
        registry: Registry,
        pools: [Arc<FakePool>; 2],
        person: Person,
    }

    impl Rig {
        /// Two pools with ten idle objects in the depot.
        fn new() -> Self {
            let (registry, pools) = (Registry::new(), ["a", "b"].map(FakePool::new));
            for pool in &pools {
                registry.register(Arc::clone(pool) as Arc<dyn Managed>).expect("a new name");
                pool.set_stats(|stats| {
                    (stats.idle_bytes, stats.idle_objects, stats.depot_objects) = (1000, 10, 10);
                });
            }
            Self { registry, pools, person: Person::default() }
        }

        fn set_bytes(&self, bytes: u64, passes: Option<&Registry>) {
            let pool = Arc::clone(&self.pools[0]) as Arc<dyn Managed>;
            let capacity = Setting::Capacity(Capacity::new(1000, bytes).expect("in range"));
            let time = Duration::from_secs(3600);
            let said = Said { change: Change::person("by hand", time).expect("in range"), time };
            self.person.turn().set(&pool, vec![capacity], &said, passes).expect("set");
        }

        fn passes(&self) -> [u32; 2] {
            self.pools.each_ref().map(|pool| pool.passes())
        }
    }

    #[test]
    fn a_cut_is_made_room_for_in_its_pool_alone_and_a_rise_is_not() {
        let rig = Rig::new();
        rig.set_bytes(500, Some(&rig.registry));
        let stats = rig.pools[0].stats();
        assert_eq!((stats.idle_bytes, stats.condemned_objects, rig.passes()), (500, 0, [1, 0]));
        rig.set_bytes(5000, Some(&rig.registry));
        assert_eq!(rig.passes(), [1, 0]);
        let pool = rig.pools[0].as_ref();
        assert!(rig.person.turn().withdraw(pool, KnobKind::Capacity));
        assert!(!rig.person.turn().withdraw(pool, KnobKind::Capacity));
        assert_eq!(pool.capacity().generation, 0);
    }

    #[test]
    fn where_nobody_may_pass_what_threads_share_goes_all_the_same() {
        let rig = Rig::new();
        rig.set_bytes(500, None);
        let stats = rig.pools[0].stats();
        assert_eq!((stats.idle_bytes, stats.condemned_objects, rig.passes()), (500, 0, [0, 0]));
    }

    #[test]
    fn what_takes_long_to_drop_is_left_to_the_thread() {
        let rig = Rig::new();
        rig.pools[0].set_drop_time(Duration::from_millis(50));
        rig.set_bytes(0, None);
        let until = Instant::now() + Duration::from_secs(60);
        while rig.pools[0].stats().condemned_objects > 0 {
            assert!(Instant::now() < until, "nobody drops the rest");
            std::thread::yield_now();
        }
    }
}

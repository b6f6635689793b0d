//! A check over a test: what was lent in it must come home.

use super::report::{LeakReport, LeakedPool};
use super::{OpenLease, Suspect};
use crate::managed::Managed;
use crate::pool::Pool;
use crate::recycle::Recycler;
use crate::registry::Registry;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Fails a test whose objects did not come home.
///
/// From its making to its end, every lease of its pools is recorded, whatever their level is. At the end it
/// compares: a lease that began in between and has not ended is a leak. It names the pool, the sites with counts
/// and ages, the threads and the tracing spans. Objects that were out before do not matter, and neither do
/// those that others take after the end began.
///
/// It ends when it is dropped, and then panics if there is a leak (unless the thread panics already), or by
/// [`finish`](Self::finish), which tells. The level that was set comes into force again when the last of several
/// checks of a pool has ended; what is set meanwhile is kept and comes into force then. Checks may be nested
/// and may overlap; each answers for its own time. Threads are not told apart: a test that shares a pool with
/// tests beside it sees their leases too, so give each test a pool of its own, or let the check
/// [`wait`](Self::wait). When a check finds an object home, what its holder did before has happened too.
///
/// ```
/// use pool_core::{LeakCheck, Pool};
/// let pool = Pool::new("body", Vec::<u8>::new);
///
/// let check = LeakCheck::of(&pool);
/// pool.get().extend_from_slice(b"hello");
/// assert!(check.finish().is_ok());
///
/// let check = LeakCheck::of(&pool);
/// std::mem::forget(pool.get());
/// let report = check.finish().unwrap_err();
/// assert_eq!((report.pools[0].name.as_str(), report.pools[0].suspects[0].count), ("body", 1));
/// ```
#[derive(Debug)]
#[must_use = "a check ends when it is dropped: bind it to a name"]
pub struct LeakCheck {
    begun: &'static Location<'static>,
    pools: Vec<Checked>,
    /// Pools that are added to it while the check runs are checked too.
    registry: Option<Registry>,
    patience: Duration,
    finished: bool,
}

impl LeakCheck {
    /// Begins to check one pool. The check keeps the pool's memory, but is no handle of it.
    ///
    /// ```
    /// # use pool_core::{LeakCheck, Pool};
    /// let pool = Pool::new("body", Vec::<u8>::new);
    /// let _check = LeakCheck::of(&pool);
    /// drop(pool.get());
    /// ```
    #[track_caller]
    pub fn of<T: Send + 'static, R: Recycler<T>>(pool: &Pool<T, R>) -> Self {
        Self::of_managed([pool.managed()])
    }

    /// Begins to check all pools of a registry, those too that are added to it until the end.
    ///
    /// ```
    /// # use pool_core::{LeakCheck, Pool, Registry};
    /// let registry = Registry::new();
    /// let _check = LeakCheck::of_registry(&registry);
    /// let pool = Pool::builder("body").registry(&registry).build_with(Vec::<u8>::new)?;
    /// drop(pool.get());
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    #[track_caller]
    pub fn of_registry(registry: &Registry) -> Self {
        let mut check = Self::of_managed(registry.pools());
        check.registry = Some(registry.clone());
        check
    }

    /// Begins to check pools of any kind. One without records of leases has nothing to tell.
    ///
    /// ```
    /// # use pool_core::{LeakCheck, Pool};
    /// let (body, head) = (Pool::new("body", Vec::<u8>::new), Pool::new("head", String::new));
    /// let _check = LeakCheck::of_managed([body.managed(), head.managed()]);
    /// drop((body.get(), head.get()));
    /// ```
    #[track_caller]
    pub fn of_managed(pools: impl IntoIterator<Item = Arc<dyn Managed>>) -> Self {
        Self {
            begun: Location::caller(),
            pools: pools.into_iter().map(Checked::begin).collect(),
            registry: None,
            patience: Duration::ZERO,
            finished: false,
        }
    }

    /// Has the end wait for objects that are still on their way, at most that long; it goes on as soon as
    /// all are home. Without it the end looks once.
    ///
    /// It blocks the thread. In a test on a single-threaded async runtime, whose tasks could not go on
    /// meanwhile, await until [`outstanding`](Self::outstanding) is 0 instead.
    ///
    /// ```
    /// # use pool_core::{LeakCheck, Pool};
    /// # use std::time::Duration;
    /// let pool = Pool::new("body", Vec::<u8>::new);
    /// let check = LeakCheck::of(&pool).wait(Duration::from_secs(60));
    /// let buffer = pool.get();
    /// std::thread::spawn(move || drop(buffer)); // may take its time
    /// assert!(check.finish().is_ok());
    /// ```
    pub fn wait(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Leases that began since the check did and are out now.
    ///
    /// ```
    /// # use pool_core::{LeakCheck, Pool};
    /// let pool = Pool::new("body", Vec::<u8>::new);
    /// let check = LeakCheck::of(&pool);
    /// let buffer = pool.get();
    /// assert_eq!(check.outstanding(), 1);
    /// drop(buffer);
    /// assert_eq!(check.outstanding(), 0);
    /// ```
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.out().iter().map(|out| out.leases.len() as u64 + out.unrecorded).sum()
    }

    /// Ends the check and tells instead of panicking.
    ///
    /// # Errors
    /// [`LeakReport`] if something lent since its beginning is still out.
    ///
    /// ```
    /// # use pool_core::{LeakCheck, Pool};
    /// let pool = Pool::new("body", Vec::<u8>::new);
    /// assert!(LeakCheck::of(&pool).finish().is_ok());
    /// ```
    pub fn finish(mut self) -> Result<(), LeakReport> {
        self.end()
    }

    fn end(&mut self) -> Result<(), LeakReport> {
        self.finished = true;
        let mut out = self.out();
        let deadline = Instant::now().checked_add(self.patience);
        let mut pause = Pause::default();
        while !out.is_empty() && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            pause.once();
            out = still_out(&out, self.out());
        }
        let pools: Vec<_> = out.into_iter().map(LeakedPool::from).collect();
        if pools.is_empty() { Ok(()) } else { Err(LeakReport { begun: self.begun, pools }) }
    }

    fn out(&self) -> Vec<Out> {
        let later = self.registry.iter().flat_map(Registry::pools).filter(|pool| {
            // By address: a pool that has ended may have left its name to another.
            self.pools.iter().all(|checked| !Arc::ptr_eq(&checked.pool, pool))
        });
        let later = later.map(|pool| {
            let leases = pool.open_leases();
            let unrecorded = pool.stats().lent_objects.saturating_sub(leases.len() as u64);
            Out { pool, leases, unrecorded }
        });
        let out = self.pools.iter().map(Checked::out).chain(later);
        out.filter(|out| !out.leases.is_empty() || out.unrecorded > 0).collect()
    }
}

impl Drop for LeakCheck {
    fn drop(&mut self) {
        if self.finished || std::thread::panicking() {
            return;
        }
        if let Err(report) = self.end() {
            panic!("{report}");
        }
    }
}

/// A pool from the check's beginning.
struct Checked {
    pool: Arc<dyn Managed>,
    /// The leases that were out.
    before: BTreeSet<u64>,
    lent_before: u64,
    missed_before: u64,
}

impl Checked {
    fn begin(pool: Arc<dyn Managed>) -> Self {
        // First what is out, then the level: a lease that begins in between is looked for at the end.
        let before = pool.open_leases().into_iter().map(|lease| lease.id).collect();
        let stats = pool.stats();
        pool.record_all_leases(true);
        Self { pool, before, lent_before: stats.lent_objects, missed_before: stats.leases_missed }
    }

    fn out(&self) -> Out {
        let mut leases = self.pool.open_leases();
        leases.retain(|lease| !self.before.contains(&lease.id));
        let stats = self.pool.stats();
        // What was missed may have come home. What has not is at least what the count of lent objects rose by.
        let missed = stats.leases_missed.saturating_sub(self.missed_before);
        let more = stats.lent_objects.saturating_sub(self.lent_before);
        let unrecorded = more.saturating_sub(leases.len() as u64).min(missed);
        Out { pool: Arc::clone(&self.pool), leases, unrecorded }
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        self.pool.record_all_leases(false);
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked").field("pool", &self.pool.name()).finish_non_exhaustive()
    }
}

/// What is out of one pool.
struct Out {
    pool: Arc<dyn Managed>,
    leases: Vec<OpenLease>,
    unrecorded: u64,
}

/// What of `first` is in `now` too: leases that began later are not waited for.
fn still_out(first: &[Out], now: Vec<Out>) -> Vec<Out> {
    let both = now.into_iter().filter_map(|mut now| {
        let first = first.iter().find(|first| Arc::ptr_eq(&first.pool, &now.pool))?;
        let ids: BTreeSet<_> = first.leases.iter().map(|lease| lease.id).collect();
        now.leases.retain(|lease| ids.contains(&lease.id));
        now.unrecorded = now.unrecorded.min(first.unrecorded);
        Some(now)
    });
    both.filter(|out| !out.leases.is_empty() || out.unrecorded > 0).collect()
}

impl From<Out> for LeakedPool {
    fn from(out: Out) -> Self {
        let name = out.pool.name().to_owned();
        Self { name, suspects: Suspect::by_site(out.leases), unrecorded: out.unrecorded }
    }
}

/// Between two looks: lets others run, then rests a little.
#[derive(Default)]
struct Pause(u32);

impl Pause {
    const YIELDS: u32 = 100;
    const REST: Duration = Duration::from_millis(1);

    fn once(&mut self) {
        self.0 = self.0.saturating_add(1);
        if self.0 < Self::YIELDS {
            std::thread::yield_now();
        } else {
            std::thread::park_timeout(Self::REST);
        }
    }
}

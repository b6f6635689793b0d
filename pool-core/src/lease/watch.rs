//! What was told of leases before: so that one that comes back after all is counted, and a site is told once.
//!
//! A record says only whether its lease is still out. Who tells remembers which leases it told of and looks again
//! the next time; the return path knows nothing of it.

use super::{LeaseId, Leases, OpenLease, Suspect};
use crate::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::sync::{Mutex, PoisonError};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

/// What a listener hears; see [`Pool::on_suspect`](crate::Pool::on_suspect).
///
/// Each `New` is followed by at most one `ReturnedAfterAll` of its site, and no other `New` of that site comes
/// before it.
///
/// ```
/// use pool_core::{LeaseLevel, Pool, SuspectEvent};
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
///
/// let pool = Pool::builder("body").lease_level(LeaseLevel::All).build_with(Vec::<u8>::new)?;
/// let heard = Arc::new(Mutex::new(Vec::new()));
/// let into = Arc::clone(&heard);
/// pool.on_suspect(Duration::ZERO, move |_, event| into.lock().unwrap().push(event.clone()));
///
/// let buffer = pool.get();
/// pool.tell_suspects();
/// drop(buffer);
/// pool.tell_suspects();
/// let heard = heard.lock().unwrap();
/// assert!(matches!(&heard[0], SuspectEvent::New(suspect) if suspect.count == 1));
/// assert!(matches!(&heard[1], SuspectEvent::ReturnedAfterAll { count: 1, .. }));
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuspectEvent {
    /// A site has leases that are out for longer than the listener's threshold, and had none before. More of
    /// them from the same site are not told; [`suspects`](crate::Pool::suspects) has the count.
    New(Suspect),
    /// All leases of a site that were out for too long have come back: they were held long, not lost.
    ReturnedAfterAll {
        /// The site.
        site: &'static Location<'static>,
        /// How many came back since the site was told as new.
        count: u64,
        /// None of them was out for longer than this; see [`Suspect::returned_out_at_most`].
        out_at_most: Duration,
    },
}

impl fmt::Display for SuspectEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New(suspect) => write!(f, "suspected of a leak: {suspect}"),
            Self::ReturnedAfterAll { site, count, out_at_most } => {
                let leases = if *count == 1 { "lease" } else { "leases" };
                write!(
                    f,
                    "{count} {leases} from {site} returned after all, out for {out_at_most:.1?} at most"
                )
            }
        }
    }
}

/// Called with the pool's name and what is new.
///
/// ```
/// use pool_core::{Managed, Pool, SuspectListener};
/// use std::{sync::Arc, time::Duration};
/// let log: SuspectListener = Arc::new(|pool, event| eprintln!("{pool}: {event}"));
/// for pool in [Pool::new("a", String::new), Pool::new("b", String::new)] {
///     pool.managed().on_suspect(Duration::from_secs(30), Arc::clone(&log));
/// }
/// ```
pub type SuspectListener = Arc<dyn Fn(&str, &SuspectEvent) + Send + Sync>;

/// Everybody who is told of a pool's suspects.
#[derive(Debug)]
pub(super) struct Watches {
    /// For those who ask.
    asked: Mutex<Watch>,
    listeners: Mutex<Listeners>,
    /// The process in which somebody calls listeners; 0: nobody. Not a lock: who finds its own goes away, and who
    /// finds another's has been forked from it in the middle of that, and nobody is at it here.
    telling: AtomicU32,
}

#[derive(Debug, Default)]
struct Listeners {
    all: Vec<Listener>,
    next_id: u64,
}

struct Listener {
    id: u64,
    older_than: Duration,
    watch: Watch,
    /// Sites told as new whose leases have not all come back.
    told_sites: BTreeSet<&'static Location<'static>>,
    call: SuspectListener,
}

/// Which leases were told of, and which of those came back. A told lease is still on record, so there are never
/// more of them than records.
#[derive(Debug, Default)]
struct Watch {
    told: BTreeMap<LeaseId, (&'static Location<'static>, u64)>,
    returned: BTreeMap<&'static Location<'static>, Returned>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Returned {
    count: u64,
    out_at_most: Duration,
}

/// The pool's age in nanoseconds, now.
pub(crate) type Clock<'a> = dyn Fn() -> u64 + 'a;

/// One walk over the records.
struct Look<'a> {
    leases: &'a Leases,
    open: Vec<OpenLease>,
    /// When it began. What has ended is out until later, which `clock` tells.
    at_ns: u64,
    clock: &'a Clock<'a>,
}

impl<'a> Look<'a> {
    fn now(leases: &'a Leases, clock: &'a Clock<'a>) -> Self {
        let at_ns = clock();
        Self { leases, open: leases.open(at_ns), at_ns, clock }
    }
}

impl Leases {
    /// Sites with leases older than `older_than`, most leases first. Those leases are remembered as told, so that
    /// a later return counts as "after all".
    pub(crate) fn suspects(&self, older_than: Duration, clock: &Clock<'_>) -> Vec<Suspect> {
        if self.stripes.get().is_none() {
            return Vec::new(); // nothing was ever recorded, so nobody was told of anything
        }
        let mut watch = self.watches().asked.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: what was read before another's look could be told after its return was counted.
        watch.look(&Look::now(self, clock), older_than)
    }

    pub(crate) fn add_listener(&self, older_than: Duration, call: SuspectListener) -> u64 {
        let mut listeners = self.watches().listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.next_id += 1;
        let id = listeners.next_id;
        let (watch, told_sites) = (Watch::default(), BTreeSet::new());
        listeners.all.push(Listener { id, older_than, watch, told_sites, call });
        id
    }

    /// Returns the listener, so that it is dropped outside the lock: it is somebody's code.
    pub(crate) fn remove_listener(&self, id: u64) -> Option<SuspectListener> {
        let mut listeners = self.watches().listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let at = listeners.all.iter().position(|listener| listener.id == id)?;
        Some(listeners.all.remove(at).call)
    }

    /// Calls each listener with what is new. Where another thread is at it, that one does it. A listener's panic
    /// goes to the caller after all have been called.
    pub(crate) fn tell(&self, pool: &str, clock: &Clock<'_>) {
        struct Telling<'a>(&'a AtomicU32);
        impl Drop for Telling<'_> {
            fn drop(&mut self) {
                self.0.store(0, Release); // pairs with the acquire below
            }
        }
        let Some(watches) = self.watches.get() else { return };
        let (before, here) = (watches.telling.load(Relaxed), std::process::id());
        if before == here || watches.telling.compare_exchange(before, here, Acquire, Relaxed).is_err() {
            return;
        }
        let _telling = Telling(&watches.telling);
        let news = self.news(watches, clock);
        let mut panic: Option<Box<dyn Any + Send>> = None;
        for (call, event) in &news {
            // Unwind safety: nothing of ours is touched by the call.
            let result = catch_unwind(AssertUnwindSafe(|| call(pool, event)));
            panic = panic.or(result.err());
        }
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    fn news(&self, watches: &Watches, clock: &Clock<'_>) -> Vec<(SuspectListener, SuspectEvent)> {
        let mut listeners = watches.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.all.is_empty() {
            return Vec::new();
        }
        let look = Look::now(self, clock);
        let mut news = Vec::new();
        for listener in &mut listeners.all {
            let events = listener.look(&look);
            news.extend(events.into_iter().map(|event| (Arc::clone(&listener.call), event)));
        }
        news
    }

    #[cfg(all(test, not(ebbpool_loom)))]
    pub(super) fn pretend_that_it_tells(&self, process: u32) {
        self.watches().telling.store(process, Release);
    }

    fn watches(&self) -> &Watches {
        let make = || Watches {
            asked: Mutex::new(Watch::default()),
            listeners: Mutex::new(Listeners::default()),
            telling: AtomicU32::new(0),
        };
        self.watches.get_or_make(make).0
    }
}

impl Watch {
    /// Sees which told leases came back, and tells of those that are out for longer than `older_than`.
    fn look(&mut self, look: &Look<'_>, older_than: Duration) -> Vec<Suspect> {
        let over = look.open.iter().filter(|lease| lease.age >= older_than);
        for lease in over.clone() {
            let age_ns = u64::try_from(lease.age.as_nanos()).unwrap_or(u64::MAX);
            let since_ns = look.at_ns.saturating_sub(age_ns);
            if let Some(id) = LeaseId::from_raw(lease.id) {
                self.told.entry(id).or_insert((lease.site, since_ns));
            }
        }
        // After that, or one that ended since `open` was read would be told and counted again.
        let returned = &mut self.returned;
        self.told.retain(|id, (site, since_ns)| {
            let is_open = look.leases.is_open(*id);
            if !is_open {
                let site = returned.entry(site).or_default();
                let out_at_most = Duration::from_nanos((look.clock)().saturating_sub(*since_ns));
                *site = Returned { count: site.count + 1, out_at_most: site.out_at_most.max(out_at_most) };
            }
            is_open
        });
        let mut suspects = Suspect::by_site(over.cloned());
        for suspect in &mut suspects {
            let returned = self.returned.get(suspect.site).copied().unwrap_or_default();
            suspect.returned_after_all = returned.count;
            suspect.returned_out_at_most = returned.out_at_most;
        }
        suspects
    }
}

impl Listener {
    fn look(&mut self, look: &Look<'_>) -> Vec<SuspectEvent> {
        let suspects = self.watch.look(look, self.older_than);
        let is_clear = |site: &&Location<'static>| suspects.iter().all(|suspect| suspect.site != *site);
        let clear: Vec<_> = self.told_sites.iter().copied().filter(is_clear).collect();
        let mut events = Vec::new();
        for site in clear {
            self.told_sites.remove(site);
            let Returned { count, out_at_most } = self.watch.returned.remove(site).unwrap_or_default();
            events.push(SuspectEvent::ReturnedAfterAll { site, count, out_at_most });
        }
        let new = suspects.into_iter().filter(|suspect| self.told_sites.insert(suspect.site));
        events.extend(new.map(SuspectEvent::New));
        events
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("older_than", &self.older_than).finish_non_exhaustive()
    }
}

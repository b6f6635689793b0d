//! Records of leases: where, when and by whom a lent object was taken, for a sample of them or for all.
//!
//! ```text
//!  get ──► begin: a free record of this thread's stripe (slab) ──► written (record)
//!  return ──► end: the record's state, and its bit
//!  a person, a controller, a check ──► walks all records, and waits for nobody and nobody for it
//! ```
//!
//! What a walk finds is put together by site (`suspect`), compared with what was told before (`watch`), and,
//! over a test, with what was out before (`check`). `origin` says who begins a lease.
//!
//! What a record can tell: the object was lent there and has not come back. It cannot tell an object that is held
//! for long from one that never comes (forgotten, stored and never taken out, its thread gone): that shows when it
//! returns after all. A future that is cancelled drops its guards, and those are returns like others.

mod budget;
#[cfg(not(ebbpool_loom))]
mod check;
mod lasting;
mod on_pool;
mod origin;
mod record;
#[cfg(not(ebbpool_loom))]
mod report;
mod slab;
mod suspect;
mod watch;

#[cfg(all(test, ebbpool_loom))]
mod loom_tests;
#[cfg(all(test, not(ebbpool_loom)))]
mod tests;

#[cfg(not(ebbpool_loom))]
pub use self::check::LeakCheck;
pub use self::origin::{SpanSourceSet, set_span_source};
#[cfg(not(ebbpool_loom))]
pub use self::report::{LeakReport, LeakedPool};
pub use self::suspect::{OpenLease, Suspect};
pub use self::watch::{SuspectEvent, SuspectListener};

use self::budget::Budget;
use self::lasting::Lasting;
use self::record::{Entry, STATE_BITS};
use self::slab::{PLACE_BITS, Place, Stripe};
use self::watch::Watches;
use crate::thread_id;
use std::num::NonZeroU64;
use std::panic::Location;
use std::time::Duration;

/// One lease on record: the place of its record, and the state that names it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LeaseId(NonZeroU64);

/// The leases on record of one pool. It knows no clock: time is the pool's age, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Leases {
    /// Made with the first record: most pools of a process may never have one.
    stripes: Lasting<Stripes>,
    budget: Budget,
    watches: Lasting<Watches>,
}

/// By thread id. Each is made when a thread of its own records its first lease.
type Stripes = [Lasting<Stripe>; STRIPES];

/// As many threads as work at once record without sharing; more share.
const STRIPES: usize = if cfg!(ebbpool_loom) { 1 } else { 16 };

const _: () = assert!(STRIPES.ilog2() + PLACE_BITS + STATE_BITS <= 64, "an id is one word");

impl Leases {
    pub(crate) fn new() -> Self {
        Self { stripes: Lasting::new(), budget: Budget::new(), watches: Lasting::new() }
    }

    /// Puts a lease that begins now on record. `None`, and counted as missed, if the table is full.
    ///
    /// Runs user code (the source of span ids): not under a lock and not inside a slot.
    pub(crate) fn begin(&self, site: &'static Location<'static>, now_ns: u64) -> Option<LeaseId> {
        let span = origin::span();
        self.put(Entry { site, since_ns: now_ns, thread: origin::thread(), span })
    }

    fn put(&self, entry: Entry) -> Option<LeaseId> {
        let stripe = thread_id::current() as usize % STRIPES;
        let (stripes, _) = self.stripes.get_or_make(|| std::array::from_fn(|_| Lasting::new()));
        let records = self.stripe_of(&stripes[stripe]);
        let (place, state) = records.begin(&entry, &self.budget)?;
        LeaseId::new(stripe, place, state)
    }

    fn stripe_of<'a>(&self, cell: &'a Lasting<Stripe>) -> &'a Stripe {
        let mut taken = 0;
        let (stripe, is_ours) = cell.get_or_make(|| {
            let stripe = Stripe::new(&self.budget);
            taken = stripe.own();
            stripe
        });
        if taken > 0 && !is_ours {
            self.budget.give(taken); // another thread's was first
        }
        stripe
    }

    /// The lease has ended.
    pub(crate) fn end(&self, id: LeaseId) {
        let (stripe, place, state) = id.parts();
        let ended = self.stripe(stripe).is_some_and(|records| records.end(place, state));
        debug_assert!(ended, "who ends a lease is the only one who has it");
    }

    fn is_open(&self, id: LeaseId) -> bool {
        let (stripe, place, state) = id.parts();
        self.stripe(stripe).is_some_and(|records| records.is_on(place, state))
    }

    /// The leases that are on record, in no order. One that begins or ends meanwhile may be among them or not.
    pub(crate) fn open(&self, now_ns: u64) -> Vec<OpenLease> {
        let mut open = Vec::new();
        for (number, stripe) in self.stripes() {
            stripe.for_each(|place, state, entry| {
                open.extend(LeaseId::new(number, place, state).map(|id| OpenLease {
                    id: id.0.get(),
                    site: entry.site,
                    age: Duration::from_nanos(now_ns.saturating_sub(entry.since_ns)),
                    thread: (entry.thread != 0).then_some(entry.thread),
                    span: (entry.span != 0).then_some(entry.span),
                }));
            });
        }
        open
    }

    /// Leases on record that have not ended, and leases missed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let counts = self.stripes().map(|(_, stripe)| stripe.counts());
        counts.fold((0, 0), |sum, stripe| (sum.0 + stripe.0, sum.1 + stripe.1))
    }

    fn stripe(&self, number: usize) -> Option<&Stripe> {
        self.stripes.get()?[number].get()
    }

    fn stripes(&self) -> impl Iterator<Item = (usize, &Stripe)> {
        let stripes = self.stripes.get().into_iter().flatten().enumerate();
        stripes.filter_map(|(number, stripe)| Some((number, stripe.get()?)))
    }
}

impl LeaseId {
    fn new(stripe: usize, place: Place, state: u64) -> Option<Self> {
        let stripe = stripe as u64;
        NonZeroU64::new(
            (stripe << PLACE_BITS | u64::from(place.bits())) << STATE_BITS | state, // odd, and so never 0
        )
        .map(Self)
    }

    fn from_raw(id: u64) -> Option<Self> {
        NonZeroU64::new(id).map(Self)
    }

    fn parts(self) -> (usize, Place, u64) {
        let (place, state) = (self.0.get() >> STATE_BITS, self.0.get() & ((1 << STATE_BITS) - 1));
        let bits = u32::try_from(place & ((1 << PLACE_BITS) - 1)).unwrap_or(0);
        ((place >> PLACE_BITS) as usize % STRIPES, Place::from_bits(bits), state)
    }
}

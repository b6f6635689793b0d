//! One record: what is known of a lease, written by who begins it, read by anybody at any time.
//!
//! The state is odd while a lease is on record and counts on with each change, so it names the lease too: who
//! ends a lease says which one, and a reader that finds the same state before and after has read that lease and
//! no mixture. Everything is atomic; nobody waits.

use super::lasting::StaticRef;
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::panic::Location;

/// What is written down of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) site: &'static Location<'static>,
    /// The pool's age when it began.
    pub(crate) since_ns: u64,
    /// The number in the thread's `ThreadId`; 0: unknown.
    pub(crate) thread: u64,
    /// 0: none.
    pub(crate) span: u64,
}

#[derive(Debug)]
pub(crate) struct Record {
    state: AtomicU64,
    site: StaticRef<Location<'static>>,
    since_ns: AtomicU64,
    thread: AtomicU64,
    span: AtomicU64,
}

/// States are as wide as fits into a node's header beside the record's place. The same state comes again after
/// 2^42 leases on one record.
pub(crate) const STATE_BITS: u32 = 43;
const STATE_MASK: u64 = (1 << STATE_BITS) - 1;

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU64::new(0),
            site: StaticRef::new(),
            since_ns: AtomicU64::new(0),
            thread: AtomicU64::new(0),
            span: AtomicU64::new(0),
        }
    }

    /// Puts a lease on this record, which the caller has claimed; returns the state that names it.
    pub(crate) fn begin(&self, entry: &Entry) -> u64 {
        // Relaxed: the claim has ordered the end of the last lease before this.
        let state = (self.state.load(Relaxed) + 1) & STATE_MASK;
        // Release pairs with the acquires in `read`: who sees one of these sees that the last lease has ended.
        self.site.set(entry.site);
        self.since_ns.store(entry.since_ns, Release);
        self.thread.store(entry.thread, Release);
        self.span.store(entry.span, Release);
        // Release pairs with the acquire in `read`: who sees the lease sees what was written above.
        self.state.store(state, Release);
        state
    }

    /// Ends the lease that `state` names. False if it is not the one on this record: nothing is changed then.
    pub(crate) fn end(&self, state: u64) -> bool {
        // Relaxed: who has the lease has it from `begin`, on this thread or by way of something that orders.
        if self.state.load(Relaxed) != state {
            return false;
        }
        // Release pairs with the acquires in `is_on` and `read`: who finds the lease gone sees what was done before.
        self.state.store((state + 1) & STATE_MASK, Release);
        true
    }

    /// Whether the lease that `state` names is still on this record.
    pub(crate) fn is_on(&self, state: u64) -> bool {
        self.state.load(Acquire) == state
    }

    /// The lease on this record and its state; `None` if there is none, or if it changes at this moment.
    pub(crate) fn read(&self) -> Option<(u64, Entry)> {
        let state = self.state.load(Acquire); // pairs with the release in `begin`
        if state % 2 == 0 {
            return None;
        }
        // Acquire pairs with the releases in `begin`: a value of a later lease brings the end of this one with it.
        let (site, since_ns) = (self.site.get()?, self.since_ns.load(Acquire));
        let (thread, span) = (self.thread.load(Acquire), self.span.load(Acquire));
        // The acquires above keep this load behind them. Acquire itself: it may be the one that finds the end.
        (self.state.load(Acquire) == state).then_some((state, Entry { site, since_ns, thread, span }))
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    fn entry(n: u64) -> Entry {
        Entry { site: Location::caller(), since_ns: n, thread: n, span: n }
    }

    #[test]
    fn an_old_lease_cannot_end_a_newer_one() {
        let record = Record::new();
        assert_eq!(record.read(), None);
        let first = record.begin(&entry(1));
        assert!(record.end(first) && !record.end(first));
        let second = record.begin(&entry(2));
        assert!(!record.end(first) && !record.is_on(first) && record.is_on(second));
        assert_eq!(record.read().map(|(state, e)| (state, e.span)), Some((second, 2)));
        assert!(record.end(second));
        assert_eq!(record.read(), None);
    }

    #[test]
    fn states_go_round_and_stay_odd_while_lent() {
        let record = Record::new();
        record.state.store(STATE_MASK - 1, Relaxed);
        let last = record.begin(&entry(1));
        assert_eq!(last, STATE_MASK);
        assert!(record.end(last));
        assert_eq!((record.read(), record.begin(&entry(2))), (None, 1));
    }
}

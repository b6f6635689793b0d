//! A pool as its registry holds it: [`Keeper`] keeps the memory, but is no handle.

use crate::close::{destroy_quietly, drop_panic};
use crate::fence::Fenced;
use crate::figures::Figures;
use crate::inside::Counted;
use crate::knobs::{Applied, Author, Change, KnobKind, Knobs, Setting};
use crate::lease::{OpenLease, Suspect, SuspectListener};
use crate::levels::{IdleAge, LentAge, SlotLevel};
use crate::lifetimes::Lifetimes;
use crate::managed::{Collected, Job, Managed, Taken};
use crate::node::Owned;
use crate::recycle::Recycler;
use crate::shared::Shared;
use crate::stats::{DropReason, PoolStats};
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::{PoisonError, clock};
use std::time::{Duration, Instant};

/// A pool without a handle: keeps its memory and does what a registry asks.
pub(crate) struct Keeper<T, R>(Counted<T, R>);

impl<T, R: Recycler<T>> Keeper<T, R> {
    pub(crate) fn new(inside: Counted<T, R>) -> Self {
        Self(inside)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    pub(crate) fn inside(&self) -> &Counted<T, R> {
        &self.0
    }

    /// Lets the registry forget a pool that has finished.
    pub(crate) fn forgotten(self) {
        #[cfg(not(ebbpool_loom))]
        if let Some(registry) = self.shared().registry() {
            registry.forget_if_finished(&self.shared().name);
        }
        drop(self);
    }
}

impl<T: Send + 'static, R: Recycler<T>> Managed for Keeper<T, R> {
    fn name(&self) -> &str {
        &self.shared().name
    }

    fn stats(&self) -> PoolStats {
        self.shared().stats()
    }

    fn figures(&self) -> Figures {
        self.shared().figures()
    }

    fn create_times(&self) -> Lifetimes {
        self.shared().account.creates.times()
    }

    fn slots(&self) -> Vec<SlotLevel> {
        self.shared().slot_levels()
    }

    fn lent_ages(&self) -> Vec<LentAge> {
        self.shared().lent_ages()
    }

    fn idle_ages(&self) -> Vec<IdleAge> {
        self.shared().idle_ages()
    }

    fn knobs(&self) -> Knobs {
        self.shared().knobs()
    }

    fn set(&self, setting: Setting, change: Change) -> Applied {
        self.shared().set(setting, change)
    }

    fn withdraw(&self, knob: KnobKind, author: Author) -> bool {
        self.shared().withdraw(knob, author)
    }

    fn reclaim_weight(&self) -> Option<u32> {
        self.shared().settings.weight()
    }

    fn cycle_is_due(&self, now: Instant) -> bool {
        self.shared().cycle_is_due(now)
    }

    fn suspects(&self, older_than: Duration) -> Vec<Suspect> {
        self.shared().leases.suspects(older_than, &|| self.shared().age_ns())
    }

    fn open_leases(&self) -> Vec<OpenLease> {
        self.shared().leases.open(self.shared().age_ns())
    }

    fn on_suspect(&self, older_than: Duration, listener: SuspectListener) -> u64 {
        self.shared().leases.add_listener(older_than, listener)
    }

    fn remove_listener(&self, id: u64) {
        drop(self.shared().leases.remove_listener(id));
    }

    fn tell_suspects(&self) {
        self.shared().leases.tell(&self.shared().name, &|| self.shared().age_ns());
    }

    fn record_all_leases(&self, on: bool) {
        self.shared().record_all_leases(on);
    }

    fn trim_depot(&self, extra_bytes: u64, reason: DropReason) -> Taken {
        self.shared().trim_depot(extra_bytes, reason)
    }

    fn reclaim(&self, bytes: u64) -> Taken {
        self.shared().reclaim(bytes)
    }

    fn mark(&self) {
        self.shared().mark();
    }

    fn collect(&self, fenced: &Fenced, job: Job) -> Collected {
        let collected = self.shared().collect(fenced, job);
        if let Some(report) = &collected.cycle {
            crate::cycle::trace(&self.shared().name, report);
        }
        collected
    }

    fn has_condemned(&self) -> bool {
        self.shared().watched.pending_objects.load(Relaxed) > 0
    }

    fn drop_slice(&self) -> Duration {
        self.shared().drop_slice()
    }

    fn drop_condemned(&self, budget: Duration) -> bool {
        let shared = self.shared();
        let mut until = None;
        loop {
            let mut condemned = shared.condemned.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(node) = condemned.pop_front() else { return true };
            let last = condemned.is_empty();
            if !last && until.is_none() {
                // For one object, as a create takes it back, nobody looks at the clock.
                until = Some(clock::now().checked_add(budget));
            }
            shared.trimmed.pending_bytes.fetch_sub(node.weight(), Relaxed);
            shared.watched.pending_objects.fetch_sub(1, Relaxed);
            drop(condemned);
            // A panicking drop must not end the pass that drops other pools' objects; the value is gone.
            if let Some(panic) = destroy_quietly(Owned::claim(node, &self.0)) {
                drop_panic(panic);
            }
            if last || until.flatten().is_some_and(|until| clock::now() >= until) {
                return last;
            }
        }
    }

    fn is_finished(&self) -> bool {
        self.shared().is_finished()
    }

    #[cfg(feature = "failpoints")]
    fn set_faults_armed(&self, armed: bool) {
        self.shared().set_faults_armed(armed);
    }
}

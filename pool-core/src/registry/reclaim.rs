//! Direct reclaim: a create that finds the grant used up takes idle objects back first.

use super::Registry;
use crate::close::drop_panic;
use crate::managed::Taken;
use crate::stats::DropReason;
use crate::sync::try_lock;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

impl Registry {
    /// Charges a create of `bytes` against the grant; if that is used up, takes as much back from idle
    /// objects first, and some for the creates that follow. Runs on creating threads: where a lock is held by another
    /// it goes on without.
    #[cold]
    pub(crate) fn charge_create(&self, bytes: u64) {
        let missing = self.0.grant.charge(bytes);
        if missing == 0 {
            return;
        }
        // A value that is dropped for a create may create itself; once is enough, or drops would nest without end.
        let Some(_once) = Once::enter() else { return };
        // Caches and alarms of others run in there, and none of them may end a get.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.make_room(missing))) {
            drop_panic(panic);
        }
    }

    fn make_room(&self, missing: u64) {
        let taken = self.reclaim(missing.saturating_mul(AT_ONCE).min(AT_ONCE_MAX_BYTES).max(missing));
        // Each object's drop credits the grant; what is still condemned is credited when it is dropped.
        self.0.grant.count_reclaimed(taken.bytes);
        if taken.bytes < missing {
            self.0.grant.count_exceeded();
        }
        let alarm = try_lock(&self.0.alarm).and_then(|alarm| alarm.clone());
        if let Some(alarm) = alarm {
            alarm();
        }
    }

    /// Takes at least `bytes` of idle objects if there are that many, and drops them here and now.
    fn reclaim(&self, bytes: u64) -> Taken {
        let mut taken = Taken::default();
        let Some(pools) = try_lock(&self.0.pools).map(|mut roll| roll.list()) else { return taken };
        let mut by_weight: Vec<_> = pools.iter().filter_map(|p| Some((p.reclaim_weight()?, p))).collect();
        by_weight.sort_by_key(|(weight, _)| *weight);
        // What threads share first, of all pools: it needs no fence.
        for (_, pool) in &by_weight {
            if taken.bytes < bytes {
                taken += pool.trim_depot(bytes - taken.bytes, DropReason::Pressure);
            }
        }
        for (_, pool) in &by_weight {
            if taken.bytes < bytes {
                taken += pool.reclaim(bytes - taken.bytes);
            }
        }
        for (_, pool) in by_weight.iter().filter(|(_, pool)| pool.has_condemned()) {
            pool.drop_condemned(RECLAIM_DROP_MAX);
        }
        taken
    }
}

/// This thread reclaims; ends with the value.
struct Once;

thread_local!(static RECLAIMING: Cell<bool> = const { Cell::new(false) });

impl Once {
    fn enter() -> Option<Self> {
        (!RECLAIMING.replace(true)).then_some(Self)
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        RECLAIMING.set(false);
    }
}

/// A create takes back for so many like it: to look for something takes as long as a small create.
const AT_ONCE: u64 = 8;
/// But no more than this, unless it is missing: a create waits while it is dropped.
const AT_ONCE_MAX_BYTES: u64 = 256 << 10;
/// How long one create may drop other objects of one pool; what is left is the controller's next slice.
const RECLAIM_DROP_MAX: Duration = Duration::from_millis(2);

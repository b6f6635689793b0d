//! Levels: what each slot holds, and how old what is idle is.

use crate::shared::{CYCLES_KEPT, Shared};
use crate::sync::PoisonError;
use crate::sync::atomic::Ordering::Relaxed;
use std::collections::BTreeMap;
use std::panic::Location;

/// What one thread's slot in a pool holds; a racing read.
///
/// ```
/// use pool_core::Pool;
/// let pool = Pool::new("lines", String::new);
/// drop(pool.get());
/// let slots = pool.managed().slots();
/// assert_eq!((slots.len(), slots[0].gets, slots[0].returns_kept), (1, 1, 1)); // one thread
/// assert_eq!(slots[0].idle_objects, 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotLevel {
    /// The thread id that the slot belongs to: dense, and reused after its thread has gone.
    pub id: u32,
    /// Objects in the magazine.
    pub idle_objects: u64,
    /// Their bytes.
    pub idle_bytes: u64,
    /// The fewest objects since the last cycle: so many at the bottom are surplus so far.
    pub low_objects: u64,
    /// Objects that the magazine may hold: its part of the capacity.
    pub credit_objects: u64,
    /// Bytes that it may hold.
    pub credit_bytes: u64,
    /// Gets through this slot, ever.
    pub gets: u64,
    /// Returns through this slot that were kept, ever. A slot with many more gets than returns feeds others.
    pub returns_kept: u64,
}

/// Idle objects that have not been needed for so many cycles.
///
/// ```
/// use pool_core::{IdleAge, Pool};
/// let pool = Pool::new("lines", String::new);
/// drop(pool.get());
/// assert_eq!(pool.managed().idle_ages(), [IdleAge { cycles: 0, objects: 1 }]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleAge {
    /// Whole cycles without being needed; 0: not known to be surplus yet.
    pub cycles: u64,
    /// How many.
    pub objects: u64,
}

/// Leases on record that began so many cycles ago; with [`IdleAge`] the map of what lives, by age and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LentAge {
    /// Where [`Pool::get`](crate::Pool::get) was called.
    pub site: &'static Location<'static>,
    /// Cycles since then, at most [`CYCLES_MAX`](Self::CYCLES_MAX), which stands for all that are older.
    pub cycles: u64,
    /// Leases on record; below level `All` they are a share of all.
    pub leases: u64,
}

impl LentAge {
    /// The highest age that is told apart.
    pub const CYCLES_MAX: u64 = CYCLES_KEPT as u64;
}

impl Shared {
    pub(crate) fn slot_levels(&self) -> Vec<SlotLevel> {
        let mut levels: Vec<_> = self.table.with_slots(|slots| {
            let level = |slot: &crate::slot::Slot| {
                let (credit_objects, credit_bytes) = slot.credit();
                SlotLevel {
                    id: slot.id,
                    idle_objects: slot.len() as u64,
                    idle_bytes: slot.bytes(),
                    low_objects: u64::from(slot.low()),
                    credit_objects: u64::from(credit_objects),
                    credit_bytes,
                    gets: slot.counters.gets.load(Relaxed),
                    returns_kept: slot.counters.kept.load(Relaxed),
                }
            };
            slots.map(level).collect()
        });
        levels.sort_unstable_by_key(|level| level.id);
        levels
    }

    /// By site, youngest first.
    pub(crate) fn lent_ages(&self) -> Vec<LentAge> {
        let now_ns = self.age_ns();
        let leases = self.leases.open(now_ns);
        let begun = self.cycles.begun.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut ages: BTreeMap<_, LentAge> = BTreeMap::new();
        for lease in leases {
            let since_ns = now_ns.saturating_sub(u64::try_from(lease.age.as_nanos()).unwrap_or(u64::MAX));
            let cycles = begun.iter().filter(|&&at| at > since_ns).count() as u64;
            let key = (lease.site.file(), lease.site.line(), lease.site.column(), cycles);
            ages.entry(key).or_insert(LentAge { site: lease.site, cycles, leases: 0 }).leases += 1;
        }
        ages.into_values().collect()
    }

    /// Youngest first.
    pub(crate) fn idle_ages(&self) -> Vec<IdleAge> {
        let cycle = self.cycles.count.load(Relaxed);
        let young = self.idle().0.saturating_sub(self.victim.level().0);
        let mut ages = vec![IdleAge { cycles: 0, objects: young }];
        let batches = self.victim.ages().into_iter().rev();
        ages.extend(batches.map(|(of, objects)| IdleAge { cycles: cycle.saturating_sub(of) + 1, objects }));
        ages.retain(|age| age.objects > 0);
        ages
    }
}

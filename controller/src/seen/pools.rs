//! The pools as a tick sees them. Looked at again and again, so that only what has changed is read anew, and nothing is
//! allocated while the pools are the same.

use crate::act::{Held, Knobs};
use crate::decide::{PoolInputs, PoolName};
use pool_core::{Figures, Managed, Worth};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What a reuse saves is asked anew after so many timed leases: it sorts some hundred numbers.
const ASKED_EVERY: u64 = 32;

/// All pools of one moment, in the order of their registration.
#[derive(Default)]
pub(crate) struct SeenPools {
    /// As they can be acted upon. Nobody keeps them from one tick to the next: they may end.
    pub(crate) managed: Arc<[Arc<dyn Managed>]>,
    pools: Vec<SeenPool>,
    /// The list that they were last taken from. While it is the same one, the pools are.
    list: Option<Weak<[Arc<dyn Managed>]>>,
    /// Whether the last [`meet`](Self::meet) found another list.
    pub(crate) are_others: bool,
}

/// One pool at that moment.
pub(crate) struct SeenPool {
    pub(crate) name: PoolName,
    pub(crate) figures: Figures,
    pub(crate) held: Held,
    pub(crate) suspect_sites: u64,
    /// What a reuse saves, once enough leases have been timed to say.
    saved_ns: Option<f64>,
    /// Timed leases when that was asked.
    asked_at: u64,
    /// Which pool it is; another may have its name later.
    pub(crate) is: Weak<dyn Managed>,
}

impl Deref for SeenPools {
    type Target = [SeenPool];
    fn deref(&self) -> &[SeenPool] {
        &self.pools
    }
}

impl SeenPools {
    /// Takes over who is on a list; of pools that were on the last one, what is known of them is kept.
    pub(crate) fn meet(&mut self, list: Arc<[Arc<dyn Managed>]>) {
        let is_it = |last: &Weak<[Arc<dyn Managed>]>| std::ptr::addr_eq(last.as_ptr(), Arc::as_ptr(&list));
        self.are_others = !self.list.as_ref().is_some_and(is_it);
        if self.are_others {
            self.list = Some(Arc::downgrade(&list));
            let mut before: HashMap<_, _> =
                self.pools.drain(..).map(|pool| (pool.is.as_ptr().cast::<()>().addr(), pool)).collect();
            let mut known = |pool: &Arc<dyn Managed>| before.remove(&Arc::as_ptr(pool).cast::<()>().addr());
            self.pools.extend(list.iter().map(|pool| known(pool).unwrap_or_else(|| SeenPool::new(pool))));
        }
        self.managed = list;
    }

    /// Lets go of the pools, so that they may end, and keeps what is known of them.
    pub(crate) fn part(&mut self) {
        self.managed = Arc::default();
    }

    /// Reads the figures of all, and of those where they say that it has changed, knobs and what a reuse saves.
    pub(crate) fn look(&mut self) {
        for (managed, pool) in self.managed.iter().zip(&mut self.pools) {
            let generation = pool.figures.knobs_generation;
            pool.figures = managed.figures();
            if pool.figures.knobs_generation != generation {
                pool.held = Held::of(&managed.knobs());
            }
            pool.ask_what_reuse_saves(managed.as_ref());
        }
    }

    pub(crate) fn look_for_suspects(&mut self, older_than: Duration, is_its_turn: impl Fn(usize) -> bool) {
        let pools = self.managed.iter().zip(&mut self.pools).enumerate();
        for (_, (managed, pool)) in pools.filter(|(at, _)| is_its_turn(*at)) {
            let suspects = managed.suspects(older_than);
            pool.suspect_sites = suspects.iter().filter(|suspect| suspect.count > 0).count() as u64;
        }
    }

    /// What decisions are made of, with the capacities as the decision should see them.
    pub(crate) fn inputs(&self, knobs: &Knobs) -> Vec<PoolInputs> {
        self.iter().enumerate().map(|(at, pool)| pool.inputs(knobs.capacity_bytes(at, pool))).collect()
    }

    /// As after a look at these.
    #[cfg(test)]
    pub(crate) fn of(pools: &[Arc<dyn Managed>]) -> Self {
        let mut seen = Self::default();
        seen.meet(pools.into());
        seen.look();
        seen
    }
}

impl SeenPool {
    /// One that was not seen before. Its figures are older than its knobs: if somebody sets one in between, they have
    /// another generation at the next look, and it is read again.
    fn new(pool: &Arc<dyn Managed>) -> Self {
        let (name, figures) = (pool.name().into(), pool.figures());
        let (held, is) = (Held::of(&pool.knobs()), Arc::downgrade(pool));
        Self { name, figures, held, suspect_sites: 0, saved_ns: None, asked_at: 0, is }
    }

    fn ask_what_reuse_saves(&mut self, managed: &dyn Managed) {
        let timed = self.figures.leases_timed;
        if timed < self.asked_at + ASKED_EVERY {
            return;
        }
        self.asked_at = timed;
        let worth = managed.stats().worth();
        let enough = worth.samples.0.min(worth.samples.1) >= Worth::SAMPLES;
        self.saved_ns = enough.then(|| worth.saved_ns_per_lease.max(0.0));
    }

    fn floor_bytes(&self) -> u64 {
        let objects = u64::from(self.held.capacity.objects_floor());
        objects.saturating_mul(self.figures.expected_weight)
    }

    fn inputs(&self, capacity_bytes: u64) -> PoolInputs {
        let (figures, held) = (&self.figures, &self.held);
        let eviction = held.eviction.value;
        PoolInputs {
            name: self.name.clone(),
            idle_objects: figures.idle_objects,
            idle_bytes: figures.idle_bytes,
            lent_objects: figures.lent_objects,
            lent_bytes: figures.lent_bytes,
            gets_total: figures.gets.total(),
            created_total: figures.gets.created,
            ghost_hits_total: figures.ghost_hits,
            saved_ns: self.saved_ns,
            expected_weight_bytes: figures.expected_weight,
            capacity_bytes,
            capacity_objects: figures.capacity_objects,
            floor_bytes: self.floor_bytes(),
            weight: held.weight(),
            pinned: held.is_pinned(),
            suspect_sites: self.suspect_sites,
            evict_ratio: held.sampling.value.evict_ratio().get(),
            cycle_ms: u64::try_from(eviction.cycle().as_millis()).unwrap_or(u64::MAX),
            slice_us: u64::try_from(eviction.slice().as_micros()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePool;
    use pool_core::{Capacity, Change, Pool, Sampling, Setting};

    fn list(pools: &[&Arc<FakePool>]) -> Arc<[Arc<dyn Managed>]> {
        pools.iter().map(|pool| Arc::clone(pool) as Arc<dyn Managed>).collect()
    }

    fn set_capacity(pool: &FakePool, bytes: u64) {
        pool.set_capacity(Capacity::new(1, bytes).expect("in range"), Change::operator("test"));
    }

    #[test]
    fn what_is_known_of_a_pool_stays_with_it_and_not_with_its_name() {
        let [a, b, other_a] = ["a", "b", "a"].map(FakePool::new);
        let mut seen = SeenPools::default();
        let mut sites = |pools: &[&Arc<FakePool>], mark| {
            seen.meet(list(pools));
            seen.look();
            let sites: Vec<_> = seen.iter().map(|pool| pool.suspect_sites).collect();
            seen.pools.iter_mut().for_each(|pool| pool.suspect_sites = mark);
            seen.part();
            (seen.are_others, sites)
        };
        assert_eq!(sites(&[&a], 7), (true, vec![0]));
        assert_eq!(sites(&[&a, &b], 8), (true, vec![7, 0]));
        assert_eq!(sites(&[&b], 9), (true, vec![8]));
        assert_eq!(sites(&[&b, &other_a], 1), (true, vec![9, 0]));
        let same = list(&[&a, &b]);
        seen.meet(Arc::clone(&same));
        seen.meet(same);
        assert!(!seen.are_others, "the same list");
    }

    #[test]
    fn what_a_reuse_saves_is_known_once_enough_leases_were_timed() {
        let timed = Sampling::DEFAULT.with_timing_one_in(1).expect("in range");
        let builder = Pool::builder("a").knob(Setting::Sampling(timed));
        let pool = builder.build_with(|| vec![0_u8; 4096]).expect("no registry");
        let mut seen = SeenPools::of(&[pool.managed()]);
        assert_eq!(seen[0].saved_ns, None);
        (0..4096).for_each(|_| drop(pool.get()));
        seen.look();
        assert!(seen[0].saved_ns.is_some_and(|ns| ns >= 0.0), "{:?}", pool.stats().worth());
        assert_eq!(seen[0].asked_at, pool.managed().figures().leases_timed);
    }

    #[test]
    fn nobody_is_kept_between_two_looks() {
        let pool = FakePool::new("a");
        let mut seen = SeenPools::of(&list(&[&pool]));
        assert!(Arc::strong_count(&pool) > 1);
        seen.part();
        assert_eq!((Arc::strong_count(&pool), seen.len()), (1, 1));
    }

    #[test]
    fn knobs_are_read_again_when_they_have_changed() {
        let pool = FakePool::new("a");
        let mut seen = SeenPools::of(&list(&[&pool]));
        set_capacity(&pool, 77);
        assert_ne!(seen[0].held.capacity.bytes_max(), 77);
        seen.look();
        assert_eq!((seen[0].held.capacity.bytes_max(), seen[0].held.is_pinned()), (77, true));
    }
}

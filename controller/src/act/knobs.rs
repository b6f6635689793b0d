//! The one writer of knobs, by plan: capacities here, everything else in `tuning`.
//!
//! A knob that a person or an operator has set is left alone. How many objects a pool may hold at most is its owner's
//! word: a policy may say fewer, and mostly says bytes. When observing, nothing is written; what would have been is kept, so
//! that the policy meets its own plans in the next inputs. Knows no memory figures but the limit.

use super::are_one;
use super::held::Held;
use super::tuning::Tuning;
use crate::decide::filters::Turns;
use crate::decide::{PerPool, Plan, PoolPlan};
use crate::seen::{SeenPool, SeenPools};
use pool_core::{Author, Capacity, Change, KnobKind, Managed};
use std::sync::{Arc, Weak};

/// A capacity that moves back by less than one in this of the limit has not turned around.
const TURN_LIMIT_ONE_IN: u64 = 50;

/// The knobs of all pools.
#[derive(Debug)]
pub(crate) struct Knobs {
    enforce: bool,
    pools: PerPool<PoolKnobs>,
    reversals: u64,
}

#[derive(Debug)]
struct PoolKnobs {
    /// Whose they are; another pool may have its name later.
    is: Weak<dyn Managed>,
    /// What the last plan wanted; when observing, what is pretended.
    capacity_bytes: Option<u64>,
    turns: Turns,
    tuning: Tuning,
}

impl PoolKnobs {
    fn of(pool: &SeenPool) -> Self {
        Self { is: pool.is.clone(), capacity_bytes: None, turns: Turns::default(), tuning: Tuning::default() }
    }

    fn are_of(&self, pool: &SeenPool) -> bool {
        are_one(&self.is, &pool.is)
    }
}

impl Knobs {
    pub(crate) fn new(enforce: bool) -> Self {
        Self { enforce, pools: PerPool::default(), reversals: 0 }
    }

    /// The capacity that the next decision should see, of the pool that stands there.
    pub(crate) fn capacity_bytes(&self, at: usize, pool: &SeenPool) -> u64 {
        let pretended = || {
            let knobs = self.pools.find(at, &pool.name).filter(|knobs| knobs.are_of(pool))?;
            knobs.capacity_bytes.filter(|_| !self.enforce)
        };
        pretended().unwrap_or(pool.held.capacity.bytes_max())
    }

    /// Gives every knob back what it had before a policy touched it, and writes nothing from now on.
    pub(super) fn let_go(&mut self, pools: &[Arc<dyn Managed>]) {
        for pool in pools {
            for kind in [KnobKind::Capacity, KnobKind::Sampling, KnobKind::Eviction, KnobKind::Reuse] {
                pool.withdraw(kind, Author::Policy);
            }
        }
        self.begin(false);
    }

    /// Writes from now on what so far was only pretended.
    pub(super) fn take_up(&mut self) {
        self.begin(true);
    }

    fn begin(&mut self, enforce: bool) {
        self.enforce = enforce;
        self.pools = PerPool::default();
    }

    /// How often the most restless capacity has turned around. Never falls, even when its pool is gone.
    pub(crate) fn reversals(&self) -> u64 {
        self.reversals
    }

    /// Writes what `plan` wants.
    pub(super) fn apply(&mut self, seen: &SeenPools, plan: &Plan, limit_bytes: Option<u64>) -> Written {
        self.pools.align(seen.iter().map(|pool| &pool.name), |at| PoolKnobs::of(&seen[at]));
        let mut written = Written::default();
        let mut reason = None;
        for (at, wanted) in plan.pools.iter().enumerate() {
            let is_it = |at: &usize| seen.get(*at).is_some_and(|pool| pool.name == wanted.name);
            // Plans come in the order of the pools; a policy may leave some out.
            let Some(at) = Some(at).filter(is_it).or_else(|| (0..seen.len()).find(is_it)) else {
                continue;
            };
            let (pool, held) = (seen.managed[at].as_ref(), &seen[at].held);
            let knobs = &mut self.pools.values_mut()[at];
            if !knobs.are_of(&seen[at]) {
                *knobs = PoolKnobs::of(&seen[at]);
            }
            if wanted.capacity_bytes.is_some() || wanted.capacity_objects.is_some() {
                let change = self.set_capacity((at, pool), held, wanted, limit_bytes, || {
                    reason.get_or_insert_with(|| text(plan)).clone()
                });
                written.changed |= change.is_some();
                written.cut.extend(change.filter(|is_cut| *is_cut).map(|_| at));
            }
            let enforce = self.enforce;
            written.changed |= self.pools.values_mut()[at].tuning.apply(pool, held, wanted, enforce);
        }
        written.cut.sort_unstable(); // they are, unless the plan came in another order
        written
    }

    /// `None`: nothing changed. Whether the pool may hold less than before.
    fn set_capacity(
        &mut self,
        (at, pool): (usize, &dyn Managed),
        held: &Held,
        wanted: &PoolPlan,
        limit_bytes: Option<u64>,
        reason: impl FnOnce() -> String,
    ) -> Option<bool> {
        if held.is_pinned() {
            return None;
        }
        let real = &held.capacity;
        let knobs = &mut self.pools.values_mut()[at];
        let before = knobs.capacity_bytes.filter(|_| !self.enforce).unwrap_or(real.bytes_max());
        let bytes = wanted.capacity_bytes.unwrap_or(before);
        let objects = objects(held, wanted);
        knobs.capacity_bytes = Some(bytes);
        knobs.turns.see(bytes, limit_bytes.unwrap_or(0) / TURN_LIMIT_ONE_IN);
        self.reversals = self.reversals.max(knobs.turns.count());
        if bytes == before && (objects == real.objects_max() || !self.enforce) {
            return None;
        }
        let is_less = bytes < before || objects < real.objects_max();
        if self.enforce {
            write(pool, held, (objects, bytes), &reason());
        }
        Some(self.enforce && is_less)
    }
}

/// What a plan did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// A knob was changed, or would have been.
    pub(super) changed: bool,
    /// The places of the pools that may hold less than before.
    pub(super) cut: Vec<usize>,
}

/// As many as the plan says, and never more than the pool was built for.
fn objects(held: &Held, wanted: &PoolPlan) -> u32 {
    let most = held.capacity_built.objects_max();
    wanted.capacity_objects.and_then(|objects| u32::try_from(objects).ok()).unwrap_or(most).min(most)
}

/// Sets the bytes of a capacity and leaves its objects.
pub(super) fn write_bytes(pool: &dyn Managed, held: &Held, bytes: u64, reason: &str) {
    write(pool, held, (held.capacity.objects_max(), bytes), reason);
}

fn write(pool: &dyn Managed, held: &Held, (objects, bytes): (u32, u64), reason: &str) {
    // In range by the minimum; a refusal could only keep what is there.
    let floor = held.capacity_built.objects_floor().min(objects);
    let capacity = Capacity::new(objects, bytes.min(Capacity::BYTES_LIMIT))
        .and_then(|capacity| capacity.with_floor(floor));
    if let Ok(capacity) = capacity {
        pool.set_capacity(capacity, Change::policy(reason));
    }
}

fn text(plan: &Plan) -> String {
    plan.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{Inputs, LeaseWish, Reason};
    use crate::fake::FakePool;
    use pool_core::{Author, LeaseLevel};

    fn plan(capacity_bytes: Option<u64>, leases: Option<LeaseWish>) -> Plan {
        let mut plan = Plan::unchanged(&Inputs::default(), Reason::Rebalanced);
        plan.pools = vec![PoolPlan { capacity_bytes, leases, ..PoolPlan::unchanged("a") }];
        plan
    }

    fn seen(pool: &Arc<FakePool>) -> SeenPools {
        SeenPools::of(&[Arc::clone(pool) as Arc<dyn Managed>])
    }

    #[test]
    fn a_write_carries_its_reason_and_leaves_the_objects() {
        let pool = FakePool::new("a");
        let mut knobs = Knobs::new(true);
        assert!(knobs.apply(&seen(&pool), &plan(Some(5000), None), None).changed);
        let capacity = pool.capacity();
        assert_eq!((capacity.value.bytes_max(), capacity.value.objects_max()), (5000, FakePool::OBJECTS_MAX));
        assert_eq!((capacity.author, capacity.reason.as_str()), (Author::Policy, "shares moved with demand"));
        assert!(
            !knobs.apply(&seen(&pool), &plan(Some(5000), None), None).changed,
            "the same again is no change"
        );
        assert_eq!(pool.capacity().generation, 1);
    }

    #[test]
    fn objects_may_be_fewer_than_built_and_never_more() {
        let (pool, mut knobs) = (FakePool::new("a"), Knobs::new(true));
        let mut objects = |n| {
            let mut plan = plan(None, None);
            plan.pools[0].capacity_objects = Some(n);
            let changed = knobs.apply(&seen(&pool), &plan, None).changed;
            (changed, pool.capacity().value.objects_max())
        };
        assert_eq!(objects(5), (true, 5));
        assert_eq!(objects(5), (false, 5));
        assert_eq!(objects(u64::MAX), (true, FakePool::OBJECTS_MAX));
    }

    #[test]
    fn a_floor_comes_back_with_the_objects() {
        let built = Capacity::new(1000, 64 << 20).and_then(|capacity| capacity.with_floor(800));
        let pool = FakePool::built_with("a", built.expect("in range"));
        let mut knobs = Knobs::new(true);
        let mut floor = |n| {
            let mut plan = plan(None, None);
            plan.pools[0].capacity_objects = Some(n);
            let _ = knobs.apply(&seen(&pool), &plan, None);
            pool.capacity().value.objects_floor()
        };
        assert_eq!([1000, 500, 900, 1000].map(&mut floor), [800, 500, 800, 800]);
    }

    #[test]
    fn another_pool_of_the_same_name_is_written_anew() {
        for enforce in [true, false] {
            let (gone, pool, mut knobs) = (FakePool::new("a"), FakePool::new("a"), Knobs::new(enforce));
            let mut plan = plan(Some(5000), None);
            plan.pools[0].reuse = Some(0.5);
            assert!(knobs.apply(&seen(&gone), &plan, None).changed);
            let built = pool.capacity().value.bytes_max();
            assert_eq!(knobs.capacity_bytes(0, &seen(&pool)[0]), built, "nothing was said of it");
            assert!(knobs.apply(&seen(&pool), &plan, None).changed);
            assert_eq!(pool.knobs().generation, if enforce { 2 } else { 0 }, "capacity and reuse");
            assert!(!knobs.apply(&seen(&pool), &plan, None).changed);
        }
    }

    #[test]
    fn a_persons_word_stands() {
        let pool = FakePool::new("a");
        pool.set_capacity(Capacity::new(7, 77).expect("in range"), Change::operator("by hand"));
        assert!(!Knobs::new(true).apply(&seen(&pool), &plan(Some(5000), None), None).changed);
        assert_eq!(pool.capacity().value.bytes_max(), 77);
    }

    #[test]
    fn observing_writes_nothing_and_remembers_what_it_would_have() {
        let pool = FakePool::new("a");
        let mut knobs = Knobs::new(false);
        assert!(knobs.apply(&seen(&pool), &plan(Some(5000), Some(LeaseWish::All)), None).changed);
        assert_eq!((pool.capacity().generation, pool.lease_level()), (0, LeaseLevel::DEFAULT));
        assert_eq!(knobs.capacity_bytes(0, &seen(&pool)[0]), 5000);
        assert!(!knobs.apply(&seen(&pool), &plan(Some(5000), None), None).changed);
    }

    #[test]
    fn only_real_turns_count() {
        let pool = FakePool::new("a");
        let mut knobs = Knobs::new(true);
        // Up, jitter, down by half, up again; 2 % of the limit are 20.
        for bytes in [100, 200, 400, 390, 400, 370, 200, 100, 110, 100, 115, 300] {
            let _ = knobs.apply(&seen(&pool), &plan(Some(bytes), None), Some(1000));
        }
        assert_eq!(knobs.reversals(), 2);
    }
}

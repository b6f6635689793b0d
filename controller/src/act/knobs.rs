//! The one writer of knobs, by plan: capacities here, everything else in `tuning`.
//!
//! A knob that a person or an operator has set is left alone. How many objects a pool may hold at most is its owner's
//! word: a policy may say fewer, and mostly says bytes. When observing, nothing is written; what would have been is kept, so
//! that the policy meets its own plans in the next inputs. Knows no memory figures but the limit.

use super::tuning::Tuning;
use crate::decide::filters::Turns;
use crate::decide::{Plan, PoolPlan};
use pool_core::{Author, Capacity, Change, Knob, KnobKind, Managed};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A capacity that moves back by less than one in this of the limit has not turned around.
const TURN_LIMIT_ONE_IN: u64 = 50;

/// The knobs of all pools.
#[derive(Debug)]
pub(crate) struct Knobs {
    enforce: bool,
    pools: BTreeMap<String, PoolKnobs>,
    reversals: u64,
}

#[derive(Debug, Default)]
struct PoolKnobs {
    /// What the last plan wanted; when observing, what is pretended.
    capacity_bytes: Option<u64>,
    turns: Turns,
    tuning: Tuning,
}

/// Whether a pool's capacity is not a policy's to set: it is pinned, or someone who stands above a policy set it.
pub(crate) fn is_pinned(knobs: &pool_core::Knobs) -> bool {
    knobs.priority.value.is_pinned() || knobs.capacity.is_override()
}

impl Knobs {
    pub(crate) fn new(enforce: bool) -> Self {
        Self { enforce, pools: BTreeMap::new(), reversals: 0 }
    }

    /// The capacity that the next decision should see.
    pub(crate) fn capacity_bytes(&self, pool: &str, real: &Knob<Capacity>) -> u64 {
        let pretended = || self.pools.get(pool)?.capacity_bytes.filter(|_| !self.enforce);
        pretended().unwrap_or(real.value.bytes_max())
    }

    fn entry(&mut self, pool: &str) -> &mut PoolKnobs {
        if !self.pools.contains_key(pool) {
            self.pools.insert(pool.to_owned(), PoolKnobs::default());
        }
        self.pools.get_mut(pool).expect("it was put there if it was not")
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
        self.pools.clear();
    }

    /// How often the most restless capacity has turned around. Never falls, even when its pool is gone.
    pub(crate) fn reversals(&self) -> u64 {
        self.reversals
    }

    /// Writes what `plan` wants.
    pub(super) fn apply(
        &mut self,
        pools: &[Arc<dyn Managed>],
        plan: &Plan,
        limit_bytes: Option<u64>,
    ) -> Written {
        if self.pools.len() > pools.len() {
            let names: BTreeSet<&str> = pools.iter().map(|pool| pool.name()).collect();
            self.pools.retain(|name, _| names.contains(name.as_str()));
        }
        let mut written = Written::default();
        let reason = reason(plan);
        for (at, wanted) in plan.pools.iter().enumerate() {
            let is_it = |pool: &&Arc<dyn Managed>| pool.name() == wanted.name;
            // Plans come in the order of the pools; a policy may leave some out.
            let Some(pool) = pools.get(at).filter(is_it).or_else(|| pools.iter().find(is_it)) else {
                continue;
            };
            let knobs = pool.knobs();
            if wanted.capacity_bytes.is_some() || wanted.capacity_objects.is_some() {
                let change = self.set_capacity(pool.as_ref(), &knobs, wanted, &reason, limit_bytes);
                written.changed |= change.changed;
                written.cut |= change.cut;
            }
            let enforce = self.enforce;
            written.changed |= self.entry(pool.name()).tuning.apply(pool.as_ref(), &knobs, wanted, enforce);
        }
        written
    }

    fn set_capacity(
        &mut self,
        pool: &dyn Managed,
        knobs: &pool_core::Knobs,
        wanted: &PoolPlan,
        reason: &str,
        limit_bytes: Option<u64>,
    ) -> Written {
        if is_pinned(knobs) {
            return Written::default();
        }
        let real = &knobs.capacity;
        let before = self.capacity_bytes(pool.name(), real);
        let bytes = wanted.capacity_bytes.unwrap_or(before);
        let objects = objects(real, wanted);
        let knobs = self.entry(pool.name());
        knobs.capacity_bytes = Some(bytes);
        knobs.turns.see(bytes, limit_bytes.unwrap_or(0) / TURN_LIMIT_ONE_IN);
        let count = knobs.turns.count();
        self.reversals = self.reversals.max(count);
        if bytes == before && (objects == real.value.objects_max() || !self.enforce) {
            return Written::default();
        }
        let is_less = bytes < before || objects < real.value.objects_max();
        if self.enforce {
            write(pool, real, (objects, bytes), reason);
        }
        Written { changed: true, cut: self.enforce && is_less }
    }
}

/// What a plan did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// A knob was changed, or would have been.
    pub(super) changed: bool,
    /// A pool may hold fewer bytes than before.
    pub(super) cut: bool,
}

/// As many as the plan says, and never more than the pool was built for.
fn objects(real: &Knob<Capacity>, wanted: &PoolPlan) -> u32 {
    let most = real.built.objects_max();
    wanted.capacity_objects.and_then(|objects| u32::try_from(objects).ok()).unwrap_or(most).min(most)
}

/// Sets the bytes of a capacity and leaves its objects.
pub(super) fn write_bytes(pool: &dyn Managed, real: &Knob<Capacity>, bytes: u64, reason: &str) {
    write(pool, real, (real.value.objects_max(), bytes), reason);
}

fn write(pool: &dyn Managed, real: &Knob<Capacity>, (objects, bytes): (u32, u64), reason: &str) {
    // In range by the minimum; a refusal could only keep what is there.
    let floor = real.value.objects_floor().min(objects);
    let capacity = Capacity::new(objects, bytes.min(Capacity::BYTES_LIMIT))
        .and_then(|capacity| capacity.with_floor(floor));
    if let Ok(capacity) = capacity {
        pool.set_capacity(capacity, Change::policy(reason));
    }
}

fn reason(plan: &Plan) -> String {
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

    fn pools(pool: &Arc<FakePool>) -> Vec<Arc<dyn Managed>> {
        vec![Arc::clone(pool) as Arc<dyn Managed>]
    }

    #[test]
    fn a_write_carries_its_reason_and_leaves_the_objects() {
        let pool = FakePool::new("a");
        let mut knobs = Knobs::new(true);
        assert!(knobs.apply(&pools(&pool), &plan(Some(5000), None), None).changed);
        let capacity = pool.capacity();
        assert_eq!((capacity.value.bytes_max(), capacity.value.objects_max()), (5000, FakePool::OBJECTS_MAX));
        assert_eq!((capacity.author, capacity.reason.as_str()), (Author::Policy, "shares moved with demand"));
        assert!(
            !knobs.apply(&pools(&pool), &plan(Some(5000), None), None).changed,
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
            let changed = knobs.apply(&pools(&pool), &plan, None).changed;
            (changed, pool.capacity().value.objects_max())
        };
        assert_eq!(objects(5), (true, 5));
        assert_eq!(objects(5), (false, 5));
        assert_eq!(objects(u64::MAX), (true, FakePool::OBJECTS_MAX));
    }

    #[test]
    fn a_persons_word_stands() {
        let pool = FakePool::new("a");
        pool.set_capacity(Capacity::new(7, 77).expect("in range"), Change::operator("by hand"));
        assert!(!Knobs::new(true).apply(&pools(&pool), &plan(Some(5000), None), None).changed);
        assert_eq!(pool.capacity().value.bytes_max(), 77);
    }

    #[test]
    fn observing_writes_nothing_and_remembers_what_it_would_have() {
        let pool = FakePool::new("a");
        let mut knobs = Knobs::new(false);
        assert!(knobs.apply(&pools(&pool), &plan(Some(5000), Some(LeaseWish::All)), None).changed);
        assert_eq!((pool.capacity().generation, pool.lease_level()), (0, LeaseLevel::DEFAULT));
        assert_eq!(knobs.capacity_bytes("a", &pool.capacity()), 5000);
        assert!(!knobs.apply(&pools(&pool), &plan(Some(5000), None), None).changed);
    }

    #[test]
    fn only_real_turns_count() {
        let pool = FakePool::new("a");
        let mut knobs = Knobs::new(true);
        // Up, jitter, down by half, up again; 2 % of the limit are 20.
        for bytes in [100, 200, 400, 390, 400, 370, 200, 100, 110, 100, 115, 300] {
            let _ = knobs.apply(&pools(&pool), &plan(Some(bytes), None), Some(1000));
        }
        assert_eq!(knobs.reversals(), 2);
    }
}

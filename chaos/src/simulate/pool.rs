//! A pool of the plant: counts of equal objects, with the rules of the real one.
//!
//! Idle objects are a stack. Those at its bottom that no get needed since the last cycle are surplus; a cycle moves a
//! share of it to the victim, from which a get is still served, and drops what the victim has held for too long.
//!
//! An object that was idle while usage stood above the mark of the optimum is *spoilt*: its reuse is a hit, and does
//! not count. Without that rule a policy could beat an optimum that keeps to the mark by not keeping to it.

use super::random::Random;
use super::world::Start;
use pool_controller::decide::{PoolInputs, PoolName, PoolPlan};
use std::collections::VecDeque;

/// Objects in a magazine at most.
const MAGAZINE: u64 = 64;
/// Objects that a pool may hold, whoever steers: its owner's bound.
pub(super) const OBJECTS_MAX: u64 = 20_000;
/// Time between two cycles, as pools are built.
const CYCLE_MS: u64 = 10_000;

#[derive(Clone, Debug)]
pub(super) struct Pool {
    name: PoolName,
    /// Of an idle object, bytes.
    pub(super) weight: u64,
    /// Of one that is lent.
    pub(super) lent_weight: u64,
    /// What the pool takes an object to weigh.
    pub(super) expected_weight: u64,
    pub(super) saved_ns: f64,
    is_measured: bool,
    pub(super) capacity_bytes: u64,
    capacity_objects: u64,
    objects_max: u64,
    out_of_reach: (u64, u64),
    floor_bytes: u64,
    priority: u32,
    /// Nobody but its owner takes from it.
    pub(super) is_pinned: bool,
    /// The stack, and how many at its bottom are spoilt.
    idle: u64,
    spoilt: u64,
    /// The fewest that were idle since the last cycle.
    fewest: u64,
    /// Surplus of past cycles, oldest in front.
    victims: VecDeque<Batch>,
    pub(super) lent: u64,
    gets: u64,
    created: u64,
    ghosts: u64,
    ghost_hits: u64,
    reuse: f64,
    evict_ratio: f64,
    cycle_ms: u64,
    /// When the last cycle was, and how many there were.
    cycled_ms: u64,
    cycles: u64,
}

#[derive(Clone, Copy, Debug)]
struct Batch {
    cycle: u64,
    objects: u64,
    spoilt: u64,
}

/// What gets of a step came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) created: u64,
    /// Hits that count.
    pub(super) counted: u64,
}

impl Pool {
    pub(super) fn new(start: &Start) -> Self {
        Self {
            name: start.name.as_str().into(),
            weight: start.weight,
            lent_weight: start.weight,
            expected_weight: start.weight,
            saved_ns: start.saved_ns,
            is_measured: start.is_measured,
            capacity_bytes: start.capacity_bytes,
            capacity_objects: start.objects_max,
            objects_max: start.objects_max,
            out_of_reach: (start.out_of_reach, start.out_of_reach_room),
            floor_bytes: start.floor_bytes,
            priority: start.priority,
            is_pinned: start.is_pinned,
            idle: start.idle,
            spoilt: 0,
            fewest: start.idle,
            victims: VecDeque::new(),
            lent: start.lent,
            gets: 0,
            created: 0,
            ghosts: 0,
            ghost_hits: 0,
            reuse: 1.0,
            evict_ratio: 1.0,
            cycle_ms: CYCLE_MS,
            cycled_ms: 0,
            cycles: 0,
        }
    }

    /// Idle objects, those in the victim among them.
    pub(super) fn idle(&self) -> u64 {
        self.idle + self.victims.iter().map(|batch| batch.objects).sum::<u64>()
    }

    /// Bytes of what is idle and lent.
    pub(super) fn bytes(&self) -> u64 {
        self.idle() * self.weight + self.lent * self.lent_weight
    }

    /// Objects that it may hold now.
    pub(super) fn room(&self) -> u64 {
        (self.capacity_bytes / self.weight).min(self.capacity_objects)
    }

    /// Idle objects that no get reaches.
    fn out_of_reach(&self) -> u64 {
        match self.out_of_reach {
            (0, _) => 0,
            (objects, room) => objects * self.room().min(room) / room,
        }
    }

    /// Serves so many gets.
    pub(super) fn get(&mut self, gets: u64, random: &mut Random) -> Served {
        let bypassed = self.bypassed(gets, random);
        let hits = (gets - bypassed).min(self.idle().saturating_sub(self.out_of_reach()));
        let counted = self.pop(hits);
        let created = gets - hits;
        let ghost_hits = (created - bypassed).min(self.ghosts);
        self.ghosts -= ghost_hits;
        self.ghost_hits += ghost_hits;
        self.gets += gets;
        self.created += created;
        self.lent += gets;
        Served { created, counted }
    }

    /// Serves as many gets once more, so many times, of which each time all come back. Returns how many of those that it
    /// created it keeps, too: until as many as are got lie within reach, and while there is room.
    pub(super) fn repeat(&mut self, times: u64, gets: u64, random: &mut Random) -> (Served, u64) {
        let (all, out_of_reach, room) = (times * gets, self.out_of_reach(), self.room());
        let bypassed = self.bypassed(all, random);
        let idle = self.idle();
        let enough = (out_of_reach + gets).min(room);
        let missing = enough.saturating_sub(idle).min(all);
        let hits = (all - bypassed.max(missing)).min(times * enough.saturating_sub(out_of_reach));
        let created = all - hits;
        let kept = created.min(room.saturating_sub(idle));
        self.idle += kept;
        self.ghost_hits += created.saturating_sub(bypassed).min(times * self.ghosts);
        self.gets += all;
        self.created += created;
        (Served { created, counted: hits.min(times * (self.idle - self.spoilt)) }, kept)
    }

    /// How many of so many gets may not reuse.
    fn bypassed(&self, gets: u64, random: &mut Random) -> u64 {
        if self.reuse < 1.0 { random.of(gets, 1.0 - self.reuse) } else { 0 }
    }

    /// Takes the newest; returns how many of them are not spoilt.
    fn pop(&mut self, objects: u64) -> u64 {
        let of_stack = objects.min(self.idle);
        let mut counted = of_stack.min(self.idle - self.spoilt);
        self.idle -= of_stack;
        self.spoilt = self.spoilt.min(self.idle);
        self.fewest = self.fewest.min(self.idle);
        let mut left = objects - of_stack;
        while left > 0 {
            let Some(batch) = self.victims.back_mut() else { break };
            let taken = left.min(batch.objects);
            counted += taken.min(batch.objects - batch.spoilt);
            batch.objects -= taken;
            batch.spoilt = batch.spoilt.min(batch.objects);
            left -= taken;
            if batch.objects == 0 {
                self.victims.pop_back();
            }
        }
        counted
    }

    /// Takes so many back; returns how many found no room.
    pub(super) fn put(&mut self, returned: u64) -> u64 {
        self.lent -= returned;
        let kept = returned.min(self.room().saturating_sub(self.idle()));
        self.idle += kept;
        let dropped = returned - kept;
        if dropped > 0 {
            self.ghosts = (self.ghosts + dropped).min((self.room() / 4).clamp(1, MAGAZINE));
        }
        dropped
    }

    /// Takes the oldest out; returns how many there were.
    pub(super) fn drop_oldest(&mut self, objects: u64) -> u64 {
        let mut left = objects;
        while left > 0 {
            let Some(batch) = self.victims.front_mut() else { break };
            let taken = left.min(batch.objects);
            batch.objects -= taken;
            batch.spoilt = batch.spoilt.saturating_sub(taken);
            left -= taken;
            if batch.objects == 0 {
                self.victims.pop_front();
            }
        }
        let of_stack = left.min(self.idle);
        self.idle -= of_stack;
        self.spoilt = self.spoilt.saturating_sub(of_stack);
        self.fewest = self.fewest.min(self.idle);
        objects - left + of_stack
    }

    /// Drops what is above the capacity; returns how many.
    pub(super) fn trim(&mut self) -> u64 {
        self.drop_oldest(self.idle().saturating_sub(self.room()))
    }

    /// Runs a cycle if one is due; returns how many objects it dropped.
    pub(super) fn cycle(&mut self, now_ms: u64) -> u64 {
        if now_ms < self.cycled_ms + self.cycle_ms {
            return 0;
        }
        self.cycled_ms = now_ms;
        self.cycles += 1;
        let surplus = super::scenario::whole((self.fewest as f64 * self.evict_ratio).ceil()).min(self.fewest);
        self.idle -= surplus;
        let spoilt = surplus.min(self.spoilt);
        self.spoilt -= spoilt;
        self.fewest = self.idle;
        if surplus > 0 {
            self.victims.push_back(Batch { cycle: self.cycles, objects: surplus, spoilt });
        }
        let before = self.idle();
        // Idle for one cycle, then in the victim for one more. No pool here has a floor, so a higher age in the knob
        // keeps nothing longer.
        self.victims.retain(|batch| batch.cycle == self.cycles);
        before - self.idle()
    }

    /// Usage is above the mark: what is idle now counts no more.
    pub(super) fn spoil(&mut self) {
        self.spoilt = self.idle;
        for batch in &mut self.victims {
            batch.spoilt = batch.objects;
        }
    }

    /// Moves the knobs that a plan names.
    pub(super) fn apply(&mut self, plan: &PoolPlan) {
        self.capacity_bytes = plan.capacity_bytes.unwrap_or(self.capacity_bytes);
        self.capacity_objects =
            plan.capacity_objects.map_or(self.capacity_objects, |n| n.min(self.objects_max));
        self.reuse = plan.reuse.unwrap_or(self.reuse);
        self.evict_ratio = plan.evict_ratio.unwrap_or(self.evict_ratio);
        self.cycle_ms = plan.cycle_ms.unwrap_or(self.cycle_ms);
    }

    /// What a policy sees of it.
    pub(super) fn inputs(&self) -> PoolInputs {
        PoolInputs {
            name: self.name.clone(),
            idle_objects: self.idle(),
            idle_bytes: self.idle() * self.weight,
            lent_objects: self.lent,
            lent_bytes: self.lent * self.lent_weight,
            gets_total: self.gets,
            created_total: self.created,
            ghost_hits_total: self.ghost_hits,
            saved_ns: self.is_measured.then_some(self.saved_ns),
            expected_weight_bytes: self.expected_weight,
            capacity_bytes: self.capacity_bytes,
            capacity_objects: self.objects_max,
            floor_bytes: self.floor_bytes,
            weight: self.priority,
            pinned: self.is_pinned,
            ..PoolInputs::default()
        }
    }

    /// What policies have asked of reuse and eviction so far, to see whether they act.
    pub(super) fn pace(&self) -> (f64, f64) {
        (self.reuse, self.evict_ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{PoolSpec, Shape};

    fn pool(capacity_objects: u64) -> (Pool, Random) {
        let spec = PoolSpec {
            name: "a",
            weight_bytes: 10,
            saved_ns: 1.0,
            hold_ms: 1,
            in_flight: Shape::Constant(1.0),
        };
        (Pool::new(&Start::of(&spec, capacity_objects * 10)), Random::new(1, 1))
    }

    #[test]
    fn gets_hit_what_is_idle_and_returns_stay_while_there_is_room() {
        let (mut pool, mut random) = pool(3);
        assert_eq!(pool.get(5, &mut random), Served { created: 5, counted: 0 });
        assert_eq!((pool.put(5), pool.idle(), pool.lent), (2, 3, 0));
        assert_eq!(pool.get(4, &mut random), Served { created: 1, counted: 3 });
        assert_eq!(pool.inputs().ghost_hits_total, 1, "one more place would have served it");
    }

    #[test]
    fn what_was_idle_above_the_mark_hits_and_does_not_count() {
        let (mut pool, mut random) = pool(9);
        pool.get(6, &mut random);
        pool.put(2);
        pool.spoil();
        pool.put(2);
        assert_eq!(pool.get(3, &mut random), Served { created: 0, counted: 2 });
        assert_eq!(pool.drop_oldest(9), 1);
    }

    #[test]
    fn surplus_is_dropped_by_the_second_cycle_unless_a_get_wants_it() {
        let (mut pool, mut random) = pool(9);
        pool.get(6, &mut random);
        pool.put(6);
        let plan = PoolPlan { cycle_ms: Some(1000), ..PoolPlan::unchanged("a") };
        pool.apply(&plan);
        assert_eq!([pool.cycle(999), pool.cycle(1000)], [0, 0], "the fewest were none");
        assert_eq!((pool.cycle(2000), pool.idle()), (0, 6), "all six are in the victim");
        assert_eq!(pool.get(2, &mut random).counted, 2);
        assert_eq!((pool.cycle(3000), pool.idle()), (4, 0));
    }

    #[test]
    fn what_comes_again_is_as_one_after_the_other() {
        for (capacity, out_of_reach, gets) in
            [(9, 0, 4), (3, 0, 5), (0, 0, 2), (6, 4, 3), (9, 4, 3), (9, 9, 1), (9, 7, 1)]
        {
            let (mut folded, mut random) = pool(capacity);
            folded.out_of_reach = (out_of_reach, 9);
            let mut turn = |pool: &mut Pool| {
                let served = pool.get(gets, &mut random);
                pool.put(gets);
                served
            };
            turn(&mut folded);
            turn(&mut folded);
            let mut apart = folded.clone();
            let served: Vec<_> = (0..7).map(|_| turn(&mut apart)).collect();
            let (again, _) = folded.repeat(7, gets, &mut Random::new(1, 1));
            let sum = |of: fn(&Served) -> u64| served.iter().map(of).sum::<u64>();
            assert_eq!((again.created, again.counted), (sum(|s| s.created), sum(|s| s.counted)));
            assert_eq!(folded.inputs(), apart.inputs(), "room for {capacity}, {gets} gets");
        }
    }

    #[test]
    fn a_share_of_the_gets_creates_and_a_cut_drops() {
        let (mut pool, mut random) = pool(9000);
        pool.get(4000, &mut random);
        pool.put(4000);
        pool.apply(&PoolPlan { reuse: Some(0.7), ..PoolPlan::unchanged("a") });
        let created = pool.get(1000, &mut random).created;
        assert!(created.abs_diff(300) < 60, "{created}");
        pool.apply(&PoolPlan { capacity_objects: Some(5), ..PoolPlan::unchanged("a") });
        let idle = pool.idle();
        assert_eq!((pool.trim(), pool.idle()), (idle - 5, 5));
    }
}

//! What matters of a pool's knobs to who plans and who writes: numbers, kept from tick to tick while the knobs have the
//! same generation.

use pool_core::{Author, Capacity, Eviction, Knob, Knobs, Priority, Reuse, Sampling};

/// A pool's knobs without who set them and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Held {
    /// Of the knobs.
    pub(super) generation: u64,
    pub(crate) capacity: Capacity,
    /// What the pool was built with: how many objects it may hold at most, and their floor, are its owner's word.
    pub(super) capacity_built: Capacity,
    capacity_is_others: bool,
    /// A person has set a knob, for a time.
    pub(crate) is_persons: bool,
    priority: Priority,
    pub(crate) sampling: Base<Sampling>,
    pub(crate) eviction: Base<Eviction>,
    pub(super) reuse: Base<Reuse>,
}

/// The value of a knob to plan from: what the pool was built with, or what stands above policies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Base<T> {
    pub(crate) value: T,
    /// An operator or a person has set it: no policy's to change.
    pub(super) is_others: bool,
}

impl Held {
    pub(crate) fn of(knobs: &Knobs) -> Self {
        Self {
            generation: knobs.generation,
            capacity: knobs.capacity.value,
            capacity_built: knobs.capacity.built,
            capacity_is_others: knobs.capacity.is_override(),
            is_persons: by_person(knobs),
            priority: knobs.priority.value,
            sampling: Base::of(&knobs.sampling),
            eviction: Base::of(&knobs.eviction),
            reuse: Base::of(&knobs.reuse),
        }
    }

    /// Whether the capacity is not a policy's to set: the pool is pinned, or someone who stands above a policy set it.
    pub(crate) fn is_pinned(&self) -> bool {
        self.priority.is_pinned() || self.capacity_is_others
    }

    pub(crate) fn weight(&self) -> u32 {
        self.priority.weight()
    }
}

fn by_person(knobs: &Knobs) -> bool {
    let Knobs { capacity, sampling, eviction, reuse, priority, generation: _ } = knobs;
    let authors = [capacity.author, sampling.author, eviction.author, reuse.author, priority.author];
    authors.contains(&Author::Person)
}

impl<T: Copy> Base<T> {
    fn of(knob: &Knob<T>) -> Self {
        let is_others = knob.is_override();
        Self { value: if is_others { knob.value } else { knob.built }, is_others }
    }
}

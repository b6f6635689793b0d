//! The victim: surplus of past cycles that has one more cycle to be wanted.
//!
//! One batch a cycle, the newest handed out first. What is left of a batch when its time is over is dropped by the
//! cycle that finds it so. Like the depot it knows neither capacity nor slots: its objects keep their credit.

use crate::node::NodePtr;
use crate::notes::Seen;
use crate::sync::clock::Instant;
use crate::sync::mirror::{Level, Mirror, Mirrored};
use crate::sync::{Mutex, PoisonError, try_lock};
use std::collections::VecDeque;

pub(crate) struct Victim {
    content: Mutex<Content>,
    shown: Mirror,
}

#[derive(Default)]
struct Content {
    /// Oldest in front; none is empty.
    batches: VecDeque<Batch>,
    objects: u64,
    bytes: u64,
}

struct Batch {
    cycle: u64,
    since: Instant,
    /// Coldest first.
    nodes: VecDeque<NodePtr>,
}

/// How old a batch is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Age {
    /// The cycle whose surplus it was.
    pub(crate) cycle: u64,
    /// When that was.
    pub(crate) since: Instant,
}

impl Victim {
    pub(crate) fn new() -> Self {
        Self { content: Mutex::new(Content::default()), shown: Mirror::new() }
    }

    /// Takes up to `max` of the newest objects, the newest last; returns how many. Never waits: for gets.
    pub(crate) fn take(&self, max: usize, mut each: impl FnMut(NodePtr)) -> usize {
        let Some(guard) = try_lock(&self.content) else { return 0 };
        let mut guard = self.shown.hold(guard);
        let content = &mut *guard;
        let Some(batch) = content.batches.back_mut() else { return 0 };
        let rest = batch.nodes.len().saturating_sub(max);
        let taken = batch.nodes.len() - rest;
        for node in batch.nodes.drain(rest..) {
            content.bytes -= node.weight();
            each(node);
        }
        content.objects -= taken as u64;
        if batch.nodes.is_empty() {
            content.batches.pop_back();
        }
        taken
    }

    // ---- for the drainer, which may wait ----

    /// Adds the surplus of a cycle, the coldest first.
    pub(crate) fn put(&self, age: Age, nodes: Vec<NodePtr>) {
        if !nodes.is_empty() {
            let mut content = self.lock();
            content.objects += nodes.len() as u64;
            content.bytes += nodes.iter().map(NodePtr::weight).sum::<u64>();
            content.batches.push_back(Batch { cycle: age.cycle, since: age.since, nodes: nodes.into() });
        }
    }

    /// Takes the oldest objects one by one until `enough` says so of the next one's age, or none is left.
    pub(crate) fn take_oldest(&self, mut enough: impl FnMut(Age) -> bool, mut each: impl FnMut(NodePtr)) {
        let mut content = self.lock();
        while let Some(batch) = content.batches.front_mut() {
            if enough(Age { cycle: batch.cycle, since: batch.since }) {
                return;
            }
            let node = batch.nodes.pop_front();
            if batch.nodes.is_empty() {
                content.batches.pop_front();
            }
            if let Some(node) = node {
                content.objects -= 1;
                content.bytes -= node.weight();
                each(node);
            }
        }
    }

    /// Objects and bytes.
    pub(crate) fn level(&self) -> (u64, u64) {
        self.lock().level()
    }

    /// The same without the lock: as it was last given back.
    pub(crate) fn level_of_late(&self) -> (u64, u64) {
        self.shown.level()
    }

    /// Objects by the cycle whose surplus they were, oldest first.
    pub(crate) fn ages(&self) -> Vec<(u64, u64)> {
        self.lock().batches.iter().map(|batch| (batch.cycle, batch.nodes.len() as u64)).collect()
    }

    /// Runs `f` while nothing can enter or leave, with all objects.
    pub(crate) fn while_locked<O>(&self, f: impl FnOnce(&mut dyn Iterator<Item = Seen>) -> O) -> O {
        let content = self.lock();
        f(&mut content.batches.iter().flat_map(|batch| batch.nodes.iter().map(NodePtr::seen)))
    }

    fn lock(&self) -> Mirrored<'_, Content> {
        self.shown.hold(self.content.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Level for Content {
    fn level(&self) -> (u64, u64) {
        (self.objects, self.bytes)
    }
}

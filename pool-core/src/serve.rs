//! The slow half of a get: from the magazine after all, from the depot, and how it is counted.

use crate::entry::Entry;
use crate::node::NodePtr;
use crate::shared::{Shared, home, signed};
use crate::slot::Slot;
use crate::sync::atomic::Ordering::Relaxed;

impl Shared {
    /// An idle object for a get that the fast path could not serve, and whether its lease is to be recorded.
    pub(crate) fn get_idle(&self) -> Option<(NodePtr, bool)> {
        let entry = self.enter();
        let node = match entry.slot {
            Some(slot) => slot.pop().or_else(|| self.refill(&entry, slot)),
            None => self.take_one(&entry),
        }?;
        let record = self.count_get(&entry);
        Some((node, record))
    }

    /// Counts a get that was served by a new object; whether its lease is to be recorded.
    pub(crate) fn count_created(&self, weight: u64) -> bool {
        let entry = self.enter();
        entry.add(&entry.counters().created, 1);
        entry.add(&entry.counters().created_bytes, weight);
        self.count_get(&entry)
    }

    fn count_get(&self, entry: &Entry<'_>) -> bool {
        let record = if let Some(slot) = entry.slot {
            slot.sample(&self.record_one_in)
        } else {
            let one_in = u64::from(self.record_one_in.load(Relaxed));
            one_in != 0 && entry.counters().gets.load(Relaxed) % one_in == 0
        };
        entry.add(&entry.counters().gets, 1);
        record
    }

    /// Half a magazine from the depot into an empty slot. What credit the slot had and did not use it gives up
    /// first: a thread that only gets does not hold what threads that return could use.
    fn refill(&self, entry: &Entry<'_>, slot: &Slot) -> Option<NodePtr> {
        let (objects, bytes) = slot.credit();
        self.credit.give(i64::from(objects), signed(bytes));
        slot.set_credit(0, 0);
        let mut batch = Vec::new();
        let half = (self.credit.magazine(self.expected_weight()) / 2).max(1);
        self.depot.take(home(), half, &mut batch);
        let node = batch.pop()?;
        let batch_bytes: u64 = batch.iter().map(|n| n.weight()).sum();
        let objects = u32::try_from(batch.len() + 1).unwrap_or(u32::MAX);
        slot.set_credit(objects, batch_bytes + node.weight());
        for &n in &batch {
            slot.push(n, n.weight());
        }
        entry.add(&entry.counters().refilled, 1);
        Some(node)
    }

    fn take_one(&self, entry: &Entry<'_>) -> Option<NodePtr> {
        let mut one = Vec::new();
        self.depot.take(home(), 1, &mut one);
        let node = one.pop()?;
        self.credit.give(1, signed(node.weight()));
        entry.add(&entry.counters().refilled, 1);
        Some(node)
    }
}

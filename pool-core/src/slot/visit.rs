//! What a drainer does in a slot: holding the pool's drainer lock, after mark and heavy fence. Rules: see the slot's.

use super::Slot;
use crate::knobs::Ratio;
use crate::node::NodePtr;
use crate::sync::atomic::Ordering::{Acquire, Relaxed};

impl Slot {
    /// Whether the slot may be visited: its owner is outside and stays outside (S2).
    pub(crate) fn visit(&self) -> bool {
        // Acquire pairs with the release in `leave`: the owner's last visit inside is seen.
        self.active.load(Acquire) == 0
    }

    /// Takes the whole magazine, oldest first, and all credit; returns the credit. Visiting only (S2).
    pub(crate) fn take_all(&self, into: &mut Vec<NodePtr>) -> (u32, u64) {
        for i in 0..self.len() {
            // SAFETY: S2, S4.
            into.push(self.entry(i).with(|entry| unsafe { (*entry).assume_init() }));
        }
        let credit = self.credit();
        self.len.store(0, Relaxed);
        self.low.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        self.set_credit(0, 0);
        credit
    }

    /// Takes this share of the objects that nobody needed since the last call, coldest first, with the credit
    /// that they are held on. Visiting only (S2).
    pub(crate) fn take_surplus(&self, share: Ratio, into: &mut Vec<NodePtr>) {
        let surplus = self.low.load(Relaxed) as usize;
        let (held, before) = (self.bytes(), into.len());
        self.take_oldest(share.of(surplus), |node| into.push(node));
        let (objects, bytes) = self.credit();
        let taken = u32::try_from(into.len() - before).unwrap_or(0);
        self.set_credit(objects - taken, bytes - (held - self.bytes()));
        self.low.store(self.len.load(Relaxed), Relaxed);
    }

    /// Copies the magazine's pointers without taking them, to compare addresses. Visiting only (S2).
    pub(crate) fn peek_all(&self, into: &mut Vec<NodePtr>) {
        for i in 0..self.len() {
            // SAFETY: S2, S4. The copies are compared and forgotten (N1).
            into.push(self.entry(i).with(|entry| unsafe { (*entry).assume_init() }));
        }
    }
}

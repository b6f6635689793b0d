//! What a slot's owner or visitor reckons: levels, surplus, unused credit, what is due. None of it moves an object
//! but through [`cell`](super::cell).

use super::{Slot, Visit, attention};
use crate::events::{Due, Rates};
use crate::knobs::Ratio;
use crate::node::NodePtr;
use crate::sync::atomic::Ordering::{AcqRel, Relaxed};

impl Slot {
    /// The lowest `len` since the last cycle.
    pub(crate) fn low(&self) -> u32 {
        self.low.load(Relaxed)
    }

    /// What the next get has to do beside getting. Inside only (S1), before the get is counted.
    pub(crate) fn due(&self, rates: &Rates) -> Due {
        let gets = self.counters.gets.load(Relaxed);
        if self.attention(Relaxed) & attention::REDRAW != 0 {
            // The bit first, then the rates: who changes them sets the bit after it. Acquire pairs with the
            // read-modify-write in `set`, so the rates read below are those that the bit announced, or newer.
            self.unset(attention::REDRAW, AcqRel);
            self.next_event.store(self.events.redraw(gets, rates), Relaxed);
        }
        if gets < self.next_event.load(Relaxed) {
            return Due::default();
        }
        let (due, next) = self.events.take(gets, rates);
        self.next_event.store(next, Relaxed);
        due
    }

    /// The get whose events were asked for goes on outside, to create: the next one, perhaps inside that create, has
    /// another number. Inside only (S1).
    pub(crate) fn go_create(&self) {
        let next = self.events.run_ahead(self.next_event.load(Relaxed));
        self.next_event.store(next, Relaxed);
    }

    /// A get that went to create is counted now. Inside only (S1).
    pub(crate) fn came_back(&self) {
        let next = self.events.fall_back(self.next_event.load(Relaxed));
        self.next_event.store(next, Relaxed);
    }

    /// Gives up credit that holds nothing, if the capacity was cut; returns it. Inside only (S1).
    pub(crate) fn give_up_unused(&self) -> (u32, u64) {
        if self.attention(Relaxed) & attention::RECREDIT == 0 {
            return (0, 0);
        }
        // Which cut it was does not matter, so nothing needs to be ordered after it.
        self.unset(attention::RECREDIT, Relaxed);
        self.take_unused()
    }

    /// Takes the credit that holds nothing. Inside (S1) or visiting (S2).
    pub(crate) fn take_unused(&self) -> (u32, u64) {
        let (objects, bytes) = self.credit();
        let (len, held) = (u32::try_from(self.len()).unwrap_or(u32::MAX), self.bytes());
        self.set_credit(len, held);
        (objects - len, bytes - held)
    }
}

impl Visit<'_> {
    /// Takes the whole magazine, oldest first, and all credit; returns the credit.
    pub(crate) fn take_all(&mut self, into: &mut Vec<NodePtr>) -> (u32, u64) {
        self.take_oldest(self.len(), |node| into.push(node));
        let credit = self.credit();
        self.set_credit(0, 0);
        credit
    }

    /// Takes this share of the objects that nobody needed since the last call, coldest first, with the credit
    /// that they are held on.
    pub(crate) fn take_surplus(&mut self, share: Ratio, into: &mut Vec<NodePtr>) {
        let surplus = self.low.load(Relaxed) as usize;
        let (held, before) = (self.bytes(), into.len());
        self.take_oldest(share.of(surplus), |node| into.push(node));
        let (objects, bytes) = self.credit();
        let taken = u32::try_from(into.len() - before).unwrap_or(0);
        self.set_credit(objects - taken, bytes - (held - self.bytes()));
        self.low.store(u32::try_from(self.len()).unwrap_or(u32::MAX), Relaxed);
    }
}

//! The slow half of a return: a place for the object, and credit to hold it there; or the reason to drop it.

use crate::depot::{Opened, Refused};
use crate::entry::Entry;
use crate::node::NodePtr;
use crate::shared::{Shared, home, signed};
use crate::slot::{Slot, Within, attention};
use crate::stats::DropReason;
use crate::sync::atomic::Ordering::Relaxed;

impl Shared {
    /// Takes an object back that the fast path could not. `verdict` says whether it is fit. Returns the node
    /// if it is to be destroyed. The caller holds a reference count (I3) and wrote `weight` into the node.
    pub(crate) fn take_back(
        &self,
        node: NodePtr,
        weight_before: u64,
        weight: u64,
        verdict: Result<(), DropReason>,
    ) -> Option<NodePtr> {
        if weight != weight_before {
            self.expect_weight(weight);
        }
        let mut entry = self.enter();
        entry.add(&entry.counters().grown_bytes, weight.wrapping_sub(weight_before));
        let refused = match verdict.and_then(|()| self.admit(&mut entry, weight)) {
            Ok(room) => {
                room.put(node);
                None
            }
            Err(reason) => Some((reason, node)),
        };
        let counters = entry.counters();
        let Some((reason, node)) = refused else {
            entry.add(&counters.kept, 1);
            return None;
        };
        if reason == DropReason::Full {
            self.account.ghosts.dropped(self.account.credit.magazine(weight));
        }
        entry.add(&counters.dropped[reason as usize], 1);
        entry.add(&counters.dropped_total, 1);
        entry.add(&counters.dropped_bytes, weight);
        Some(node)
    }

    /// Finds a place for an object, and credit to hold it there.
    fn admit<'a>(&'a self, entry: &'a mut Entry<'_>, weight: u64) -> Result<Room<'a>, DropReason> {
        let Some(slot) = &mut entry.slot else {
            return self.admit_to_depot(home(), weight).map(Room::Depot);
        };
        if slot.len() >= self.account.credit.magazine(weight) {
            self.overflow(slot, weight)?;
        } else if !slot.fits(weight) && !self.raise_credit(slot, weight) {
            // Nothing is free. Other threads may be in want of what this one has too much of.
            self.send_half(slot)?;
            return Err(DropReason::Full);
        }
        Ok(Room::Slot(slot))
    }

    /// Makes room in a full magazine: half of it goes to the depot on its own credit, and the newcomer needs one, unless
    /// the slot has some left. A magazine that is full of heavy objects may have credit for many light ones.
    fn overflow(&self, slot: &mut Within<'_>, weight: u64) -> Result<(), DropReason> {
        self.send_half(slot)?;
        let (need_objects, need_bytes) = missing(slot, weight);
        if (need_objects, need_bytes) == (0, 0) {
            return Ok(());
        }
        if !self.account.credit.take(i64::from(need_objects), signed(need_bytes)) {
            return Err(DropReason::Full);
        }
        let (objects, bytes) = slot.credit();
        slot.set_credit(objects + need_objects, bytes + need_bytes);
        Ok(())
    }

    /// Sends the older half of the magazine to the depot, with its credit; the only object, if there is one. Else a thread
    /// that only returns would keep it from those that get.
    fn send_half(&self, slot: &mut Within<'_>) -> Result<(), DropReason> {
        let half = slot.len().div_ceil(2);
        if half == 0 {
            return Ok(());
        }
        let mut stripe = self.depot.open(home()).map_err(reason)?;
        let held = slot.bytes();
        slot.take_oldest(half, |node| stripe.put(node));
        let sent_bytes = held - slot.bytes();
        let (objects, bytes) = slot.credit();
        slot.set_credit(objects - u32::try_from(half).unwrap_or(0), bytes - sent_bytes);
        Ok(())
    }

    /// Gets the slot credit for one more object of `weight`, and with luck for some more after it.
    fn raise_credit(&self, slot: &Slot, weight: u64) -> bool {
        let (objects, bytes) = slot.credit();
        let (need_objects, need_bytes) = missing(slot, weight);
        let (free_objects, free_bytes) = self.account.credit.free();
        // A quarter of what is free at most and half of a fair share, so that one slot does not take everything.
        let most = u32::try_from(self.account.credit.magazine(weight)).unwrap_or(u32::MAX);
        let room = most.saturating_sub(objects);
        let (capacity, _) = self.account.credit.capacity();
        let fair = u32::try_from(capacity / (2 * self.table.slots_about() as u64)).unwrap_or(u32::MAX);
        let ahead = u32::try_from(free_objects / 4).unwrap_or(0).min(fair).min(AHEAD_MAX);
        let more_objects = ahead.min(room).max(need_objects);
        let more_bytes = u64::from(AHEAD_MAX)
            .saturating_mul(weight)
            .min(u64::try_from(free_bytes / 4).unwrap_or(0))
            .max(need_bytes);
        for (o, b) in [(more_objects, more_bytes), (need_objects, need_bytes)] {
            if self.account.credit.take(i64::from(o), signed(b)) {
                slot.set_credit(objects + o, bytes + b);
                return true;
            }
        }
        self.ask_for_unused();
        false
    }

    /// Nothing is free, but slots of other threads may have credit that they do not use: taken ahead, or left over
    /// from busier times. Once in so many refusals they are asked to give it up with their next operation.
    fn ask_for_unused(&self) {
        if self.account.refused.fetch_add(1, Relaxed) % ASK_ONE_IN == 0 {
            self.table.try_each_slot(|slot| slot.set(attention::RECREDIT));
        }
    }

    /// A place for one object in the depot, in the stripe `home` if nobody is there, and credit to hold it there.
    pub(crate) fn admit_to_depot(&self, home: usize, weight: u64) -> Result<Opened<'_>, DropReason> {
        if !self.account.credit.take(1, signed(weight)) {
            return Err(DropReason::Full);
        }
        self.depot.open(home).map_err(|refused| {
            self.account.credit.give(1, signed(weight));
            reason(refused)
        })
    }
}

/// The credit, objects and bytes, that a slot lacks for one more object of that weight.
fn missing(slot: &Slot, weight: u64) -> (u32, u64) {
    let (objects, bytes) = slot.credit();
    let len = u32::try_from(slot.len()).unwrap_or(u32::MAX);
    ((len + 1).saturating_sub(objects), (slot.bytes() + weight).saturating_sub(bytes))
}

/// A place for one object.
enum Room<'a> {
    Slot(&'a Within<'a>),
    Depot(Opened<'a>),
}

impl Room<'_> {
    fn put(self, node: NodePtr) {
        match self {
            Self::Slot(slot) => slot.push(node),
            Self::Depot(mut stripe) => stripe.put(node),
        }
    }
}

/// Credit that a slot takes at once, in objects.
const AHEAD_MAX: u32 = 16;
/// Asking costs each slot a write from afar and a slow path.
const ASK_ONE_IN: u64 = 256;

fn reason(refused: Refused) -> DropReason {
    match refused {
        Refused::Closed => DropReason::Closed,
        Refused::Contended => DropReason::Contended,
    }
}

//! A look at everything that a pool holds, while the one OS thread that there is stands still.

use super::ticket::{Ticket, UNIT};
use crate::ByTrait;
use crate::node::{Node, NodePtr};
use crate::notes::Seen;
use crate::shared::{Shared, signed};
use crate::slot::attention;
use crate::sync::PoisonError;
use crate::sync::atomic::Ordering::Relaxed;

/// Identities by place, coldest first, and the accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) slots: Vec<SlotLook>,
    pub(super) depot: Vec<usize>,
    pub(super) victim: Vec<usize>,
    pub(super) condemned: Vec<usize>,
    /// Bytes of what is idle, and of what is condemned.
    pub(super) idle_bytes: u64,
    pub(super) condemned_bytes: u64,
    /// Free credit, objects and bytes.
    pub(super) free: (i64, i64),
    /// Free credit, that of slots, and that of what is in the depot and the victim.
    pub(super) all_credit: (i64, i64),
    /// Whether a drainer has marked and not collected.
    pub(super) marked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotLook {
    pub(super) ids: Vec<usize>,
    pub(super) bytes: u64,
    pub(super) credit: (u32, u64),
    /// The fewest objects since the last cycle, as it says.
    pub(super) low: usize,
    /// Its owner is inside.
    pub(super) busy: bool,
    /// Its owner is asked to keep out.
    pub(super) stopped: bool,
}

impl Look {
    pub(super) fn at(shared: &Shared) -> Self {
        let mut look = Self { marked: marked(shared), ..Self::default() };
        let mut idle = Vec::new();
        look.free = shared.account.credit.free();
        let mut credit = look.free;
        look.slots = shared.table.with_slots(|slots| {
            slots
                .map(|slot| {
                    let before = idle.len();
                    slot.peek_still(&mut idle);
                    let (objects, bytes) = slot.credit();
                    credit = (credit.0 + i64::from(objects), credit.1 + signed(bytes));
                    SlotLook {
                        ids: ids(&idle[before..]),
                        bytes: weight(&idle[before..]),
                        credit: (objects, bytes),
                        low: slot.low() as usize,
                        busy: slot.is_busy(),
                        stopped: slot.attention(Relaxed) & attention::STOP != 0,
                    }
                })
                .collect()
        });
        let in_slots = idle.len();
        shared.depot.while_locked(|nodes| idle.extend(nodes));
        let in_depot = idle.len();
        shared.victim.while_locked(|nodes| idle.extend(nodes));
        look.depot = ids(&idle[in_slots..in_depot]);
        look.victim = ids(&idle[in_depot..]);
        look.idle_bytes = weight(&idle);
        look.all_credit =
            (credit.0 + signed((idle.len() - in_slots) as u64), credit.1 + signed(weight(&idle[in_slots..])));
        let condemned = shared.condemned.lock().unwrap_or_else(PoisonError::into_inner);
        let condemned: Vec<_> = condemned.iter().map(NodePtr::seen).collect();
        (look.condemned, look.condemned_bytes) = (ids(&condemned), weight(&condemned));
        look
    }

    pub(super) fn idle(&self) -> impl Iterator<Item = usize> {
        let slots = self.slots.iter().flat_map(|slot| &slot.ids);
        slots.chain(&self.depot).chain(&self.victim).copied()
    }

    pub(super) fn idle_objects(&self) -> u64 {
        self.idle().count() as u64
    }

    /// What a pass that moves nothing must leave as it is.
    pub(super) fn contents(&self) -> (Vec<Vec<usize>>, Vec<usize>, Vec<usize>, Vec<usize>) {
        let slots = self.slots.iter().map(|slot| slot.ids.clone()).collect();
        (slots, self.depot.clone(), self.victim.clone(), self.condemned.clone())
    }
}

fn marked(shared: &Shared) -> bool {
    shared.table.try_drainer().is_none_or(|drainer| drainer.marked_at().is_some())
}

/// A value's weight says who it is; see [`Ticket`].
fn ids(nodes: &[Seen]) -> Vec<usize> {
    let node = size_of::<Node<Ticket, ByTrait>>() as u64;
    let id = |n: &Seen| usize::try_from(n.weight.wrapping_sub(node) % UNIT as u64).unwrap_or(UNIT);
    nodes.iter().map(id).collect()
}

fn weight(nodes: &[Seen]) -> u64 {
    nodes.iter().map(|node| node.weight).sum()
}

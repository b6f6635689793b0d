//! What is idle, put there and taken away on purpose: the part of prefill and retain that needs no type.

use crate::fence;
use crate::node::NodePtr;
use crate::shared::{Shared, signed};
use crate::stats::DropReason;
use crate::sync::STRIPES;
use crate::sync::atomic::Ordering::Relaxed;

impl Shared {
    /// Whether one more idle object of `weight` would find credit. Another thread may take it meanwhile.
    pub(crate) fn has_room(&self, weight: u64) -> bool {
        let (objects, bytes) = self.account.credit.free();
        !self.is_closed() && objects > 0 && bytes >= signed(weight)
    }

    /// Puts a new object, the `nth`, where every thread finds it. Returns the node if it is to be destroyed: there is
    /// no place for it, or no headroom.
    pub(crate) fn stock(&self, node: NodePtr, nth: usize) -> Option<NodePtr> {
        let weight = node.weight();
        let _entry = self.enter_outside(); // the two counts below are one for a snapshot
        self.prefilled.objects.fetch_add(1, Relaxed);
        self.watched.prefilled_bytes.fetch_add(weight, Relaxed);
        let admitted = if self.is_overdrawn() {
            Err(DropReason::Pressure)
        } else {
            self.admit_to_depot(nth % STRIPES, weight)
        };
        let reason = match admitted {
            Ok(mut stripe) => {
                stripe.put(node);
                return None;
            }
            Err(reason) => reason,
        };
        let _drainer = self.table.drainer();
        self.count_trimmed(&node, reason);
        Some(node)
    }

    /// Takes everything idle that one pass reaches, the oldest first, and how many slots were busy. The objects keep
    /// their credit and are counted nowhere: the caller is outside (see [`enter_outside`](Self::enter_outside)) until
    /// it has put them back or counted them out.
    pub(crate) fn take_all_idle(&self, into: &mut Vec<NodePtr>) -> u64 {
        let mut drainer = self.table.drainer();
        // If a pass is between its mark and its collect, this is instead of it, and that finds nothing to collect.
        drainer.mark();
        let busy = self.empty_slots(&mut drainer, &fence::heavy());
        let mut take = |node| into.push(node);
        self.victim.take_oldest(|_| false, &mut take);
        self.depot.take_oldest(|| false, &mut take);
        busy
    }

    /// Puts back what [`take_all_idle`](Self::take_all_idle) took, unless the pool was closed meanwhile: then what stays in
    /// `nodes` is counted out, and is to be destroyed.
    pub(crate) fn put_back(&self, nodes: &mut Vec<NodePtr>) {
        let drainer = self.table.drainer();
        // Who closes sets this first and takes from the depot afterwards, with the drainer lock.
        if self.is_closed() {
            drop(drainer);
            return self.count_out(nodes, DropReason::Closed);
        }
        self.depot.put_spread(std::mem::take(nodes));
    }

    /// Counts out what [`take_all_idle`](Self::take_all_idle) took and gives its credit back.
    pub(crate) fn count_out(&self, nodes: &[NodePtr], reason: DropReason) {
        let _drainer = self.table.drainer();
        for node in nodes {
            self.account.credit.give(1, signed(node.weight()));
            self.count_trimmed(node, reason);
        }
    }
}

//! The gate of a slot: whether its owner is inside, and the attention word that keeps it out. Rules: see the slot's;
//! who may call what is up to [`cell`](super).

use super::super::attention;
use super::Slot;
use crate::fence;
use crate::sync::atomic::{
    AtomicU32,
    Ordering::{self, Acquire, Relaxed, Release, SeqCst},
    fence,
};
use crate::sync::{yield_inside, yield_point};

#[repr(C)]
pub(super) struct Gate {
    /// 1 while the owner is inside.
    active: AtomicU32,
    attention: AtomicU32,
}

impl Gate {
    pub(super) fn new(attention: u32) -> Self {
        let fallback = if fence::strategy() == fence::Strategy::SeqCst { attention::FALLBACK } else { 0 };
        Self { active: AtomicU32::new(0), attention: AtomicU32::new(attention | fallback) }
    }

    /// Goes inside if no bit is set but those that are `tolerated`.
    #[inline(always)]
    pub(super) fn enter_fast(&self, tolerated: u32) -> bool {
        let inside = self.active.load(Relaxed);
        self.active.store(1, Relaxed);
        fence::light();
        yield_point();
        // Acquire pairs with the release in `let_go`: what a drainer did inside is seen.
        if self.attention.load(Acquire) | inside == 0 {
            return true;
        }
        self.enter_cold(inside, tolerated)
    }

    /// Goes inside although bits are set, unless one of them bars the owner. Returns whether it is inside.
    pub(super) fn enter(&self) -> bool {
        let inside = self.active.load(Relaxed);
        self.active.store(1, Relaxed);
        fence::light();
        yield_inside();
        self.enter_cold(inside, !attention::BARRED)
    }

    #[cold]
    fn enter_cold(&self, inside: u32, tolerated: u32) -> bool {
        if inside != 0 {
            return false; // S1: and no `leave`, which is the business of whoever came first
        }
        // Read again, and not passed on: the fast path is an instruction shorter.
        let mut a = self.attention.load(Acquire);
        if a & attention::FALLBACK != 0 {
            // Pairs with the fence in `fence::heavy`: after it, a mark made before that fence is seen here, or
            // the drainer sees `active`.
            fence(SeqCst);
            a = self.attention.load(Acquire);
        }
        if a & !(tolerated | attention::FALLBACK) == 0 {
            return true;
        }
        self.leave();
        false
    }

    /// Ends what an entry began.
    #[inline(always)]
    pub(super) fn leave(&self) {
        yield_inside();
        // Pairs with the drainer's acquire load in `is_empty`: it sees all that was done inside.
        self.active.store(0, Release);
    }

    /// Whether the owner is outside, and asked to stay there. No mark may have reached the slot: in a fork its table
    /// can lose count of its slots.
    pub(super) fn is_empty(&self) -> bool {
        let barred = self.attention.load(Relaxed) & attention::BARRED != 0;
        // Acquire pairs with the release in `leave`: the owner's last visit inside is seen.
        barred && !self.is_busy(Acquire)
    }

    pub(super) fn is_busy(&self, order: Ordering) -> bool {
        self.active.load(order) != 0
    }

    fn set(&self, bits: u32) {
        self.attention.fetch_or(bits, SeqCst);
    }

    pub(super) fn unset(&self, bits: u32, order: Ordering) {
        self.attention.fetch_and(!bits, order);
    }
}

/// What everybody may do.
impl Slot {
    pub(crate) fn attention(&self, order: Ordering) -> u32 {
        self.gate.attention.load(order)
    }

    /// Sets bits. The heavy fence that follows a STOP or CLOSED makes them effective (S3).
    pub(crate) fn set(&self, bits: u32) {
        self.gate.set(bits);
    }

    /// Clears bits, but none that keeps the owner out (S2).
    pub(crate) fn unset(&self, bits: u32, order: Ordering) {
        self.gate.unset(bits & !attention::BARRED, order);
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;
    use attention::{CLOSED, NOT_FOR_RETURNS, RECREDIT, STOP};

    #[test]
    fn a_barred_owner_stays_out_and_leaves_no_trace() {
        let gate = Gate::new(0);
        gate.set(STOP);
        assert!(!gate.enter());
        assert!(gate.is_empty());
        gate.unset(STOP, Release);
        assert!(gate.enter());
        gate.set(STOP);
        assert!(!gate.is_empty());
        gate.leave();
        assert!(gate.is_empty());
    }

    #[test]
    fn an_owner_that_is_inside_does_not_enter_again_and_stays_inside() {
        let gate = Gate::new(0);
        for first in [Gate::enter, |gate: &Gate| gate.enter_fast(NOT_FOR_RETURNS)] {
            assert!(first(&gate));
            assert!(!gate.enter() && !gate.enter_fast(NOT_FOR_RETURNS) && !gate.enter_fast(0));
            assert!(gate.is_busy(Relaxed), "the first is inside still");
            gate.leave();
            assert!(!gate.is_busy(Relaxed));
        }
    }

    #[test]
    fn each_bar_keeps_the_fast_path_out_too() {
        let gate = Gate::new(0);
        for tolerated in [0, NOT_FOR_RETURNS] {
            assert!(gate.enter_fast(tolerated));
            gate.leave();
            for bar in [STOP, CLOSED, RECREDIT] {
                gate.set(bar);
                assert!(!gate.enter_fast(tolerated));
                assert!(!gate.is_busy(Relaxed));
                gate.unset(bar, Release);
            }
        }
    }

    #[test]
    fn who_was_not_asked_to_keep_out_is_not_visited() {
        let gate = Gate::new(0);
        gate.set(RECREDIT);
        assert!(!gate.is_empty());
    }
}

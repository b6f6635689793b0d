//! A slot: one thread id's magazine in one pool, and the protocol by which a drainer may visit it.
//!
//! The owner is the thread that has the slot's id. It works inside [`Slot::enter`] … [`Slot::leave`] with
//! plain loads and stores. A drainer sets [`attention::STOP`], issues a heavy fence, and then may visit the
//! slot if `active` is 0. Nobody waits: an owner that is asked to stop goes to the depot, a drainer that
//! finds the owner inside leaves the slot for the next pass.
//!
//! Rules for the `unsafe` here:
//! **S1** between an `enter` that returned true and `leave`, the owner alone touches what is marked *guarded*. An
//! owner that finds itself inside already (its thread was interrupted there by a signal handler, or called from
//! there by an allocator) is refused, and `active` stays as it was: the first of the two is still inside.
//! **S2** a drainer touches it only between a mark, a heavy fence that began after the mark, a load of
//! `active` that gave 0, and the release of the mark; one drainer at a time (the pool's drainer lock).
//! **S3** S1 and S2 exclude each other: the fence makes the owner see the mark or the drainer see `active`.
//! **S4** magazine entries below `len` are initialised, and owned (N1); those above are not.
//! **S5** after `leave` following a push, the pool may be gone: the owner touches neither slot nor inside.

mod visit;

use crate::counters::Counters;
use crate::events::{Due, Events, Rates};
use crate::fence;
use crate::node::NodePtr;
use crate::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
    fence,
};
use crate::sync::{MAGAZINE, UnsafeCell, yield_inside, yield_point};
use std::mem::MaybeUninit;

/// Bits of the attention word. Others than the owner change it by read-modify-write only.
pub(crate) mod attention {
    /// A drainer wants to visit: keep out.
    pub(crate) const STOP: u32 = 1;
    /// The pool is closed: returned objects are dropped.
    pub(crate) const CLOSED: u32 = 1 << 1;
    /// A knob changed that draws events: draw them anew.
    pub(crate) const REDRAW: u32 = 1 << 2;
    /// Fault sites are armed.
    #[cfg(feature = "failpoints")]
    pub(crate) const FAULTS: u32 = 1 << 3;
    /// No membarrier: the owner fences too. Never cleared.
    pub(crate) const FALLBACK: u32 = 1 << 4;
    /// The capacity was cut: unused credit goes back.
    pub(crate) const RECREDIT: u32 = 1 << 5;
    /// What concerns gets only: a thread that only returns would never clear it.
    #[cfg(feature = "failpoints")]
    pub(crate) const NOT_FOR_RETURNS: u32 = REDRAW | FAULTS;
    #[cfg(not(feature = "failpoints"))]
    pub(crate) const NOT_FOR_RETURNS: u32 = REDRAW;
    /// What keeps an owner out; everything else only sends it through the slow path.
    pub(crate) const BARRED: u32 = STOP | CLOSED;
}

/// Aligned so that two threads never write to one cache line (128: adjacent lines are fetched in pairs). What a get
/// and a return touch beside the magazine is one line: the fields down to the first two counters.
#[repr(C, align(128))]
pub(crate) struct Slot {
    /// 1 while the owner is inside.
    active: AtomicU32,
    attention: AtomicU32,
    /// Objects in the magazine. Guarded.
    len: AtomicU32,
    /// Objects that the magazine may hold: this slot's part of the pool's capacity. Guarded.
    credit_objects: AtomicU32,
    /// Their bytes. Guarded.
    bytes: AtomicU64,
    /// Bytes that the magazine may hold. Guarded.
    credit_bytes: AtomicU64,
    /// The value of `gets` from which on a get is more than a get. Guarded.
    next_event: AtomicU64,
    /// The lowest `len` since the last cycle: what lay below was surplus all the time. Guarded.
    low: AtomicU32,
    pub(crate) counters: Counters,
    /// The thread id that it belongs to.
    pub(crate) id: u32,
    events: Events,
    magazine: [UnsafeCell<MaybeUninit<NodePtr>>; MAGAZINE],
}

// SAFETY: S1–S3 say who touches the magazine when; everything else is atomic.
unsafe impl Sync for Slot {}
// SAFETY: the magazine's nodes are owned (S4) and `NodePtr` is `Send`.
unsafe impl Send for Slot {}

impl Slot {
    pub(crate) fn new(id: u32, attention: u32, seed: u64) -> Self {
        let fallback = if fence::strategy() == fence::Strategy::SeqCst { attention::FALLBACK } else { 0 };
        Self {
            active: AtomicU32::new(0),
            attention: AtomicU32::new(attention | fallback | attention::REDRAW),
            len: AtomicU32::new(0),
            credit_objects: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
            credit_bytes: AtomicU64::new(0),
            next_event: AtomicU64::new(u64::MAX),
            low: AtomicU32::new(0),
            counters: Counters::new(),
            id,
            events: Events::new(seed),
            magazine: std::array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit())),
        }
    }

    // ---- the owner ----

    /// Pops for a get that needs nothing special: no attention, no event, magazine not empty.
    #[inline(always)]
    pub(crate) fn get_fast(&self) -> Option<NodePtr> {
        if !self.enter_fast(0) {
            return None;
        }
        let gets = self.counters.gets.load(Relaxed);
        let node = if gets >= self.next_event.load(Relaxed) { None } else { self.pop() };
        if node.is_some() {
            self.counters.gets.store(gets + 1, Relaxed);
        }
        self.leave();
        node
    }

    /// Pushes for a return that needs nothing special: no attention, and credit for it. After `true`: S5.
    ///
    /// # Safety
    /// `this` is alive, the caller has its id and owns `node`, which it gives away if the answer is true.
    #[inline(always)]
    pub(crate) unsafe fn return_fast(this: *const Self, node: NodePtr, weight: u64) -> bool {
        // SAFETY: alive until `leave` (S5). Through the raw pointer, not a reference that would have to stay
        // valid until this function returns.
        unsafe {
            if !(*this).enter_fast(attention::NOT_FOR_RETURNS) {
                return false;
            }
            let fits = (*this).fits(weight);
            if fits {
                (*this).push(node, weight);
                Counters::add(&(*this).counters.kept, 1);
            }
            yield_inside();
            // Pairs with the drainer's acquire load in `visit`: it sees all that was done inside.
            (*this).active.store(0, Release);
            fits
        }
    }

    /// Goes inside if no bit is set but those that are `tolerated`.
    #[inline(always)]
    fn enter_fast(&self, tolerated: u32) -> bool {
        let inside = self.active.load(Relaxed);
        self.active.store(1, Relaxed);
        fence::light();
        yield_point();
        // Acquire pairs with the release in `unset`: what a drainer did inside is seen.
        if self.attention.load(Acquire) | inside == 0 {
            return true;
        }
        self.enter_cold(inside, tolerated)
    }

    /// Goes inside although bits are set, unless one of them bars the owner. Returns whether it is inside.
    pub(crate) fn enter(&self) -> bool {
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

    /// Ends what `enter` began.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        yield_inside();
        // Pairs with the drainer's acquire load in `visit`.
        self.active.store(0, Release);
    }

    /// Inside only (S1).
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<NodePtr> {
        let len = self.len.load(Relaxed);
        if len == 0 {
            return None;
        }
        // SAFETY: S1: the guarded part is ours; S4: entries below `len` are initialised.
        let node = self.entry(len as usize - 1).with(|entry| unsafe { (*entry).assume_init() });
        self.len.store(len - 1, Relaxed);
        if len - 1 < self.low.load(Relaxed) {
            self.low.store(len - 1, Relaxed);
        }
        self.bytes.store(self.bytes.load(Relaxed) - node.weight(), Relaxed);
        Some(node)
    }

    /// Inside only (S1). The caller checked [`fits`](Self::fits) or gave credit.
    #[inline(always)]
    pub(crate) fn push(&self, node: NodePtr, weight: u64) {
        let len = self.len.load(Relaxed);
        // SAFETY: S1: the guarded part is ours; S4: the entry at `len` is free.
        self.entry(len as usize).with_mut(|entry| unsafe { (*entry).write(node) });
        self.len.store(len + 1, Relaxed);
        self.bytes.store(self.bytes.load(Relaxed) + weight, Relaxed);
    }

    /// Whether one more object of that weight is within the slot's credit. Credit is never above [`MAGAZINE`].
    #[inline(always)]
    pub(crate) fn fits(&self, weight: u64) -> bool {
        self.len.load(Relaxed) < self.credit_objects.load(Relaxed)
            && self.bytes.load(Relaxed) + weight <= self.credit_bytes.load(Relaxed)
    }

    /// Takes the `n` objects that are in the magazine longest. Inside (S1) or visiting (S2).
    pub(crate) fn take_oldest(&self, n: usize, mut each: impl FnMut(NodePtr)) {
        let len = self.len();
        let n = n.min(len);
        let mut bytes = self.bytes();
        for i in 0..n {
            // SAFETY: S1 or S2, S4.
            let node = self.entry(i).with(|entry| unsafe { (*entry).assume_init() });
            bytes -= node.weight();
            each(node);
        }
        for i in n..len {
            // SAFETY: S1 or S2, S4.
            let node = self.entry(i).with(|entry| unsafe { (*entry).assume_init() });
            // SAFETY: S1 or S2; its old owner there was moved out above.
            self.entry(i - n).with_mut(|entry| unsafe { (*entry).write(node) });
        }
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        self.len.store(self.len.load(Relaxed) - n, Relaxed);
        self.low.store(self.low.load(Relaxed).saturating_sub(n), Relaxed);
        self.bytes.store(bytes, Relaxed);
    }

    #[inline(always)]
    fn entry(&self, i: usize) -> &UnsafeCell<MaybeUninit<NodePtr>> {
        debug_assert!(i < MAGAZINE, "S4: credit is never above the magazine");
        // The mask changes nothing; it tells the compiler so, and there is no bounds check on the fast path.
        &self.magazine[i & (MAGAZINE - 1)]
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Relaxed) as usize
    }

    /// The lowest `len` since the last cycle.
    pub(crate) fn low(&self) -> u32 {
        self.low.load(Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// The slot's credit, objects and bytes.
    pub(crate) fn credit(&self) -> (u32, u64) {
        (self.credit_objects.load(Relaxed), self.credit_bytes.load(Relaxed))
    }

    /// Inside, or visiting.
    pub(crate) fn set_credit(&self, objects: u32, bytes: u64) {
        self.credit_objects.store(objects, Relaxed);
        self.credit_bytes.store(bytes, Relaxed);
    }

    /// What the next get has to do beside getting. Inside only (S1), before the get is counted.
    pub(crate) fn due(&self, rates: &Rates) -> Due {
        let gets = self.counters.gets.load(Relaxed);
        if self.attention(Relaxed) & attention::REDRAW != 0 {
            // The bit first, then the rates: who changes them sets the bit after it. Acquire pairs with the
            // read-modify-write in `set`, so the rates read below are those that the bit announced, or newer.
            self.attention.fetch_and(!attention::REDRAW, AcqRel);
            self.next_event.store(self.events.redraw(gets, rates), Relaxed);
        }
        if gets < self.next_event.load(Relaxed) {
            return Due::default();
        }
        let (due, next) = self.events.take(gets, rates);
        self.next_event.store(next, Relaxed);
        due
    }

    /// Gives up credit that holds nothing, if the capacity was cut; returns it. Inside only (S1).
    pub(crate) fn give_up_unused(&self) -> (u32, u64) {
        if self.attention(Relaxed) & attention::RECREDIT == 0 {
            return (0, 0);
        }
        // Which cut it was does not matter, so nothing needs to be ordered after it.
        self.attention.fetch_and(!attention::RECREDIT, Relaxed);
        self.take_unused()
    }

    /// Takes the credit that holds nothing. Inside (S1) or visiting (S2).
    pub(crate) fn take_unused(&self) -> (u32, u64) {
        let (objects, bytes) = self.credit();
        let (len, held) = (self.len.load(Relaxed), self.bytes());
        self.set_credit(len, held);
        (objects - len, bytes - held)
    }

    // ---- everybody ----

    pub(crate) fn attention(&self, order: crate::sync::atomic::Ordering) -> u32 {
        self.attention.load(order)
    }

    /// Sets bits. The heavy fence that follows a STOP or CLOSED makes them effective (S3).
    pub(crate) fn set(&self, bits: u32) {
        self.attention.fetch_or(bits, SeqCst);
    }

    /// Clears bits. Release pairs with the acquire load in `enter`.
    pub(crate) fn unset(&self, bits: u32) {
        self.attention.fetch_and(!bits, Release);
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_within_its_budget() {
        assert!(size_of::<Slot>() <= 1024, "{} bytes", size_of::<Slot>());
    }

    #[test]
    fn a_barred_owner_stays_out_and_leaves_no_trace() {
        let slot = Slot::new(0, 0, 1);
        slot.set(attention::STOP);
        assert!(!slot.enter());
        assert!(slot.visit());
        slot.unset(attention::STOP);
        assert!(slot.enter());
        assert!(!slot.visit());
        slot.leave();
    }

    #[test]
    fn an_owner_that_is_inside_does_not_enter_again_and_stays_inside() {
        let slot = Slot::new(0, 0, 1);
        slot.unset(attention::REDRAW);
        for first in [Slot::enter, |slot: &Slot| slot.enter_fast(attention::NOT_FOR_RETURNS)] {
            assert!(first(&slot));
            assert!(
                !slot.enter() && !slot.enter_fast(attention::NOT_FOR_RETURNS) && slot.get_fast().is_none()
            );
            assert!(!slot.visit(), "the first is inside still");
            slot.leave();
            assert!(slot.visit());
        }
    }

    #[test]
    fn each_bar_keeps_the_fast_path_out_too() {
        let slot = Slot::new(0, 0, 1);
        slot.unset(attention::REDRAW);
        for tolerated in [0, attention::NOT_FOR_RETURNS] {
            assert!(slot.enter_fast(tolerated));
            slot.leave();
            for bar in [attention::STOP, attention::CLOSED, attention::RECREDIT] {
                slot.set(bar);
                assert!(!slot.enter_fast(tolerated));
                assert!(slot.visit());
                slot.unset(bar);
            }
        }
    }
}

//! The slot's cells: who may touch them when. Rules: see the slot's.
#![allow(unsafe_code)]

mod gate;
mod load;
#[cfg(all(any(test, ebbpool_fuzz), not(ebbpool_loom)))]
mod still;

use self::gate::Gate;
use self::load::{Load, short};
use super::attention;
use crate::counters::Counters;
use crate::events::Events;
use crate::node::NodePtr;
use crate::notes::Seen;
use crate::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release},
};
use crate::sync::{MAGAZINE, UnsafeCell, yield_halfway};
use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

/// Aligned so that two threads never write to one cache line (128: adjacent lines are fetched in pairs). What a get
/// and a return touch beside the magazine is one line: the fields down to the first two counters.
#[repr(C, align(128))]
pub(crate) struct Slot {
    gate: Gate,
    load: Load,
    /// The value of `gets` from which on a get is more than a get. Guarded.
    pub(super) next_event: AtomicU64,
    /// The lowest `len` since the last cycle: what lay below was surplus all the time. Guarded.
    pub(super) low: AtomicU32,
    /// The thread id that it belongs to.
    pub(crate) id: u32,
    pub(crate) counters: Counters,
    /// Where the inside stands that it is part of: only what that has made is pushed (N4).
    pool: usize,
    pub(super) events: Events,
    magazine: [UnsafeCell<MaybeUninit<NodePtr>>; MAGAZINE],
}

// SAFETY: S1–S3 say who touches the magazine when; everything else is atomic.
unsafe impl Sync for Slot {}
// SAFETY: the magazine's nodes are owned (S4) and `NodePtr` is `Send`.
unsafe impl Send for Slot {}

impl Slot {
    pub(crate) fn new(id: u32, attention: u32, seed: u64) -> Self {
        Self {
            gate: Gate::new(attention | attention::REDRAW),
            load: Load::new(),
            next_event: AtomicU64::new(u64::MAX),
            low: AtomicU32::new(0),
            id,
            counters: Counters::new(),
            pool: 0,
            events: Events::new(seed),
            magazine: std::array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit())),
        }
    }

    /// As part of the inside that stands at `pool`.
    pub(crate) fn part_of(self, pool: usize) -> Self {
        Self { pool, ..self }
    }

    /// Pushes for a return that needs nothing special: no attention, and credit for it. After `true`: S5.
    ///
    /// # Safety
    /// `this` is alive and in the table of the inside that made `node` (N4); the caller has its id (S1) and owns `node`
    /// (N1), which it gives away if the answer is true.
    #[inline(always)]
    pub(crate) unsafe fn return_fast(this: *const Self, node: NodePtr, weight: u64) -> bool {
        // SAFETY: alive until the owner leaves (S5). Through the raw pointer, not a reference that would have to stay
        // valid until this function returns. S1: entered above; what fits has a place (S4).
        unsafe {
            if !(*this).gate.enter_fast(attention::NOT_FOR_RETURNS) {
                return false;
            }
            let fits = (*this).load.fits(weight);
            if fits {
                (*this).push(node, weight);
                Counters::add(&(*this).counters.kept, 1);
            }
            (*this).gate.leave();
            fits
        }
    }

    /// # Safety
    /// S1 or S2, S4: there is a place. N4: its pool made the node.
    #[inline(always)]
    unsafe fn push(&self, node: NodePtr, weight: u64) {
        let len = self.load.len();
        // SAFETY: by the contract; the entry at `len` is free (S4).
        unsafe { self.write(len as usize, node) };
        self.load.set_len(len + 1);
        self.load.set_bytes(self.load.bytes() + weight);
    }

    /// # Safety
    /// S1 or S2, and below `len` (S4). The entry is forgotten next, or this copy is (N1).
    #[inline(always)]
    unsafe fn read(&self, i: usize) -> NodePtr {
        // SAFETY: by the contract.
        self.entry(i).with(|entry| unsafe { (*entry).assume_init_read() })
    }

    /// # Safety
    /// S1 or S2. What was there was moved out.
    #[inline(always)]
    unsafe fn write(&self, i: usize, node: NodePtr) {
        // SAFETY: by the contract.
        self.entry(i).with_mut(|entry| unsafe { (*entry).write(node) });
    }

    #[inline(always)]
    fn entry(&self, i: usize) -> &UnsafeCell<MaybeUninit<NodePtr>> {
        debug_assert!(i < MAGAZINE, "S4: credit is never above the magazine");
        // The mask changes nothing; it tells the compiler so, and there is no bounds check on the fast path.
        &self.magazine[i & (MAGAZINE - 1)]
    }

    /// A visit, if the owner is outside and stays outside.
    ///
    /// # Safety
    /// S2: the caller has the drainer lock until the visit is over, and marked the slot before a heavy fence that it
    /// waited for.
    pub(crate) unsafe fn visit(&self) -> Option<Visit<'_>> {
        self.gate.is_empty().then(|| Held::new(self))
    }

    /// Lets the owner in again.
    ///
    /// # Safety
    /// S2: the caller has the drainer lock, and nobody visits any more.
    pub(crate) unsafe fn let_go(&self) {
        // Release pairs with the acquire load in `enter`.
        self.gate.unset(attention::STOP, Release);
    }
}

/// A slot that nobody else touches: its owner's, who is inside (S1), or its drainer's (S2).
pub(crate) struct Held<'a> {
    slot: &'a Slot,
    /// Not `Sync`: one thread at a time.
    alone: PhantomData<Cell<()>>,
}

/// A drainer in a slot whose owner is outside.
pub(crate) type Visit<'a> = Held<'a>;

impl<'a> Held<'a> {
    #[inline(always)]
    fn new(slot: &'a Slot) -> Self {
        Self { slot, alone: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<NodePtr> {
        let len = self.load.len();
        if len == 0 {
            return None;
        }
        // SAFETY: S1 or S2; below `len` (S4), and forgotten with the next statement (N1).
        let node = unsafe { self.read(len as usize - 1) };
        self.load.set_len(len - 1);
        if len - 1 < self.low.load(Relaxed) {
            self.low.store(len - 1, Relaxed);
        }
        self.load.set_bytes(self.load.bytes() - node.weight());
        Some(node)
    }

    /// The caller checked [`fits`](Slot::fits) or gives credit.
    ///
    /// # Panics
    /// If there is no place, or the node is another pool's.
    pub(crate) fn push(&self, node: NodePtr) {
        assert!(self.len() < MAGAZINE && node.maker() == self.pool, "S4, N4");
        let weight = node.weight();
        // SAFETY: S1 or S2; S4 and N4 as checked.
        unsafe { self.slot.push(node, weight) };
    }

    /// Takes the `n` objects that are in the magazine longest. They count as here until all were taken.
    pub(crate) fn take_oldest(&mut self, n: usize, mut each: impl FnMut(NodePtr)) {
        let n = n.min(self.len());
        let mut gap = Gap { slot: self.slot, n, bytes: self.bytes() };
        for i in 0..n {
            // SAFETY: S1 or S2, and below `len` (S4). The entry is forgotten when the gap is closed (N1).
            let node = unsafe { self.read(i) };
            gap.bytes -= node.weight();
            each(node);
        }
    }

    /// What is there, without taking it.
    pub(crate) fn peek_all(&self, into: &mut Vec<Seen>) {
        // SAFETY: S1 or S2, and below `len` (S4). The copies are forgotten (N1).
        into.extend((0..self.len()).map(|i| unsafe { self.read(i) }.seen()));
    }
}

/// The first `n` entries are taken: closed when it is dropped, also by a panic. What was not taken until then is lost.
struct Gap<'a> {
    slot: &'a Slot,
    n: usize,
    bytes: u64,
}

impl Drop for Gap<'_> {
    fn drop(&mut self) {
        let (slot, n, len) = (self.slot, self.n, self.slot.len());
        slot.load.empty(); // some stand twice below, and who is forked now must not find them
        for i in n..len {
            // SAFETY: S1 or S2, as for who made the gap, and below `len` (S4). Each is moved to where one was taken.
            unsafe { slot.write(i - n, slot.read(i)) };
            yield_halfway();
        }
        slot.load.refill(short(len - n), self.bytes);
        slot.low.store(slot.low.load(Relaxed).saturating_sub(short(n)), Relaxed);
    }
}

impl Deref for Held<'_> {
    type Target = Slot;
    #[inline(always)]
    fn deref(&self) -> &Slot {
        self.slot
    }
}

/// The slot of the thread that has this. Its id is the thread's: neither `Send` nor `Sync`.
pub(crate) struct Own<'a>(&'a Slot, PhantomData<*const ()>);

impl<'a> Own<'a> {
    /// # Safety
    /// S1: the slot has the id of this thread.
    #[inline(always)]
    pub(crate) unsafe fn new(slot: &'a Slot) -> Self {
        Self(slot, PhantomData)
    }

    /// Pops for a get that needs nothing special: no attention, no event, magazine not empty.
    #[inline(always)]
    pub(crate) fn get_fast(self) -> Option<NodePtr> {
        let slot = self.0;
        if !slot.gate.enter_fast(0) {
            return None;
        }
        let gets = slot.counters.gets.load(Relaxed);
        let node = if gets >= slot.next_event.load(Relaxed) { None } else { Held::new(slot).pop() };
        if node.is_some() {
            slot.counters.gets.store(gets + 1, Relaxed);
        }
        slot.gate.leave();
        node
    }

    /// Goes inside although bits are set, unless one of them bars the owner.
    pub(crate) fn enter(self) -> Option<Within<'a>> {
        self.0.gate.enter().then(|| Within(Held::new(self.0), self.1))
    }
}

/// The owner inside its slot; its drop leaves.
pub(crate) struct Within<'a>(Held<'a>, PhantomData<*const ()>);

impl<'a> Deref for Within<'a> {
    type Target = Held<'a>;
    fn deref(&self) -> &Held<'a> {
        &self.0
    }
}

impl DerefMut for Within<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        self.gate.leave();
    }
}

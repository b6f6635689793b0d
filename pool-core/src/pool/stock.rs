//! Idle objects made ahead, and idle objects picked over.

use super::Pool;
use super::get::Charge;
use crate::close::{destroy, destroy_all, rethrow};
use crate::entry::Entry;
use crate::node::{NodePtr, Owned};
use crate::recycle::Recycler;
use crate::stats::DropReason;
use std::collections::VecDeque;
use std::convert::Infallible;

/// What [`Pool::retain`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "it says how many slots were out of reach"]
pub struct Retained {
    /// Idle objects that were looked at and kept.
    pub kept: u64,
    /// Idle objects that were dropped.
    pub dropped: u64,
    /// Slots whose owner was inside at that moment (or all, if the kernel refuses the fence): what is idle there was
    /// not looked at. Call again.
    pub busy_slots: u64,
}

impl<T: Send + 'static, R: Recycler<T>> Pool<T, R> {
    /// Creates up to `n` idle objects and says how many.
    ///
    /// They go to the depot, where every thread finds them. It stops early where the capacity is used up (what threads
    /// hold in reserve for their own returns counts as used) or the registry's grant: it takes nothing back from other
    /// pools, as a get would. A closed pool gets none. Costs `n` creates and a lock each.
    ///
    /// # Panics
    /// If `create` does (or `weight` of what it made, or the drop of one for which there was no place after all): the
    /// objects before it are there.
    ///
    /// ```
    /// let buffers = pool_core::Pool::new("buffers", || Vec::<u8>::with_capacity(4096));
    /// assert_eq!(buffers.prefill(8), 8);
    /// drop(buffers.get());
    /// let stats = buffers.stats();
    /// assert_eq!((stats.idle_objects, stats.gets.created), (8, 0));
    /// ```
    #[must_use = "it may have made fewer"]
    pub fn prefill(&self, n: usize) -> usize {
        let shared = self.shared();
        for made in 0..n {
            let room = shared.has_room(shared.expected_weight());
            let Some(charge) = room.then(|| Charge::if_left(shared)).flatten() else { return made };
            let Ok(node) = self.create::<Infallible>(|place| Ok(place.fill(&self.inside().create)));
            charge.settle(node.notes().weight);
            if let Some(node) = shared.stock(node.erase(), made) {
                destroy(Owned::claim(node, self.inside()));
                return made;
            }
        }
        n
    }

    /// Looks at every idle object and drops those for which `keep` says no, counted as `discarded`.
    ///
    /// One pass reaches those of all threads, sleeping and dead ones too. What is lent meanwhile is not looked at, nor
    /// what is in a slot whose owner is inside at that moment: [`Retained::busy_slots`] says how many. `keep` runs
    /// on this thread, outside locks and slots, and may use pools. What is being looked at serves no get: other
    /// threads may create meanwhile. Afterwards all idle objects are in the depot. Costs a fence (12–20 µs with busy
    /// threads) and some nanoseconds an object.
    ///
    /// # Panics
    /// If `keep` does, or the drop of a value: all others have been put back or dropped then.
    ///
    /// ```
    /// let pool = pool_core::Pool::new("buffers", || Vec::<u8>::with_capacity(64));
    /// drop((pool.get(), pool.get_with(|| Vec::with_capacity(1 << 20))));
    /// let retained = pool.retain(|buffer| buffer.capacity() < 4096);
    /// assert_eq!((retained.kept, retained.dropped), (1, 1));
    /// ```
    pub fn retain(&self, mut keep: impl FnMut(&T) -> bool) -> Retained {
        let mut hand = Hand::new(self);
        let busy_slots = hand.fill();
        let mut retained = Retained { busy_slots, ..Retained::default() };
        while let Some(node) = hand.rest.pop_front() {
            let node = Owned::claim(node, self.inside());
            // While `keep` looks at it, it is in the hand too: a panic puts it back.
            hand.shown = Some(node);
            let kept = hand.shown.as_ref().is_some_and(|node| keep(node.value()));
            let Some(node) = hand.shown.take() else { break };
            if kept {
                retained.kept += 1;
                hand.kept.push(node.erase());
            } else {
                retained.dropped += 1;
                hand.dropped.push(node.erase());
            }
            if hand.kept.len() == AT_ONCE {
                hand.put_back();
            }
        }
        drop(hand);
        retained
    }
}

/// Objects put back at once: other threads miss no more of them than that for longer than it takes to look at them.
const AT_ONCE: usize = 64;

/// Idle objects in the hands of `retain`; whatever happens, they are put back or dropped.
struct Hand<'a, T: Send + 'static, R: Recycler<T>> {
    pool: &'a Pool<T, R>,
    rest: VecDeque<NodePtr>,
    shown: Option<Owned<T, R>>,
    kept: Vec<NodePtr>,
    dropped: Vec<NodePtr>,
    /// Counted out already: the pool was closed before they were put back.
    closed: Vec<NodePtr>,
    /// What is in our hands is counted nowhere: no snapshot is consistent meanwhile.
    _outside: Entry<'a>,
}

impl<'a, T: Send + 'static, R: Recycler<T>> Hand<'a, T, R> {
    fn new(pool: &'a Pool<T, R>) -> Self {
        Self {
            pool,
            rest: VecDeque::new(),
            shown: None,
            kept: Vec::new(),
            dropped: Vec::new(),
            closed: Vec::new(),
            _outside: pool.shared().enter_outside(),
        }
    }

    /// Takes everything idle; returns how many slots were busy.
    fn fill(&mut self) -> u64 {
        let mut idle = Vec::new();
        let busy_slots = self.pool.shared().take_all_idle(&mut idle);
        self.rest = idle.into();
        busy_slots
    }

    fn put_back(&mut self) {
        self.pool.shared().put_back(&mut self.kept);
        self.closed.append(&mut self.kept);
    }
}

impl<T: Send + 'static, R: Recycler<T>> Drop for Hand<'_, T, R> {
    fn drop(&mut self) {
        self.kept.extend(self.shown.take().map(Owned::erase));
        self.kept.extend(self.rest.drain(..));
        self.put_back();
        self.pool.shared().count_out(&self.dropped, DropReason::Discarded);
        self.closed.append(&mut self.dropped);
        rethrow(destroy_all(self.pool.inside(), std::mem::take(&mut self.closed)));
    }
}

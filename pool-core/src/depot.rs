//! The depot: idle objects that threads share.
//!
//! Striped, so that threads that come at the same time rarely meet. The data path tries the stripes in turn
//! and never waits: a get that finds them all busy creates, a return drops. The newest objects are handed out
//! first and the oldest taken first by trims, so what the load does not need grows cold at one end.
//! It knows neither capacity nor slots: who puts an object here has credit for it.

use crate::knobs::Ratio;
use crate::node::NodePtr;
use crate::notes::Seen;
use crate::sync::atomic::{AtomicBool, Ordering::Relaxed};
use crate::sync::mirror::{Level, Mirror, Mirrored};
use crate::sync::{Mutex, PoisonError, STRIPES, try_lock};
use std::collections::VecDeque;

pub(crate) struct Depot {
    stripes: [Stripe; STRIPES],
    /// For a stripe that is lost in a fork and begins anew (see [`Mutex`]): what it held is lost with it.
    closed: AtomicBool,
}

#[repr(align(64))]
struct Stripe {
    content: Mutex<Content>,
    shown: Mirror,
}

#[derive(Default)]
struct Content {
    /// Oldest in front.
    nodes: VecDeque<NodePtr>,
    bytes: u64,
    /// The fewest objects since the last cycle: as many at the front were surplus all the time.
    low: usize,
    closed: bool,
}

/// Why an object could not be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Closed,
    Contended,
}

impl Depot {
    pub(crate) fn new() -> Self {
        let stripe = || Stripe { content: Mutex::new(Content::default()), shown: Mirror::new() };
        Self { stripes: std::array::from_fn(|_| stripe()), closed: AtomicBool::new(false) }
    }

    /// Takes up to `max` of the newest objects of the first stripe that is free and not empty, the newest last;
    /// returns how many.
    pub(crate) fn take(&self, home: usize, max: usize, each: impl FnMut(NodePtr)) -> usize {
        for stripe in self.from(home) {
            let Some(mut content) = stripe.try_lock() else { continue };
            if !content.nodes.is_empty() {
                return content.take(max, each);
            }
        }
        0
    }

    /// The first stripe that is free, to put objects into.
    pub(crate) fn open(&self, home: usize) -> Result<Opened<'_>, Refused> {
        let content = self.from(home).find_map(Stripe::try_lock).ok_or(Refused::Contended)?;
        if content.closed { Err(Refused::Closed) } else { Ok(Opened(content)) }
    }

    fn from(&self, home: usize) -> impl Iterator<Item = &Stripe> {
        (0..STRIPES).map(move |i| &self.stripes[(home + i) % STRIPES])
    }

    // ---- for the drainer, which may wait for the data path's short critical sections ----

    /// Puts `nodes` spread over the stripes, even into a closed depot (the drainer takes them out again).
    pub(crate) fn put_spread(&self, nodes: Vec<NodePtr>) {
        let each = nodes.len().div_ceil(STRIPES).max(1);
        let mut nodes = nodes.into_iter();
        for stripe in &self.stripes {
            if nodes.len() == 0 {
                return;
            }
            let mut content = self.lock(stripe);
            for node in nodes.by_ref().take(each) {
                content.bytes += node.weight();
                content.nodes.push_back(node);
            }
        }
    }

    /// Takes the oldest object of one stripe after the other until `enough` says so or all are empty.
    pub(crate) fn take_oldest(&self, mut enough: impl FnMut() -> bool, mut each: impl FnMut(NodePtr)) {
        let mut emptied = 0;
        for stripe in self.stripes.iter().cycle() {
            let mut content = self.lock(stripe);
            for _ in 0..TURN {
                if enough() {
                    return;
                }
                match content.nodes.pop_front() {
                    Some(node) => {
                        emptied = 0;
                        content.bytes -= node.weight();
                        content.low = content.low.saturating_sub(1);
                        each(node);
                    }
                    None => break,
                }
            }
            if content.nodes.capacity() > 4 * content.nodes.len() + SPARE_PLACES {
                content.nodes.shrink_to_fit();
            }
            emptied += usize::from(content.nodes.is_empty());
            if emptied > STRIPES {
                return;
            }
        }
    }

    /// Takes this share of the objects that nobody needed since the last call, coldest first.
    pub(crate) fn take_surplus(&self, share: Ratio, into: &mut Vec<NodePtr>) {
        for stripe in &self.stripes {
            let mut content = self.lock(stripe);
            let before = into.len();
            let surplus = share.of(content.low);
            into.extend(content.nodes.drain(..surplus));
            content.bytes -= weight(&into[before..]);
            content.low = content.nodes.len();
        }
    }

    /// Refuses everything from now on; takes what there is.
    pub(crate) fn close(&self, into: &mut Vec<NodePtr>) {
        self.closed.store(true, Relaxed); // read under a stripe's lock, and each is locked below
        for stripe in &self.stripes {
            let mut content = self.lock(stripe);
            content.closed = true;
            content.bytes = 0;
            content.low = 0;
            into.extend(content.nodes.drain(..));
        }
    }

    /// Objects and bytes; the stripes one after the other.
    pub(crate) fn level(&self) -> (u64, u64) {
        sum(self.stripes.iter().map(|stripe| self.lock(stripe).level()))
    }

    /// The same without the locks: as they were last given back.
    pub(crate) fn level_of_late(&self) -> (u64, u64) {
        sum(self.stripes.iter().map(|stripe| stripe.shown.level()))
    }

    fn lock<'a>(&self, stripe: &'a Stripe) -> Mirrored<'a, Content> {
        let anew = || Content { closed: self.closed.load(Relaxed), ..Content::default() };
        stripe.shown.hold(stripe.content.lock_or(anew).unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `f` while nothing can enter or leave, with all objects.
    pub(crate) fn while_locked<O>(&self, f: impl FnOnce(&mut dyn Iterator<Item = Seen>) -> O) -> O {
        let all: Vec<_> = self.stripes.iter().map(|stripe| self.lock(stripe)).collect();
        f(&mut all.iter().flat_map(|content| content.nodes.iter().map(NodePtr::seen)))
    }
}

impl Stripe {
    fn try_lock(&self) -> Option<Mirrored<'_, Content>> {
        try_lock(&self.content).map(|content| self.shown.hold(content))
    }
}

impl Level for Content {
    fn level(&self) -> (u64, u64) {
        (self.nodes.len() as u64, self.bytes)
    }
}

fn sum(levels: impl Iterator<Item = (u64, u64)>) -> (u64, u64) {
    levels.fold((0, 0), |(objects, bytes), level| (objects + level.0, bytes + level.1))
}

impl Content {
    fn take(&mut self, max: usize, mut each: impl FnMut(NodePtr)) -> usize {
        let rest = self.nodes.len().saturating_sub(max);
        let taken = self.nodes.len() - rest;
        for node in self.nodes.drain(rest..) {
            self.bytes -= node.weight();
            each(node);
        }
        self.low = self.low.min(rest);
        taken
    }
}

/// A stripe that takes objects. Nobody waits for it but drainers, so it is held for some pushes only.
pub(crate) struct Opened<'a>(Mirrored<'a, Content>);

impl Opened<'_> {
    /// Puts the next newer object.
    pub(crate) fn put(&mut self, node: NodePtr) {
        self.0.bytes += node.weight();
        self.0.nodes.push_back(node);
    }
}

fn weight(nodes: &[NodePtr]) -> u64 {
    nodes.iter().map(NodePtr::weight).sum()
}

/// Places for pointers that an emptied stripe keeps.
const SPARE_PLACES: usize = 256;

/// Objects taken from one stripe before the next has its turn.
const TURN: usize = 8;

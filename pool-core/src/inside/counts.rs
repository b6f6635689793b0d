//! How many hold an inside (I1), and how many handles there are. Who may count is up to [`inside`](super).

use crate::sync::atomic::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
};

pub(crate) struct Counts {
    refs: AtomicUsize,
    handles: AtomicUsize,
}

impl Counts {
    /// One handle, and the one count that the handles hold together.
    pub(crate) fn new() -> Self {
        Self { refs: AtomicUsize::new(1), handles: AtomicUsize::new(1) }
    }

    pub(crate) fn handles(&self) -> usize {
        self.handles.load(SeqCst)
    }

    pub(super) fn hold(&self) {
        // Relaxed: who counts up holds a count already.
        at_most(self.refs.fetch_add(1, Relaxed));
    }

    /// Whether others are left.
    #[inline(always)]
    pub(super) fn give_up(&self) -> bool {
        // Release pairs with the acquire in `see_all` in the thread that frees.
        self.refs.fetch_sub(1, Release) != 1
    }

    /// What all others did before they gave up is seen. A load, not a fence: ThreadSanitizer does not model fences,
    /// and this is no hot path.
    pub(super) fn see_all(&self) {
        self.refs.load(Acquire);
    }

    pub(super) fn hold_handle(&self) {
        // Relaxed: who clones holds a handle already.
        at_most(self.handles.fetch_add(1, Relaxed));
    }

    /// Whether others are left.
    pub(super) fn give_up_handle(&self) -> bool {
        // AcqRel: the last handle sees what the others did before they went.
        self.handles.fetch_sub(1, AcqRel) != 1
    }
}

/// A count that is too high ends the process, as that of an `Arc` does: handles that are cloned and forgotten cost no
/// memory, and where a word has 32 bits the count would soon begin anew at 0.
fn at_most(before: usize) {
    if before > usize::MAX / 2 {
        std::process::abort();
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
impl Counts {
    /// As if so many handles had been cloned and forgotten.
    pub(crate) fn pretend_handles(&self, n: usize) {
        self.handles.store(n, Relaxed);
    }
}

//! Dense thread ids, reused after a thread has gone.
//!
//! An id indexes each pool's table of slots. It is taken at a thread's first slow path and given back by a
//! thread-local destructor. A guard that is dropped after that destructor (in another thread-local's, or at
//! process exit) gets no id any more: its pool serves it through the depot.

use crate::sync::{Mutex, PoisonError, notice_fork, try_lock, yield_inside};
use std::cell::Cell;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{Relaxed, SeqCst},
    compiler_fence,
};

/// Ids at once. A thread beyond them has none and uses the depot.
pub(crate) const IDS_MAX: u32 = 1 << 14;

/// No id taken yet. Larger than any table, so the fast path needs no check of its own.
const UNASSIGNED: u32 = u32::MAX;
/// Given back: the thread is exiting and must not take another.
pub(crate) const EXITED: u32 = u32::MAX - 1;

/// This thread's id, or a number larger than any id.
#[inline(always)]
pub(crate) fn current() -> u32 {
    #[cfg(not(ebbpool_loom))]
    {
        ID.get() // const-initialised and without a destructor: one load, also during thread exit
    }
    #[cfg(ebbpool_loom)]
    ID.try_with(Cell::get).unwrap_or(EXITED)
}

/// This thread's id; takes one if it has none. `None` while the thread exits, when ids are used up, or when
/// the list of free ids is busy: the data path never waits for it.
#[cold]
pub(crate) fn assign() -> Option<u32> {
    match current() {
        UNASSIGNED => {}
        EXITED => return None,
        id => return Some(id),
    }
    notice_fork(); // before this thread takes any lock: who finds it held then knows that the holder lives
    let list = ids();
    let id = try_lock(&list)?.take()?;
    let mut taken = Some(Taken { id, list });
    yield_inside();
    // A signal handler that came before this has taken another, and uses it no more. One that comes after it takes
    // none: what the destructor is to give back below is never one that this thread goes on with.
    set(id);
    compiler_fence(SeqCst);
    yield_inside();
    // From here on the destructor gives the id back; if it has run already, this does.
    let before = RELEASE.try_with(|release| release.0.replace(taken.take()));
    if taken.is_some() {
        set(EXITED);
        return None;
    }
    drop(before);
    Some(id)
}

/// Makes the calling thread act under another id, for tests that play several threads on one; returns its own.
#[cfg(all(any(test, ebbpool_fuzz), not(ebbpool_loom)))]
pub(crate) fn act_as(id: u32) -> u32 {
    let own = current();
    set(id);
    own
}

fn set(id: u32) {
    #[cfg(not(ebbpool_loom))]
    ID.set(id);
    #[cfg(ebbpool_loom)]
    let _ = ID.try_with(|cell| cell.set(id));
}

struct Ids {
    /// Smallest first: tables stay short.
    free: std::collections::BinaryHeap<std::cmp::Reverse<u32>>,
    next: u32,
}

impl Ids {
    /// What a process goes on with that lost the list in a fork: ids that nobody has had. Those of threads that did not
    /// come along stay with them.
    fn anew() -> Self {
        Self { free: std::collections::BinaryHeap::new(), next: TAKEN_MAX.load(Relaxed) }
    }

    fn take(&mut self) -> Option<u32> {
        if let Some(std::cmp::Reverse(id)) = self.free.pop() {
            return Some(id);
        }
        let id = self.next;
        (id < IDS_MAX).then(|| {
            self.next += 1;
            TAKEN_MAX.fetch_max(self.next, Relaxed);
            id
        })
    }
}

/// How many ids were ever in use at once, at most. Outside the list's lock, for [`Ids::anew`]. All orderings are
/// relaxed: it is a number, and stands for nothing else.
static TAKEN_MAX: AtomicU32 = AtomicU32::new(0);

/// Waits for the list of ids. If it is lost in a fork, threads get ids again.
#[cfg(not(ebbpool_loom))]
pub(crate) fn mend() {
    drop(ids().lock_or(Ids::anew));
}

/// An id that is given back when this is dropped. The list's lock carries everything that the old owner did
/// to its slots over to the id's next owner.
pub(crate) struct Taken {
    id: u32,
    list: IdList,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut list = self.list.lock_or(Ids::anew).unwrap_or_else(PoisonError::into_inner);
        list.free.push(std::cmp::Reverse(self.id));
    }
}

struct Release(Cell<Option<Taken>>);

impl Drop for Release {
    fn drop(&mut self) {
        set(EXITED);
        compiler_fence(SeqCst); // a signal handler must not find an id that was given back
        drop(self.0.take());
        // loom ends a model while threads still run destructors; what is swept lives in statics that are gone.
        #[cfg(not(ebbpool_loom))]
        crate::close::sweep_unfinished();
    }
}

/// The list of the process. Its name is all that there is to it; under loom it is a pointer.
#[cfg(not(ebbpool_loom))]
struct IdList;

#[cfg(not(ebbpool_loom))]
impl std::ops::Deref for IdList {
    type Target = Mutex<Ids>;

    fn deref(&self) -> &Mutex<Ids> {
        static IDS: Mutex<Ids> = Mutex::new(Ids { free: std::collections::BinaryHeap::new(), next: 0 });
        &IDS
    }
}

#[cfg(not(ebbpool_loom))]
fn ids() -> IdList {
    IdList
}

/// Under loom a destructor may run after the statics are gone: each id keeps the list alive.
#[cfg(ebbpool_loom)]
type IdList = std::sync::Arc<Mutex<Ids>>;

#[cfg(ebbpool_loom)]
fn ids() -> IdList {
    loom::lazy_static! {
        static ref IDS: IdList =
            std::sync::Arc::new(Mutex::new(Ids { free: std::collections::BinaryHeap::new(), next: 0 }));
    }
    std::sync::Arc::clone(&IDS)
}

#[cfg(not(ebbpool_loom))]
thread_local! {
    static ID: Cell<u32> = const { Cell::new(UNASSIGNED) };
    static RELEASE: Release = const { Release(Cell::new(None)) };
}

#[cfg(ebbpool_loom)]
loom::thread_local! {
    static ID: Cell<u32> = Cell::new(UNASSIGNED);
    static RELEASE: Release = Release(Cell::new(None));
}

#[cfg(all(test, not(ebbpool_loom)))]
pub(crate) mod tests {
    use super::*;
    use crate::sync::test_hook;

    /// All ids that are left, each given back when it is dropped.
    pub(crate) fn take_all() -> Vec<Taken> {
        let list = ids();
        let mut list = list.lock_or(Ids::anew).unwrap();
        std::iter::from_fn(|| list.take()).map(|id| Taken { id, list: ids() }).collect()
    }

    /// Keeps everybody from the list.
    pub(crate) fn hold(f: impl FnOnce()) {
        let list = ids();
        let _guard = list.lock_or(Ids::anew);
        f();
    }

    impl Taken {
        pub(crate) fn id(&self) -> u32 {
            self.id
        }
    }

    /// The id that this thread will give back.
    fn kept() -> Option<u32> {
        RELEASE.with(|release| {
            let taken = release.0.take();
            let id = taken.as_ref().map(Taken::id);
            release.0.set(taken);
            id
        })
    }

    /// What a signal handler takes is given back, or kept for good: never used after it was given back.
    #[test]
    fn a_thread_that_a_handler_interrupts_while_it_takes_an_id_has_one_in_the_end() {
        for interrupted_at in 0..3 {
            let thread = std::thread::spawn(move || {
                let interruptions = std::rc::Rc::new(Cell::new(0));
                let count = std::rc::Rc::clone(&interruptions);
                let until_it_has_one = || std::iter::repeat_with(assign).find_map(|id| id);
                interrupt(interrupted_at, move || {
                    count.set(1);
                    assert!(until_it_has_one().is_some());
                });
                let id = until_it_has_one();
                test_hook::unset();
                assert_eq!((id, kept()), (Some(current()), Some(current())), "at point {interrupted_at}");
                interruptions.get()
            });
            assert_eq!(thread.join().unwrap(), u32::from(interrupted_at < POINTS));
        }
    }

    /// Where it can be interrupted with an id that is not yet its own, or not yet to be given back.
    const POINTS: u32 = 2;

    /// Runs `handler` at this thread's yield point of that number.
    fn interrupt(at: u32, handler: impl Fn() + 'static) {
        test_hook::set_anywhere(move || if at == 0 { handler() } else { interrupt(at - 1, handler) });
    }

    #[test]
    fn ids_are_dense_and_end() {
        let mut ids = Ids { free: std::collections::BinaryHeap::new(), next: 0 };
        assert_eq!((ids.take(), ids.take(), ids.take()), (Some(0), Some(1), Some(2)));
        ids.free.push(std::cmp::Reverse(1));
        ids.free.push(std::cmp::Reverse(0));
        assert_eq!((ids.take(), ids.take(), ids.take()), (Some(0), Some(1), Some(3)));
        ids.next = IDS_MAX;
        assert_eq!(ids.take(), None);
    }

    #[test]
    fn a_thread_keeps_its_id_and_another_has_another() {
        // Nobody waits for the list, so another test's thread may have it at the moment.
        let taken = || std::iter::repeat_with(assign).find_map(|id| id);
        let mine = taken();
        assert_eq!(mine, Some(current()));
        let other = std::thread::spawn(taken).join().unwrap();
        assert_ne!(mine, other);
    }
}

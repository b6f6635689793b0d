//! The asymmetric fence between an owner's fast path and a drainer.
//!
//! Owner: store `active`, *light* fence, load `attention`. Drainer: store `attention`, *heavy* fence, load
//! `active`. At least one of the two must see the other's store (Dekker). Light is a compiler fence where the
//! kernel offers `membarrier(PRIVATE_EXPEDITED)`, which makes every running thread of the process execute a
//! full barrier on the drainer's behalf; elsewhere both sides use a SeqCst fence, and every slot carries
//! [`attention::FALLBACK`](crate::slot::attention) so that the owner takes the branch that has it. The system call
//! is in `membarrier`.

#[cfg(all(target_os = "linux", not(ebbpool_loom)))]
mod membarrier;

use crate::sync::atomic::{Ordering, fence};
use std::sync::atomic::AtomicU64;

/// Proof that a heavy fence was completed, and which one. [`Managed::collect`](crate::Managed::collect)
/// accepts it only for slots that were marked before the fence began.
///
/// A cache behind a lock needs no proof: see the example of [`Managed`](crate::Managed).
#[derive(Debug)]
pub struct Fenced {
    epoch: u64,
    complete: bool,
}

impl Fenced {
    /// No fence at all: lets marked slots go and visits none.
    pub(crate) fn refused() -> Self {
        Self { epoch: 0, complete: false }
    }

    /// False if the kernel refused: then no slot may be visited.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether this fence covers stores made before `marked_at` was read by [`epoch`].
    pub(crate) fn covers(&self, marked_at: u64) -> bool {
        self.complete && self.epoch > marked_at
    }
}

/// Heavy fences begun by this process. Plain std also under loom: it orders nothing, it only refuses misuse.
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// Heavy fences that this process has begun so far: by passes, by creates that took idle objects back, by the ends of
/// pools. Each interrupts every running thread of the process.
///
/// ```
/// use pool_core::{Job, Pool, Registry, fences_total};
/// let registry = Registry::new();
/// let pool = |name| Pool::builder(name).registry(&registry).build_with(String::new);
/// let (a, b) = (pool("a")?, pool("b")?);
/// let before = fences_total();
/// registry.pass(Job::Snapshot);
/// assert_eq!(fences_total() - before, 1); // for both
/// # drop((a, b));
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[must_use]
pub fn fences_total() -> u64 {
    // Relaxed: a count for people, which orders nothing.
    EPOCH.load(Ordering::Relaxed)
}

/// Read after marking: a fence whose epoch is larger began later.
pub(crate) fn epoch() -> u64 {
    // A read-modify-write, so that a later fence's own synchronises with the marks before this one.
    EPOCH.fetch_add(0, Ordering::SeqCst)
}

/// The drainer's side. 12–20 µs with busy threads under membarrier.
pub(crate) fn heavy() -> Fenced {
    let epoch = EPOCH.fetch_add(1, Ordering::SeqCst) + 1;
    let complete = match strategy() {
        Strategy::Membarrier => membarrier::everywhere(),
        Strategy::SeqCst => {
            // Pairs with the fence in `Slot::enter_cold`.
            fence(Ordering::SeqCst);
            true
        }
    };
    Fenced { epoch, complete }
}

/// The owner's side: keeps the compiler from moving the load of `attention` above the store of `active`.
/// The processor is kept from it by [`heavy`].
#[inline(always)]
pub(crate) fn light() {
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Light is free, heavy is a system call.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "a system call of Linux"))]
    Membarrier,
    /// Both sides fence.
    SeqCst,
}

/// Chosen once for the process, when its first pool is built. Says on stderr if the variable means nothing.
pub(crate) fn strategy() -> Strategy {
    #[cfg(all(target_os = "linux", not(ebbpool_loom)))]
    {
        use std::sync::atomic::AtomicU8;
        /// 0: not chosen yet, 1: membarrier, 2: fences on both sides.
        static CHOSEN: AtomicU8 = AtomicU8::new(0);
        let mut chosen = CHOSEN.load(Ordering::Acquire);
        if chosen == 0 {
            // Threads that come at once ask the kernel at once and hear the same; the first answer stays.
            let (wanted, complaint) = wanted(std::env::var_os(VARIABLE).as_deref());
            let answer = if wanted == Strategy::Membarrier && membarrier::register() { 1 } else { 2 };
            let first = CHOSEN.compare_exchange(0, answer, Ordering::AcqRel, Ordering::Acquire);
            if let (Ok(_), Some(complaint)) = (first, complaint) {
                crate::trace::say(&complaint); // once for the process
            }
            chosen = first.map_or_else(|chosen| chosen, |_| answer);
        }
        if chosen == 1 { Strategy::Membarrier } else { Strategy::SeqCst }
    }
    #[cfg(not(all(target_os = "linux", not(ebbpool_loom))))]
    Strategy::SeqCst
}

/// Forces the fallback, so that it can be tested on a kernel that has membarrier.
#[cfg(all(target_os = "linux", not(ebbpool_loom)))]
const VARIABLE: &str = "EBBPOOL_FENCE";

/// What the variable asks for, and what is wrong with it. A pool that serves with another fence than was meant
/// serves all the same, so a value that means nothing is said and changes nothing.
#[cfg(all(target_os = "linux", not(ebbpool_loom)))]
fn wanted(value: Option<&std::ffi::OsStr>) -> (Strategy, Option<String>) {
    match value.map(std::ffi::OsStr::to_str) {
        None | Some(Some("membarrier")) => (Strategy::Membarrier, None),
        Some(Some("seqcst")) => (Strategy::SeqCst, None),
        Some(_) => {
            let value = value.unwrap_or_default();
            let said = format!(
                "ebbpool: {VARIABLE}: {value:?} is unknown and ignored, allowed are membarrier (as without it) and seqcst"
            );
            (Strategy::Membarrier, Some(said))
        }
    }
}

#[cfg(not(all(target_os = "linux", not(ebbpool_loom))))]
mod membarrier {
    pub(super) fn everywhere() -> bool {
        false
    }
}

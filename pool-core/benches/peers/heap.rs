//! A global allocator that counts on demand.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

/// The system's allocator. While [`counted`] runs it adds up; else it asks one flag and passes the call on.
pub(crate) struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicI64 = AtomicI64::new(0);

/// Bytes that are allocated after `work` and were not before, by all threads. Bytes that were asked for: what the
/// allocator adds by rounding and bookkeeping shows in the resident memory only.
pub(crate) fn counted<O>(work: impl FnOnce() -> O) -> (i64, O) {
    BYTES.store(0, Relaxed);
    COUNTS.store(true, Relaxed);
    let output = work();
    COUNTS.store(false, Relaxed);
    (BYTES.load(Relaxed), output)
}

fn add(bytes: usize, sign: i64) {
    if COUNTS.load(Relaxed) {
        BYTES.fetch_add(sign * i64::try_from(bytes).unwrap_or(i64::MAX), Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it came; what is added touches no memory that was allocated.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller keeps the contract of `GlobalAlloc`, which is `System`'s as well.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size(), 1);
        // SAFETY: by the contract.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: as above.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(layout.size(), -1);
        // SAFETY: by the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    // SAFETY: as above.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size(), 1);
        // SAFETY: by the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    // SAFETY: as above.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(layout.size(), -1);
        add(size, 1);
        // SAFETY: by the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

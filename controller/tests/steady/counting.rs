//! An allocator that counts what each thread asks of it.
//!
//! Rule for the `unsafe` here: **A1** every call is passed on as it is; the counter is a number that needs no drop.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counted.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local!(static ALLOCATIONS: Cell<u64> = const { Cell::new(0) });

/// Allocations and reallocations of this thread so far.
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.get()
}

fn count() {
    // A thread that ends has no counter any more, and may still allocate.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: A1: `System` keeps the contract.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: A1: the caller keeps the contract of `System`.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: A1.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: A1: the caller keeps the contract of `System`.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: A1.
        unsafe { System.dealloc(block, layout) }
    }

    // SAFETY: A1: the caller keeps the contract of `System`.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: A1.
        unsafe { System.realloc(block, layout, size) }
    }
}

//! What hands out bare memory: the floor that a pool cannot beat, the allocators that it must, and nothing at all.
//! All of them lend a pointer; none of them knows what a pool is.

use crate::shapes::{self, BUFFER_BYTES, Peer, count_created};
use std::alloc::{Layout, handle_alloc_error};
use std::cell::Cell;
use std::hint::black_box;
use std::ptr;

/// A pointer to a buffer that one owner holds.
pub(crate) struct Raw(*mut u8);

// SAFETY: the holder of a `Raw` is the buffer's only user, and every allocator here frees from any thread.
unsafe impl Send for Raw {}

impl Raw {
    /// Writes the byte, as the pools' `touch` does.
    #[inline(always)]
    fn touched(self) -> Self {
        if self.0.is_null() {
            handle_alloc_error(Layout::new::<[u8; BUFFER_BYTES]>());
        }
        // SAFETY: not null, so it points to a buffer of BUFFER_BYTES bytes that this holder owns.
        unsafe { self.0.write(1) };
        black_box(self.0);
        self
    }
}

/// The floor: a thread-local stack of pointers and nothing else. No pool object, no guard, no count, and what one
/// thread holds no other ever sees. Across threads it cannot reuse: its getter allocates, its returner frees.
pub(crate) struct Limit;

struct Stack {
    len: Cell<usize>,
    slots: [Cell<*mut u8>; 64],
}

thread_local! {
    // Constant and without a destructor, so an access is an offset from the thread pointer and no more.
    static STACK: Stack =
        const { Stack { len: Cell::new(0), slots: [const { Cell::new(ptr::null_mut()) }; 64] } };
}

impl Peer for Limit {
    type Lease<'a> = Raw;

    fn new(_objects: usize) -> Self {
        Self
    }

    #[inline(always)]
    fn lend(&self) -> Raw {
        let popped = STACK.with(|stack| {
            let below = stack.len.get().wrapping_sub(1);
            // One comparison: an empty stack wraps to an index that no slot has.
            stack.slots.get(below).map(|slot| {
                stack.len.set(below);
                slot.get()
            })
        });
        let missed = || {
            count_created();
            // SAFETY: any size may be asked for; null is checked by `touched`.
            unsafe { libc::malloc(BUFFER_BYTES).cast() }
        };
        Raw(popped.unwrap_or_else(missed)).touched()
    }

    #[inline(always)]
    fn give_back(&self, lease: Raw) {
        STACK.with(|stack| match stack.slots.get(stack.len.get()) {
            Some(slot) => {
                slot.set(lease.0);
                stack.len.set(stack.len.get() + 1);
            }
            // SAFETY: `lend` took it from malloc, and this was its only holder.
            None => unsafe { libc::free(lease.0.cast()) },
        });
    }

    fn thread_ends() {
        STACK.with(|stack| {
            for slot in &stack.slots[..stack.len.replace(0)] {
                // SAFETY: slots below `len` hold buffers from malloc that nobody else has.
                unsafe { libc::free(slot.get().cast()) };
            }
        });
    }
}

/// An allocator by its C interface. None of them replaces the process's own, which stays glibc's: jemalloc's
/// symbols carry a prefix (the crate's default), mimalloc's always do.
macro_rules! allocator {
    ($name:ident, $malloc:path, $free:path) => {
        pub(crate) struct $name;

        impl Peer for $name {
            type Lease<'a> = Raw;

            fn new(_objects: usize) -> Self {
                Self
            }

            #[inline(always)]
            fn lend(&self) -> Raw {
                // SAFETY: any size may be asked for; null is checked by `touched`.
                Raw(unsafe { $malloc(BUFFER_BYTES).cast() }).touched()
            }

            #[inline(always)]
            fn give_back(&self, lease: Raw) {
                // SAFETY: `lend` took it from the same allocator, and this was its only holder.
                unsafe { $free(lease.0.cast()) };
            }
        }
    };
}

allocator!(Glibc, libc::malloc, libc::free);
allocator!(Jemalloc, tikv_jemalloc_sys::malloc, tikv_jemalloc_sys::free);
allocator!(Mimalloc, libmimalloc_sys::mi_malloc, libmimalloc_sys::mi_free);

/// Not a pool: pointers out of nothing, to see what handing them over costs by itself.
struct Bare;

impl Peer for Bare {
    type Lease<'a> = Raw;

    fn new(_objects: usize) -> Self {
        Self
    }

    #[inline(always)]
    fn lend(&self) -> Raw {
        Raw(black_box(ptr::null_mut()))
    }

    #[inline(always)]
    fn give_back(&self, lease: Raw) {
        black_box(lease.0);
    }
}

/// Nanoseconds per bare pointer in the cross-thread shape.
pub(crate) fn bare_hand_over(pairs: u64) -> f64 {
    shapes::across(&Bare, pairs)
}

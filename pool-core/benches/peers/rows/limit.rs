//! The floor: a thread-local stack of pointers and nothing else. No pool object, no guard, no count, and what one
//! thread holds no other ever sees.

use std::cell::Cell;
use std::ptr;

struct Stack {
    len: Cell<usize>,
    slots: [Cell<*mut u8>; 64],
}

thread_local! {
    // Constant and without a destructor, so an access is an offset from the thread pointer and no more.
    static STACK: Stack =
        const { Stack { len: Cell::new(0), slots: [const { Cell::new(ptr::null_mut()) }; 64] } };
}

/// The pointer pushed last, if there is one.
#[inline(always)]
pub(crate) fn pop() -> Option<*mut u8> {
    STACK.with(|stack| {
        let below = stack.len.get().wrapping_sub(1);
        // One comparison: an empty stack wraps to an index that no slot has.
        stack.slots.get(below).map(|slot| {
            stack.len.set(below);
            slot.get()
        })
    })
}

/// Whether there was room for it.
#[inline(always)]
pub(crate) fn push(pointer: *mut u8) -> bool {
    STACK.with(|stack| {
        let slot = stack.slots.get(stack.len.get());
        if let Some(slot) = slot {
            slot.set(pointer);
            stack.len.set(stack.len.get() + 1);
        }
        slot.is_some()
    })
}

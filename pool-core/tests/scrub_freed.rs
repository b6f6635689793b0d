//! Scrubbing of storage that is freed right after. Alone in its process: what is freed may be anybody's the next
//! moment, and a thread of another test would write to it.
#![cfg(target_os = "linux")]

#[path = "scrub/memory.rs"]
mod memory;

use memory::{LEN, Memory, SECRET};
use pool_core::Scrub;
use std::hint::black_box;

/// Writes to storage that is freed right after are the first that an optimiser removes, as soon as it knows
/// whose storage it is: the box is a plain pointer to it.
#[inline(never)]
fn use_and_free(scrub: bool) -> usize {
    let mut bytes: Box<[u8; LEN]> = black_box(Box::new([SECRET; LEN]));
    let at = bytes.as_ptr() as usize;
    if scrub {
        bytes.scrub();
    }
    at
}

/// An allocator writes its own marks at the start of what is freed: glibc two words, of which one is random.
const MARKS: usize = 64;

#[test]
fn what_is_freed_right_after_was_overwritten_before() {
    let memory = Memory::open();
    let left = |at: usize| memory.count(at + MARKS, LEN - MARKS, SECRET);
    assert_eq!(left(use_and_free(true)), 0);
    // The control: without it, the bytes are there.
    if cfg!(target_env = "gnu") {
        assert_eq!(left(use_and_free(false)), LEN - MARKS);
    }
}

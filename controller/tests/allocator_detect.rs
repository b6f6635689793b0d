//! What finding out about the allocator leaves behind. In a binary of its own: glibc learns from what is freed, for the
//! whole process.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use pool_controller::allocator::{Allocator as _, Glibc, detect};
use std::hint::black_box;

const BLOCK_BYTES: usize = 1 << 20;

#[test]
fn large_blocks_leave_the_process_when_they_are_freed_as_they_did_before() {
    assert_eq!(detect().name(), "glibc");
    let block = black_box(vec![1_u8; BLOCK_BYTES]);
    // Behind it in a heap: its end could not simply be cut off.
    let behind = black_box(vec![1_u8; 64 << 10]);
    let kept = || Glibc.kept_bytes().expect("glibc 2.33 or newer");
    let before = kept();
    drop(block);
    let rose = kept().saturating_sub(before);
    assert!(rose < BLOCK_BYTES as u64 / 2, "{rose} bytes of it are kept");
    drop(behind);
}

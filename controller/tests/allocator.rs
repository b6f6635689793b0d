//! The allocator's own figures. In a binary of its own, because they are those of the whole process, and a purge of
//! another test would take what is to be trimmed here.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use pool_controller::sys::{Trimmed, allocator_use, malloc_trim};

#[test]
fn freed_blocks_are_retained_until_a_trim_gives_them_back() {
    // Many small blocks, so that they come from the heap and not from maps of their own. The last one is kept: the
    // heap's end cannot simply be cut off.
    let mut blocks: Vec<Box<[u8]>> = (0..16_384).map(|_| vec![1; 4000].into()).collect();
    let full = allocator_use().expect("glibc 2.33 or newer");
    assert!(full.allocated_bytes > 16_384 * 4000);
    let kept = blocks.pop();
    drop(blocks);
    let freed = allocator_use().expect("glibc 2.33 or newer");
    assert!(full.allocated_bytes - freed.allocated_bytes > 50 << 20, "{full:?} {freed:?}");
    assert!(freed.retained_bytes > 50 << 20, "{freed:?}");
    assert_eq!(malloc_trim(), Trimmed::Released);
    drop(kept);
}

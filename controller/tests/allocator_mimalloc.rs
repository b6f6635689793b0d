//! mimalloc serves this binary: what its adapter gives back is real, and it says that it has no reading.

mod allocators;

use allocators::Stays;
use pool_controller::allocator::{Allocator as _, Mimalloc};
use std::sync::Arc;

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One test: the figures are those of the whole process.
#[test]
fn free_memory_is_given_back_and_no_reading_is_claimed() {
    allocators::is_known_when_named(Arc::new(Mimalloc));
    assert_eq!(Mimalloc.kept_bytes(), None);
    allocators::gives_back(&Mimalloc, Stays::Nothing);
}

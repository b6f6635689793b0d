//! jemalloc serves this binary: what its adapter reads and gives back is real.

mod allocators;

use allocators::Stays;
use pool_controller::allocator::Jemalloc;
use std::sync::Arc;

#[global_allocator]
static GLOBAL: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// One test: the figures are those of the whole process.
#[test]
fn dirty_pages_are_read_and_given_back() {
    allocators::is_known_when_named(Arc::new(Jemalloc));
    // Large pieces are given back at once, before they can be read.
    allocators::gives_back(&Jemalloc, Stays::Half);
}

//! The allocator of this binary: the system's, or by a feature another one, for C code in the process too.

#[cfg(all(feature = "jemalloc", feature = "mimalloc"))]
compile_error!("the features `jemalloc` and `mimalloc` exclude each other: a program has one allocator");

use pool_controller::allocator::{self, Allocator};
use std::sync::Arc;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static GLOBAL: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What `--version` prints.
pub(crate) const VERSION: &str = if cfg!(feature = "jemalloc") {
    concat!(env!("CARGO_PKG_VERSION"), " (allocator: jemalloc)")
} else if cfg!(feature = "mimalloc") {
    concat!(env!("CARGO_PKG_VERSION"), " (allocator: mimalloc)")
} else {
    concat!(env!("CARGO_PKG_VERSION"), " (allocator: the system's)")
};

/// What the service's environment says, so that other allocators than glibc's give what is freed back at once. They read it
/// before `main`; glibc is told in the process. The binary's own jemalloc has no prefix, and its variable has none. mimalloc
/// asks for huge pages, of which a part that is given back counts until the kernel splits the whole.
pub(crate) const GIVE_BACK_AT_ONCE: [(&str, &str); 3] = [
    ("MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0"),
    ("MIMALLOC_PURGE_DELAY", "0"),
    ("MIMALLOC_ALLOW_THP", "0"),
];

/// What the controller is told of it. Without a feature it finds out by itself.
pub(crate) fn adapter() -> Arc<dyn Allocator> {
    #[cfg(feature = "jemalloc")]
    return Arc::new(allocator::Jemalloc);
    #[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
    return Arc::new(allocator::Mimalloc);
    #[cfg(not(any(feature = "jemalloc", feature = "mimalloc")))]
    allocator::detect()
}

//! The one call into mimalloc.

// The crate declares the function behind a feature that brings much else; it must be linked all the same.
use libmimalloc_sys as _;

/// Frees what can be freed of memory that no thread owns, and gives free memory back to the kernel.
pub(crate) fn collect() {
    // SAFETY: takes a flag and no pointers, and may be called from any thread; it touches only what is free.
    unsafe { mi_collect(true) }
}

// SAFETY: the declaration of mimalloc.h.
unsafe extern "C" {
    fn mi_collect(force: bool);
}

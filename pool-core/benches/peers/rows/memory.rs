//! What hands out bare memory: the floor that a pool cannot beat, the allocators that it must, and nothing at all.
//! All of them lend a pointer; none of them knows what a pool is.

use super::limit;
use crate::names;
use crate::shapes::{self, BUFFER_BYTES, Peer, count_created};
use std::alloc::{Layout, handle_alloc_error};
use std::ffi::{CStr, c_char, c_int};
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

/// [`limit`] as a peer. Across threads it cannot reuse: its getter allocates, its returner frees.
pub(crate) struct Limit;

impl Peer for Limit {
    type Lease<'a> = Raw;

    fn new(_objects: usize) -> Self {
        Self
    }

    #[inline(always)]
    fn lend(&self) -> Raw {
        let missed = || {
            count_created();
            // SAFETY: any size may be asked for; null is checked by `touched`.
            unsafe { libc::malloc(BUFFER_BYTES).cast() }
        };
        Raw(limit::pop().unwrap_or_else(missed)).touched()
    }

    #[inline(always)]
    fn give_back(&self, lease: Raw) {
        if !limit::push(lease.0) {
            // SAFETY: `lend` took it from malloc, and this was its only holder.
            unsafe { libc::free(lease.0.cast()) };
        }
    }

    fn thread_ends() {
        while let Some(buffer) = limit::pop() {
            // SAFETY: the stack holds buffers from malloc that nobody else has.
            unsafe { libc::free(buffer.cast()) };
        }
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

/// Nanoseconds per bare pointer in the cross-thread shape: what the hand-over itself costs.
pub(crate) fn bare_hand_over(pairs: u64) -> f64 {
    shapes::across(&Bare, pairs)
}

/// What allocators say of themselves, by name.
pub(crate) fn versions() -> [(&'static str, String); 3] {
    // SAFETY: it takes nothing and returns a number.
    let mimalloc = unsafe { mi_version() };
    let mut jemalloc: *const c_char = ptr::null();
    let mut size = size_of_val(&jemalloc);
    // SAFETY: jemalloc writes one pointer to a string that lives as long as the process; there is room for it.
    let known = unsafe {
        let into = (&raw mut jemalloc).cast();
        tikv_jemalloc_sys::mallctl(c"version".as_ptr(), into, &raw mut size, ptr::null_mut(), 0) == 0
    };
    // SAFETY: as it was just written.
    let jemalloc = known.then(|| unsafe { CStr::from_ptr(jemalloc) }.to_string_lossy());
    // The version itself; after it comes the commit.
    let jemalloc = jemalloc.and_then(|said| said.split('-').next().map(str::to_owned));
    [
        (names::GLIBC, system_allocator()),
        (names::JEMALLOC, jemalloc.unwrap_or_else(|| "unknown".into())),
        // 3.3.2 says 30302; before 3 it was 2.2.4 and 224.
        (names::MIMALLOC, dotted(mimalloc, if mimalloc < 10_000 { 10 } else { 100 })),
    ]
}

/// A version whose three parts stand in one number, each below `base`.
fn dotted(version: c_int, base: c_int) -> String {
    format!("{}.{}.{}", version / (base * base), version / base % base, version % base)
}

/// The version of the C library that `malloc` is from.
fn system_allocator() -> String {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it takes nothing and returns a string that lives as long as the process.
        let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
        version.to_string_lossy().into_owned()
    }
    #[cfg(not(target_env = "gnu"))]
    "none: this system has another C library".to_owned()
}

// SAFETY: the declaration of mimalloc.h, which the crate binds only with a feature that we need for nothing else.
unsafe extern "C" {
    fn mi_version() -> c_int;
}

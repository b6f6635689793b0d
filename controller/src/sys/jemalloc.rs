//! Calls into jemalloc: some of its figures by name, and a purge.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use tikv_jemalloc_sys::mallctl;

/// Free pages of all arenas. jemalloc says these without its statistics, which cost each allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnusedPages {
    /// Resident.
    pub(crate) dirty: u64,
    /// Offered to the kernel, which takes them when it must.
    pub(crate) muzzy: u64,
    /// Bytes in a page.
    pub(crate) page_bytes: u64,
}

impl UnusedPages {
    /// What counts against a limit until it is purged.
    pub(crate) fn bytes(self) -> u64 {
        self.dirty.saturating_add(self.muzzy).saturating_mul(self.page_bytes)
    }
}

/// Reads the figures anew. Visits every arena under its lock.
pub(crate) fn unused_pages() -> Option<UnusedPages> {
    // Any value: to write one is to have the figures taken anew.
    write(c"epoch", 1_u64)?;
    let pages = |name| read(name).and_then(|pages| u64::try_from(pages).ok());
    // 4096 stands for all arenas (MALLCTL_ARENAS_ALL).
    let (dirty, muzzy) = (pages(c"stats.arenas.4096.pdirty")?, pages(c"stats.arenas.4096.pmuzzy")?);
    Some(UnusedPages { dirty, muzzy, page_bytes: pages(c"arenas.page")? })
}

/// Gives all unused pages back; whether jemalloc took the request.
pub(crate) fn purge() -> bool {
    call(c"arena.4096.purge", Read::<()>::Nothing, None::<u64>)
}

enum Read<'a, T> {
    Nothing,
    Into(&'a mut T),
}

fn read(name: &CStr) -> Option<usize> {
    let mut value = 0_usize;
    call(name, Read::Into(&mut value), None::<u64>).then_some(value)
}

fn write(name: &CStr, value: u64) -> Option<()> {
    call(name, Read::<()>::Nothing, Some(value)).then_some(())
}

/// `T` and `U` are plain numbers.
fn call<T, U>(name: &CStr, read: Read<'_, T>, mut write: Option<U>) -> bool {
    let mut read_bytes = size_of::<T>();
    let (old, old_bytes): (*mut c_void, *mut usize) = match read {
        Read::Nothing => (ptr::null_mut(), ptr::null_mut()),
        Read::Into(value) => (ptr::from_mut(value).cast(), &raw mut read_bytes),
    };
    let (new, new_bytes) = match &mut write {
        None => (ptr::null_mut(), 0),
        Some(value) => (ptr::from_mut(value).cast(), size_of::<U>()),
    };
    // SAFETY: the name is a C string. jemalloc compares both sizes with that of what the name stands for: it writes at
    // most `old_bytes` to `old`, reads at most `new_bytes` from `new`, and refuses with a status where they differ. Both
    // outlive the call, or are null, which means that nothing is read or written. It may be called from any thread.
    let status: c_int = unsafe { mallctl(name.as_ptr(), old, old_bytes, new, new_bytes) };
    status == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What jemalloc said, and what of that is used.
    #[test]
    fn what_counts_is_dirty_and_muzzy_pages_in_bytes() {
        for (dirty, muzzy, page_bytes, used) in [
            (0, 0, 4096, 0),
            (16_384, 0, 4096, 64 << 20),
            (16_000, 384, 4096, 64 << 20),
            (1024, 0, 65_536, 64 << 20),
            (u64::MAX, 1, 4096, u64::MAX),
        ] {
            assert_eq!(
                UnusedPages { dirty, muzzy, page_bytes }.bytes(),
                used,
                "{dirty} {muzzy} {page_bytes}"
            );
        }
    }

    #[test]
    fn a_name_of_another_size_or_of_nothing_is_refused() {
        let mut byte = 0_u8;
        assert!(!call(c"arenas.page", Read::Into(&mut byte), None::<u64>));
        assert_eq!(read(c"no.such.figure"), None);
        assert!(read(c"arenas.page").is_some_and(usize::is_power_of_two));
        assert!(unused_pages().is_some() && purge());
    }
}

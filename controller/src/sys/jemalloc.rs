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
    call(c"arena.4096.purge", None, None)
}

fn read(name: &CStr) -> Option<usize> {
    let mut value = 0;
    call(name, Some(&mut value), None).then_some(value)
}

fn write(name: &CStr, value: u64) -> Option<()> {
    call(name, None, Some(value)).then_some(())
}

/// Reads and writes what a name stands for; whether jemalloc did. Numbers and not bytes: it takes them to be aligned.
fn call(name: &CStr, old: Option<&mut usize>, mut new: Option<u64>) -> bool {
    let mut old_bytes = size_of::<usize>();
    let (old, old_bytes): (*mut c_void, *mut usize) = match old {
        None => (ptr::null_mut(), ptr::null_mut()),
        Some(value) => (ptr::from_mut(value).cast(), &raw mut old_bytes),
    };
    let (new, new_bytes): (*mut c_void, usize) = match &mut new {
        None => (ptr::null_mut(), 0),
        Some(value) => (ptr::from_mut(value).cast(), size_of::<u64>()),
    };
    // SAFETY: the name is a C string. jemalloc compares both sizes with that of what the name stands for: it writes at
    // most `old_bytes` to `old`, reads at most `new_bytes` from `new`, and refuses with a status where they differ. Both
    // are numbers of that size, of which any bits are a value, and outlive the call, or are null, which means that nothing
    // is read or written. It may be called from any thread.
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
        assert_eq!(read(c"opt.abort"), None, "a flag of one byte");
        assert_eq!(read(c"no.such.figure"), None);
        assert!(read(c"arenas.page").is_some_and(usize::is_power_of_two));
        assert!(unused_pages().is_some() && purge());
    }
}

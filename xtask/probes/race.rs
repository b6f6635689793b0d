//! Wrong on purpose: ThreadSanitizer must find it. `cargo xtask sanitize` builds it; no crate does.
use std::cell::UnsafeCell;

struct Shared(UnsafeCell<u64>);

// SAFETY: none. Two threads write the cell without any order between them.
unsafe impl Sync for Shared {}

static SHARED: Shared = Shared(UnsafeCell::new(0));

fn main() {
    let write = || {
        for _ in 0..1000 {
            // SAFETY: none, see above.
            unsafe { *SHARED.0.get() += 1 };
        }
    };
    let threads = [std::thread::spawn(write), std::thread::spawn(write)];
    for thread in threads {
        thread.join().unwrap();
    }
}

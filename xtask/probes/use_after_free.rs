//! Wrong on purpose: AddressSanitizer must find it. `cargo xtask sanitize` builds it; no crate does.

fn main() {
    let bytes = vec![1_u8; 16];
    let dangling = std::hint::black_box(bytes.as_ptr());
    drop(bytes);
    // SAFETY: none. The memory was freed in the line above.
    println!("{}", unsafe { *dangling });
}

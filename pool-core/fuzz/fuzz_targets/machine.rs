//! The state machine of `pool-core/src/machine`, four bytes an operation.
#![no_main]
#![forbid(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // A longer list finds nothing that a shorter one does not, and takes its time.
    if bytes.len() <= 4 * 400 {
        pool_core::run_bytes(bytes);
    }
});

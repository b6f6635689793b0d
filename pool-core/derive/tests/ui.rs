//! What the compiler says about a derive that cannot be meant, and where it points.
//!
//! The expected words are those of Rust 1.95; after a change of the compiler or of a message, look at the
//! difference and accept it with `TRYBUILD=overwrite cargo test -p pool-core-derive --test ui`.

#[test]
fn errors_point_at_what_is_wrong() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

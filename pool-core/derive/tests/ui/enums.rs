//! An enum has exactly one default variant, without fields.

use pool_core::Recycle;

#[derive(Recycle)]
enum None_ {
    A,
    B(u32),
}

#[derive(Recycle)]
enum Empty {}

#[derive(Recycle)]
enum WithFields {
    #[default]
    A(u32),
    B,
}

#[derive(Recycle)]
enum Two {
    #[default]
    A,
    #[default]
    B,
}

#[derive(Recycle)]
enum WithValue {
    #[default = 1]
    A,
}

#[derive(Recycle)]
enum Attributes {
    #[default]
    #[recycle(keep)]
    A,
    B(#[recycle(scrub)] String),
}

fn main() {}

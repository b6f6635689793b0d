//! Attributes at the type that are unknown, said twice, or belong elsewhere.

use pool_core::Recycle;

#[derive(Recycle)]
#[recycle(keep)]
struct ForAField;

#[derive(Recycle)]
#[recycle(bounds(T: Copy))]
struct Unknown<T>(T);

#[derive(Recycle)]
#[recycle(crate = pool_core, crate = pool_core)]
struct Twice;

#[derive(Recycle)]
#[recycle(bound = "T: Copy")]
struct Quoted<T>(T);

#[derive(Recycle)]
#[recycle(crate = "pool_core")]
struct QuotedPath;

#[derive(Recycle)]
union Union {
    a: u32,
    b: f32,
}

fn main() {}

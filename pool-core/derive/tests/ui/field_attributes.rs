//! Attributes at fields that are unknown, said twice, or contradict each other.

use pool_core::Recycle;

#[derive(Recycle)]
struct Fields {
    #[recycle(kep)]
    unknown: u32,
    #[recycle(keep, scrub)]
    two_fates: u32,
    #[recycle(keep)]
    #[recycle(with = drop)]
    two_fates_apart: u32,
    #[recycle(keep, keep)]
    twice: u32,
    #[recycle(weight = a, weight = b)]
    weight_twice: u32,
    #[recycle(keep = true)]
    value: u32,
    #[recycle(scrub(all))]
    list: u32,
    #[recycle(with)]
    no_path: u32,
    #[recycle(with = "path")]
    quoted: u32,
    #[recycle(with = |x, _| Keep::Yes)]
    closure: u32,
    #[recycle]
    nothing: u32,
    #[recycle()]
    empty: u32,
    #[recycle = "keep"]
    assigned: u32,
    #[recycle(crate = pool_core)]
    for_the_type: u32,
    #[recycle(pool::keep)]
    path: u32,
}

fn main() {}

//! Functions named in attributes that are not there, or take or return something else.

use pool_core::{Keep, Recycle, Retention};

fn no_verdict(_: &mut String, _: &Retention) {}
fn other_field(_: &mut Vec<u8>, _: &Retention) -> Keep {
    Keep::Yes
}
fn no_retention(_: &mut String) -> Keep {
    Keep::Yes
}
fn small(_: &String) -> u32 {
    0
}

#[derive(Recycle)]
struct Functions {
    #[recycle(with = nowhere)]
    a: String,
    #[recycle(with = no_verdict)]
    b: String,
    #[recycle(with = other_field)]
    c: String,
    #[recycle(with = no_retention)]
    d: String,
    #[recycle(keep, weight = small)]
    e: String,
}

fn main() {}

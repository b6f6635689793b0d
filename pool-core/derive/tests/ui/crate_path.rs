//! A pool-core that is not where the attribute says.

use pool_core::Recycle;

#[derive(Recycle)]
#[recycle(crate = nowhere)]
struct Nowhere(String);

fn main() {}

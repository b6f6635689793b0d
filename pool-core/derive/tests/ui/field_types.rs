//! A field whose type cannot be recycled or scrubbed is an error at that type.

use pool_core::Recycle;
use std::collections::HashMap;
use std::sync::Arc;

struct Foreign;

#[derive(Recycle)]
struct Named {
    fine: String,
    forgotten: Arc<HashMap<String, u32>>,
}

#[derive(Recycle)]
struct Tuple(u32, std::time::Instant);

#[derive(Recycle)]
struct Nested {
    parts: [Foreign; 2],
}

#[derive(Recycle)]
struct Secret {
    #[recycle(scrub)]
    words: Vec<String>,
}

#[derive(Recycle)]
struct Generic<T> {
    shared: Arc<T>,
}

fn main() {
    fn asks_for_it<T: Recycle>() {}
    asks_for_it::<Generic<u32>>();
}

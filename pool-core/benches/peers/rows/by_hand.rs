//! Pools as one makes them by hand: take one out, or create; clear it, and put it back.

use super::{fresh, touch};
use crate::shapes::Peer;
use std::sync::{Mutex, PoisonError};

macro_rules! by_hand {
    ($name:ident, $new:expr, $take:expr, $put:expr) => {
        impl Peer for $name {
            type Lease<'a> = Vec<u8>;

            fn new(objects: usize) -> Self {
                let pool = Self($new(objects));
                for _ in 0..objects {
                    $put(&pool.0, fresh());
                }
                pool
            }

            #[inline(always)]
            fn lend(&self) -> Vec<u8> {
                let mut buffer = $take(&self.0).unwrap_or_else(fresh);
                touch(&mut buffer);
                buffer
            }

            #[inline(always)]
            fn give_back(&self, mut buffer: Vec<u8>) {
                buffer.clear();
                $put(&self.0, buffer);
            }
        }
    };
}

/// crossbeam's bounded queue. A full one hands the buffer back, and it is dropped: that is a pool's bound.
pub(crate) struct Bounded(crossbeam_queue::ArrayQueue<Vec<u8>>);

by_hand!(
    Bounded,
    crossbeam_queue::ArrayQueue::new,
    crossbeam_queue::ArrayQueue::pop,
    |queue: &crossbeam_queue::ArrayQueue<Vec<u8>>, buffer| {
        drop(queue.push(buffer));
    }
);

/// crossbeam's unbounded queue.
pub(crate) struct Unbounded(crossbeam_queue::SegQueue<Vec<u8>>);

by_hand!(
    Unbounded,
    |_| crossbeam_queue::SegQueue::new(),
    crossbeam_queue::SegQueue::pop,
    crossbeam_queue::SegQueue::push
);

/// What most services begin with.
pub(crate) struct Locked(Mutex<Vec<Vec<u8>>>);

by_hand!(
    Locked,
    |objects| Mutex::new(Vec::with_capacity(objects)),
    |stack: &Mutex<Vec<Vec<u8>>>| stack.lock().unwrap_or_else(PoisonError::into_inner).pop(),
    |stack: &Mutex<Vec<Vec<u8>>>, buffer| stack.lock().unwrap_or_else(PoisonError::into_inner).push(buffer)
);

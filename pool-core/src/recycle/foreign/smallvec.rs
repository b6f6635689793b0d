//! `SmallVec`: inline at first, a vector once it has spilled.

use crate::recycle::{Keep, Recycle};
use crate::retention::Retention;
use smallvec::{Array, SmallVec};
use std::mem::size_of;

/// Emptied; its elements are dropped. Storage that it has spilled to stays, is judged and weighs; what stands
/// inline belongs to the value itself and weighs nothing more.
impl<A: Array> Recycle for SmallVec<A> {
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        let keep = retention.judge(self.len() * size_of::<A::Item>(), self.weight());
        self.clear();
        keep
    }
    #[inline]
    fn weight(&self) -> usize {
        if self.spilled() { self.capacity() * size_of::<A::Item>() } else { 0 }
    }
}

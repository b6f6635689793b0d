//! Buffers of the crate `bytes`, whose storage can be shared.

use crate::recycle::{Keep, Recycle};
use crate::retention::Retention;
use bytes::{Bytes, BytesMut};

/// Emptied; what storage is its own stays, also what its user read past (`advance`) or split off and dropped.
/// Storage that is still shared with `Bytes` handed out earlier is neither kept nor weighed.
impl Recycle for BytesMut {
    #[inline]
    fn recycle(&mut self, retention: &Retention) -> Keep {
        let (len, before) = (self.len(), self.capacity());
        self.clear();
        reclaim(self);
        // What came back at the front had been written and read: it was used.
        let used = len + self.capacity().saturating_sub(before);
        retention.judge(used, self.capacity())
    }
    #[inline]
    fn weight(&self) -> usize {
        self.capacity()
    }
}

/// Lets go of the shared storage.
impl Recycle for Bytes {
    #[inline]
    fn recycle(&mut self, _: &Retention) -> Keep {
        *self = Self::new();
        Keep::Yes
    }
}

/// Makes an empty buffer as large as the storage that is its own, without allocating.
///
/// Only an attempt tells whether storage can be had, and an attempt that succeeds may get just what it asked
/// for: the steps double while they succeed and halve when they fail. One attempt if there is nothing to get.
#[inline]
pub(crate) fn reclaim(empty: &mut BytesMut) {
    let mut step = 1_usize;
    while step > 0 {
        let wanted = empty.capacity().saturating_add(step);
        step = if empty.try_reclaim(wanted) { step.saturating_mul(2) } else { step / 2 };
    }
}

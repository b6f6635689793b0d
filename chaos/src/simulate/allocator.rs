//! The allocator of a process: what pools have freed and the kernel has not got back.

use super::scenario::Allocator;
use pool_controller::decide::State;
use std::collections::VecDeque;

/// For how long a decaying allocator keeps what is free, ms.
const DECAY_MS: u64 = 10_000;

/// Free memory of a process.
#[derive(Clone, Debug)]
pub(super) struct Heap {
    kind: Allocator,
    /// Free and resident: bytes, and until when they stay. Oldest in front.
    dirty: VecDeque<(u64, u64)>,
    dirty_bytes: u64,
    /// Free blocks whose pages are gone.
    clean_bytes: u64,
    purge: Purges,
}

/// Purges so far, and when the next one may begin: as the controller's own gate.
#[derive(Clone, Copy, Debug, Default)]
struct Purges {
    total: u64,
    /// Free blocks at the end of the last one.
    left_bytes: u64,
    last_ms: Option<u64>,
    doublings: u32,
}

impl Heap {
    pub(super) fn new(kind: Allocator) -> Self {
        let (dirty, purge) = (VecDeque::new(), Purges::default());
        Self { kind, dirty, dirty_bytes: 0, clean_bytes: 0, purge }
    }

    /// Something was freed.
    pub(super) fn free(&mut self, bytes: u64, now_ms: u64) {
        if bytes == 0 {
            return;
        }
        self.dirty_bytes += bytes;
        match self.dirty.back_mut() {
            Some((until, back)) if *until == now_ms + DECAY_MS => *back += bytes,
            _ => self.dirty.push_back((now_ms + DECAY_MS, bytes)),
        }
    }

    /// Something is allocated: of what is free, as far as it is in one piece (a twentieth is not), the rest is new.
    pub(super) fn take(&mut self, bytes: u64) {
        let reused = bytes.min(self.dirty_bytes / 20 * 19);
        self.forget(reused);
        self.clean_bytes -= (bytes - reused).min(self.clean_bytes / 20 * 19);
    }

    /// The newest first: it lies on top.
    fn forget(&mut self, bytes: u64) {
        self.dirty_bytes -= bytes;
        let mut left = bytes;
        while left > 0 {
            let Some((_, back)) = self.dirty.back_mut() else { return };
            let taken = left.min(*back);
            *back -= taken;
            left -= taken;
            if *back == 0 {
                self.dirty.pop_back();
            }
        }
    }

    /// Time passes.
    pub(super) fn age(&mut self, now_ms: u64) {
        if self.kind != Allocator::Decays {
            return;
        }
        while let Some((_, bytes)) = self.dirty.front().copied().filter(|(until, _)| *until <= now_ms) {
            self.dirty.pop_front();
            self.dirty_bytes -= bytes;
            self.clean_bytes += bytes;
        }
    }

    /// A controller asks for what is free. It comes no more often than every 10 s (2 s in critical), and more
    /// seldom while it frees little.
    pub(super) fn purge(&mut self, now_ms: u64, state: State) {
        let apart_ms = if state == State::Critical { 2000 } else { 10_000 };
        let due_ms = self.purge.last_ms.map_or(0, |last| last + (apart_ms << self.purge.doublings));
        if now_ms < due_ms {
            return;
        }
        let freed = self.give_back();
        let doublings = if freed < 1 << 20 { (self.purge.doublings + 1).min(5) } else { 0 };
        let left_bytes = self.free_bytes().unwrap_or(0);
        let total = self.purge.total + 1;
        self.purge = Purges { total, left_bytes, last_ms: Some(now_ms), doublings };
    }

    /// Gives back what it can; returns how many bytes.
    pub(super) fn give_back(&mut self) -> u64 {
        let freed = if self.kind == Allocator::Nothing { 0 } else { self.dirty_bytes / 20 * 19 };
        self.forget(freed);
        self.clean_bytes += freed;
        freed
    }

    /// So many thousandths of what is free stay resident; the rest is used by others, or gone.
    pub(super) fn keep(&mut self, permille: u64) {
        self.forget(self.dirty_bytes / 1000 * (1000 - permille.min(1000)));
    }

    /// Free and resident.
    pub(super) fn dirty_bytes(&self) -> u64 {
        self.dirty_bytes
    }

    /// What the allocator says that is free, resident or not.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        (self.kind != Allocator::Silent).then_some(self.dirty_bytes + self.clean_bytes)
    }

    /// Purges so far, and the free blocks that the last one left.
    pub(super) fn purges(&self) -> (u64, u64) {
        (self.purge.total, self.purge.left_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn freed(kind: Allocator) -> Heap {
        let mut heap = Heap::new(kind);
        heap.free(20 * MIB, 0);
        heap
    }

    #[test]
    fn what_is_free_is_taken_first_but_for_a_twentieth() {
        let mut heap = freed(Allocator::Keeps);
        heap.take(15 * MIB);
        assert_eq!(heap.dirty_bytes(), 5 * MIB);
        heap.take(10 * MIB);
        assert_eq!(heap.dirty_bytes(), 5 * MIB - 5 * MIB / 20 * 19);
    }

    #[test]
    fn each_kind_gives_back_in_its_way() {
        let after = |kind, ms, purge: bool| {
            let mut heap = freed(kind);
            heap.age(ms);
            if purge {
                heap.purge(ms, State::High);
            }
            heap.dirty_bytes()
        };
        assert_eq!(after(Allocator::Keeps, 99_000, false), 20 * MIB);
        assert_eq!(after(Allocator::Keeps, 0, true), MIB);
        assert_eq!(
            [after(Allocator::Decays, 9999, false), after(Allocator::Decays, 10_000, false)],
            [20 * MIB, 0]
        );
        assert_eq!(after(Allocator::Nothing, 99_000, true), 20 * MIB);
        assert_eq!(after(Allocator::Silent, 0, true), MIB);
        assert_eq!(
            (freed(Allocator::Silent).free_bytes(), freed(Allocator::Keeps).free_bytes()),
            (None, Some(20 * MIB))
        );
    }

    #[test]
    fn purges_keep_their_distance_and_back_off_when_they_free_little() {
        let mut heap = freed(Allocator::Keeps);
        let mut done = Vec::new();
        for ms in (0..60_000).step_by(1000) {
            let before = heap.purges().0;
            heap.purge(ms, State::High);
            if heap.purges().0 > before {
                done.push(ms);
            }
        }
        assert_eq!(done, [0, 10_000, 30_000]);
        let mut heap = freed(Allocator::Keeps);
        heap.purge(0, State::Critical);
        heap.free(20 * MIB, 0);
        heap.purge(1999, State::Critical);
        assert_eq!(heap.purges().0, 1);
        heap.purge(2000, State::Critical);
        assert_eq!(heap.purges().0, 2);
    }
}

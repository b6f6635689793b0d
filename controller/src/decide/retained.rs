//! What was freed and the allocator still holds.
//!
//! A trimmed object leaves the pool at once and the process late: the allocator keeps its pages until it gives
//! them back or until the next create takes them. Meanwhile usage has not fallen. A law that took this for the
//! need of others would shrink the budget, trim again, and starve the pools step by step; and pools that are
//! starved create and drop all the time, which leaves even more behind.
//!
//! Two estimates, of which the higher counts, and both err towards less:
//! - the ledger: what pools own less (idle and lent) came free; what they own more, and what usage falls, is
//!   taken off again. It sees only the net of a tick.
//! - the heap: how much the allocator's free blocks have grown since they were fewest after the last purge. All
//!   of that was in use since then, so its pages are resident; blocks from before the purge may have none.
//!
//! It knows no limit and makes no decision.

/// The account.
#[derive(Clone, Debug, Default)]
pub(super) struct Retained {
    before: Option<Matched>,
    ledger: u64,
    heap: Option<HeapMark>,
}

/// Figures of one moment, bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matched {
    pub(super) usage: u64,
    pub(super) idle: u64,
    pub(super) lent: u64,
    /// Free blocks of the allocator, if it says.
    pub(super) heap_free: Option<u64>,
    /// Those that the last purge left, without pages.
    pub(super) heap_clean: u64,
    /// Purges so far.
    pub(super) purges: u64,
}

#[derive(Clone, Copy, Debug)]
struct HeapMark {
    purges: u64,
    free_min: u64,
}

impl Retained {
    /// Takes the figures of a tick and returns what the allocator still holds of what was freed.
    pub(super) fn update(&mut self, now: Matched) -> u64 {
        let heap = self.heap(now);
        let owned = now.idle + now.lent;
        if let Some(before) = self.before.replace(now) {
            let owned_before = before.idle + before.lent;
            let freed = self.ledger + owned_before.saturating_sub(owned);
            let reused = owned.saturating_sub(owned_before);
            let given_back = before.usage.saturating_sub(now.usage);
            self.ledger = freed.saturating_sub(reused).saturating_sub(given_back);
        }
        let beyond_pools = now.usage.saturating_sub(owned);
        self.ledger = self.ledger.min(beyond_pools);
        self.ledger.max(heap).min(beyond_pools)
    }

    /// Usage jumped to another group's, or figures are missing: what is retained is kept, nothing is compared.
    pub(super) fn interrupt(&mut self) {
        self.before = None;
    }

    fn heap(&mut self, now: Matched) -> u64 {
        let Some(free) = now.heap_free else { return 0 };
        let free_min = if now.purges == 0 { free } else { now.heap_clean };
        let fresh = HeapMark { purges: now.purges, free_min };
        let mark = self.heap.get_or_insert(fresh);
        if mark.purges != now.purges {
            *mark = fresh;
        }
        mark.free_min = mark.free_min.min(free);
        free - mark.free_min
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(usage: u64, idle: u64, lent: u64) -> Matched {
        Matched { usage, idle, lent, heap_free: None, heap_clean: 0, purges: 0 }
    }

    fn run(steps: &[Matched]) -> Vec<u64> {
        let mut retained = Retained::default();
        steps.iter().map(|step| retained.update(*step)).collect()
    }

    #[test]
    fn a_trim_is_retained_until_usage_falls() {
        let steps = [at(100, 50, 10), at(100, 20, 10), at(100, 20, 10), at(85, 20, 10), at(60, 20, 10)];
        assert_eq!(run(&steps), [0, 30, 30, 15, 0]);
    }

    #[test]
    fn creates_reuse_what_is_retained() {
        assert_eq!(run(&[at(100, 50, 0), at(100, 10, 0), at(100, 10, 25), at(100, 10, 60)]), [0, 40, 15, 0]);
    }

    #[test]
    fn lending_and_returning_free_nothing() {
        assert_eq!(run(&[at(100, 50, 0), at(100, 0, 50), at(100, 50, 0)]), [0, 0, 0]);
    }

    #[test]
    fn never_more_than_what_is_used_beyond_the_pools() {
        assert_eq!(run(&[at(100, 90, 0), at(60, 55, 0), at(60, 5, 0)]), [0, 0, 50]);
        assert_eq!(run(&[at(100, 90, 20), at(100, 80, 10)]), [0, 10]);
        let heap = |free| Matched { heap_free: Some(free), ..at(100, 50, 30) };
        assert_eq!(run(&[heap(0), heap(60)]), [0, 20]);
    }

    #[test]
    fn the_heap_shows_what_the_net_of_a_tick_hides() {
        let heap =
            |free, purges| Matched { heap_free: Some(free), heap_clean: 38, purges, ..at(100, 20, 30) };
        assert_eq!(run(&[heap(40, 0), heap(25, 0), heap(60, 0)]), [0, 0, 35]);
        let purged = [heap(10, 0), heap(40, 0), heap(40, 1), heap(15, 1), heap(35, 1)];
        assert_eq!(run(&purged), [0, 30, 2, 0, 20], "a purge leaves the blocks and takes their pages");
    }

    #[test]
    fn an_allocator_that_says_nothing_changes_nothing() {
        let silent = Matched { heap_free: Some(0), ..at(100, 20, 10) };
        assert_eq!(run(&[Matched { heap_free: Some(0), ..at(100, 50, 10) }, silent]), [0, 30]);
    }
}

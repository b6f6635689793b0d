//! A slot: one thread id's magazine in one pool, and the protocol by which a drainer may visit it.
//!
//! The owner is the thread that has the slot's id. It works between [`Own::enter`] and the drop of the [`Within`] that
//! this gives, with plain loads and stores. A drainer sets [`attention::STOP`], issues a heavy fence, and then may
//! visit the slot if `active` is 0. Nobody waits: an owner that is asked to stop goes to the depot, a drainer that
//! finds the owner inside leaves the slot for the next pass.
//!
//! Rules for the `unsafe` in `cell` and in `drainer`:
//! **S1** between an `enter` that returned true and `leave`, the owner alone touches what is marked *guarded*. An
//! owner that finds itself inside already (its thread was interrupted there by a signal handler, or called from
//! there by an allocator) is refused, and `active` stays as it was: the first of the two is still inside. [`Own`] is
//! the owner and [`Within`] the owner inside; both stay with their thread, and are not kept until it has given its
//! id back.
//! **S2** a drainer touches it only between a mark, a heavy fence that began after the mark, a load of
//! `active` that gave 0, and the release of the mark; one drainer at a time (the pool's drainer lock). [`Visit`] is
//! a drainer there.
//! **S3** S1 and S2 exclude each other: the fence makes the owner see the mark or the drainer see `active`.
//! **S4** magazine entries below `len` are initialised, and owned (N1); those above are not. Credit is never above
//! the magazine, so what fits has a place.
//! **S5** after `leave` following a push, the pool may be gone: the owner touches neither slot nor inside.

mod cell;
mod level;

pub(crate) use self::cell::{Own, Slot, Visit, Within};

/// Bits of the attention word. Others than the owner change it by read-modify-write only.
pub(crate) mod attention {
    /// A drainer wants to visit: keep out.
    pub(crate) const STOP: u32 = 1;
    /// The pool is closed: returned objects are dropped.
    pub(crate) const CLOSED: u32 = 1 << 1;
    /// A knob changed that draws events: draw them anew.
    pub(crate) const REDRAW: u32 = 1 << 2;
    /// Fault sites are armed.
    #[cfg(feature = "failpoints")]
    pub(crate) const FAULTS: u32 = 1 << 3;
    /// No membarrier: the owner fences too. Never cleared.
    pub(crate) const FALLBACK: u32 = 1 << 4;
    /// The capacity was cut: unused credit goes back.
    pub(crate) const RECREDIT: u32 = 1 << 5;
    /// What concerns gets only: a thread that only returns would never clear it.
    #[cfg(feature = "failpoints")]
    pub(crate) const NOT_FOR_RETURNS: u32 = REDRAW | FAULTS;
    #[cfg(not(feature = "failpoints"))]
    pub(crate) const NOT_FOR_RETURNS: u32 = REDRAW;
    /// What keeps an owner out; everything else only sends it through the slow path.
    pub(crate) const BARRED: u32 = STOP | CLOSED;
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;
    use crate::fence;
    use crate::sync::atomic::Ordering::Release;
    use crate::table::Table;

    #[test]
    fn a_slot_is_within_its_budget() {
        assert!(size_of::<Slot>() <= 1024, "{} bytes", size_of::<Slot>());
    }

    /// A table with this thread's slot, in which nothing is due.
    fn table() -> Table {
        let table = Table::new();
        let id = crate::thread_id::assign().unwrap();
        table.get_or_insert(id, || Slot::new(id, 0, 1)).unwrap().unset(attention::REDRAW, Release);
        table
    }

    fn enter(table: &Table) -> Option<Within<'_>> {
        table.own()?.enter()
    }

    /// Slots that a pass would find busy.
    fn busy(table: &Table) -> u64 {
        let mut drainer = table.drainer();
        drainer.mark();
        drainer.visit(&fence::heavy(), |_| {})
    }

    #[test]
    fn a_pass_finds_an_owner_that_is_inside_and_it_is_inside_until_it_goes() {
        let table = table();
        let mut drainer = table.drainer();
        drainer.mark();
        assert!(enter(&table).is_none());
        assert_eq!(drainer.visit(&fence::heavy(), |_| {}), 0);
        drop(drainer);
        let within = enter(&table);
        assert!(within.is_some());
        assert!(enter(&table).is_none() && table.own().unwrap().get_fast().is_none());
        assert_eq!(busy(&table), 1, "the first is inside still");
        drop(within);
        assert_eq!(busy(&table), 0);
    }

    #[test]
    fn a_mark_is_of_no_use_with_an_earlier_fence() {
        let table = table();
        let early = fence::heavy();
        let mut drainer = table.drainer();
        drainer.mark();
        assert_eq!(drainer.visit(&early, |_| unreachable!("it was not stopped")), 1);
        assert_eq!(drainer.marked_at(), None);
    }

    #[test]
    fn closed_slots_are_visited_and_stay_closed() {
        let table = table();
        let shut = table.shut(|| {});
        let fenced = fence::heavy();
        let mut drainer = table.drainer();
        for _ in 0..2 {
            assert_eq!(drainer.visit_shut(&shut, &fenced, |slot| assert_eq!(slot.len(), 0)), 0);
            assert!(enter(&table).is_none());
            table.find(crate::thread_id::current()).unwrap().unset(attention::BARRED, Release);
        }
    }
}

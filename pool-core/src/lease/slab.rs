//! Where records come from: stripes of growing slabs. A thread takes from the stripe of its id, any thread gives
//! back, and nobody waits for anybody.
//!
//! ```text
//!  stripe: free bits, a few records ──► slab: free bits, records ──► slab, twice as large ──► …
//! ```
//!
//! A slab stays as long as its stripe. Taking a record is a search for a bit and one read-modify-write that clears
//! it; the search begins where something was given back last.

use super::budget::Budget;
use super::lasting::Lasting;
use super::record::{Entry, Record};
use crate::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// Records of the threads whose ids share it. Aligned so that no two stripes share a cache line.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Stripe {
    /// Where to look first, as [`Place::bits`] of a word's first record; [`NOTHING_FREE`].
    hint: AtomicU32,
    /// How many of its own records the budget allowed.
    own: u32,
    missed: AtomicU64,
    free: [AtomicU64; 1],
    records: [Record; FIRST as usize],
    next: Lasting<Slab>,
}

#[derive(Debug)]
struct Slab {
    free: Box<[AtomicU64]>,
    records: Box<[Record]>,
    next: Lasting<Slab>,
}

/// A slab, or what a stripe has itself.
#[derive(Clone, Copy)]
struct Part<'a> {
    number: u32,
    /// A bit a record; 1: free.
    free: &'a [AtomicU64],
    records: &'a [Record],
    next: &'a Lasting<Slab>,
}

/// Where a record is in its stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    part: u32,
    index: u32,
}

/// Records that a stripe has itself: enough for what sampling has out at a time.
const FIRST: u32 = if cfg!(ebbpool_loom) { 1 } else { 5 };
/// Those of its first slab, and then twice as many each time.
const SECOND: u32 = if cfg!(ebbpool_loom) { 1 } else { 64 };
const SLAB_MAX: u32 = if cfg!(ebbpool_loom) { 1 } else { 1 << INDEX_BITS };
const INDEX_BITS: u32 = 12;
/// More parts than a stripe that has the whole budget needs: 5 records, 64 to 4,096, and 15 times 4,096.
const PARTS_MAX: u32 = 32;
pub(crate) const PLACE_BITS: u32 = INDEX_BITS + PARTS_MAX.ilog2();

const NOTHING_FREE: u32 = u32::MAX;
/// A stripe without a free record looks again at each so many-th lease, for one that was given back just when
/// the last look ended.
const LOOK_AGAIN_ONE_IN: u64 = if cfg!(ebbpool_loom) { 2 } else { 256 };

impl Stripe {
    pub(crate) fn new(budget: &Budget) -> Self {
        let own = budget.take(FIRST).unwrap_or(0);
        Self {
            hint: AtomicU32::new(0),
            own,
            missed: AtomicU64::new(0),
            free: [AtomicU64::new(first_bits(own))],
            records: std::array::from_fn(|_| Record::new()),
            next: Lasting::new(),
        }
    }

    /// What it took of the budget for itself.
    pub(crate) fn own(&self) -> u32 {
        self.own
    }

    /// Puts a lease on a free record. `None`, and counted as missed, if there is none.
    pub(crate) fn begin(&self, entry: &Entry, budget: &Budget) -> Option<(Place, u64)> {
        let hint = self.hint.load(Relaxed);
        if hint == NOTHING_FREE && self.missed() % LOOK_AGAIN_ONE_IN != 0 {
            self.missed.fetch_add(1, Relaxed);
            return None;
        }
        let hinted = || {
            let place = (hint != NOTHING_FREE).then(|| Place::from_bits(hint))?;
            self.part(place.part)?.claim(place.index / 64)
        };
        let Some((place, record)) = hinted().or_else(|| self.search()).or_else(|| self.grow(budget)) else {
            // Not over a hint from a return meanwhile. One that names the same place again is lost until the
            // next return, or until the next look.
            let _ = self.hint.compare_exchange(hint, NOTHING_FREE, Relaxed, Relaxed);
            self.missed.fetch_add(1, Relaxed);
            return None;
        };
        self.point_to(place);
        Some((place, record.begin(entry)))
    }

    /// Ends a lease and gives its record back. False if that lease is not there: nothing is changed then.
    pub(crate) fn end(&self, place: Place, state: u64) -> bool {
        let Some(part) = self.part(place.part) else { return false };
        let (record, word) =
            (part.records.get(place.index as usize), part.free.get(place.index as usize / 64));
        let (Some(record), Some(word)) = (record, word) else { return false };
        if !record.end(state) {
            return false;
        }
        // Release pairs with the acquire in `claim`: who takes the record finds this lease ended; and with the one
        // in `taken`.
        word.fetch_or(place.bit(), Release);
        self.point_to(place);
        true
    }

    pub(crate) fn is_on(&self, place: Place, state: u64) -> bool {
        let record = self.part(place.part).and_then(|part| part.records.get(place.index as usize));
        record.is_some_and(|record| record.is_on(state))
    }

    /// Calls `f` with every lease that is on record throughout.
    pub(crate) fn for_each(&self, mut f: impl FnMut(Place, u64, Entry)) {
        for part in self.parts() {
            for (index, record) in part.taken() {
                if let Some((state, entry)) = record.read() {
                    f(Place { part: part.number, index }, state, entry);
                }
            }
        }
    }

    /// Leases that are on record, and leases missed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.parts().map(Part::taken_count).sum(), self.missed())
    }

    fn missed(&self) -> u64 {
        self.missed.load(Relaxed)
    }

    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let records = &self.records[..self.own as usize];
        let own = Part { number: 0, free: &self.free, records, next: &self.next };
        std::iter::successors(Some(own), |part| part.next())
    }

    fn part(&self, number: u32) -> Option<Part<'_>> {
        self.parts().nth(number as usize)
    }

    #[cold]
    fn search(&self) -> Option<(Place, &Record)> {
        self.parts().find_map(|part| (0..).zip(part.free).find_map(|(word, _)| part.claim(word)))
    }

    #[cold]
    fn grow(&self, budget: &Budget) -> Option<(Place, &Record)> {
        let mut part = self.part(0)?;
        while part.number + 1 < PARTS_MAX {
            if part.next().is_none() {
                let size = budget.take(Slab::size(part.number + 1))?;
                let (_, is_ours) = part.next.get_or_make(|| Slab::new(size));
                if !is_ours {
                    budget.give(size);
                }
            }
            part = part.next()?;
            // Another thread may have made it and taken all of it.
            if let Some(found) = part.claim(0) {
                return Some(found);
            }
        }
        None
    }

    #[inline]
    fn point_to(&self, place: Place) {
        let bits = Place { index: place.index & !63, ..place }.bits();
        // Loaded first: a store would take the line from the other threads of this stripe.
        if self.hint.load(Relaxed) != bits {
            self.hint.store(bits, Relaxed);
        }
    }
}

impl Slab {
    fn new(size: u32) -> Self {
        let bits = (0..size.div_ceil(64)).map(|word| AtomicU64::new(first_bits(size - word * 64)));
        let records = (0..size).map(|_| Record::new());
        Self { free: bits.collect(), records: records.collect(), next: Lasting::new() }
    }

    /// How many records a part of that number has, if the budget allows.
    fn size(number: u32) -> u32 {
        (SECOND << (number - 1).min(INDEX_BITS)).min(SLAB_MAX)
    }
}

/// As many ones as there are records, at most 64.
fn first_bits(records: u32) -> u64 {
    u64::MAX.checked_shr(64_u32.saturating_sub(records)).unwrap_or(0)
}

impl<'a> Part<'a> {
    /// Takes a free record of a word. Each round but the last means that another thread took one.
    #[inline]
    fn claim(self, word: u32) -> Option<(Place, &'a Record)> {
        let bits = self.free.get(word as usize)?;
        let mut free = bits.load(Relaxed);
        while free != 0 {
            let place = Place { part: self.number, index: word * 64 + free.trailing_zeros() };
            // Acquire pairs with the release in `end`: the record's last lease has ended before ours begins.
            let before = bits.fetch_and(!place.bit(), Acquire);
            if before & place.bit() != 0 {
                return Some((place, self.records.get(place.index as usize)?));
            }
            free = before;
        }
        None
    }

    fn next(self) -> Option<Self> {
        let Slab { free, records, next } = self.next.get()?;
        Some(Self { number: self.number + 1, free, records, next })
    }

    fn taken(self) -> impl Iterator<Item = (u32, &'a Record)> {
        (0..).zip(self.records).filter(move |(index, _)| {
            // Acquire pairs with the release in `end`: who finds a lease gone sees what was done before its end.
            let free = self.free.get(*index as usize / 64).map_or(0, |word| word.load(Acquire));
            free & (1 << (index % 64)) == 0
        })
    }

    fn taken_count(self) -> u64 {
        let free: u32 = self.free.iter().map(|word| word.load(Relaxed).count_ones()).sum();
        (self.records.len() as u64).saturating_sub(u64::from(free))
    }
}

impl Place {
    pub(crate) fn bits(self) -> u32 {
        self.part << INDEX_BITS | self.index
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        Self { part: bits >> INDEX_BITS, index: bits & ((1 << INDEX_BITS) - 1) }
    }

    /// Its bit in its word.
    fn bit(self) -> u64 {
        1 << (self.index % 64)
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::super::budget::RECORDS_MAX;
    use super::*;

    #[test]
    fn what_sampling_needs_is_two_pairs_of_cache_lines() {
        assert!(size_of::<Stripe>() <= 256, "{} bytes", size_of::<Stripe>());
    }

    #[test]
    fn a_stripe_has_what_the_budget_leaves_it() {
        let budget = Budget::new();
        let rest = budget.take(RECORDS_MAX - 3);
        let stripe = Stripe::new(&budget);
        let entry = Entry { site: std::panic::Location::caller(), since_ns: 0, thread: 0, span: 0 };
        let got = [(); 4].map(|()| stripe.begin(&entry, &budget).is_some());
        assert_eq!((rest, got, stripe.counts()), (Some(RECORDS_MAX - 3), [true, true, true, false], (3, 1)));
        assert_eq!(Stripe::new(&budget).counts(), (0, 0));
    }

    #[test]
    fn slabs_double_up_to_their_limit_and_a_whole_budget_has_numbers_for_all() {
        let sizes: Vec<_> = (1..PARTS_MAX).map(Slab::size).collect();
        assert_eq!(sizes[..8], [64, 128, 256, 512, 1024, 2048, 4096, 4096]);
        assert!(sizes.iter().sum::<u32>() + FIRST > RECORDS_MAX && sizes.iter().all(|n| *n <= SLAB_MAX));
    }
}

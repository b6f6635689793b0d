//! Records of leases: where and when a lent object was taken, for a sample of them.
//!
//! The record and the object point at each other through one shared [`Record`]: a return sets a flag and
//! needs no lock, so it can neither wait for a report nor lose against one. A get that finds the table busy
//! or full goes unrecorded and is counted as missed.

use crate::stats::Suspect;
use crate::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::sync::{Mutex, PoisonError, clock, try_lock};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// One lease on record.
#[derive(Debug)]
pub(crate) struct Record {
    site: &'static Location<'static>,
    since: clock::Instant,
    returned: AtomicBool,
    reported: AtomicBool,
}

impl Record {
    /// The lease has ended.
    pub(crate) fn end(&self) {
        self.returned.store(true, Release);
    }
}

/// The leases on record of one pool.
#[derive(Debug)]
pub(crate) struct Leases {
    table: Mutex<Table>,
    missed: AtomicU64,
}

#[derive(Debug)]
struct Table {
    records: Vec<Arc<Record>>,
    /// Ended records are swept out when the table reaches this length: twice what was left the last time.
    sweep_at: usize,
    /// A full table may be full of leases that never end: it is swept only once in so many tries.
    tries_when_full: u32,
    returned_after_all: HashMap<Site, u64>,
}

type Site = (&'static str, u32, u32);

/// Leases on record at once, at most.
const RECORDS_MAX: usize = 1 << 16;
const SWEEP_AT_MIN: usize = 64;
const TRIES_PER_SWEEP: u32 = 1024;

impl Leases {
    pub(crate) fn new() -> Self {
        Self { table: Mutex::new(Table::default()), missed: AtomicU64::new(0) }
    }

    /// Puts a lease that begins now on record.
    pub(crate) fn begin(&self, site: &'static Location<'static>) -> Option<Arc<Record>> {
        let record = Arc::new(Record {
            site,
            since: clock::now(),
            returned: AtomicBool::new(false),
            reported: AtomicBool::new(false),
        });
        let Some(mut table) = try_lock(&self.table) else {
            self.missed.fetch_add(1, Relaxed);
            return None;
        };
        if table.records.len() >= table.sweep_at || table.tries_when_full >= TRIES_PER_SWEEP {
            table.sweep();
        }
        if table.records.len() >= RECORDS_MAX {
            table.tries_when_full += 1;
            self.missed.fetch_add(1, Relaxed);
            return None;
        }
        table.records.push(Arc::clone(&record));
        Some(record)
    }

    /// Sites with leases older than `older_than`, most leases first. Those are remembered as reported, so that
    /// a later return counts as "after all".
    pub(crate) fn suspects(&self, older_than: Duration) -> Vec<Suspect> {
        let now = clock::now();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.sweep();
        let mut sites: HashMap<Site, Suspect> = HashMap::new();
        for record in &table.records {
            let age = now.saturating_duration_since(record.since);
            if age < older_than {
                continue;
            }
            record.reported.store(true, Relaxed);
            let returned_after_all = table.returned_after_all.get(&key(record.site)).copied().unwrap_or(0);
            let suspect = sites.entry(key(record.site)).or_insert(Suspect {
                site: record.site,
                count: 0,
                oldest: Duration::ZERO,
                returned_after_all,
            });
            suspect.count += 1;
            suspect.oldest = suspect.oldest.max(age);
        }
        drop(table);
        let mut suspects: Vec<_> = sites.into_values().collect();
        suspects.sort_by_key(|s| (std::cmp::Reverse(s.count), s.site.file(), s.site.line()));
        suspects
    }

    /// Leases on record that have not ended, and leases missed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let open = table.records.iter().filter(|r| !r.returned.load(Relaxed)).count() as u64;
        (open, self.missed.load(Relaxed))
    }
}

impl Default for Table {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            sweep_at: SWEEP_AT_MIN,
            tries_when_full: 0,
            returned_after_all: HashMap::new(),
        }
    }
}

impl Table {
    fn sweep(&mut self) {
        let returned_after_all = &mut self.returned_after_all;
        self.records.retain(|record| {
            let ended = record.returned.load(Acquire); // pairs with `Record::end`
            if ended && record.reported.load(Relaxed) {
                *returned_after_all.entry(key(record.site)).or_default() += 1;
            }
            !ended
        });
        self.sweep_at = (2 * self.records.len()).max(SWEEP_AT_MIN);
        self.tries_when_full = 0;
    }
}

fn key(site: &'static Location<'static>) -> Site {
    (site.file(), site.line(), site.column())
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn old_leases_are_suspects_by_site_until_they_return() {
        let leases = Leases::new();
        let here = Location::caller();
        let a = leases.begin(here).unwrap();
        let b = leases.begin(here).unwrap();
        assert_eq!(leases.suspects(Duration::from_secs(3600)), []);
        let suspects = leases.suspects(Duration::ZERO);
        assert_eq!((suspects.len(), suspects[0].count, suspects[0].returned_after_all), (1, 2, 0));
        a.end();
        let suspects = leases.suspects(Duration::ZERO);
        assert_eq!((suspects[0].count, suspects[0].returned_after_all), (1, 1));
        b.end();
        assert_eq!((leases.suspects(Duration::ZERO), leases.counts()), (vec![], (0, 0)));
    }

    #[test]
    fn the_table_is_bounded_and_ended_leases_make_room() {
        let leases = Leases::new();
        let records: Vec<_> =
            (0..RECORDS_MAX + 10).filter_map(|_| leases.begin(Location::caller())).collect();
        assert_eq!((records.len(), leases.counts()), (RECORDS_MAX, (RECORDS_MAX as u64, 10)));
        for record in &records {
            record.end();
        }
        let tries = (0..=TRIES_PER_SWEEP).position(|_| leases.begin(Location::caller()).is_some());
        assert!(tries.is_some(), "ended leases must make room");
        for _ in 0..10 * RECORDS_MAX {
            leases.begin(Location::caller()).unwrap().end();
        }
        assert!(leases.table.lock().unwrap().records.len() <= 2 * SWEEP_AT_MIN);
    }
}

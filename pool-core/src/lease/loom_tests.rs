//! Models of the records: slabs of one record each, three in all, one stripe.

use super::record::{Entry, Record};
use super::{LeaseId, Leases};
use crate::{LeaseLevel, Managed, Pool};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::thread;
use std::panic::Location;
use std::time::Duration;

/// What is written down of lease `n`: each field says so.
#[track_caller]
fn entry(n: u64) -> Entry {
    Entry { site: Location::caller(), since_ns: n, thread: n, span: n }
}

fn begin(leases: &Leases, n: u64) -> Option<LeaseId> {
    leases.put(entry(n))
}

/// In a thread of its own, as in `crate::loom_tests`.
fn model(f: fn()) {
    loom::model::Builder::new().check(move || thread::spawn(f).join().unwrap());
}

// The reader is the thread that loom begins later: it remembers one access of each atomic, and one that begins by
// reading what its owner then reads itself before it writes would go unnoticed.

#[test]
fn loom_a_reader_sees_one_lease_and_no_mixture() {
    model(|| {
        let record = Arc::new(Record::new());
        let sites = [Location::caller(), Location::caller()];
        let other = Arc::clone(&record);
        let reader = thread::spawn(move || {
            let Some((state, Entry { site, since_ns, thread, span })) = other.read() else { return };
            assert_eq!((since_ns, thread, span), (state.div_ceil(2), since_ns, since_ns));
            assert_eq!(site, sites[usize::from(since_ns == 2)]);
        });
        let state = record.begin(&Entry { site: sites[0], ..entry(1) });
        record.end(state);
        record.begin(&Entry { site: sites[1], ..entry(2) });
        reader.join().unwrap();
        assert_eq!(record.read().map(|(state, _)| state), Some(3));
    });
}

#[test]
fn loom_a_walk_beside_two_leases_sees_one_at_most() {
    model(|| {
        let leases = Arc::new(Leases::new());
        leases.end(begin(&leases, 0).unwrap()); // a walk finds the stripe
        let other = Arc::clone(&leases);
        let reader = thread::spawn(move || {
            let seen = other.open(2);
            assert!(seen.len() <= 1 && seen.iter().all(|lease| lease.thread == lease.span), "{seen:?}");
        });
        for n in 1..=2 {
            leases.end(begin(&leases, n).unwrap());
        }
        reader.join().unwrap();
        assert_eq!((leases.open(2), leases.counts()), (vec![], (0, 0)));
    });
}

#[test]
fn loom_a_record_that_another_thread_frees_is_used_again_and_is_one() {
    model(|| {
        let leases = Arc::new(Leases::new());
        let other = Arc::clone(&leases);
        let first = begin(&leases, 1).unwrap();
        let returner = thread::spawn(move || other.end(first));
        let second = begin(&leases, 2).unwrap();
        returner.join().unwrap();
        assert!(leases.is_open(second) && !leases.is_open(first));
        let open: Vec<_> = leases.open(2).iter().map(|lease| lease.span).collect();
        assert_eq!(open, [Some(2)]);
        leases.end(second);
        let all: Vec<_> = (0..4).map(|n| begin(&leases, n).is_some()).collect();
        assert_eq!((all, leases.counts()), (vec![true, true, true, false], (3, 1)));
    });
}

#[test]
fn loom_two_that_need_a_new_slab_get_a_record_each() {
    model(|| {
        let leases = Arc::new(Leases::new());
        let first = begin(&leases, 1).unwrap();
        let other = Arc::clone(&leases);
        let second = thread::spawn(move || begin(&other, 2));
        let third = begin(&leases, 3);
        let second = second.join().unwrap();
        let mut spans: Vec<_> = leases.open(0).iter().filter_map(|lease| lease.span).collect();
        spans.sort_unstable();
        assert_eq!((spans, leases.counts()), (vec![1, 2, 3], (3, 0)));
        for id in [Some(first), second, third] {
            leases.end(id.unwrap());
        }
        assert_eq!(leases.counts(), (0, 0));
    });
}

#[test]
fn loom_two_that_make_the_stripe_at_once_lose_no_record() {
    model(|| {
        let leases = Arc::new(Leases::new());
        let other = Arc::clone(&leases);
        let first = thread::spawn(move || begin(&other, 1).is_some());
        let second = begin(&leases, 2).is_some();
        assert!(first.join().unwrap() && second && begin(&leases, 3).is_some());
        assert_eq!(leases.counts(), (3, 0));
    });
}

#[test]
fn loom_a_full_table_has_room_again_after_an_end() {
    model(|| {
        let leases = Arc::new(Leases::new());
        let held: Vec<_> = (1..=3).filter_map(|n| begin(&leases, n)).collect();
        let (other, last) = (Arc::clone(&leases), held[2]);
        let returner = thread::spawn(move || other.end(last));
        let mut got: Vec<_> = vec![begin(&leases, 4).is_some()];
        returner.join().unwrap();
        // Whatever hint that look left behind, another look comes within two tries.
        got.extend((5..=6).map(|n| begin(&leases, n).is_some()));
        assert_eq!(got.iter().filter(|got| **got).count(), 1, "{got:?}");
        assert_eq!(leases.counts(), (3, 2));
    });
}

#[test]
fn loom_a_lease_that_was_told_counts_once_when_it_returns() {
    model(|| {
        let leases = Arc::new(Leases::new());
        let id = begin(&leases, 0).unwrap();
        let (reader, returner) = (Arc::clone(&leases), Arc::clone(&leases));
        let reader = thread::spawn(move || reader.suspects(Duration::ZERO, &|| 0).len());
        let returner = thread::spawn(move || returner.end(id));
        let told = leases.suspects(Duration::ZERO, &|| 0).len();
        let told = told.max(reader.join().unwrap());
        returner.join().unwrap();
        assert_eq!(leases.suspects(Duration::ZERO, &|| 0), []);
        let _next = begin(&leases, 0);
        assert_eq!(leases.suspects(Duration::ZERO, &|| 0)[0].returned_after_all, told as u64);
    });
}

#[test]
fn loom_who_finds_a_lease_gone_sees_what_was_done_before() {
    fn found_gone_by(look: fn(&Leases, LeaseId) -> bool) {
        let leases = Arc::new(Leases::new());
        let id = begin(&leases, 1).unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let (reader, seen) = (Arc::clone(&leases), Arc::clone(&done));
        let reader = thread::spawn(move || assert!(!look(&reader, id) || seen.load(Relaxed)));
        done.store(true, Relaxed);
        leases.end(id);
        reader.join().unwrap();
    }
    model(|| found_gone_by(|leases, id| !leases.is_open(id)));
    model(|| found_gone_by(|leases, _| leases.open(1).is_empty()));
}

#[test]
fn loom_close_against_the_return_of_a_lease_on_record() {
    model(|| {
        let pool = Pool::builder("model").lease_level(LeaseLevel::All).build_with(|| ()).unwrap();
        let (guard, keeper) = (pool.get(), pool.keeper());
        let late = thread::spawn(move || drop(guard));
        drop(pool);
        assert!(keeper.open_leases().len() <= 1);
        drop(keeper);
        late.join().unwrap();
        crate::close::sweep_unfinished();
    });
}

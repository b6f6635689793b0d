//! The records of one pool, in virtual time: a tick is a nanosecond, and nobody reads a clock.

use super::budget::RECORDS_MAX;
use super::record::Entry;
use super::{LeaseId, Leases, SuspectEvent};
use crate::thread_id;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// Begins a lease at a tick; every field of its record says when.
#[track_caller]
fn begin(leases: &Leases, tick: u64) -> Option<LeaseId> {
    leases.put(Entry { site: Location::caller(), since_ns: tick, thread: tick, span: tick })
}

fn ticks(n: u64) -> Duration {
    Duration::from_nanos(n)
}

#[test]
fn old_leases_are_suspects_by_site_until_they_return() {
    let leases = Leases::new();
    let [a, b] = [10, 20].map(|tick| begin(&leases, tick).unwrap());
    assert_eq!(leases.suspects(ticks(30), &|| 39), []);
    let suspects = leases.suspects(ticks(30), &|| 40);
    assert_eq!((suspects.len(), suspects[0].count, suspects[0].oldest), (1, 1, ticks(30)));
    let suspects = leases.suspects(ticks(30), &|| 60);
    assert_eq!(
        (suspects[0].count, suspects[0].youngest, &suspects[0].spans[..]),
        (2, ticks(40), &[10, 20][..])
    );
    leases.end(a);
    let suspects = leases.suspects(ticks(30), &|| 70);
    let after_all = (suspects[0].returned_after_all, suspects[0].returned_out_at_most);
    assert_eq!((suspects[0].count, after_all), (1, (1, ticks(60))));
    leases.end(b);
    assert_eq!((leases.suspects(ticks(0), &|| 80), leases.counts()), (vec![], (0, 0)));
}

#[test]
fn the_table_is_bounded_and_ended_leases_make_room() {
    let leases = Leases::new();
    let ids: Vec<_> = (0..u64::from(RECORDS_MAX) + 10).filter_map(|tick| begin(&leases, tick)).collect();
    let max = u64::from(RECORDS_MAX);
    assert_eq!((ids.len() as u64, leases.counts(), leases.budget.left()), (max, (max, 10), 0));
    assert_eq!(leases.open(0).len() as u64, max);
    for id in &ids[..100] {
        leases.end(*id);
    }
    let again: Vec<_> = (0..101).map(|tick| begin(&leases, tick).is_some()).collect();
    assert_eq!(again.iter().filter(|got| **got).count(), 100, "as many as have ended");
    assert_eq!(leases.counts(), (max, 11));
}

#[test]
fn short_leases_need_no_more_records_than_are_out_at_a_time() {
    let leases = Leases::new();
    for round in 0..10_000 {
        let ids: Vec<_> = (0..5).map(|_| begin(&leases, round).unwrap()).collect();
        ids.into_iter().rev().for_each(|id| leases.end(id));
    }
    assert_eq!((leases.counts(), i64::from(RECORDS_MAX) - leases.budget.left()), ((0, 0), 5));
}

#[test]
fn the_end_of_an_old_lease_leaves_a_newer_one_on_the_same_record() {
    let leases = Leases::new();
    let old = begin(&leases, 1).unwrap();
    leases.end(old);
    let new = begin(&leases, 2).unwrap();
    let (stripe, place, state) = old.parts();
    assert_eq!((stripe, place), (new.parts().0, new.parts().1), "the same record");
    assert!(!leases.stripe(stripe).unwrap().end(place, state));
    assert!(leases.is_open(new) && leases.counts() == (1, 0));
}

#[test]
fn every_place_in_a_stripe_has_an_id_of_its_own() {
    let leases = Leases::new();
    let mut ids: Vec<_> = (0..10_000).filter_map(|tick| begin(&leases, tick)).collect();
    for id in &ids {
        let (stripe, place, state) = id.parts();
        assert_eq!(LeaseId::new(stripe, place, state), Some(*id));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10_000);
}

#[test]
fn a_forked_child_tells_although_its_parent_was_at_it() {
    let leases = Leases::new();
    let (_, heard) = listen(&leases, ticks(0));
    let _lease = begin(&leases, 0).unwrap();
    leases.pretend_that_it_tells(std::process::id());
    leases.tell("pool", &|| 1);
    assert_eq!(heard.lock().unwrap().len(), 0, "another thread is at it");
    leases.pretend_that_it_tells(u32::MAX); // no process has that id
    leases.tell("pool", &|| 1);
    assert_eq!(heard.lock().unwrap().len(), 1);
}

/// A listener's events, as they come.
fn listen(leases: &Leases, older_than: Duration) -> (u64, Arc<Mutex<Vec<SuspectEvent>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&heard);
    let call = move |_: &str, event: &SuspectEvent| into.lock().unwrap().push(event.clone());
    (leases.add_listener(older_than, Arc::new(call)), heard)
}

#[test]
fn a_site_is_told_once_and_again_when_it_was_clear() {
    let leases = Leases::new();
    let (id, heard) = listen(&leases, ticks(10));
    let news = |tick| {
        leases.tell("pool", &|| tick);
        std::mem::take(&mut *heard.lock().unwrap())
    };
    let mut open: Vec<_> = [0, 1, 2].map(|tick| begin(&leases, tick).unwrap()).into();
    assert_eq!(news(9), []);
    let SuspectEvent::New(suspect) = news(10).remove(0) else { panic!("the first is over") };
    assert_eq!((suspect.count, suspect.oldest), (1, ticks(10)));
    assert_eq!(news(12), [], "more of the same site are no news");
    open.drain(..2).for_each(|id| leases.end(id));
    assert_eq!(news(13), [], "one is still out");
    leases.end(open.remove(0));
    let expected = SuspectEvent::ReturnedAfterAll { site: suspect.site, count: 3, out_at_most: ticks(13) };
    assert_eq!((news(14), news(15)), (vec![expected], vec![]));

    let again = [20].map(|tick| leases.put(Entry { site: suspect.site, since_ns: tick, thread: 0, span: 0 }));
    assert!(matches!(&news(30)[..], [SuspectEvent::New(suspect)] if suspect.returned_after_all == 0));
    leases.remove_listener(id);
    leases.end(again[0].unwrap());
    assert_eq!(news(31), [], "removed");
}

#[test]
fn listeners_have_thresholds_and_memories_of_their_own() {
    let leases = Leases::new();
    let ((_, short), (_, long)) = (listen(&leases, ticks(5)), listen(&leases, ticks(50)));
    let id = begin(&leases, 0).unwrap();
    assert_eq!(leases.suspects(ticks(1), &|| 4).len(), 1, "who asks is told before any listener");
    leases.tell("pool", &|| 10);
    assert_eq!((short.lock().unwrap().len(), long.lock().unwrap().len()), (1, 0));
    leases.end(id);
    leases.tell("pool", &|| 100);
    assert_eq!((short.lock().unwrap().len(), long.lock().unwrap().len()), (2, 0));
}

/// Threads at work at a time, how often they are replaced, and for how many ticks each works.
const WORKERS: u64 = 4;
const GENERATIONS: u64 = 30;
const TICKS: u64 = 60;
/// Ticks that a lease lasts at most.
const LASTS_MAX: u64 = 7;
const BEGIN_AT: u64 = 1_000;

/// Time, and the work of one tick done by all.
struct Soak {
    leases: Leases,
    tick: AtomicU64,
    step: Barrier,
    false_alarms: AtomicU64,
}

/// Leases with the tick at which each is to end.
type Held = Vec<(u64, LeaseId)>;

/// Whatever the threads do to one another, in the time in which no lease is out for too long nobody is told of one.
#[test]
fn a_healthy_soak_raises_no_alarm() {
    let (leases, step) = (Leases::new(), Barrier::new(usize::try_from(WORKERS).unwrap()));
    let soak = Soak { leases, tick: AtomicU64::new(BEGIN_AT), step, false_alarms: AtomicU64::new(0) };
    let (_, heard) = listen(&soak.leases, ticks(LASTS_MAX + 1));
    let over = AtomicBool::new(false);
    let held = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !over.load(SeqCst) {
                soak.look();
                thread::yield_now();
            }
        });
        let mut held: Vec<Held> = (0..WORKERS).map(|_| Vec::new()).collect();
        for generation in 0..GENERATIONS {
            held = soak.generation(generation, held);
        }
        over.store(true, SeqCst);
        reader.join().unwrap();
        held
    });
    let held: Held = held.into_iter().flatten().collect();
    assert_eq!(soak.leases.counts(), (held.len() as u64, 0));
    for (_, id) in &held {
        soak.leases.end(*id);
    }
    assert_eq!((soak.leases.open(0), soak.leases.counts()), (vec![], (0, 0)));
    assert_eq!((soak.false_alarms.load(SeqCst), &heard.lock().unwrap()[..]), (0, &[][..]));

    // The control: one that does not come back is told.
    begin(&soak.leases, BEGIN_AT).unwrap();
    soak.look();
    assert_eq!((soak.false_alarms.load(SeqCst), heard.lock().unwrap().len()), (1, 1));
}

impl Soak {
    /// What a controller does, at any moment.
    fn look(&self) {
        let now = self.tick.load(SeqCst);
        for lease in self.leases.open(now) {
            assert!(lease.span.is_some() && lease.thread == lease.span, "{lease:?} is a mixture");
        }
        let suspects = self.leases.suspects(ticks(LASTS_MAX + 1), &|| now);
        self.false_alarms.fetch_add(suspects.len() as u64, SeqCst);
        self.leases.tell("soak", &|| now);
    }

    /// New threads, with the ids of those before, go on with what those held.
    fn generation(&self, number: u64, held: Vec<Held>) -> Vec<Held> {
        let (senders, receivers): (Vec<_>, Vec<_>) = held.iter().map(|_| mpsc::channel()).unzip();
        thread::scope(|scope| {
            let workers = held.into_iter().zip(receivers).zip(0..).map(|((held, receiver), worker)| {
                let next = senders[(worker + 1) % senders.len()].clone();
                scope.spawn(move || self.work(number * 100 + worker as u64, held, &next, &receiver))
            });
            workers.collect::<Vec<_>>().into_iter().map(|worker| worker.join().unwrap()).collect()
        })
    }

    fn work(
        &self,
        seed: u64,
        mut held: Held,
        next: &mpsc::Sender<LeaseId>,
        received: &mpsc::Receiver<LeaseId>,
    ) -> Held {
        let _ = std::iter::repeat_with(thread_id::assign).find(Option::is_some);
        let mut random = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut result = Ok(());
        for _ in 0..TICKS {
            // One that panics must not leave the others at the barrier.
            let first = catch_unwind(AssertUnwindSafe(|| self.begin_and_end(&mut random, &mut held, next)));
            self.step.wait();
            let second =
                catch_unwind(AssertUnwindSafe(|| received.try_iter().for_each(|id| self.leases.end(id))));
            result = result.and(first).and(second);
            if self.step.wait().is_leader() {
                self.tick.fetch_add(1, SeqCst);
            }
            self.step.wait();
        }
        result.map_or_else(|panic| resume_unwind(panic), |()| held)
    }

    fn begin_and_end(&self, random: &mut u64, held: &mut Held, next: &mpsc::Sender<LeaseId>) {
        let now = self.tick.load(SeqCst);
        for _ in 0..step(random) % 20 {
            let id = begin(&self.leases, now).expect("a table that is far from full");
            held.push((now + step(random) % (LASTS_MAX + 1), id));
        }
        held.retain(|(until, id)| {
            if *until <= now && step(random) % 3 == 0 {
                next.send(*id).unwrap(); // ends on another thread
            } else if *until <= now {
                self.leases.end(*id);
            }
            *until > now
        });
    }
}

fn step(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 11
}

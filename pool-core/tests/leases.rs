//! What a user sees of a leak: the place, the count, who took it, and whether it came back after all.
#![cfg(not(ebbpool_loom))]

use pool_core::{LeaseLevel, Pool, Pooled, SuspectEvent, set_span_source};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// Far longer than any of these tests takes.
const HOURS: Duration = Duration::from_secs(10 * 3600);

fn all_recorded(name: &str) -> Pool<String> {
    Pool::builder(name).lease_level(LeaseLevel::All).build_with(String::new).unwrap()
}

#[test]
fn a_leak_has_a_place_and_a_late_return_is_told() {
    let pool = all_recorded("leaky");
    let leaked = pool.get();
    let line = line!() - 1;
    let suspects = pool.suspects(Duration::ZERO);
    assert_eq!((suspects[0].site.line(), suspects[0].count), (line, 1));
    drop(leaked);
    assert_eq!(pool.suspects(Duration::ZERO), []);
    let second = (0..2).map(|_| pool.get()).collect::<Vec<_>>();
    assert_eq!(pool.suspects(Duration::ZERO)[0].returned_after_all, 0, "another place");
    drop(second);
}

#[test]
fn a_site_that_returns_after_all_keeps_its_record_of_it() {
    let pool = all_recorded("slow");
    for returned in 0..3 {
        let held = pool.get();
        let suspect = pool.suspects(Duration::ZERO).remove(0);
        assert_eq!((suspect.count, suspect.returned_after_all), (1, returned));
        assert_eq!(suspect.returned_out_at_most > Duration::ZERO, returned > 0);
        drop(held);
    }
}

#[test]
fn a_healthy_pool_has_no_suspects() {
    let pool = Pool::new("healthy", String::new);
    for _ in 0..10_000 {
        drop(pool.get());
    }
    assert_eq!(pool.managed().suspects(Duration::ZERO), []);
}

#[test]
fn a_forgotten_guard_stays_on_record_and_the_pool_serves_on() {
    let pool = all_recorded("forgotten");
    (0..3).for_each(|_| std::mem::forget(pool.get()));
    for _ in 0..1000 {
        drop(pool.get());
    }
    let suspects = pool.suspects(Duration::ZERO);
    assert_eq!((suspects.len(), suspects[0].count, pool.stats().leases_recorded), (1, 3, 3));
}

#[test]
fn a_lease_ends_on_any_thread_and_after_its_pool_has_closed() {
    let pool = all_recorded("travels");
    let (here, there) = (pool.get(), pool.get());
    thread::spawn(move || drop(there)).join().unwrap();
    assert_eq!(pool.open_leases().len(), 1);
    let managed = pool.managed();
    drop(pool);
    assert_eq!(managed.open_leases().len(), 1, "still out");
    drop(here);
    assert_eq!((managed.open_leases(), managed.stats().leases_recorded), (vec![], 0));
}

#[test]
fn a_get_in_a_thread_local_destructor_is_recorded_too() {
    struct Gets(RefCell<Option<Pool<String>>>, mpsc::Sender<Pooled<String>>);
    impl Drop for Gets {
        fn drop(&mut self) {
            let pool = self.0.take().unwrap();
            self.1.send(pool.get()).unwrap();
        }
    }
    thread_local!(static GETS: RefCell<Option<Gets>> = const { RefCell::new(None) });
    let pool = all_recorded("late");
    let (send, receive) = mpsc::channel();
    let gets = Gets(RefCell::new(Some(pool.clone())), send);
    // The destructor is registered before the pool's own, and so runs after it: the thread has no id any more.
    thread::spawn(move || {
        GETS.set(Some(gets));
        drop(GETS.with_borrow(|gets| gets.as_ref().unwrap().0.borrow().as_ref().unwrap().get()));
    })
    .join()
    .unwrap();
    let guard = receive.recv().unwrap();
    assert_eq!(pool.open_leases().len(), 1);
    drop(guard);
    assert_eq!(pool.open_leases(), []);
}

thread_local! {
    static SPAN: Cell<Option<u64>> = const { Cell::new(None) };
    static IN_SPAN_SOURCE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// One source for the process: each test's thread has its own span.
fn span_source() -> Option<u64> {
    if let Some(hook) = IN_SPAN_SOURCE.take() {
        hook();
    }
    SPAN.get()
}

#[test]
fn a_suspect_says_on_which_thread_and_in_which_span() {
    let _ = set_span_source(span_source);
    assert!(set_span_source(|| None).is_err(), "once");
    let pool = all_recorded("who");
    let mut held = Vec::new();
    for span in [Some(7), None, Some(9), Some(7)] {
        SPAN.set(span);
        held.push(pool.get());
    }
    let lease = pool.open_leases().remove(0);
    assert_eq!(format!("ThreadId({})", lease.thread.unwrap()), format!("{:?}", thread::current().id()));
    let mut suspect = pool.suspects(Duration::ZERO).remove(0);
    suspect.spans.sort_unstable();
    assert_eq!((suspect.spans, suspect.threads.len()), (vec![7, 9], 1));
    assert!(suspect.oldest >= suspect.median && suspect.median >= suspect.youngest);
}

#[test]
fn a_span_source_may_panic_and_may_use_the_pool_itself() {
    let _ = set_span_source(span_source);
    let pool = all_recorded("reentrant");
    IN_SPAN_SOURCE.set(Some(Box::new(|| panic!("a source panics"))));
    assert!(catch_unwind(AssertUnwindSafe(|| pool.get())).is_err());
    let stats = pool.stats();
    assert_eq!((stats.lent_objects, stats.leases_recorded), (0, 0));

    let inner = pool.clone();
    IN_SPAN_SOURCE.set(Some(Box::new(move || std::mem::forget(inner.get()))));
    SPAN.set(Some(3));
    let _outer = pool.get();
    let spans: Vec<_> = pool.open_leases().iter().map(|lease| lease.span).collect();
    assert!(spans.contains(&Some(3)) && spans.contains(&None), "{spans:?}");
}

#[test]
fn a_listener_runs_under_no_lock_and_its_panic_is_the_callers() {
    let pool = all_recorded("told");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (inner, into) = (pool.managed(), Arc::clone(&heard));
    pool.on_suspect(Duration::ZERO, |_, _| panic!("a listener panics"));
    pool.on_suspect(Duration::ZERO, move |name, event| {
        inner.tell_suspects(); // who is at it already does not begin again
        inner.on_suspect(HOURS, Arc::new(|_, _| ()));
        let count = inner.suspects(Duration::ZERO).len();
        into.lock().unwrap().push((name.to_owned(), event.clone(), count));
    });
    let guard = pool.get();
    assert!(catch_unwind(AssertUnwindSafe(|| pool.tell_suspects())).is_err());
    pool.tell_suspects();
    drop(guard);
    assert!(catch_unwind(AssertUnwindSafe(|| pool.tell_suspects())).is_err());
    pool.tell_suspects();
    let heard = heard.lock().unwrap();
    let told: Vec<_> = heard.iter().map(|(name, event, count)| (name.as_str(), event, *count)).collect();
    assert!(
        matches!(
            &told[..],
            [("told", SuspectEvent::New(_), 1), ("told", SuspectEvent::ReturnedAfterAll { count: 1, .. }, 0)]
        ),
        "{told:?}"
    );
}

#[test]
fn a_removed_listener_is_freed_and_the_others_stay() {
    struct Freed(Arc<AtomicBool>);
    impl Drop for Freed {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let pool = all_recorded("listeners");
    let (freed, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (holds, counts) = (Freed(Arc::clone(&freed)), Arc::clone(&calls));
    let first = pool.on_suspect(Duration::ZERO, move |_, _| assert!(!holds.0.load(SeqCst), "never called"));
    pool.on_suspect(Duration::ZERO, move |_, _| {
        counts.fetch_add(1, SeqCst);
    });
    pool.remove_listener(first);
    assert!(freed.load(SeqCst));
    let _out = pool.get();
    pool.tell_suspects();
    assert_eq!(calls.load(SeqCst), 1);
}

/// Threads come and go, objects travel between them, the level changes, somebody asks all the time: as long as
/// everything returns, no suspect is told and nothing stays on record.
#[test]
fn a_healthy_soak_raises_no_alarm() {
    const ROUNDS: u64 = 40;
    const LEASES: u64 = 500;
    let pool = all_recorded("soak");
    let alarms = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&alarms);
    pool.on_suspect(HOURS, move |_, _| {
        counts.fetch_add(1, SeqCst);
    });
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !over.load(SeqCst) {
                assert_eq!(pool.suspects(HOURS), []);
                pool.tell_suspects();
                thread::yield_now();
            }
        });
        for round in 0..ROUNDS {
            let (send, receive) = mpsc::channel::<Pooled<String>>();
            thread::scope(|scope| {
                for worker in 0..3 {
                    let (pool, send) = (&pool, send.clone());
                    scope.spawn(move || lend(pool, round * 3 + worker, LEASES, &send));
                }
                drop(send);
                scope.spawn(move || receive.into_iter().for_each(drop));
            });
            assert_eq!((pool.open_leases(), pool.stats().leases_missed), (vec![], 0), "round {round}");
        }
        over.store(true, SeqCst);
        reader.join().unwrap();
    });
    pool.tell_suspects();
    assert_eq!(alarms.load(SeqCst), 0);
}

/// Leases of varied length, in numbers of other leases; some end on another thread.
fn lend(pool: &Pool<String>, seed: u64, leases: u64, elsewhere: &mpsc::Sender<Pooled<String>>) {
    let mut random = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut held = Vec::new();
    for lease in 0..leases {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        held.push((lease + random % 100, pool.get()));
        let (due, rest): (Vec<_>, Vec<_>) = held.into_iter().partition(|(until, _)| *until <= lease);
        held = rest;
        for (at, (_, guard)) in due.into_iter().enumerate() {
            if at % 2 == 0 {
                elsewhere.send(guard).unwrap();
            }
        }
    }
}

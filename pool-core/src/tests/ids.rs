//! More threads than there are ids: those without one go through the depot.

use super::sys::{mode, passes_alone};
use super::{balanced, buffers, drain};
use crate::{Pool, Registry, thread_id};
use std::sync::mpsc::channel;
use std::thread;

/// In a process of its own: other tests' threads want ids too.
#[test]
fn threads_beyond_the_last_id_use_the_depot() {
    if mode().is_none() {
        passes_alone("tests::ids::threads_beyond_the_last_id_use_the_depot", "alone");
        return;
    }
    let registry = Registry::new();
    let pool = &buffers(&registry);
    drop(pool.get()); // this thread has an id
    let mut ids = thread_id::tests::take_all();
    assert_eq!(ids.len(), thread_id::IDS_MAX as usize - 1);
    let slots = pool.stats().slots;

    let in_two_threads = |work: &(dyn Fn() + Sync)| {
        thread::scope(|scope| {
            scope.spawn(work);
            scope.spawn(work);
        });
    };
    in_two_threads(&|| {
        for burst in [1, 3, 100, 200] {
            let mut guards: Vec<_> = (0..burst).map(|_| pool.get()).collect();
            guards[0].push(1);
            drop(guards);
        }
        assert!(pool.get().is_empty(), "recycled on the way");
        assert_eq!(pool.retain(|_| true).busy_slots, 0);
        // Either may find the depot busy with the other thread, and neither waits.
        while pool.prefill(1) == 0 || pool.try_get().is_none() {
            thread::yield_now();
        }
        drop(Pool::new("another", String::new).get());
    });
    let stats = balanced(&registry);
    assert_eq!((stats.lent_objects, stats.slots), (0, slots));
    assert!(stats.gets.refill > 200 && stats.idle_objects <= stats.capacity_objects, "{stats:?}");
    assert!(drain(&registry) > 100);
    assert_eq!(balanced(&registry).idle_objects, 0);

    // An id that is given back goes to the next thread that asks.
    let (asks, asked) = channel();
    let (go, gone) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            drop(pool.get());
            asks.send(thread_id::current()).unwrap();
            gone.recv().unwrap();
            drop(pool.get());
            asks.send(thread_id::current()).unwrap();
        });
        assert!(asked.recv().unwrap() >= thread_id::IDS_MAX);
        let freed = ids.pop().unwrap();
        let id = freed.id();
        drop(freed);
        go.send(()).unwrap();
        assert_eq!(asked.recv().unwrap(), id);
    });
    assert_eq!(balanced(&registry).slots, slots + 1);
}

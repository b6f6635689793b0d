//! Pools that are closed by hand, and pools that are picked over, while their threads go on.

use super::{Model, model};
use loom::sync::atomic::Ordering::SeqCst;
use loom::thread;
use std::time::Duration;

#[test]
fn loom_closing_by_hand_against_get_and_return() {
    model(|| {
        let m = Model::new();
        let (pool, closer) = (m.pool(), m.pool());
        drop(pool.get());
        let owner = thread::spawn(move || pool.get().touch());
        let _ = closer.close(Duration::ZERO);
        owner.join().unwrap();
        // All handles are alive, and whatever the owner did meanwhile, nothing was kept.
        assert!(closer.close(Duration::ZERO).all_came_home());
        assert_eq!(m.alive.load(SeqCst), 0);
        drop(closer);
        m.end();
    });
}

/// The report may say that all came home only if they did.
#[test]
fn loom_lent_is_never_too_low_after_a_close() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        let (held, other) = (pool.get(), pool.get());
        assert_eq!(pool.close(Duration::ZERO).busy_slots, 0);
        let late = thread::spawn(move || {
            drop(other);
            pool.get().touch();
        });
        let watcher = m.pool();
        assert!((1..=3).contains(&watcher.lent()), "one is lent all the time");
        late.join().unwrap();
        assert_eq!(watcher.lent(), 1);
        drop(held);
        assert_eq!(watcher.lent(), 0);
        drop(watcher);
        m.end();
    });
}

#[test]
fn loom_retain_against_get_and_return() {
    model(|| {
        let m = Model::new();
        let (pool, picker) = (m.pool(), m.pool());
        drop(pool.get());
        let owner = thread::spawn(move || pool.get().touch());
        let mut nth = 0;
        let retained = picker.retain(|value| {
            value.touch(); // nobody else has it
            nth += 1;
            nth > 1
        });
        assert!(retained.dropped <= 1 && retained.kept <= 1);
        owner.join().unwrap();
        drop(picker);
        m.end();
    });
}

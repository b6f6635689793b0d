//! Operations of a thread whose slot is stopped: they go on outside every slot, and what they do is counted there.
//!
//! The thread that looks comes last in each: to find an order worth trying, loom compares an access with the latest
//! one by anybody.

use super::{Model, model};
use crate::managed::{Job, Managed};
use loom::thread;

/// Consistent is a snapshot only if nobody was outside while it was made.
#[test]
fn loom_a_snapshot_beside_an_operation_outside() {
    model(|| {
        let m = Model::new();
        let pool = m.pool();
        drop(pool.get()); // this thread has a slot
        let keeper = pool.keeper();
        keeper.mark();
        let snapshot = thread::spawn(move || {
            let fenced = crate::fence::heavy();
            let stats = keeper.collect(&fenced, Job::Snapshot).snapshot.unwrap();
            assert!(!stats.consistent || (stats.imbalance, stats.duplicates) == (0, 0), "{stats:?}");
        });
        pool.get().touch();
        snapshot.join().unwrap();
        drop(pool);
        m.end();
    });
}

/// Who sees the end of a lease outside has seen its beginning.
#[test]
fn loom_lent_is_never_too_low_beside_an_operation_outside() {
    model(|| {
        let m = Model::new();
        let (pool, watcher) = (m.pool(), m.pool());
        let held = pool.get();
        pool.keeper().mark();
        let watching = thread::spawn(move || {
            assert!((1..=2).contains(&watcher.lent()), "one is lent all the time");
        });
        pool.get().touch();
        watching.join().unwrap();
        drop((held, pool));
        m.end();
    });
}

//! Credit: nothing of the capacity gets lost, whatever is returned.

use super::{take_an_id, vecs};
use crate::shared::signed;
use crate::slot::Slot;
use crate::{Capacity, Change, LeaseLevel, Pool, Registry, Sampling, Setting};

/// Credit that is free, with slots, and with what threads share; nobody is at work.
fn all_credit(pool: &Pool<Vec<u8>>) -> (i64, i64) {
    let keeper = pool.keeper();
    let shared = keeper.shared();
    let free = shared.account.credit.free();
    let with_slots = shared.table.with_slots(|slots| {
        slots.map(Slot::credit).fold((0, 0), |sum, credit| (sum.0 + u64::from(credit.0), sum.1 + credit.1))
    });
    let (depot, victim) = (shared.depot.level(), shared.victim.level());
    let with = |at: fn(&(u64, u64)) -> u64| [with_slots, depot, victim].iter().map(at).sum::<u64>();
    (free.0 + signed(with(|level| level.0)), free.1 + signed(with(|level| level.1)))
}

/// A magazine is short for objects that are heavy, and the slot has credit for as many as there are places from lighter
/// ones.
#[test]
fn a_heavy_object_beside_credit_for_many_light_ones_costs_no_capacity() {
    take_an_id();
    let registry = Registry::new();
    let pool = vecs(&registry, Capacity::new(256, 1 << 20).unwrap());
    let quiet = Sampling::DEFAULT.with_leases(LeaseLevel::Off).with_timing_one_in(0).unwrap();
    let _ =
        pool.managed().set(Setting::Sampling(quiet), Change::operator("no object is dropped for a trial"));
    drop((0..64).map(|_| pool.get()).collect::<Vec<_>>());
    let mut lent: Vec<_> = (0..63).map(|_| pool.get()).collect();
    for round in 0..8 {
        let mut heavy = lent.pop().unwrap();
        heavy.resize(200_000 + round, 0);
        drop(heavy);
        lent.push(pool.get());
        assert_eq!(all_credit(&pool), (256, 1 << 20), "after {round} rounds");
    }
}

/// What a thread returns and does not get itself must not lie in its magazine for ever, however little the pool may hold.
#[test]
fn a_small_pool_serves_a_thread_that_gets_what_another_returns() {
    take_an_id();
    for (capacity, created_at_most) in [(1, 70), (2, 40), (4, 10), (8, 10)] {
        let registry = Registry::new();
        let pool = vecs(&registry, Capacity::new(capacity, 1 << 20).unwrap());
        let (send, returned) = std::sync::mpsc::sync_channel(0);
        let (done, is_done) = std::sync::mpsc::sync_channel(0);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                take_an_id();
                for object in returned {
                    drop(object);
                    done.send(()).unwrap();
                }
            });
            for _ in 0..100 {
                send.send(pool.get()).unwrap();
                is_done.recv().unwrap();
            }
            drop(send);
        });
        let created = pool.stats().gets.created;
        assert!(created <= created_at_most, "{created} of 100 created with room for {capacity}");
    }
}

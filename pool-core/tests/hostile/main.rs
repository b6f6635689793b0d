//! What an operating system does to a process: forks, signals, filters on system calls, exits.
#![cfg(all(target_os = "linux", not(ebbpool_loom)))]

mod exits;
mod forks;
mod seccomp;
mod signals;
#[allow(dead_code, reason = "it is shared with the tests inside the crate")]
mod sys;

use pool_core::{
    Job, Keep, LeaseLevel, Pool, PoolStats, Pooled, Recycle, Registry, Retention, Sampling, Setting,
};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Knows whether it is lent.
#[derive(Default)]
struct Ticket {
    lent: AtomicBool,
    bytes: Vec<u8>,
}

impl Recycle for Ticket {
    fn recycle(&mut self, retention: &Retention) -> Keep {
        assert!(self.lent.swap(false, SeqCst), "returned while idle");
        Recycle::recycle(&mut self.bytes, retention)
    }
    fn weight(&self) -> usize {
        self.bytes.weight()
    }
}

fn lend(pool: &Pool<Ticket>) -> Pooled<Ticket> {
    let ticket = pool.get();
    assert!(!ticket.lent.swap(true, SeqCst), "one object in two hands");
    ticket
}

fn tickets(registry: &Registry) -> Pool<Ticket> {
    let untimed = recorded(LeaseLevel::DEFAULT);
    Pool::builder("tickets").registry(registry).knob(untimed).build_with(Ticket::default).unwrap()
}

/// So many leases on record, and none timed: a trial would serve some gets fresh although there are idle objects.
fn recorded(leases: LeaseLevel) -> Setting {
    Setting::Sampling(Sampling::DEFAULT.with_leases(leases).with_timing_one_in(0).unwrap())
}

/// A snapshot of the first pool, consistent or not.
fn snapshot(registry: &Registry) -> PoolStats {
    registry.pass(Job::Snapshot).remove(0).1.snapshot.unwrap()
}

//! Traps that a first version fell into: user code that comes back from where nobody expects it, panics, lies.
#![cfg(not(ebbpool_loom))]

mod accounts;
mod locks;
mod order;
mod reentrancy;
mod sizes;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Fails instead of hanging.
fn within(secs: u64, what: &str, f: impl FnOnce() + Send + 'static) {
    let (tx, rx) = mpsc::channel();
    thread::spawn(move || {
        f();
        tx.send(()).unwrap();
    });
    assert!(rx.recv_timeout(Duration::from_secs(secs)).is_ok(), "{what}: no end in {secs} s (or panicked)");
}

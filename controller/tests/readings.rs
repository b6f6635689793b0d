//! From what an allocator says to what a decision is made of. What each of the adapters reads for real is tested in a
//! binary that its allocator serves.

use pool_controller::allocator::{Allocator, Glibc, Unknown};
use pool_controller::decide::{Inputs, Journal};
use pool_controller::{Controller, LimitSource, Mode};
use pool_core::Registry;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Says one reading after the other, and then nothing.
#[derive(Debug)]
struct Scripted(Mutex<std::vec::IntoIter<Option<u64>>>);

impl Allocator for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn kept_bytes(&self) -> Option<u64> {
        self.0.lock().expect("no panic under it").next().flatten()
    }

    fn give_back(&self) -> bool {
        true
    }
}

/// What decisions were made of, a tick an hour: a reading stands for longer the longer it took.
fn inputs(allocator: Arc<dyn Allocator>, ticks: u64) -> Vec<Inputs> {
    let (say, said) = channel();
    let registry = Registry::new();
    let builder = Controller::builder().registry(&registry).mode(Mode::Observe).allocator(allocator);
    let builder = builder.limit(LimitSource::Simulated(1 << 40));
    let mut controller =
        builder.journal(move |line| say.send(line.to_owned()).expect("it is heard")).build().expect("built");
    let start = Instant::now();
    for hour in 0..ticks {
        controller.tick(start + Duration::from_secs(3600 * hour));
    }
    drop(controller);
    said.iter().map(|line| Journal::parse(&line).expect("a line").inputs).collect()
}

/// Raw readings, and what is used of them: a reading that is due, and none where there is none. Never a zero, and never an
/// old one.
#[test]
fn a_decision_has_the_reading_that_is_due_or_none() {
    for (raw, used) in [
        // jemalloc: dirty pages come and decay.
        (vec![Some(0), Some(64 << 20), Some(16 << 20)], vec![Some(0), Some(64 << 20), Some(16 << 20)]),
        // mimalloc: no reading at any time.
        (vec![None, None, None], vec![None, None, None]),
        // One that stops to say.
        (vec![Some(5 << 20), None, Some(3 << 20)], vec![Some(5 << 20), None, Some(3 << 20)]),
    ] {
        let allocator = Scripted(Mutex::new(raw.clone().into_iter()));
        let seen: Vec<_> = inputs(Arc::new(allocator), 3).iter().map(|i| i.heap_free_bytes).collect();
        assert_eq!(seen, used, "{raw:?}");
    }
}

#[test]
fn who_is_not_known_has_no_reading_and_glibc_has_its_free_blocks() {
    let unknown = inputs(Arc::new(Unknown), 1);
    assert_eq!((unknown[0].heap_free_bytes, unknown[0].purges_total), (None, 0));
    let glibc = inputs(Arc::new(Glibc), 1);
    assert_eq!(glibc[0].heap_free_bytes.is_some(), cfg!(all(target_os = "linux", target_env = "gnu")));
}

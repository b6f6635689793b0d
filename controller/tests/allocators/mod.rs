//! What each adapter must do in a program that it serves: the same for all, in a binary of its own for each.

use pool_controller::allocator::{Allocator, detect};
use pool_controller::sense::{LimitSource, MemorySensor};
use pool_controller::{Controller, Mode};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is freed.
pub(crate) const FREED_BYTES: u64 = 64 << 20;

const BLOCK_BYTES: usize = 256 << 10;

fn rss_bytes() -> u64 {
    let mut sensor = MemorySensor::open(LimitSource::Simulated(u64::MAX));
    sensor.sample().rss.value().expect("resident memory is read")
}

/// What stays in use of the blocks that are made.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "each allocator needs one of them")]
pub(crate) enum Stays {
    /// Nothing.
    Nothing,
    /// Every second block, so that what is free is in pieces.
    Half,
}

/// Makes blocks of 256 KiB with pages and frees [`FREED_BYTES`] of them. What the reading rises by, if there is one, and
/// what stays.
fn free(allocator: &dyn Allocator, stays: Stays) -> (Option<u64>, Vec<Box<[u8]>>) {
    let count = usize::try_from(FREED_BYTES / BLOCK_BYTES as u64).expect("64 bits");
    let count = if stays == Stays::Half { 2 * count } else { count };
    let made = (0..count).map(|_| black_box(vec![1_u8; BLOCK_BYTES].into_boxed_slice())).collect::<Vec<_>>();
    let before = allocator.kept_bytes();
    let kept = match stays {
        Stays::Nothing => {
            drop(made);
            Vec::new()
        }
        Stays::Half => made.into_iter().step_by(2).collect(),
    };
    let rose = before.zip(allocator.kept_bytes()).map(|(before, after)| after.saturating_sub(before));
    (rose, kept)
}

/// The pages of what was freed are the allocator's to give back: its reading rises by most of them, if it has one, and
/// after a purge little more is resident than what is in use.
pub(crate) fn gives_back(allocator: &dyn Allocator, stays: Stays) {
    let base = rss_bytes();
    let deadline = Instant::now() + Duration::from_secs(30);
    let kept = loop {
        let (rose, kept) = free(allocator, stays);
        // On a machine that stood still meanwhile, some of it was given back because of its age.
        if rose.is_none_or(|rose| rose > FREED_BYTES / 4 * 3) {
            break kept;
        }
        assert!(Instant::now() < deadline, "the reading rose by {rose:?} only");
    };
    let used = (kept.len() * BLOCK_BYTES) as u64;
    // What threads that have ended left is collected when the allocator comes to it: a condition, with a bound.
    loop {
        assert!(allocator.give_back());
        let rss = rss_bytes();
        if rss < base + used + FREED_BYTES / 4 {
            break;
        }
        assert!(Instant::now() < deadline, "still resident: {rss}, {base} at first, {used} in use");
        std::thread::yield_now();
    }
    assert!(allocator.kept_bytes().is_none_or(|kept| kept < FREED_BYTES / 4), "a purge leaves no such pages");
    drop(black_box(kept));
}

/// glibc's figures are not those of this program, so they must not be used: nothing is known until it is named.
pub(crate) fn is_known_when_named(allocator: Arc<dyn Allocator>) {
    assert_eq!(detect().name(), "unknown");
    let registry = pool_core::Registry::new();
    let builder = || Controller::builder().registry(&registry).mode(Mode::Observe);
    let seen = |mut controller: Controller| controller.tick(Instant::now()).memory.allocator;
    assert_eq!(seen(builder().build().expect("built")), "unknown");
    let name = allocator.name();
    assert_eq!(seen(builder().allocator(allocator).build().expect("built")), name);
}

//! The membarrier path cannot be modelled by loom; the machine itself must show that it holds.
//!
//! Store buffering, the shape on which mark and enter rest: two threads each store one flag and load the
//! other's. Both loads giving 0 is what must not happen. The control leaves the heavy fence out and must show
//! it happening: a test that cannot show it proves nothing. One processor alone reorders nothing that it runs itself;
//! there, the control must show that.

use crate::fence;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicU32);

#[derive(Default)]
struct Arena {
    active: Line,
    attention: Line,
    round: Line,
    owner_done: Line,
    owner_saw: Line,
    ballast: [Line; 8],
}

impl Arena {
    /// Stores to lines that the other one has stored to last. Stores reach memory in their order: a flag that is
    /// stored behind these stays unseen for longer, and there is more time to miss it.
    fn delay_stores(&self, round: u32) {
        self.ballast.iter().for_each(|line| line.0.store(round, Relaxed));
    }
}

/// Spins, but not for as long as the other one waits for this processor.
fn wait(over: impl Fn() -> bool) {
    let mut spins = 0;
    while !over() {
        spins += 1;
        if spins % 1000 == 0 {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

/// The rounds in which neither saw the other.
fn play(heavy: impl Fn(), rounds: u32) -> u32 {
    let arena = Arena::default();
    let mut unseen = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            loop {
                round += 1;
                wait(|| arena.round.0.load(SeqCst) >= round);
                if arena.round.0.load(SeqCst) == u32::MAX {
                    return;
                }
                arena.delay_stores(round);
                arena.active.0.store(1, Relaxed);
                fence::light();
                let saw = arena.attention.0.load(Relaxed);
                arena.owner_saw.0.store(saw, Relaxed);
                arena.owner_done.0.store(round, SeqCst);
            }
        });
        for number in 1..=rounds {
            arena.active.0.store(0, SeqCst);
            arena.attention.0.store(0, SeqCst);
            arena.round.0.store(number, SeqCst);
            // A delay that varies, so that the two meet at different points.
            for _ in 0..number % 64 {
                std::hint::spin_loop();
            }
            arena.delay_stores(number);
            arena.attention.0.store(1, Relaxed);
            heavy();
            let saw = arena.active.0.load(Relaxed);
            wait(|| arena.owner_done.0.load(SeqCst) >= number);
            unseen += u32::from(saw == 0 && arena.owner_saw.0.load(SeqCst) == 0);
        }
        arena.round.0.store(u32::MAX, SeqCst);
    });
    unseen
}

/// Rounds of a stretch. How often the two miss each other depends on what else the machine does at that moment, so
/// stretches with the fence and without it take turns.
const STRETCH: u32 = 500;
/// They go on until the two have missed each other in so many of those without it. Were the fence not there either in
/// the others, about as many of them would have shown a miss.
const STRETCHES_WITH_A_MISS: u32 = 64;
/// A machine that shows nothing within this proves nothing.
const PATIENCE: Duration = Duration::from_secs(600);

#[test]
fn litmus_the_heavy_fence_makes_one_see_the_other_and_without_it_both_are_missed() {
    assert_eq!(fence::strategy(), fence::Strategy::Membarrier, "this kernel refuses membarrier");
    let fenced = || assert!(fence::heavy().is_complete());
    let unfenced = || std::sync::atomic::compiler_fence(SeqCst);
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if processors == 1 {
        assert_eq!(play(unfenced, STRETCH), 0, "of {STRETCH} rounds on one processor");
        return;
    }
    let start = Instant::now();
    let (mut stretches, mut with_a_miss) = (0, 0);
    while with_a_miss < STRETCHES_WITH_A_MISS {
        assert!(
            start.elapsed() < PATIENCE,
            "a miss in {with_a_miss} of {stretches} stretches without the fence: the others prove nothing"
        );
        stretches += 1;
        with_a_miss += u32::from(play(unfenced, STRETCH) > 0);
        assert_eq!(
            play(fenced, STRETCH),
            0,
            "in stretch {stretches}, {with_a_miss} without the fence had one"
        );
    }
}

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

/// Rounds played and rounds in which neither saw the other.
fn play(heavy: impl Fn(), until: impl Fn(u32, u32) -> bool) -> (u32, u32) {
    let arena = Arena::default();
    let (mut rounds, mut unseen) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            loop {
                round += 1;
                wait(|| arena.round.0.load(SeqCst) >= round);
                if arena.round.0.load(SeqCst) == u32::MAX {
                    return;
                }
                arena.active.0.store(1, Relaxed);
                fence::light();
                let saw = arena.attention.0.load(Relaxed);
                arena.owner_saw.0.store(saw, Relaxed);
                arena.owner_done.0.store(round, SeqCst);
            }
        });
        while !until(rounds, unseen) {
            rounds += 1;
            arena.active.0.store(0, SeqCst);
            arena.attention.0.store(0, SeqCst);
            arena.round.0.store(rounds, SeqCst);
            // A delay that varies, so that the two meet at different points.
            for _ in 0..rounds % 64 {
                std::hint::spin_loop();
            }
            arena.attention.0.store(1, Relaxed);
            heavy();
            let saw = arena.active.0.load(Relaxed);
            wait(|| arena.owner_done.0.load(SeqCst) >= rounds);
            unseen += u32::from(saw == 0 && arena.owner_saw.0.load(SeqCst) == 0);
        }
        arena.round.0.store(u32::MAX, SeqCst);
    });
    (rounds, unseen)
}

#[test]
fn litmus_the_heavy_fence_makes_one_see_the_other() {
    assert_eq!(fence::strategy(), fence::Strategy::Membarrier, "this kernel refuses membarrier");
    let start = Instant::now();
    let fenced = || assert!(fence::heavy().is_complete());
    let over = |rounds| rounds >= 200_000 || (rounds > 100 && start.elapsed() > Duration::from_secs(5));
    let (rounds, unseen) = play(fenced, |rounds, _| over(rounds));
    assert_eq!(unseen, 0, "of {rounds} rounds");
}

#[test]
fn litmus_without_the_heavy_fence_both_are_missed() {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let start = Instant::now();
    let unfenced = || std::sync::atomic::compiler_fence(SeqCst);
    if processors == 1 {
        let (rounds, unseen) = play(unfenced, |rounds, _| rounds >= 200);
        assert_eq!(unseen, 0, "of {rounds} rounds on one processor");
        return;
    }
    let (rounds, unseen) =
        play(unfenced, |_, unseen| unseen > 0 || start.elapsed() > Duration::from_secs(600));
    assert!(unseen > 0, "{rounds} rounds without a miss: the test above proves nothing here");
}

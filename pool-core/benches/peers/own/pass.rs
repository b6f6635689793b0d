//! One pass over 256 slots, of which two belong to threads that are busy and the rest to threads that sleep: mark,
//! one fence, collect. The objects' drops come later and are not counted.

use crate::Plan;
use crate::clock::thread_cpu_ns;
use crate::figures::{Figures, Series, US};
use crate::names::{self, OURS};
use crate::rows::ours::Ours;
use crate::shapes::Peer;
use pool_core::{Capacity, Sampling, Setting};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 101;
const SLOTS: usize = 256;
const BUSY: usize = 2;
/// What each sleeping thread leaves in its magazine.
const OBJECTS: usize = 4;

pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<(), String> {
    // Room for all of it, else the sleepers' objects would be dropped and there were nothing to collect.
    let capacity = Capacity::new(1 << 16, 1 << 30).map_err(|e| e.to_string())?;
    // Without trials: one of them would drop an object that a sleeper is to leave.
    let untimed = Sampling::DEFAULT.with_timing_one_in(0).map_err(|e| e.to_string())?;
    let ours = Ours::built(|builder| builder.capacity(capacity).knob(Setting::Sampling(untimed)));
    let rounds = plan.rounds(ROUNDS);
    let crew = Crew::new();
    let passes = thread::scope(|scope| {
        for _ in 0..SLOTS - BUSY {
            scope.spawn(|| crew.sleeps(&ours, rounds));
        }
        for _ in 0..BUSY {
            scope.spawn(|| crew.works(&ours));
        }
        crew.passes(&ours, rounds)
    });
    let (mut wall, mut cpu) = (Series::new(OURS, names::PASS, US), Series::new(OURS, names::PASS_CPU, US));
    // What the busy threads hold at that moment is anyone's guess; what the sleepers left must be found.
    let left = ((SLOTS - BUSY) * OBJECTS) as u64;
    for pass in passes {
        if pass.taken < left {
            return Err(format!("pass: one found {} objects, the sleepers had left {left}", pass.taken));
        }
        wall.push(pass.wall_us);
        cpu.push(pass.cpu_us);
    }
    figures.series.extend([wall, cpu]);
    ours.objection().map_or(Ok(()), Err)
}

struct Pass {
    taken: u64,
    wall_us: f64,
    cpu_us: f64,
}

/// What the threads tell each other.
struct Crew {
    /// Every thread has its slot.
    settled: AtomicBool,
    /// The sleepers have left their objects, and sleep until the pass is over.
    filled: Barrier,
    emptied: Barrier,
    stop: AtomicBool,
}

impl Crew {
    fn new() -> Self {
        let barrier = || Barrier::new(SLOTS - BUSY + 1);
        let flag = || AtomicBool::new(false);
        Self { settled: flag(), filled: barrier(), emptied: barrier(), stop: flag() }
    }

    fn sleeps(&self, ours: &Ours, rounds: usize) {
        // A thread that finds the table of slots busy does without one, and asks again with its next get.
        while !self.settled.load(Relaxed) {
            ours.give_back(ours.lend());
            thread::yield_now();
        }
        for _ in 0..rounds {
            drop((0..OBJECTS).map(|_| ours.lend()).collect::<Vec<_>>());
            self.filled.wait();
            self.emptied.wait();
        }
    }

    fn works(&self, ours: &Ours) {
        while !self.stop.load(Relaxed) {
            ours.give_back(ours.lend());
        }
    }

    fn passes(&self, ours: &Ours, rounds: usize) -> Vec<Pass> {
        while ours.slots() < SLOTS as u64 {
            thread::sleep(Duration::from_millis(1));
        }
        self.settled.store(true, Relaxed);
        let pass = |_| {
            self.filled.wait();
            let (began, cpu_before) = (Instant::now(), thread_cpu_ns());
            let taken = ours.pass();
            let cpu_us = (thread_cpu_ns() - cpu_before) as f64 / 1e3;
            let wall_us = began.elapsed().as_secs_f64() * 1e6;
            ours.drain();
            self.emptied.wait();
            Pass { taken, wall_us, cpu_us }
        };
        let passes = (0..rounds).map(pass).collect();
        self.stop.store(true, Relaxed);
        passes
    }
}

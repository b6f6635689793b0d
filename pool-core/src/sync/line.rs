//! The line of processes from the one that built the first pool to this one, by fork.
//!
//! The kernel tells nobody of a fork, and a hook that runs at each (`pthread_atfork`) would have to lock every lock of
//! every pool there. So it is noticed, by the process id, where it matters: when a thread takes its id for pools, and
//! when a lock is found held. It knows nothing of what was lost.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// The generation above, and the process id to which it belongs below: they change together. 0 before the first pool.
static LINE: AtomicU64 = AtomicU64::new(0);

/// How many forks were noticed.
pub(crate) fn generation() -> u32 {
    of(LINE.load(Relaxed))
}

/// Looks whether this is another process than before; returns its generation. A system call.
pub(crate) fn notice() -> u32 {
    let here = u64::from(std::process::id());
    let mut line = LINE.load(Acquire);
    loop {
        if line & PROCESS == here {
            return of(line);
        }
        let next = u64::from(of(line) + u32::from(line != 0));
        // Pairs with the loads above and below: threads of a child that notice at once agree on its generation.
        match LINE.compare_exchange(line, next << 32 | here, AcqRel, Acquire) {
            Ok(_) => return of(next << 32),
            Err(now) => line = now,
        }
    }
}

const PROCESS: u64 = (1 << 32) - 1;

fn of(line: u64) -> u32 {
    u32::try_from(line >> 32).unwrap_or(u32::MAX)
}

//! What a test pretends on its own thread: the time and what chance brings. No other build has it.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Each reading of the clock takes this long.
pub(crate) const READING: Duration = Duration::from_micros(1);

/// The pretended time, which goes on by a [`READING`].
pub(super) fn now() -> Option<Instant> {
    let now = NOW.get()?;
    NOW.set(Some(now + READING));
    Some(now)
}

/// The next pretended seed.
pub(super) fn seed() -> Option<u64> {
    let seed = SEED.get()?;
    SEED.set(Some(seed.wrapping_add(2)));
    Some(seed)
}

/// Time stands still but for the readings, and chance repeats itself, until the value is dropped.
pub(crate) struct Pretence(());

impl Pretence {
    pub(crate) fn begin() -> Self {
        NOW.set(Some(Instant::now()));
        SEED.set(Some(0x9E37_79B9_7F4A_7C15));
        Self(())
    }

    pub(crate) fn advance(time: Duration) {
        NOW.set(NOW.get().map(|now| now + time));
    }
}

impl Drop for Pretence {
    fn drop(&mut self) {
        NOW.set(None);
        SEED.set(None);
    }
}

//! The share in force: read by each get, set by operators and people.

use super::share::{ALL_POINTS, Share, Side, hash, is_below, mix};
use crate::knobs::{Applied, Author, Change, Knob, Layers};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::clock::{self, Instant};
use crate::sync::{Mutex, PoisonError};
use std::cell::Cell;
use std::fmt;

/// The share of gets that use the canary of a [`CanaryPool`](crate::CanaryPool): set as a knob is, by layers, where a
/// person's word ends by itself.
///
/// ```
/// use pool_core::{Author, Change, Pool, Share};
/// use std::time::Duration;
/// let lines = Pool::builder("lines").build_canary_with(String::new, |canary| canary)?;
/// let split = lines.split();
/// split.set(Share::percent(30.0)?, Change::operator("ebbpool.yaml:4"));
/// split.set(Share::NONE, Change::person("it is slow", Duration::from_secs(600))?);
/// assert_eq!((split.share().value, split.share().author), (Share::NONE, Author::Person));
/// split.withdraw(Author::Person);
/// assert_eq!(split.share().reason, "ebbpool.yaml:4");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Split {
    name: Box<str>,
    canary_name: Box<str>,
    /// Of 2^32 points, how many are the canary's. Relaxed, as the salt: a get beside a change may find the one new and the
    /// other as it was, and chooses by a share with that salt which nobody set. It is a choice of a side, no more.
    threshold: AtomicU64,
    salt: AtomicU64,
    state: Mutex<State>,
}

struct State {
    layers: Layers<Share>,
    /// Changes so far.
    generation: u64,
}

impl Split {
    /// What stands behind the pool's name in the name of its canary.
    pub const SUFFIX: &'static str = "@canary";

    pub(super) fn new(name: &str) -> Self {
        let canary_name = format!("{name}{}", Self::SUFFIX).into();
        let built = built(name);
        Self {
            name: name.into(),
            canary_name,
            threshold: AtomicU64::new(built.threshold()),
            salt: AtomicU64::new(built.salt()),
            state: Mutex::new(State::new(built)),
        }
    }

    /// The name of the stable pool, and of the whole.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the canary pool.
    #[must_use]
    pub fn canary_name(&self) -> &str {
        &self.canary_name
    }

    /// The share in force and who set it. What has expired by now ends here: whoever sets a share for a time sees to it
    /// that somebody reads it afterwards. As built it is 0, salted with the pool's name.
    #[must_use]
    pub fn share(&self) -> Knob<Share> {
        self.change(|_, _| ()).1
    }

    /// Puts a share on its author's layer; seen by the next get of every thread.
    pub fn set(&self, share: Share, change: Change) -> Applied {
        let (generation, in_force) = self.change(|state, now| {
            state.generation += 1;
            state.layers.set(share, change, state.generation, now);
            state.generation
        });
        Applied { generation, in_force: in_force.generation == generation }
    }

    /// Takes an author's layer off; whether there was one.
    #[allow(clippy::must_use_candidate, reason = "most call it for what it does")]
    pub fn withdraw(&self, author: Author) -> bool {
        self.change(|state, _| {
            let there = state.layers.clear(author);
            state.generation += u64::from(there);
            there
        })
        .0
    }

    /// The side of the next get.
    #[inline]
    pub(super) fn next(&self) -> Side {
        match self.threshold.load(Relaxed) {
            0 => Side::Stable,
            ALL_POINTS => Side::Canary,
            threshold => Side::canary_if(is_below(turn(self.salt.load(Relaxed)), threshold)),
        }
    }

    /// The side of a key.
    pub(super) fn side_of(&self, key: &[u8]) -> Side {
        let (threshold, salt) = (self.threshold.load(Relaxed), self.salt.load(Relaxed));
        Side::canary_if(is_below(hash(salt, key), threshold))
    }

    fn change<O>(&self, f: impl FnOnce(&mut State, Instant) -> O) -> (O, Knob<Share>) {
        let now = clock::now();
        // If it is lost in a fork, the child has the share that its pool was built with.
        let state = self.state.lock_or(|| State::new(built(&self.name)));
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let output = f(&mut state, now);
        state.generation += state.layers.expire(now);
        let knob = state.layers.in_force(Author::Policy, now);
        // Under the lock, so that changes come into force in their order.
        self.salt.store(knob.value.salt(), Relaxed);
        self.threshold.store(knob.value.threshold(), Relaxed);
        (output, knob)
    }
}

impl State {
    fn new(built: Share) -> Self {
        Self { layers: Layers::new(built), generation: 0 }
    }
}

/// Nothing, with a salt of its own: what one canary takes says nothing of what another does.
fn built(name: &str) -> Share {
    Share::NONE.salted(name)
}

/// As good as a random number, for the next get of this thread: SplitMix64. Each thread that ever draws begins
/// somewhere else, or threads of a single get would all be on one side.
fn turn(salt: u64) -> u64 {
    /// Relaxed: whoever counts gets a number of its own, and nothing else is told by it.
    static THREADS: AtomicU64 = AtomicU64::new(0);
    // Without a destructor it is there until the thread is gone. 0 stands for a thread that has not drawn.
    thread_local!(static STATE: Cell<u64> = const { Cell::new(0) });
    let mut state = STATE.get();
    if state == 0 {
        state = mix(THREADS.fetch_add(1, Relaxed) + 1);
    }
    state = state.wrapping_add(GAMMA);
    STATE.set(state);
    mix(salt ^ mix(state))
}

/// The increment of SplitMix64: 2^64 over the golden ratio, odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.threshold.load(Relaxed) as f64 / ALL_POINTS as f64;
        f.debug_struct("Split").field("name", &self.name).field("share", &share).finish_non_exhaustive()
    }
}

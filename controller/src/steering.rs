//! Which mode is in force: it may be changed while the controller runs, and frozen for a while.
//!
//! Control plane only: the loop asks once a tick, people now and then.

use crate::mode::Mode;
use crate::shared::lock;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

/// The word that counts.
#[derive(Debug)]
pub(crate) struct Steering {
    /// The environment has said so: nobody else may.
    is_fixed: bool,
    word: Mutex<Word>,
}

#[derive(Clone, Copy, Debug)]
struct Word {
    mode: Mode,
    frozen_until: Option<Duration>,
}

/// The longest freeze: a week. What is frozen for longer should be switched off.
pub(crate) const FREEZE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

impl Steering {
    pub(crate) const fn new(mode: Mode, is_fixed: bool) -> Self {
        Self { is_fixed, word: Mutex::new(Word { mode, frozen_until: None }) }
    }

    /// The mode in force at `at`, the time since the start.
    pub(crate) fn mode(&self, at: Duration) -> Mode {
        let mut word = lock(&self.word);
        if word.frozen_until.is_some_and(|until| at >= until) {
            word.frozen_until = None;
        }
        if word.frozen_until.is_some() { Mode::Frozen } else { word.mode }
    }

    /// When a freeze ends, as time since the start.
    pub(crate) fn frozen_until(&self) -> Option<Duration> {
        lock(&self.word).frozen_until
    }

    /// From now on `mode`; ends a freeze.
    pub(crate) fn set(&self, mode: Mode) -> Result<(), ModeRefused> {
        self.set_beneath(mode)?;
        self.thaw();
        Ok(())
    }

    /// The same, but a freeze goes on: it is a person's, and this is a file's word.
    pub(crate) fn set_beneath(&self, mode: Mode) -> Result<(), ModeRefused> {
        let mut word = lock(&self.word);
        match (word.mode, mode) {
            (Mode::Off, _) => return Err(ModeRefused::IsOff),
            (_, Mode::Off | Mode::Frozen) => return Err(ModeRefused::NotToBeSet(mode)),
            (now, _) if self.is_fixed && now != mode => return Err(ModeRefused::Environment(now)),
            _ => {}
        }
        word.mode = mode;
        Ok(())
    }

    /// Frozen from `at` on, for `time`; counted anew if it is frozen already.
    pub(crate) fn freeze(&self, at: Duration, time: Duration) -> Result<(), ModeRefused> {
        let mut word = lock(&self.word);
        if word.mode == Mode::Off {
            return Err(ModeRefused::IsOff);
        }
        if time.is_zero() || time > FREEZE_MAX {
            return Err(ModeRefused::FreezeOutOfRange(time));
        }
        word.frozen_until = Some(at + time);
        Ok(())
    }

    /// Ends a freeze; whether there was one.
    pub(crate) fn thaw(&self) -> bool {
        lock(&self.word).frozen_until.take().is_some()
    }
}

/// Why a mode was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModeRefused {
    /// `EBBPOOL_CONTROLLER` has the last word, and says this.
    Environment(Mode),
    /// The controller was switched off when it was built: it has no threads.
    IsOff,
    /// This mode is not set in this way: a freeze has an end, and off is for the environment or the builder.
    NotToBeSet(Mode),
    /// A freeze lasts for more than nothing, and for seven days at most.
    FreezeOutOfRange(Duration),
}

impl fmt::Display for ModeRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(mode) => {
                write!(f, "mode: {}={mode} is set and has the last word", Mode::VARIABLE)
            }
            Self::IsOff => f.write_str("mode: the controller was built switched off; allowed: nothing else"),
            Self::NotToBeSet(mode) => {
                write!(f, "mode: {mode} cannot be set; allowed: observe, enforce, or a freeze with a time")
            }
            Self::FreezeOutOfRange(time) => {
                write!(f, "freeze: {time:?} is out of range, allowed are more than 0s to 604800s (7 days)")
            }
        }
    }
}

impl std::error::Error for ModeRefused {}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_freeze_ends_by_itself_and_what_was_before_comes_back() {
        let steering = Steering::new(Mode::Enforce, false);
        steering.freeze(S(10), S(5)).unwrap();
        assert_eq!(
            [12, 14, 15, 20].map(|at| steering.mode(S(at))),
            [Mode::Frozen, Mode::Frozen, Mode::Enforce, Mode::Enforce]
        );
        steering.freeze(S(20), S(60)).unwrap();
        assert_eq!((steering.thaw(), steering.mode(S(21)), steering.thaw()), (true, Mode::Enforce, false));
        steering.freeze(S(22), S(60)).unwrap();
        steering.set(Mode::Observe).unwrap();
        assert_eq!(steering.mode(S(23)), Mode::Observe, "a word ends a freeze");
        steering.freeze(S(24), S(6)).unwrap();
        steering.set_beneath(Mode::Enforce).unwrap();
        assert_eq!(
            [29, 30].map(|at| steering.mode(S(at))),
            [Mode::Frozen, Mode::Enforce],
            "a file's does not"
        );
    }

    #[test]
    fn what_is_refused_says_what_is_allowed() {
        let free = Steering::new(Mode::Observe, false);
        let fixed = Steering::new(Mode::Observe, true);
        assert_eq!(fixed.set(Mode::Observe), Ok(()), "the same word");
        let said = [
            fixed.set(Mode::Enforce),
            free.set(Mode::Off),
            free.freeze(S(0), S(0)),
            free.freeze(S(0), FREEZE_MAX + S(1)),
            Steering::new(Mode::Off, true).freeze(S(0), S(1)),
        ]
        .map(|refused| refused.unwrap_err().to_string());
        assert_eq!(
            said,
            [
                "mode: EBBPOOL_CONTROLLER=observe is set and has the last word",
                "mode: off cannot be set; allowed: observe, enforce, or a freeze with a time",
                "freeze: 0ns is out of range, allowed are more than 0s to 604800s (7 days)",
                "freeze: 604801s is out of range, allowed are more than 0s to 604800s (7 days)",
                "mode: the controller was built switched off; allowed: nothing else",
            ]
        );
    }
}

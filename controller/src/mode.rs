//! What a controller may do: by the builder, or by the environment, which has the last word.

use std::ffi::OsStr;
use std::fmt;

/// What a controller may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Decides and publishes what it would do; touches nothing.
    #[default]
    Observe,
    /// Carries its plans out.
    Enforce,
    /// Decides and publishes, and leaves every knob as it is, until a time: see [`Handle::freeze`](crate::Handle::freeze).
    Frozen,
    /// Nothing runs: no thread, no decision. Status, metrics and routes still answer, with readings taken when
    /// they are asked for.
    Off,
}

impl Mode {
    /// The environment variable that overrides the builder: `off`, `observe` or `enforce`.
    pub const VARIABLE: &'static str = "EBBPOOL_CONTROLLER";

    /// The name in status, metrics and the environment.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Enforce => "enforce",
            Self::Frozen => "frozen",
            Self::Off => "off",
        }
    }

    /// The mode that is in force when a builder says `self` and the variable holds `value`.
    pub(crate) fn overridden_by(self, value: Option<&OsStr>) -> Result<Self, UnknownMode> {
        let Some(value) = value else { return Ok(self) };
        let known = [Self::Off, Self::Observe, Self::Enforce];
        let found = known.into_iter().find(|mode| value == mode.as_str());
        found.ok_or_else(|| UnknownMode { value: value.to_string_lossy().into_owned() })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The environment asks for a mode that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMode {
    /// What the variable holds.
    pub value: String,
}

impl fmt::Display for UnknownMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (variable, value) = (Mode::VARIABLE, &self.value);
        write!(f, "{variable}={value:?} is unknown, allowed are off, observe and enforce")
    }
}

impl std::error::Error for UnknownMode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_the_last_word() {
        let with = |value: Option<&str>| Mode::Enforce.overridden_by(value.map(OsStr::new));
        assert_eq!(with(None), Ok(Mode::Enforce));
        assert_eq!(with(Some("off")), Ok(Mode::Off));
        assert_eq!(with(Some("observe")), Ok(Mode::Observe));
        assert_eq!(Mode::Observe.overridden_by(Some(OsStr::new("enforce"))), Ok(Mode::Enforce));
    }

    #[test]
    fn anything_else_is_an_error_that_names_what_is_allowed() {
        for value in ["", "Off", "on", "0"] {
            let error = Mode::Enforce.overridden_by(Some(OsStr::new(value))).expect_err(value).to_string();
            assert_eq!(
                error,
                format!("EBBPOOL_CONTROLLER={value:?} is unknown, allowed are off, observe and enforce")
            );
        }
    }
}

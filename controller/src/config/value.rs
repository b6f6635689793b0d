//! What a field may hold: kinds with their ranges, and how a value of each is read and told.

use super::fields::knob_keys;
use super::node::Node;
use super::{suggest, units};
use std::sync::Arc;
use std::time::Duration;

/// A kind of value with its range.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// The number of the format.
    Version(u64),
    /// One of a few words.
    Word(&'static [&'static str]),
    /// `auto`, or a size from the least one on.
    AutoOrSize { min: u64, max: u64 },
    /// A duration; `never` where there need not be one.
    Time { min: Duration, max: Duration, or_never: bool },
    /// Bytes.
    Size { min: u64, max: u64 },
    /// A whole number.
    Whole { min: u64, max: u64 },
    /// 0 to 1.
    Share,
    /// `off`, `1/N` up to a largest N, and `all` where each one may be meant.
    OneIn { max: u32, or_all: bool },
    /// True or false.
    Flag,
    /// 0 to 100.
    Percent,
    /// A text of at least one byte and at most so many.
    Text { max: usize },
    /// Knobs of a pool in a map of their own: its fields are those of the pool.
    Knobs,
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Word(&'static str),
    Auto,
    Never,
    Time(Duration),
    Size(u64),
    Whole(u64),
    Share(f64),
    Off,
    All,
    OneIn(u32),
    Flag(bool),
    Percent(f64),
    Text(Arc<str>),
}

impl Kind {
    /// Reads a value, or says what is wrong with it and what is allowed.
    pub(super) fn read(self, node: &Node) -> Result<Value, String> {
        let value = match (self, node) {
            (Self::Version(now), _) => return version(now, node),
            (Self::Whole { min, max }, Node::Int(number)) => u64::try_from(*number)
                .ok()
                .filter(|number| (min..=max).contains(number))
                .map(Value::Whole)
                .ok_or("out of range"),
            (Self::Share, Node::Int(number)) => share(*number as f64),
            (Self::Share, Node::Float(number)) => share(*number),
            (Self::Percent, Node::Int(number)) => percent(*number as f64),
            (Self::Percent, Node::Float(number)) => percent(*number),
            (Self::Flag, Node::Bool(flag)) => Ok(Value::Flag(*flag)),
            (_, Node::Text(text)) => self.read_text(text),
            _ => Err(""),
        };
        value.map_err(|problem| match (problem, node) {
            ("", _) => format!("expected {}, found {}", self.allowed(), super::cursor::describe(node)),
            (problem, Node::Text(text)) => {
                format!("{text:?}: {problem}{}; allowed: {}", self.hint(text), self.allowed())
            }
            (problem, _) => {
                let found = super::cursor::describe(node);
                format!("{found} is {problem}; allowed: {}", self.allowed())
            }
        })
    }

    /// An empty problem: the kind is no text at all.
    fn read_text(self, text: &str) -> Result<Value, &'static str> {
        match self {
            Self::Word(words) => words
                .iter()
                .find(|word| **word == text)
                .map(|word| Value::Word(word))
                .ok_or("not a word that is known here"),
            Self::AutoOrSize { .. } if text == "auto" => Ok(Value::Auto),
            Self::AutoOrSize { min, max } | Self::Size { min, max } => {
                let bytes = units::bytes("", text).map_err(|refused| {
                    if refused.problem == "out of range" { "out of range" } else { "not a size" }
                })?;
                if (min..=max).contains(&bytes) { Ok(Value::Size(bytes)) } else { Err("out of range") }
            }
            Self::Time { or_never: true, .. } if text == "never" => Ok(Value::Never),
            Self::Time { min, max, .. } => units::fine_duration(text, &(min..=max)).map(Value::Time),
            Self::OneIn { .. } if text == "off" => Ok(Value::Off),
            Self::OneIn { or_all: true, .. } if text == "all" => Ok(Value::All),
            Self::OneIn { max, .. } => {
                let digits = text.strip_prefix("1/").ok_or("not a share of this form")?;
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err("not a share of this form");
                }
                let n = digits.parse().ok().filter(|n| (1..=max).contains(n));
                n.map(Value::OneIn).ok_or("out of range")
            }
            Self::Text { max } if (1..=max).contains(&text.len()) => Ok(Value::Text(text.into())),
            Self::Text { .. } => Err("not of this length"),
            Self::Version(_)
            | Self::Whole { .. }
            | Self::Share
            | Self::Flag
            | Self::Percent
            | Self::Knobs => Err(""),
        }
    }

    fn hint(self, text: &str) -> String {
        match self {
            Self::Word(words) => suggest::hint(text, words.iter().copied()),
            _ => String::new(),
        }
    }

    /// What is allowed, for errors and for the reference.
    pub(super) fn allowed(self) -> String {
        match self {
            Self::Version(now) => now.to_string(),
            Self::Word(words) => words.join(", "),
            Self::AutoOrSize { min, max } => format!("auto, or {}", Self::Size { min, max }.allowed()),
            Self::Size { min, max } => {
                let (min, max) = (units::show_exact(min), units::show_exact(max));
                format!("a size from {min} to {max}, such as 16MiB")
            }
            Self::Time { min, max, or_never } => {
                let never = if or_never { "never, or " } else { "" };
                let (shown_min, shown_max) = (units::show_duration(min), units::show_duration(max));
                let example = if max <= Duration::from_secs(1) { "500us" } else { "90s" };
                format!("{never}a duration from {shown_min} to {shown_max}, such as {example}")
            }
            Self::Whole { min, max } => format!("a whole number from {min} to {max}"),
            Self::Share => "a number from 0 to 1".to_owned(),
            Self::OneIn { max, or_all } => {
                let all = if or_all { "all, " } else { "" };
                format!("off, {all}or 1/N with N from 1 to {max}, such as 1/128")
            }
            Self::Flag => "true, false".to_owned(),
            Self::Percent => "a number from 0 to 100".to_owned(),
            Self::Text { max } => format!("a text of 1 to {max} bytes"),
            Self::Knobs => format!("a map with the keys {}", knob_keys().join(", ")),
        }
    }
}

fn percent(number: f64) -> Result<Value, &'static str> {
    if (0.0..=100.0).contains(&number) { Ok(Value::Percent(number)) } else { Err("out of range") }
}

fn share(number: f64) -> Result<Value, &'static str> {
    if (0.0..=1.0).contains(&number) { Ok(Value::Share(number)) } else { Err("out of range") }
}

/// A version that is not ours is refused with a way out.
fn version(now: u64, node: &Node) -> Result<Value, String> {
    let Node::Int(found) = node else {
        let found = super::cursor::describe(node);
        return Err(format!("expected the number of the format, found {found}; allowed: {now}"));
    };
    match u64::try_from(*found) {
        Ok(found) if found == now => Ok(Value::Whole(found)),
        Ok(found) if found > now => Err(format!(
            "version {found} is newer than what this build reads; allowed: {now}; run a newer Ebbpool, or write the \
             file as version {now} says"
        )),
        _ => Err(format!(
            "version {found} was never in use; allowed: {now}; write version: {now} and see what `ebbpool check` \
             says of the rest"
        )),
    }
}

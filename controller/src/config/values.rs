//! The values that a configuration gives, by the path of their field.

use super::Refused;
use super::fields::{FIELDS, Field, INSTANCE, knob_fields};
use super::node::{self, Node};
use super::suggest;
use super::units::{show_duration, show_exact};
use super::value::{Kind, Value};
use std::collections::BTreeMap;
use std::ffi::OsString;

/// A value and where it was told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Set {
    pub(super) value: Value,
    /// `None`: not in a file.
    pub(super) line: Option<usize>,
}

/// Values by the path of their field.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Values(pub(super) BTreeMap<&'static str, Set>);

impl Values {
    pub(super) fn put(&mut self, path: &'static str, set: Set) {
        self.0.insert(path, set);
    }

    pub(super) fn get(&self, path: &str) -> Option<Value> {
        debug_assert!(FIELDS.iter().any(|field| field.path == path), "{path} is no field");
        self.0.get(path).map(|set| set.value.clone())
    }

    /// A whole number; its field bounds it to what knobs take.
    pub(super) fn whole(&self, path: &str) -> Option<u32> {
        match self.get(path)? {
            Value::Whole(number) => u32::try_from(number).ok(),
            _ => None,
        }
    }

    pub(super) fn size(&self, path: &str) -> Option<u64> {
        match self.get(path)? {
            Value::Size(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn share(&self, path: &str) -> Option<f64> {
        match self.get(path)? {
            Value::Share(share) => Some(share),
            _ => None,
        }
    }

    /// The lines of the values whose path fits.
    pub(super) fn lines(&self, fits: impl Fn(&str) -> bool) -> impl Iterator<Item = Option<usize>> {
        self.0.iter().filter(move |(path, _)| fits(path)).map(|(_, set)| set.line)
    }

    /// `capacity.bytes 64MiB, weight 200`
    pub(super) fn summary(&self, prefix: &str) -> String {
        let in_order = FIELDS.iter().filter_map(|field| Some((field.path, self.0.get(field.path)?)));
        let told = in_order
            .map(|(path, set)| format!("{} {}", path.strip_prefix(prefix).unwrap_or(path), show(&set.value)));
        let told: Vec<_> = told.collect();
        if told.is_empty() { "as built".to_owned() } else { told.join(", ") }
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Word(word) => (*word).to_owned(),
        Value::Auto => "auto".to_owned(),
        Value::Never => "never".to_owned(),
        Value::Time(time) => show_duration(*time),
        Value::Size(bytes) => show_exact(*bytes),
        Value::Whole(number) => number.to_string(),
        Value::Share(share) => share.to_string(),
        Value::Off => "off".to_owned(),
        Value::All => "all".to_owned(),
        Value::OneIn(n) => format!("1/{n}"),
        Value::Flag(flag) => flag.to_string(),
        Value::Percent(percent) => percent.to_string(),
        Value::Text(text) => text.to_string(),
    }
}

/// Reads a field that a program or a person told; `shown` is its path in errors.
pub(super) fn read_field(
    prefix: &str,
    field: &str,
    shown: &str,
    value: &str,
) -> Result<(&'static str, Value), Refused> {
    let names = || FIELDS.iter().filter_map(|field| field.path.strip_prefix(prefix));
    let found = FIELDS.iter().find(|known| known.path.strip_prefix(prefix) == Some(field));
    read(found, field, names(), shown, value)
}

/// The same for a field of a knob, which one side of a stage may have.
pub(super) fn read_knob_field(
    field: &str,
    shown: &str,
    value: &str,
) -> Result<(&'static str, Value), Refused> {
    let found = knob_fields().find(|(known, _)| *known == field).map(|(_, found)| found);
    read(found, field, knob_fields().map(|(known, _)| known), shown, value)
}

/// Reads the name of this process from elsewhere than a file; `shown` is where it was told.
pub(crate) fn read_instance(shown: &str, name: OsString) -> Result<String, Refused> {
    let refused = |name: &str, problem| Refused::invalid(shown, name, problem, INSTANCE.allowed());
    let name = name.into_string().map_err(|name| refused(&name.to_string_lossy(), "not UTF-8"))?;
    match INSTANCE.read(&Node::Text(name.clone())) {
        Ok(_) => Ok(name),
        Err(_) => Err(refused(&name, "not of this length")),
    }
}

fn read(
    found: Option<&'static Field>,
    field: &str,
    names: impl Iterator<Item = &'static str> + Clone,
    shown: &str,
    value: &str,
) -> Result<(&'static str, Value), Refused> {
    let Some(found) = found.filter(|found| !matches!(found.kind, Kind::Knobs)) else {
        let problem = format!("there is no such field{}", suggest::hint(field, names.clone()));
        return Err(Refused::invalid(shown, field, problem, names.collect::<Vec<_>>().join(", ")));
    };
    let allowed = found.kind.allowed();
    let node = node::parse(value).unwrap_or_else(|_| Node::Text(value.to_owned()));
    let read = found.kind.read(&node);
    read.map(|read| (found.path, read))
        .map_err(|_| Refused::invalid(shown, value, "not allowed here", allowed))
}

//! Walking the tree strictly: each step knows its path and its place, and refuses what is not allowed there.

use super::node::{Entry, Node, Part, Step};
use super::{Refused, suggest};
use std::collections::BTreeSet;

/// A problem at a place of a document; [`Document::error`](super::Document::error) adds file and line.
///
/// See the example of [`Document`](super::Document).
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub(super) path: String,
    pub(super) steps: Vec<Step>,
    pub(super) part: Part,
    pub(super) what: String,
}

/// A value of a document and how it was reached.
///
/// See the example of [`Document`](super::Document).
#[derive(Clone, Debug)]
pub struct At<'a> {
    node: &'a Node,
    path: String,
    steps: Vec<Step>,
    line: usize,
}

/// The entries of a map whose keys are known to be allowed and there once.
///
/// See the example of [`Document`](super::Document).
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    at: At<'a>,
    entries: Vec<(&'a str, At<'a>)>,
    allowed: String,
}

impl<'a> At<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Self { node, path: String::new(), steps: Vec::new(), line: 1 }
    }

    /// The line of its key, from 1; inside lists, that of the list's key.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    pub(super) fn node(&self) -> &'a Node {
        self.node
    }

    /// A problem with this value.
    #[must_use]
    pub fn wrong(&self, problem: impl Into<String>) -> Problem {
        self.problem(Part::Value, problem.into())
    }

    /// What another module refused about this value.
    #[must_use]
    pub fn refused(&self, refused: &Refused) -> Problem {
        self.wrong(refused.what())
    }

    fn problem(&self, part: Part, what: String) -> Problem {
        Problem { path: self.path.clone(), steps: self.steps.clone(), part, what }
    }

    fn expected(&self, what: &str) -> Problem {
        self.wrong(format!("expected {what}, found {}", describe(self.node)))
    }

    /// A map with these keys and no others.
    ///
    /// # Errors
    /// [`Problem`]: no map, another key, or a key twice.
    pub fn fields(&self, allowed: &[&str]) -> Result<Fields<'a>, Problem> {
        let list = allowed.join(", ");
        let entries = self.entries(&format!("a map with the keys {list}"))?;
        for (key, at) in &entries {
            if !allowed.contains(key) {
                return Err(at.unknown(key, allowed));
            }
        }
        Ok(Fields { at: self.clone(), entries, allowed: list })
    }

    /// The same, but what is wrong goes to `problems`, and the rest is there to be read.
    pub(super) fn known(&self, allowed: &[&str], problems: &mut Vec<Problem>) -> Vec<(&'a str, At<'a>)> {
        let list = allowed.join(", ");
        let entries = self.entries_or(&format!("a map with the keys {list}"), problems);
        let (known, unknown): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(key, _)| allowed.contains(key));
        problems.extend(unknown.iter().map(|(key, at)| at.unknown(key, allowed)));
        known
    }

    /// The value of a key, if this is a map that has it.
    pub(super) fn entry(&self, key: &str) -> Option<Self> {
        let mut ignored = Vec::new();
        let entries = self.entries_or("", &mut ignored);
        entries.into_iter().find(|(found, _)| *found == key).map(|(_, at)| at)
    }

    fn unknown(&self, key: &str, allowed: &[&str]) -> Problem {
        let hint = suggest::hint(key, allowed.iter().copied());
        self.problem(Part::Key, format!("unknown key{hint}; allowed: {}", allowed.join(", ")))
    }

    /// A map with keys of the author's choice, each there once.
    ///
    /// # Errors
    /// [`Problem`]: no map, or a key twice.
    pub fn entries(&self, what: &str) -> Result<Vec<(&'a str, At<'a>)>, Problem> {
        let mut problems = Vec::new();
        let found = self.entries_or(what, &mut problems);
        problems.into_iter().next().map_or(Ok(found), Err)
    }

    /// The same, but what is wrong goes to `problems`: the first of equal keys is there to be read.
    pub(super) fn entries_or(&self, what: &str, problems: &mut Vec<Problem>) -> Vec<(&'a str, At<'a>)> {
        let Node::Map(entries) = self.node else {
            problems.push(self.expected(what));
            return Vec::new();
        };
        let mut seen = BTreeSet::new();
        let mut found: Vec<(&str, At<'a>)> = Vec::with_capacity(entries.len());
        for (step, Entry { key, line, value }) in entries.iter().enumerate() {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            let at = Self { node: value, path, steps: [&self.steps[..], &[step]].concat(), line: *line };
            if seen.insert(key) {
                found.push((key, at));
            } else {
                problems.push(at.problem(Part::Key, "this key is here twice; allowed: once".to_owned()));
            }
        }
        found
    }

    /// A list; `what` is in it, for errors.
    ///
    /// # Errors
    /// [`Problem`]: no list.
    pub fn list(&self, what: &str) -> Result<Vec<At<'a>>, Problem> {
        let Node::List(list) = self.node else { return Err(self.expected(&format!("a list of {what}"))) };
        let at = |(step, node)| Self {
            node,
            path: format!("{}[{step}]", self.path),
            steps: [&self.steps[..], &[step]].concat(),
            line: self.line,
        };
        Ok(list.iter().enumerate().map(at).collect())
    }

    /// A text; `what` it stands for, for errors.
    ///
    /// # Errors
    /// [`Problem`]: no text.
    pub fn text(&self, what: &str) -> Result<&'a str, Problem> {
        match self.node {
            Node::Text(text) => Ok(text),
            Node::Int(_) | Node::Float(_) | Node::Bool(_) => Err(self.wrong(format!(
                "expected {what} as text, found {} (quotes make it text)",
                describe(self.node)
            ))),
            _ => Err(self.expected(&format!("{what} as text"))),
        }
    }

    /// A whole number of 0 or more; `what` it stands for, for errors.
    ///
    /// # Errors
    /// [`Problem`]: another value.
    pub fn whole(&self, what: &str) -> Result<u64, Problem> {
        match self.node {
            Node::Int(number) => u64::try_from(*number).map_err(|_| self.expected(what)),
            _ => Err(self.expected(what)),
        }
    }

    /// A number within a range.
    ///
    /// # Errors
    /// [`Problem`]: another value, or one out of range.
    pub fn number(&self, what: &str, range: std::ops::RangeInclusive<f64>) -> Result<f64, Problem> {
        let number = match self.node {
            Node::Int(number) => *number as f64,
            Node::Float(number) => *number,
            _ => return Err(self.expected(what)),
        };
        if range.contains(&number) { Ok(number) } else { Err(self.expected(what)) }
    }

    /// One of a few words.
    ///
    /// # Errors
    /// [`Problem`]: another text.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Problem> {
        let list = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let text = self.text(&format!("one of {list}"))?;
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let hint = suggest::hint(text, words.iter().map(|(word, _)| *word));
            self.wrong(format!("{text:?} is not supported{hint}; allowed: {list}"))
        })
    }

    /// Whether it is true or false; `None` if neither.
    #[must_use]
    pub const fn boolean(&self) -> Option<bool> {
        match self.node {
            Node::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The value as JSON, for what is sent as it stands.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        json(self.node)
    }
}

impl<'a> Fields<'a> {
    /// The value of a key, if it is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<At<'a>> {
        self.entries.iter().find(|(k, _)| *k == key).map(|(_, at)| at.clone())
    }

    /// The value of a key that must be there.
    ///
    /// # Errors
    /// [`Problem`]: it is not there.
    pub fn need(&self, key: &str) -> Result<At<'a>, Problem> {
        self.get(key)
            .ok_or_else(|| self.at.wrong(format!("the key {key} is missing; allowed: {}", self.allowed)))
    }

    /// The map itself.
    #[must_use]
    pub const fn at(&self) -> &At<'a> {
        &self.at
    }
}

pub(super) fn describe(node: &Node) -> String {
    match node {
        Node::Null => "nothing".to_owned(),
        Node::Bool(value) => format!("{value}"),
        Node::Int(number) => format!("the number {number}"),
        Node::Float(number) => format!("the number {number}"),
        Node::Text(text) => format!("the text {text:?}"),
        Node::List(_) => "a list".to_owned(),
        Node::Map(_) => "a map".to_owned(),
    }
}

fn json(node: &Node) -> serde_json::Value {
    match node {
        Node::Null => serde_json::Value::Null,
        Node::Bool(value) => (*value).into(),
        Node::Int(number) => (*number).into(),
        Node::Float(number) => (*number).into(),
        Node::Text(text) => text.as_str().into(),
        Node::List(list) => list.iter().map(json).collect(),
        Node::Map(entries) => serde_json::Value::Object(
            entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect(),
        ),
    }
}

//! Walking the tree strictly: each step knows its path and its place, and refuses what is not allowed there.

use super::node::{Node, Part, Step};
use crate::{Refused, suggest};

/// A problem at a place; the file and its lines are added by whoever has them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    pub(super) path: String,
    pub(super) steps: Vec<Step>,
    pub(super) part: Part,
    pub(super) what: String,
}

/// A node and how it was reached.
#[derive(Clone, Debug)]
pub(super) struct At<'a> {
    node: &'a Node,
    path: String,
    steps: Vec<Step>,
}

/// The entries of a map whose keys are known to be allowed and there once.
pub(super) struct Fields<'a> {
    at: At<'a>,
    entries: Vec<(&'a str, At<'a>)>,
    allowed: String,
}

impl<'a> At<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Self { node, path: String::new(), steps: Vec::new() }
    }

    pub(super) fn wrong(&self, problem: impl Into<String>) -> Problem {
        self.problem(Part::Value, problem.into())
    }

    /// What another module refused about this value.
    pub(super) fn refused(&self, refused: &Refused) -> Problem {
        self.wrong(refused.what())
    }

    fn problem(&self, part: Part, what: String) -> Problem {
        Problem { path: self.path.clone(), steps: self.steps.clone(), part, what }
    }

    fn expected(&self, what: &str) -> Problem {
        self.wrong(format!("expected {what}, found {}", describe(self.node)))
    }

    /// A map with these keys and no others.
    pub(super) fn fields(&self, allowed: &[&str]) -> Result<Fields<'a>, Problem> {
        let list = allowed.join(", ");
        let entries = self.entries(&format!("a map with the keys {list}"))?;
        for (key, at) in &entries {
            if !allowed.contains(key) {
                let hint = suggest::hint(key, allowed.iter().copied());
                return Err(at.problem(Part::Key, format!("unknown key{hint}; allowed: {list}")));
            }
        }
        Ok(Fields { at: self.clone(), entries, allowed: list })
    }

    /// A map with keys of the author's choice, each there once.
    pub(super) fn entries(&self, what: &str) -> Result<Vec<(&'a str, At<'a>)>, Problem> {
        let Node::Map(entries) = self.node else { return Err(self.expected(what)) };
        let mut found: Vec<(&str, At<'a>)> = Vec::with_capacity(entries.len());
        for (step, (key, node)) in entries.iter().enumerate() {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            let at = Self { node, path, steps: [&self.steps[..], &[step]].concat() };
            if found.iter().any(|(other, _)| other == key) {
                return Err(at.problem(Part::Key, "this key is here twice; allowed: once".to_owned()));
            }
            found.push((key, at));
        }
        Ok(found)
    }

    pub(super) fn list(&self, what: &str) -> Result<Vec<At<'a>>, Problem> {
        let Node::List(list) = self.node else { return Err(self.expected(&format!("a list of {what}"))) };
        let at = |(step, node)| Self {
            node,
            path: format!("{}[{step}]", self.path),
            steps: [&self.steps[..], &[step]].concat(),
        };
        Ok(list.iter().enumerate().map(at).collect())
    }

    pub(super) fn text(&self, what: &str) -> Result<&'a str, Problem> {
        match self.node {
            Node::Text(text) => Ok(text),
            Node::Int(_) | Node::Float(_) | Node::Bool(_) => Err(self.wrong(format!(
                "expected {what} as text, found {} (quotes make it text)",
                describe(self.node)
            ))),
            _ => Err(self.expected(&format!("{what} as text"))),
        }
    }

    pub(super) fn whole(&self, what: &str) -> Result<u64, Problem> {
        match self.node {
            Node::Int(number) => u64::try_from(*number).map_err(|_| self.expected(what)),
            _ => Err(self.expected(what)),
        }
    }

    /// A number within a range.
    pub(super) fn number(&self, what: &str, range: std::ops::RangeInclusive<f64>) -> Result<f64, Problem> {
        let number = match self.node {
            Node::Int(number) => *number as f64,
            Node::Float(number) => *number,
            _ => return Err(self.expected(what)),
        };
        if range.contains(&number) { Ok(number) } else { Err(self.expected(what)) }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Problem> {
        let list = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let text = self.text(&format!("one of {list}"))?;
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let hint = suggest::hint(text, words.iter().map(|(word, _)| *word));
            self.wrong(format!("{text:?} is not supported{hint}; allowed: {list}"))
        })
    }

    pub(super) const fn boolean(&self) -> Option<bool> {
        match self.node {
            Node::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The value as JSON, for what is sent as it stands.
    pub(super) fn json(&self) -> serde_json::Value {
        json(self.node)
    }
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, key: &str) -> Option<At<'a>> {
        self.entries.iter().find(|(k, _)| *k == key).map(|(_, at)| at.clone())
    }

    pub(super) fn need(&self, key: &str) -> Result<At<'a>, Problem> {
        self.get(key)
            .ok_or_else(|| self.at.wrong(format!("the key {key} is missing; allowed: {}", self.allowed)))
    }

    pub(super) const fn at(&self) -> &At<'a> {
        &self.at
    }
}

fn describe(node: &Node) -> String {
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
        Node::Map(entries) => {
            serde_json::Value::Object(entries.iter().map(|(key, node)| (key.clone(), json(node))).collect())
        }
    }
}

//! A YAML document as a tree that keeps every key in order with its line, and the way back from a place in the
//! tree to its line and column.
//!
//! The YAML library gives positions to its own errors only. So each key is read by failing at it, and the line is
//! taken from the error. A value is located by reading the document once more down to it and failing there: slow,
//! and only ever done for errors that are reported.

use serde::de::Unexpected;
use serde::de::{self, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;

/// A value of the document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file, duplicates included.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Of the key, from 1.
    pub(super) line: usize,
    pub(super) value: Node,
}

/// One step down: the n-th entry of a map or element of a list. Names alone would not do, since a key can be
/// there twice.
pub(super) type Step = usize;

/// Which part of a place is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

pub(super) fn parse(text: &str) -> Result<Node, (Option<(usize, usize)>, String)> {
    let position = |e: &serde_yaml::Error| e.location().map(|l| (l.line(), l.column()));
    let build = Build { left: &Cell::new(VALUES_MAX) };
    build.deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|e| {
        let message = e.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        (position(&e), message)
    })
}

/// Line and column of a place, from 1.
pub(super) fn locate(text: &str, steps: &[Step], part: Part) -> Option<(usize, usize)> {
    let locate = Locate { steps, part };
    let error = locate.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    error.location().map(|l| (l.line(), l.column()))
}

/// Aliases can make a small text as large as the memory there is.
const VALUES_MAX: usize = 1 << 17;

#[derive(Clone, Copy)]
struct Build<'a> {
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Build<'_> {
    type Value = Node;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let too_many = || D::Error::custom(format!("more than {VALUES_MAX} values"));
        self.left.set(self.left.get().checked_sub(1).ok_or_else(too_many)?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Build<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plain YAML")
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Int(value))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        let too_large = |_| E::invalid_value(Unexpected::Unsigned(value), &"a number below 2^63");
        i64::try_from(value).map(Node::Int).map_err(too_large)
    }
    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = seq.next_element_seed(self)? {
            list.push(node);
        }
        Ok(Node::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        loop {
            let mut key = None;
            let line = match map.next_key_seed(KeyOf(&mut key)) {
                Ok(None) => return Ok(Node::Map(entries)),
                Ok(Some(())) => return Err(A::Error::custom("a key was not kept")),
                Err(error) if key.is_some() => line_of(&error.to_string()),
                Err(error) => return Err(error),
            };
            let value = map.next_value_seed(self)?;
            entries.push(Entry { key: key.unwrap_or_default(), line, value });
        }
    }
}

/// Keeps a key and fails, so that the library says where it is. The key counts as read.
struct KeyOf<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for KeyOf<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E: de::Error>(self, key: &str) -> Result<(), E> {
        *self.0 = Some(key.to_owned());
        Err(E::custom("here"))
    }
}

/// From `… at line 3 column 5`; what stands at the very start of a text is told without.
fn line_of(error: &str) -> usize {
    let after = error.rsplit_once(" at line ").map(|(_, after)| after);
    after.and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(1)
}

struct Locate<'a> {
    steps: &'a [Step],
    part: Part,
}

impl<'de> DeserializeSeed<'de> for Locate<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.steps.is_empty() {
            Here.deserialize(deserializer)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Locate<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the place")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.steps.split_first() else { return Err(A::Error::custom("here")) };
        for _ in 0..*step {
            seq.next_element::<IgnoredAny>()?;
        }
        seq.next_element_seed(Locate { steps: rest, part: self.part }).map(drop)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.steps.split_first() else { return Err(A::Error::custom("here")) };
        for _ in 0..*step {
            map.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        if rest.is_empty() && self.part == Part::Key {
            return map.next_key_seed(Here).map(drop);
        }
        map.next_key::<IgnoredAny>()?;
        map.next_value_seed(Locate { steps: rest, part: self.part })
    }
}

/// Accepts nothing, so that the library reports where it is.
struct Here;

impl<'de> DeserializeSeed<'de> for Here {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Here {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# A comment.
title: x

method:
  - name: a
    url: >-
      folded
  - {name: b, list: [1, 2],
     later: {deep: yes}}
twice: 1
twice: 2
";

    #[test]
    fn every_place_is_found() {
        for (steps, part, expected) in [
            (&[][..], Part::Value, (2, 1)),
            (&[0], Part::Key, (2, 1)),
            (&[0], Part::Value, (2, 8)),
            (&[1], Part::Key, (4, 1)),
            (&[1, 0, 0], Part::Value, (5, 11)),
            (&[1, 0, 1], Part::Key, (6, 5)),
            (&[1, 1, 1, 1], Part::Value, (8, 25)),
            (&[1, 1, 2], Part::Key, (9, 6)),
            (&[1, 1, 2, 0], Part::Value, (9, 20)),
            (&[2], Part::Key, (10, 1)),
            (&[3], Part::Key, (11, 1)),
        ] {
            assert_eq!(locate(TEXT, steps, part), Some(expected), "{steps:?} {part:?}");
        }
    }

    #[test]
    fn duplicates_survive_until_they_are_reported() {
        let Node::Map(entries) = parse("a: 1\na: two\n").unwrap() else { panic!("no map") };
        let entry = |line, value| Entry { key: "a".into(), line, value };
        assert_eq!(entries, [entry(1, Node::Int(1)), entry(2, Node::Text("two".into()))]);
    }

    #[test]
    fn every_key_knows_its_line() {
        fn lines(node: &Node, found: &mut Vec<(String, usize)>) {
            match node {
                Node::Map(entries) => entries.iter().for_each(|entry| {
                    found.push((entry.key.clone(), entry.line));
                    lines(&entry.value, found);
                }),
                Node::List(list) => list.iter().for_each(|node| lines(node, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        lines(&parse(TEXT).unwrap(), &mut found);
        let found: Vec<_> = found.iter().map(|(key, line)| (key.as_str(), *line)).collect();
        let expected = [
            ("title", 2),
            ("method", 4),
            ("name", 5),
            ("url", 6),
            ("name", 8),
            ("list", 8),
            ("later", 9),
            ("deep", 9),
            ("twice", 10),
            ("twice", 11),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn aliases_do_not_grow_without_end() {
        let list = |of: &str| vec![of; 60].join(", ");
        let text = format!(
            "a: &a [{}]\nb: &b [{}]\nc: &c [{}]\nd: [{}]\n",
            list("1"),
            list("*a"),
            list("*b"),
            list("*c")
        );
        assert_eq!(parse(&text).unwrap_err().1.split(": ").last(), Some("more than 131072 values"));
        let small = parse("a: &a [1]\nb: *a\n").unwrap();
        assert_eq!(small, parse("a: [1]\nb: [1]\n").unwrap());
    }

    #[test]
    fn a_key_that_is_a_list_is_refused() {
        assert!(parse("? [a, b]\n: 1\n").is_err());
        assert_eq!(parse("1: one\n"), parse("\"1\": one\n"), "a number is a key like another");
    }

    #[test]
    fn what_is_no_yaml_has_a_position() {
        let (position, message) = parse("title: [x\nmethod: y\n").unwrap_err();
        assert!(position.is_some(), "{message}");
        assert!(parse("a: 1\n---\nb: 2\n").is_err());
    }
}

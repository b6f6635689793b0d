//! A YAML document as a tree that keeps every key in order, and the way back from a place in the tree to its
//! line and column.
//!
//! The YAML library gives positions to its own errors only. So a place is located by reading the document once
//! more down to it and failing there: slow, and only ever done for the one error that is reported.

use serde::de::{self, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::Unexpected};
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
    Map(Vec<(String, Node)>),
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
    serde_yaml::from_str::<Node>(text).map_err(|e| {
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

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Build)
    }
}

struct Build;

impl<'de> Visitor<'de> for Build {
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
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(Node::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
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
        assert_eq!(entries, [("a".into(), Node::Int(1)), ("a".into(), Node::Text("two".into()))]);
    }

    #[test]
    fn what_is_no_yaml_has_a_position() {
        let (position, message) = parse("title: [x\nmethod: y\n").unwrap_err();
        assert!(position.is_some(), "{message}");
        assert!(parse("a: 1\n---\nb: 2\n").is_err());
    }
}

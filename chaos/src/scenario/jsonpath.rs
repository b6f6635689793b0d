//! The part of JSONPath that names one place: `$.a.b`, `$.pools["http.body"].x`, `$.armed[0]`.

use serde_json::Value;
use std::fmt;

/// A path to one place in a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl JsonPath {
    /// What is supported, for error messages.
    pub const ALLOWED: &'static str = "a path to one place: $ and then .name, [\"name\"] or [0]";

    /// Parses a path.
    ///
    /// # Errors
    /// What is wrong or not supported.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.strip_prefix('$').ok_or("it does not begin with $")?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, left) = if let Some(after) = rest.strip_prefix('.') {
                name(after)?
            } else if let Some(after) = rest.strip_prefix('[') {
                bracket(after)?
            } else {
                return Err(format!("{rest:?} is no step"));
            };
            steps.push(step);
            rest = left;
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// The value at the place, if it is there.
    #[must_use]
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.steps.iter().try_fold(document, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        })
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn name(text: &str) -> Result<(Step, &str), String> {
    if text.starts_with('.') {
        return Err("recursive descent (..) is not supported".to_owned());
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match name {
        "" => Err("a name is missing after the dot".to_owned()),
        "*" => Err("wildcards (*) are not supported".to_owned()),
        _ if name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') => {
            Ok((Step::Key(name.to_owned()), rest))
        }
        _ => Err(format!("the name {name:?} needs brackets and quotes")),
    }
}

fn bracket(text: &str) -> Result<(Step, &str), String> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let inner = &text[1..];
        let (name, rest) = inner.split_once(quote).ok_or("a quote is not closed")?;
        let rest = rest.strip_prefix(']').ok_or("a bracket is not closed after the quote")?;
        return Ok((Step::Key(name.to_owned()), rest));
    }
    let (inner, rest) = text.split_once(']').ok_or("a bracket is not closed")?;
    let unsupported = match inner {
        _ if inner.starts_with('?') => "filters ([?…])",
        _ if inner.contains(':') => "slices ([a:b])",
        _ if inner.contains(',') => "unions ([a,b])",
        "*" => "wildcards ([*])",
        _ => {
            let index =
                inner.parse().map_err(|_| format!("{inner:?} is neither an index nor a quoted name"))?;
            return Ok((Step::Index(index), rest));
        }
    };
    Err(format!("{unsupported} are not supported"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_place_is_found() {
        let document = json!({"a": {"b": [1, {"c": 2}]}, "pools": {"http.body": {"imbalance": 0}}});
        for (path, expected) in [
            ("$.a.b[1].c", Some(json!(2))),
            ("$.a.b[0]", Some(json!(1))),
            ("$.a.b[2]", None),
            (r#"$.pools["http.body"].imbalance"#, Some(json!(0))),
            ("$['pools']['http.body'].x", None),
            ("$", Some(document.clone())),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap().find(&document), expected.as_ref(), "{path}");
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (path, problem) in [
            ("a.b", "it does not begin with $"),
            ("$..a", "recursive descent (..) is not supported"),
            ("$.*", "wildcards (*) are not supported"),
            ("$.a[*]", "wildcards ([*]) are not supported"),
            ("$.a[?(@.b)]", "filters ([?…]) are not supported"),
            ("$.a[0:2]", "slices ([a:b]) are not supported"),
            ("$.a['b','c']", "a bracket is not closed after the quote"),
            ("$.a[0,1]", "unions ([a,b]) are not supported"),
            ("$.a[b]", "\"b\" is neither an index nor a quoted name"),
            ("$.a[\"b]", "a quote is not closed"),
            ("$.a[0", "a bracket is not closed"),
            ("$.", "a name is missing after the dot"),
            ("$.a b", "the name \"a b\" needs brackets and quotes"),
            ("$a", "\"a\" is no step"),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap_err(), problem, "{path}");
        }
    }
}

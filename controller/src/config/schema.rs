//! What an editor and a reader need to know of the format, both made from the table of fields.

use super::fields::{FIELDS, Field, POOL, SECTIONS, knob_fields};
use super::value::Kind;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// The JSON Schema of a file (draft 2020-12), for editors and pipelines. What it cannot express, such as the range
/// of a size, is told in the descriptions.
///
/// ```
/// let schema = pool_controller::config::schema();
/// assert_eq!(schema["properties"]["version"]["const"], 1);
/// ```
#[must_use]
pub fn schema() -> Value {
    let mut properties = Map::new();
    properties.insert("version".to_owned(), of_field(&FIELDS[0]));
    for (name, doc) in SECTIONS {
        let section = if name == "pools" {
            json!({"type": "object", "description": doc, "additionalProperties": group(POOL, &|_| true)})
        } else {
            let mut section = group(&format!("{name}."), &|_| true);
            section["description"] = doc.into();
            section
        };
        properties.insert(name.to_owned(), section);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Ebbpool's controller",
        "type": "object",
        "required": ["version"],
        "additionalProperties": false,
        "properties": properties,
    })
}

/// The fields as Markdown, for docs/configuration.md.
///
/// ```
/// assert!(pool_controller::config::reference().contains("| `controller.mode` | observe, enforce |"));
/// ```
#[must_use]
pub fn reference() -> String {
    let mut text = String::from("| field | allowed | meaning |\n| --- | --- | --- |\n");
    for field in FIELDS {
        let path = field.path.replace('*', "<name>");
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{path}` | {} | {} |", field.kind.allowed(), field.doc);
    }
    text
}

fn group(start: &str, is_in: &dyn Fn(&str) -> bool) -> Value {
    let mut properties = Map::new();
    for field in FIELDS.iter().filter(|field| is_in(field.path)) {
        let Some(rest) = field.path.strip_prefix(start) else { continue };
        match rest.split_once('.') {
            None => _ = properties.insert(rest.to_owned(), of_field(field)),
            Some((key, _)) if !properties.contains_key(key) => {
                properties.insert(key.to_owned(), group(&format!("{start}{key}."), is_in));
            }
            Some(_) => {}
        }
    }
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn of_field(field: &Field) -> Value {
    const SIZE: &str = r"[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB|kB|MB|GB)";
    const TIME: &str = r"[0-9]+(\.[0-9]+)?(us|ms|s|m|h)";
    let text = |pattern: &str| json!({"type": "string", "pattern": format!("^({pattern})$")});
    let mut schema = match field.kind {
        Kind::Version(now) => json!({"const": now}),
        Kind::Word(words) => json!({"enum": words}),
        Kind::AutoOrSize { .. } => text(&format!("auto|{SIZE}")),
        Kind::Size { .. } => text(SIZE),
        Kind::Time { or_never: true, .. } => text(&format!("never|{TIME}")),
        Kind::Time { .. } => text(TIME),
        Kind::Whole { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Share => json!({"type": "number", "minimum": 0, "maximum": 1}),
        Kind::OneIn { or_all: true, .. } => text("off|all|1/[1-9][0-9]*"),
        Kind::OneIn { .. } => text("off|1/[1-9][0-9]*"),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Percent => json!({"type": "number", "minimum": 0, "maximum": 100}),
        Kind::Text { max } => json!({"type": "string", "minLength": 1, "maxLength": max}),
        Kind::Knobs => group(POOL, &|path| knob_fields().any(|(_, field)| field.path == path)),
    };
    schema["description"] = format!("{} Allowed: {}.", field.doc, field.kind.allowed()).into();
    schema
}

//! docs/operating.md against the code: its names are what people type at night, its marks what they compare with.

use pool_controller::decide::state::State;
use pool_controller::{admin, config, metrics};
use std::collections::BTreeSet;

const CHAPTER: &str = include_str!("../../docs/operating.md");
const REASONS: &str = include_str!("../src/decide/reason.rs");

/// Everything in `` ` ``.
fn quoted() -> impl Iterator<Item = &'static str> {
    CHAPTER.split('`').skip(1).step_by(2)
}

fn between(text: &'static str, from: &str, to: &str) -> &'static str {
    text.split_once(from).and_then(|(_, rest)| rest.split_once(to)).expect(from).0
}

fn cells(row: &'static str) -> Vec<&'static str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

fn labels() -> Vec<&'static str> {
    between(REASONS, "fn label(", "\n    }\n").split('"').skip(1).step_by(2).collect()
}

#[test]
fn every_reason_has_its_row_and_no_other() {
    let table = between(CHAPTER, "<!-- begin: reasons -->", "<!-- end: reasons -->");
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| `")).map(cells).collect();
    assert!(rows.iter().all(|row| row.len() == 3 && row.iter().all(|cell| !cell.is_empty())), "{rows:?}");
    let told: Vec<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let labels = labels();
    assert!(labels.len() > 20, "{labels:?}");
    assert_eq!(told, labels);
}

#[test]
fn every_state_stands_there_with_its_marks() {
    for state in State::ALL {
        let row = CHAPTER.lines().find(|line| line.starts_with(&format!("| `{state}` |"))).expect("a row");
        let (cells, mark) = (cells(row), |permille: u64| format!(".{}", permille / 10));
        if state == State::Normal {
            assert_eq!(cells[1], format!("below {}", mark(State::Elevated.enter_permille())));
        } else {
            assert!(cells[1].starts_with(&format!("from {}", mark(state.enter_permille()))), "{row}");
            assert_eq!(cells[2], mark(state.leave_permille()));
        }
    }
}

#[test]
fn what_it_names_is_there() {
    let described: BTreeSet<&str> = admin::OPENAPI_JSON.split('"').skip(1).step_by(2).collect();
    let reference = config::reference();
    let (mut metrics_named, mut fields_named, mut answers_named) = (0, 0, 0);
    let labels = labels();
    for name in quoted().filter(|name| !labels.contains(name)) {
        if let Some(rest) = name.strip_prefix("ebbpool_") {
            let metric = name.split('{').next().unwrap_or(name);
            assert!(metrics::METRICS.iter().any(|info| info.name == metric), "{rest}: no such metric");
            metrics_named += 1;
        } else if name.starts_with("pools.") || name.starts_with("controller.") {
            let field = name.split(':').next().unwrap_or(name);
            assert!(reference.contains(&format!("`{field}")), "{name}: no such field");
            fields_named += 1;
        } else if name.ends_with("_bytes") || name.ends_with("_ratio") || name.ends_with("_reason") {
            assert!(described.contains(name), "{name}: in no answer");
            answers_named += 1;
        }
    }
    assert!(metrics_named > 4 && fields_named > 5 && answers_named > 5);
    let alerts = between(CHAPTER, "```promql\n", "```");
    for word in alerts.split(|c: char| !c.is_ascii_lowercase() && c != '_') {
        let is_known = || metrics::METRICS.iter().any(|info| info.name == word);
        assert!(!word.starts_with("ebbpool_") || is_known(), "{word}: no such metric");
    }
}

#[test]
fn its_freeze_is_one_that_the_route_takes() {
    let body = between(CHAPTER, "-d '", "'");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let document: serde_json::Value = serde_json::from_str(admin::OPENAPI_JSON).expect("JSON");
    let request =
        &document["paths"]["/v1/mode"]["put"]["requestBody"]["content"]["application/json"]["schema"];
    let known = request["properties"].as_object().expect("properties");
    assert!(body.as_object().is_some_and(|body| body.keys().all(|key| known.contains_key(key))), "{request}");
}

//! The OpenAPI document says what the routes answer, field for field.

use super::served::{PATIENCE, Served, next_event};
use pool_controller::{Mode, admin};
use pool_core::LeaseLevel;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn document() -> Value {
    serde_json::from_str(admin::OPENAPI_JSON).expect("JSON")
}

/// Checks an answer against a schema: every field is described and of its type, and none is missing.
fn check(document: &Value, schema: &Value, answer: &Value, path: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/components/schemas/").expect("a schema of this document");
        return check(document, &document["components"]["schemas"][name], answer, path);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        many => many.as_array().expect(path).iter().filter_map(Value::as_str).collect(),
    };
    let actual = match answer {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = types.contains(&actual) || (actual == "integer" && types.contains(&"number"));
    assert!(fits, "{path}: {answer} is {actual}, the document says {types:?}");
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(answer), "{path}: {answer} is none of {allowed:?}");
    }
    match answer {
        Value::Array(items) => {
            for item in items {
                check(document, &schema["items"], item, &format!("{path}[]"));
            }
        }
        Value::Object(fields) => match schema["properties"].as_object() {
            Some(properties) => {
                let said: BTreeSet<_> = properties.keys().collect();
                assert_eq!(fields.keys().collect::<BTreeSet<_>>(), said, "{path}");
                for (name, value) in fields {
                    check(document, &properties[name], value, &format!("{path}.{name}"));
                }
            }
            None => {
                for (name, value) in fields {
                    check(document, &schema["additionalProperties"], value, &format!("{path}.{name}"));
                }
            }
        },
        _ => {}
    }
}

fn schema_of(document: &Value, path: &str) -> Value {
    schema_of_method(document, path, "get")
}

fn schema_of_method(document: &Value, path: &str, method: &str) -> Value {
    let content = &document["paths"][path][method]["responses"]["200"]["content"];
    content.as_object().and_then(|types| types.values().next()).expect(path)["schema"].clone()
}

/// A path with the name of a pool of its sort.
fn with_a_pool(path: &str) -> String {
    path.replace("canaries/{pool}", "canaries/lines").replace("{pool}", "http.body")
}

#[test]
fn answers_have_the_fields_that_the_document_says() {
    let served = Served::start(Mode::Enforce);
    drop(served.pool.get());
    let document = document();
    let minute = Duration::from_secs(60);
    let fields = [("weight".to_owned(), "7".to_owned())];
    served.handle.override_knobs("http.body", &fields, minute, "a test").expect("allowed");
    let paths =
        ["/v1/memory", "/v1/pools", "/v1/mode", "/healthz", "/v1/overrides", "/v1/pools/{pool}/knobs"];
    for path in paths {
        let answer = served.json(&path.replace("{pool}", "http.body"));
        check(&document, &schema_of(&document, path), &answer, path);
    }
    for path in ["/v1/canaries", "/v1/canaries/{pool}"] {
        check(&document, &schema_of(&document, path), &served.json(&with_a_pool(path)), path);
    }
    for method in ["put", "delete"] {
        let body = r#"{"percent": 30, "reason": "a test"}"#;
        let path = "/v1/canaries/{pool}";
        let answer = served.change(&method.to_uppercase(), &with_a_pool(path), body).body;
        let answer = serde_json::from_str(&answer).expect("JSON");
        check(&document, &schema_of_method(&document, path, method), &answer, method);
    }
    served.wait_for_a_tick();
    let stopped = served.json("/v1/pools?snapshot=stopped");
    check(&document, &schema_of(&document, "/v1/pools"), &stopped, "stopped");
    let event = next_event(&mut served.events()).expect("an event");
    check(&document, &schema_of(&document, "/v1/events"), &event, "/v1/events");
    let inputs = next_event(&mut served.stream("/v1/inputs")).expect("an event");
    check(&document, &schema_of(&document, "/v1/inputs"), &inputs, "/v1/inputs");
}

#[test]
fn health_has_the_configuration_as_the_document_says() {
    let file = std::env::temp_dir().join(format!("ebbpool-health-{}.yaml", std::process::id()));
    std::fs::write(&file, "version: 1\npools: {http.body: {weight: 7}}\n").expect("a file");
    let served = Served::start_configured(Mode::Observe, &file);
    std::fs::write(&file, "version: 1\npools: {http.body: {weight: 0}}\n").expect("a file");
    let document = document();
    let is_refused = |health: &Value| health["config"]["error"].is_string();
    let (began, mut health) = (Instant::now(), served.json("/healthz"));
    while !is_refused(&health) && began.elapsed() < PATIENCE {
        std::thread::yield_now();
        health = served.json("/healthz");
    }
    check(&document, &schema_of(&document, "/healthz"), &health, "/healthz");
    assert_eq!((health["status"].as_str(), &health["config"]["generation"]), (Some("degraded"), &1.into()));
    assert_eq!(health["config"]["path"].as_str(), file.to_str());
    let detail = health["detail"][0].as_str().expect("a detail");
    assert!(detail.contains(":2:29: pools.http.body.weight: the number 0 is out of range"), "{detail}");
    let metrics = served.get("/metrics").body;
    assert!(metrics.contains("\nebbpool_config_errors_total 1\n"), "{metrics}");
    assert!(metrics.contains("\nebbpool_config_generation 1\n"), "{metrics}");
    std::fs::remove_file(file).expect("removed");
}

#[test]
fn a_suspect_has_the_fields_that_the_document_says() {
    let served = Served::start_with(Mode::Observe, LeaseLevel::All, Duration::ZERO);
    let _held = (served.pool.get(), served.pool.get());
    let document = document();
    let answer = served.json("/v1/pools");
    check(&document, &schema_of(&document, "/v1/pools"), &answer, "/v1/pools");
    let suspects = answer["pools"]["http.body"]["suspects"].as_array().expect("a list");
    assert_eq!(suspects.len(), 2, "two places: {answer}");
    let thread = format!("{:?}", std::thread::current().id());
    assert_eq!(format!("ThreadId({})", suspects[0]["threads"][0]), thread);
}

#[test]
fn every_path_of_the_document_answers_and_it_is_served() {
    let served = Served::start(Mode::Observe);
    let document = document();
    assert_eq!(served.json("/v1/openapi.json"), document);
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let mut methods: Vec<_> = methods.as_object().expect("methods").keys().map(String::as_str).collect();
        methods.retain(|method| *method != "parameters");
        let expected: &[&str] = match path.as_str() {
            "/v1/mode" => &["get", "put"],
            "/v1/pools/{pool}/knobs" | "/v1/canaries/{pool}" => &["get", "put", "delete"],
            _ => &["get"],
        };
        assert_eq!(
            methods.iter().collect::<BTreeSet<_>>(),
            expected.iter().collect::<BTreeSet<_>>(),
            "{path}"
        );
        if !matches!(path.as_str(), "/v1/events" | "/v1/inputs") {
            assert_eq!(served.get(&with_a_pool(path)).status, 200, "{path}");
        }
    }
}

#[test]
fn every_route_is_in_the_document() {
    // The routes of the table in the module's documentation, which is the list a reader sees.
    let source = include_str!("../../src/admin/mod.rs");
    let listed: BTreeSet<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `GET "))
        .filter_map(|rest| rest.split(['`', '[']).next())
        .collect();
    let document = document();
    let described: BTreeSet<&str> =
        document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    assert_eq!(listed, described);
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let routed = code.filter(|line| line.contains(".route(")).count() + 1;
    assert_eq!(routed, described.len(), "the page is the one more");
}

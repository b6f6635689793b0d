//! Canaries over the wire.

use super::served::{Answer, PATIENCE, Served};
use pool_controller::Mode;
use pool_core::{Author, Pool, Share};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LINES: &str = "/v1/canaries/lines";

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

#[test]
fn both_sides_are_shown_and_the_share_is_moved_and_taken_back_by_hand() {
    let served = Served::start(Mode::Enforce);
    let all = served.json("/v1/canaries");
    let first = &all["canaries"][0];
    assert_eq!((&first["pool"], &first["canary_pool"]), (&json!("lines"), &json!("lines@canary")));
    assert_eq!((&first["percent"], &first["verdict"]), (&json!(0.0), &json!("too_little_data")));

    let put =
        served.change("PUT", LINES, r#"{"percent": 30, "for": "10m", "by": "ann", "reason": "a look"}"#);
    assert_eq!(put.status, 200, "{}", put.body);
    let set = body(&put);
    assert_eq!(
        (&set["percent"], &set["author"], &set["reason"]),
        (&json!(30.0), &json!("person"), &json!("ann: a look"))
    );
    let expected = Share::percent(30.0).expect("a share").salted("lines");
    assert_eq!(served.lines.split().share().value, expected, "at once, and not with the next tick");
    served.wait_for_a_tick();
    let metrics = served.get("/metrics").body;
    assert!(metrics.contains("\nebbpool_canary_share{pool=\"lines\"} 0.3\n"), "{metrics}");
    let verdict = "\nebbpool_canary_verdict{pool=\"lines\",verdict=\"too_little_data\"} 1\n";
    assert!(metrics.contains(verdict), "{metrics}");

    // Of all, these are not the same on the way to a ratio and back.
    for percent in [7.0, 29.0, 0.07] {
        let put = served.change("PUT", LINES, &json!({"percent": percent, "reason": "x"}).to_string());
        assert_eq!(body(&put)["percent"], json!(percent));
    }

    let cleared = served.change("DELETE", LINES, "");
    assert_eq!((cleared.status, &body(&cleared)["percent"]), (200, &json!(0.0)));
    assert_eq!(served.change("DELETE", LINES, "").status, 404);
}

#[test]
fn a_change_is_answered_at_once_also_if_no_tick_has_seen_the_pool() {
    let served = Served::start(Mode::Enforce);
    served.handle.shutdown();
    let late =
        Pool::builder("late").registry(&served.registry).build_canary_with(String::new, |canary| canary);
    let late = late.expect("new names");
    let put = served.change("PUT", "/v1/canaries/late", r#"{"percent": 30, "for": "10m", "reason": "x"}"#);
    assert_eq!(late.split().share().author, Author::Person, "it is in force");
    assert_eq!((put.status, &body(&put)["percent"]), (200, &json!(30.0)), "{}", put.body);
    let cleared = served.change("DELETE", "/v1/canaries/late", "");
    assert_eq!((cleared.status, &body(&cleared)["reason"]), (200, &json!("as built")));
    assert_eq!(served.get("/v1/canaries/late").status, 503, "there is nothing to compare");
}

#[test]
fn a_share_by_hand_ends_by_itself_even_if_no_controller_runs() {
    let served = Served::start(Mode::Enforce);
    served.handle.shutdown();
    let put = served.change("PUT", LINES, r#"{"percent": 100, "for": "3s", "reason": "x"}"#);
    let set = body(&put);
    assert_eq!((&set["percent"], &set["author"]), (&json!(100.0), &json!("person")));
    // Gets read no clock: only what ends the share can bring them back to the stable pool.
    let began = Instant::now();
    loop {
        let before = served.lines.stable().stats().gets.total();
        drop(served.lines.get());
        if served.lines.stable().stats().gets.total() > before {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "it stays");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(served.lines.split().share().value, Share::NONE.salted("lines"));
}

#[test]
fn what_is_wrong_is_told() {
    let served = Served::start(Mode::Observe);
    for (sent, path, says) in [
        (r#"{"reason": "x"}"#, "body", "the key percent is missing"),
        (r#"{"percent": 101, "reason": "x"}"#, "percent", "found the number 101"),
        (r#"{"percent": "30", "reason": "x"}"#, "percent", "found the text \\\"30\\\""),
        (r#"{"percent": 30}"#, "body", "the key reason is missing"),
        (r#"{"percent": 30, "reason": "x", "salt": "y"}"#, "salt", "unknown key"),
    ] {
        let answer = served.change("PUT", LINES, sent);
        assert_eq!(
            (answer.status, body(&answer)["error"]["path"].as_str()),
            (400, Some(path)),
            "{sent}: {}",
            answer.body
        );
        assert!(answer.body.contains(says), "{sent}: {}", answer.body);
    }
    let unknown = served.change("PUT", "/v1/canaries/lins", r#"{"percent": 30, "reason": "x"}"#);
    assert_eq!((unknown.status, &body(&unknown)["error"]["allowed"]), (404, &json!("lines")));
    assert!(unknown.body.contains("did you mean \\\"lines\\\"?"), "{}", unknown.body);
    assert_eq!(served.get("/v1/canaries/http.body").status, 404, "a pool without a canary");
}

//! Overrides by hand over the wire.

use super::served::{PATIENCE, Served, next_event};
use pool_controller::Mode;
use pool_core::Author;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const KNOBS: &str = "/v1/pools/http.body/knobs";

fn body(answer: &super::served::Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

#[test]
fn a_knob_is_set_by_hand_shown_everywhere_and_taken_back() {
    let served = Served::start(Mode::Enforce);
    let put = r#"{"set": {"capacity.bytes": "64KiB", "weight": 200}, "for": "10m", "by": "ann", "reason": "incident 12"}"#;
    let set = served.change("PUT", KNOBS, put);
    assert_eq!(set.status, 200, "{}", set.body);
    let capacity = &body(&set)["knobs"]["capacity"];
    assert_eq!(capacity["fields"]["capacity.bytes"], "64KiB");
    assert_eq!((&capacity["author"], &capacity["reason"]), (&"person".into(), &"ann: incident 12".into()));
    let left = capacity["left_s"].as_u64().expect("a time");
    assert!((1..=600).contains(&left), "{left}");
    assert_eq!(served.pool.managed().capacity().value.bytes_max(), 64 << 10);

    let listed = served.json("/v1/overrides");
    let names: Vec<_> = listed["overrides"].as_array().expect("a list").iter().map(|o| &o["knob"]).collect();
    assert_eq!(names, ["capacity", "priority"]);
    served.wait_for_a_tick();
    let metrics = served.get("/metrics").body;
    assert!(
        metrics.contains("\nebbpool_override_active{pool=\"http.body\",knob=\"capacity\"} 1\n"),
        "{metrics}"
    );
    let event = next_event(&mut served.events()).expect("an event");
    assert_eq!(event["overrides"][0]["fields"]["capacity.bytes"], "64KiB", "{event}");
    assert_eq!(served.pool.managed().capacity().author, Author::Person, "the policy leaves it alone");

    let cleared = served.change("DELETE", &format!("{KNOBS}?knob=capacity.bytes"), "");
    assert_eq!(cleared.status, 200, "{}", cleared.body);
    assert_ne!(body(&cleared)["knobs"]["capacity"]["author"], "person");
    let again = served.change("DELETE", &format!("{KNOBS}?knob=capacity"), "");
    assert_eq!((again.status, &body(&again)["error"]["allowed"]), (404, &json!("priority")));
}

#[test]
fn an_override_ends_by_itself_even_if_no_controller_runs() {
    for mode in [Mode::Off, Mode::Enforce] {
        let served = Served::start(mode);
        if mode == Mode::Enforce {
            served.handle.shutdown();
        }
        let set =
            served.change("PUT", KNOBS, r#"{"set": {"capacity.objects": 0}, "for": "3s", "reason": "x"}"#);
        let capacity = &body(&set)["knobs"]["capacity"];
        assert_eq!(
            (&capacity["author"], &capacity["fields"]["capacity.objects"]),
            (&json!("person"), &json!("0"))
        );
        // What the data path has to go by, which nothing here but the end of the time changes.
        let began = Instant::now();
        while served.pool.stats().capacity_objects == 0 {
            assert!(began.elapsed() < PATIENCE, "{mode}: it stays");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn what_is_wrong_is_told_and_changes_nothing() {
    let served = Served::start(Mode::Observe);
    for (sent, path, problem, allowed) in [
        ("", "body", "expected a map with the keys set, for, reason, by, found nothing", ""),
        ("{", "body", "", "one YAML document"),
        (r#"{"set": {"weight": 7}}"#, "body", "the key reason is missing", "set, for, reason, by"),
        (
            r#"{"set": {"weight": 7}, "reason": ""}"#,
            "reason",
            "no reason that can be shown",
            "one line of at most 200 bytes",
        ),
        (r#"{"set": {}, "reason": "x"}"#, "set", "there is no field in it", "capacity.objects"),
        (
            r#"{"set": {"wieght": 7}, "reason": "x"}"#,
            "set.wieght",
            "did you mean \"weight\"?",
            "capacity.objects",
        ),
        (
            r#"{"set": {"weight": 0}, "reason": "x"}"#,
            "set.weight",
            "not allowed here",
            "a whole number from 1 to 10000",
        ),
        (
            r#"{"set": {"weight": 7, "reuse": 2}, "reason": "x"}"#,
            "set.reuse",
            "not allowed here",
            "a number from 0 to 1",
        ),
        (
            r#"{"set": {"weight": [7]}, "reason": "x"}"#,
            "set.weight",
            "expected a value",
            "a text, a number, true or false",
        ),
        (r#"{"set": {"weight": 7, "weight": 8}, "reason": "x"}"#, "set.weight", "twice", "once"),
        (r#"{"set": {"weight": 7}, "reason": "x", "for": "25h"}"#, "for", "out of range", "from 1ms to 24h"),
        (r#"{"set": {"weight": 7}, "reason": "x", "for": 600}"#, "for", "found the number 600", ""),
        (
            r#"{"set": {"weight": 7}, "reason": "x", "four": "1m"}"#,
            "four",
            "did you mean \"for\"?",
            "set, for, reason, by",
        ),
    ] {
        let answer = served.change("PUT", KNOBS, sent);
        let error = &body(&answer)["error"];
        let says = |field: &str, part: &str| error[field].as_str().is_some_and(|text| text.contains(part));
        assert_eq!((answer.status, error["path"].as_str()), (400, Some(path)), "{sent}: {error}");
        assert!(says("problem", problem) && says("allowed", allowed), "{sent}: {error}");
    }
    assert_eq!(served.pool.managed().knobs().generation, 0);
    let unmarked = "PUT /v1/pools/http.body/knobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(served.request(unmarked).status, 403);
    for (method, path) in
        [("PUT", "/v1/pools/http.bdy/knobs"), ("DELETE", "/v1/pools/http.bdy/knobs?knob=reuse")]
    {
        let answer = served.change(method, path, r#"{"set": {"weight": 7}, "reason": "x"}"#);
        let error = &body(&answer)["error"];
        assert_eq!(
            (answer.status, error["allowed"].as_str()),
            (404, Some("http.body, lines, lines@canary")),
            "{error}"
        );
        assert!(
            error["problem"].as_str().is_some_and(|text| text.contains("did you mean \"http.body\"?")),
            "{error}"
        );
    }
    let nothing = served.change("DELETE", KNOBS, "");
    assert_eq!((nothing.status, body(&nothing)["error"]["path"].as_str()), (400, Some("knob")));
    assert_eq!(served.get("/v1/pools/a%2Fb%20c/knobs").status, 404);
}

#[test]
fn names_are_percent_encoded_and_fifteen_minutes_are_what_nobody_asked_for() {
    let served = Served::start(Mode::Observe);
    let odd = pool_core::Pool::new("a/b c", Vec::<u8>::new);
    served.registry.register(odd.managed()).expect("a new name");
    let set =
        served.change("PUT", "/v1/pools/a%2Fb%20c/knobs", r#"{"set": {"pinned": true}, "reason": "x"}"#);
    assert_eq!(set.status, 200, "{}", set.body);
    let knobs = body(&set);
    assert_eq!(
        (&knobs["pool"], &knobs["knobs"]["priority"]["fields"]["pinned"]),
        (&"a/b c".into(), &"true".into())
    );
    let left = knobs["knobs"]["priority"]["left_s"].as_u64().expect("a time");
    assert!((800..=900).contains(&left), "{left}");
}

/// What stderr goes to is full, as a disk is on which a log has grown.
#[cfg(target_os = "linux")]
#[test]
fn a_change_is_made_and_answered_where_nothing_can_be_said() {
    const CHILD: &str = "EBBPOOL_TEST_CHANGES";
    if std::env::var_os(CHILD).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this program"));
        let name = "overrides::a_change_is_made_and_answered_where_nothing_can_be_said";
        let full = std::fs::File::options().write(true).open("/dev/full").expect("a full device");
        child.args([name, "--exact", "--nocapture"]).env(CHILD, "1").stderr(full);
        let output = child.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let served = Served::start(Mode::Observe);
    let share = r#"{"percent": 30, "reason": "x"}"#;
    for (method, path, sent) in [
        ("PUT", KNOBS, r#"{"set": {"weight": 7}, "reason": "x"}"#),
        ("DELETE", "/v1/pools/http.body/knobs?knob=weight", ""),
        ("PUT", "/v1/canaries/lines", share),
        ("DELETE", "/v1/canaries/lines", ""),
        ("PUT", "/v1/mode", r#"{"mode": "enforce", "reason": "x"}"#),
    ] {
        let answer = served.change(method, path, sent);
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
    }
}

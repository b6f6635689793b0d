//! The admin routes over the wire.

use super::served::{PATIENCE, Served, next_event};
use pool_controller::Mode;
use std::io::BufRead;
use std::time::Instant;

#[test]
fn memory_is_what_the_loop_has_published() {
    let served = Served::start(Mode::Enforce);
    let memory = served.json("/v1/memory");
    assert_eq!((&memory["mode"], &memory["policy"]), (&"enforce".into(), &"tide".into()));
    assert_eq!((&memory["limit_bytes"], &memory["limit_kind"]), (&(4_u64 << 30).into(), &"simulated".into()));
    assert_eq!((&memory["valid"], &memory["invalid_reason"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!(memory["watermarks"]["elevated"].as_u64(), Some((4_u64 << 30) * 85 / 100));
    let tick = memory["tick"].as_u64().expect("a number");
    let later = served.handle.wait_newer(tick, PATIENCE).expect("it ticks");
    assert!(later.memory.tick > tick);
    assert!(served.json("/v1/memory")["tick"].as_u64() > Some(tick));
}

#[test]
fn a_stopped_snapshot_balances_to_the_object() {
    let served = Served::start(Mode::Observe);
    let lent: Vec<_> = (0..5).map(|_| served.pool.get()).collect();
    drop((served.pool.get(), served.pool.get()));
    let stopped = served.json("/v1/pools?snapshot=stopped");
    assert_eq!((&stopped["snapshot"], &stopped["consistent"]), (&"stopped".into(), &true.into()));
    let pool = &stopped["pools"]["http.body"];
    let figures = ["imbalance", "double_handout", "lent_objects", "idle_objects", "created_total"];
    assert_eq!(figures.map(|name| pool[name].as_i64()), [0, 0, 5, 2, 7].map(Some));
    drop(lent);
    let racing = served.json("/v1/pools");
    assert_eq!((&racing["snapshot"], &racing["consistent"]), (&"racing".into(), &false.into()));
    assert_eq!(racing["pools"]["http.body"]["idle_objects"], 7);
    assert_eq!(racing["pools"]["http.body"]["lease_level"], "sampled(128)");
    let unknown = served.get("/v1/pools?snapshot=frozen");
    assert_eq!(unknown.status, 400);
    assert!(unknown.body.contains("allowed are racing and stopped"), "{}", unknown.body);
}

#[test]
fn each_tick_is_an_event_and_a_stream_ends_with_the_controller() {
    let served = Served::start(Mode::Observe);
    let mut stream = served.events();
    let first = next_event(&mut stream).expect("an event");
    let second = next_event(&mut stream).expect("another");
    assert!(second["memory"]["tick"].as_u64() > first["memory"]["tick"].as_u64());
    assert_eq!(second["pools"][0]["name"], "http.body");
    served.handle.shutdown();
    while next_event(&mut stream).is_some() {}
}

#[test]
fn the_thirty_third_stream_is_refused_and_a_closed_one_makes_room() {
    let served = Served::start(Mode::Observe);
    let mut open: Vec<_> = (0..32).map(|_| served.events()).collect();
    for stream in &mut open {
        assert!(next_event(stream).is_some());
    }
    let refused = served.get("/v1/events");
    assert_eq!(refused.status, 503, "{}", refused.body);
    open.pop();
    // The server learns of the closed one when it next writes to it, which is at a tick.
    let until = Instant::now() + PATIENCE;
    loop {
        let mut status = String::new();
        let mut asked = served.events();
        asked.read_line(&mut status).expect("an answer");
        if status.contains("200") {
            break;
        }
        assert!(status.contains("503") && Instant::now() < until, "{status}");
        let tick = served.handle.status().memory.tick;
        assert!(served.handle.wait_newer(tick, PATIENCE).is_some());
    }
}

#[test]
fn off_means_that_nothing_runs_and_everything_answers() {
    let served = Served::start(Mode::Off);
    let (first, second) = (served.json("/v1/memory"), served.json("/v1/memory"));
    assert_eq!((&first["mode"], &first["valid"]), (&"off".into(), &true.into()));
    assert!(first["usage_bytes"].as_u64() > Some(0), "it is read when it is asked for");
    assert_eq!(
        (&first["budget_bytes"], &first["grant_bytes"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert!(second["tick"].as_u64() > first["tick"].as_u64());
    assert_eq!(served.json("/healthz")["status"], "ok");
    assert_eq!(served.json("/healthz")["mode"], "off");
    let mut stream = served.events();
    assert!(next_event(&mut stream).is_some() && next_event(&mut stream).is_some());
    drop(served.pool.get());
    assert_eq!(served.json("/v1/pools")["pools"]["http.body"]["capacity_generation"], 0);
}

#[test]
fn metrics_and_page_and_health() {
    let served = Served::start(Mode::Enforce);
    let metrics = served.get("/metrics");
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
    assert!(metrics.body.contains("ebbpool_capacity_bytes{pool=\"http.body\"}"), "{}", metrics.body);
    for asset in pool_dashboards::ASSETS {
        let answer = served.get(asset.path);
        assert_eq!((answer.status, answer.body.as_str()), (200, asset.body), "{}", asset.path);
        assert!(answer.head.contains(&format!("content-type: {}", asset.content_type)), "{}", answer.head);
        assert!(answer.head.contains("content-security-policy: default-src 'self'"), "{}", answer.head);
    }
    let health = served.json("/healthz");
    assert_eq!(
        health,
        serde_json::json!({"status": "ok", "mode": "enforce", "state": "normal", "detail": [], "config": null})
    );
}

#[test]
fn strangers_are_refused() {
    let served = Served::start(Mode::Observe);
    let ask = |head: &str| served.request(&format!("{head}\r\nConnection: close\r\n\r\n"));
    let rebound = ask("GET /v1/memory HTTP/1.1\r\nHost: evil.example");
    assert_eq!(rebound.status, 421);
    assert!(rebound.body.contains("localhost, 127.0.0.1 and [::1]"), "{}", rebound.body);
    assert_eq!(ask("GET /metrics HTTP/1.1\r\nHost: evil.example").status, 421);
    assert_eq!(ask("POST /v1/memory HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0").status, 403);
    let marked = "POST /v1/memory HTTP/1.1\r\nHost: localhost\r\nX-Ebbpool: 1\r\nContent-Length: 0";
    assert_eq!(ask(marked).status, 405, "no route changes anything");
    let nowhere = ask("GET /v1/nowhere HTTP/1.1\r\nHost: localhost");
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.body.contains("/v1/openapi.json"), "{}", nowhere.body);
}

#[test]
fn the_mode_is_changed_by_hand_with_a_reason_and_a_freeze_with_its_end() {
    let served = Served::start(Mode::Observe);
    let put = |body: &str| {
        let length = body.len();
        let head =
            format!("PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nX-Ebbpool: 1\r\nContent-Length: {length}");
        served.request(&format!("{head}\r\nConnection: close\r\n\r\n{body}"))
    };
    let frozen = put(r#"{"mode": "frozen", "for_s": 600, "reason": "an incident"}"#);
    assert_eq!((frozen.status, frozen.body.contains("\"frozen\"")), (200, true), "{}", frozen.body);
    let left = served.json("/v1/mode")["frozen_for_s"].as_u64().expect("a time");
    assert!((1..=600).contains(&left), "{left}");
    assert_eq!(put(r#"{"mode": "enforce", "reason": "over"}"#).status, 200);
    assert_eq!(served.json("/v1/mode"), serde_json::json!({"mode": "enforce", "frozen_for_s": null}));
    assert_eq!(served.handle.mode(), Mode::Enforce);
    for (body, status, says) in [
        ("", 400, "expected"),
        (r#"{"mode": "enforce"}"#, 400, "reason"),
        (r#"{"mode": "off", "reason": "x"}"#, 400, "allowed: observe, enforce, frozen"),
        (r#"{"mode": "frozen", "reason": "x"}"#, 400, "1 to 604800 s"),
        (r#"{"mode": "observe", "for_s": 5, "reason": "x"}"#, 400, "only a freeze has an end"),
        (r#"{"mode": "frozen", "for_s": 604801, "reason": "x"}"#, 409, "out of range"),
    ] {
        let answer = put(body);
        assert_eq!((answer.status, answer.body.contains(says)), (status, true), "{body}: {}", answer.body);
    }
    let unmarked =
        "PUT /v1/mode HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(served.request(unmarked).status, 403);
}

#[test]
fn inputs_come_each_tick_and_count_as_streams() {
    let served = Served::start(Mode::Observe);
    drop(served.pool.get());
    let mut stream = served.stream("/v1/inputs");
    let mut last = (0, 0);
    // The get is seen at the latest by the tick after it.
    for _ in 0..3 {
        let moment = next_event(&mut stream).expect("a moment");
        let pool = &moment["inputs"]["pools"][0];
        let now =
            (moment["tick"].as_u64().expect("a number"), pool["gets_total"].as_u64().expect("a number"));
        assert!(now.0 > last.0 && now.1 >= last.1, "{moment}");
        last = now;
    }
    assert_eq!(last.1, 1);
    let mut rest: Vec<_> = (1..32).map(|_| served.stream("/v1/inputs")).collect();
    assert!(rest.iter_mut().all(|stream| next_event(stream).is_some()));
    assert_eq!(served.get("/v1/events").status, 503);
    served.handle.shutdown();
    while next_event(&mut stream).is_some() {}
}

#[test]
fn a_stream_that_is_opened_after_the_end_of_the_controller_ends() {
    let served = Served::start(Mode::Observe);
    served.handle.shutdown();
    for path in ["/v1/events", "/v1/inputs"] {
        let mut stream = served.stream(path);
        // One that stays open says nothing for so long that reading it fails.
        while next_event(&mut stream).is_some() {}
    }
}

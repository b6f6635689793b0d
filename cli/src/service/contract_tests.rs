//! Each promise, kept and broken.

use super::*;
use crate::service::wire::{Gets, Pool};

fn good() -> Seen {
    let pool = Pool {
        gets_total: Gets { hit: 8, created: 2, ..Gets::default() },
        lease_level: "sampled(128)".into(),
        ..Pool::default()
    };
    let metrics = exposition(true);
    Seen {
        health: Health { status: "ok".into(), detail: Vec::new() },
        memory: Memory {
            tick: 7,
            mode: "enforce".into(),
            policy: "tide".into(),
            source: "cgroup-v2".into(),
            limit_bytes: Some(256 << 20),
            limit_kind: "real".into(),
            usage_bytes: Some(100 << 20),
            valid: true,
            ..Memory::default()
        },
        pools: Pools { pools: [("a".to_owned(), pool)].into() },
        metrics: Answer { status: 200, body: metrics },
        ticked_within: Some(Duration::from_millis(210)),
    }
}

/// A sample of each metric that is always there.
fn exposition(has_pools: bool) -> String {
    let lines = MetricInfo::always(has_pools).map(|metric| [metric.name, "{pool=\"a\"} 1\n"].concat());
    lines.collect()
}

/// What is not ok once `change` has happened.
fn broken(change: impl FnOnce(&mut Seen)) -> Vec<(&'static str, String)> {
    let mut seen = good();
    change(&mut seen);
    judge(&seen).into_iter().filter(|line| !line.is_ok).map(|line| (line.what, line.seen)).collect()
}

#[test]
fn a_service_that_keeps_its_promises_is_ok_line_by_line() {
    assert_eq!(broken(|_| {}), []);
    let whats: Vec<_> = judge(&good()).into_iter().map(|line| line.what).collect();
    assert_eq!(whats, ["health", "mode", "loop", "limit", "pools", "leases", "reuse", "metrics"]);
    assert_eq!(broken(|seen| seen.memory.mode = "observe".into()), []);
    assert_eq!(broken(|seen| seen.memory.limit_kind = "simulated".into()), []);
}

#[test]
fn each_broken_promise_is_told_with_what_to_do() {
    type Change = fn(&mut Seen);
    let cases: [(Change, &str, &str); 11] = [
        (
            |seen| (seen.health.status, seen.health.detail) = ("degraded".into(), vec!["a file".into()]),
            "health",
            "a file",
        ),
        (|seen| seen.memory.mode = "frozen".into(), "mode", "PUT /v1/mode"),
        (|seen| seen.ticked_within = None, "loop", "ebbpool-control"),
        (|seen| (seen.memory.valid, seen.memory.limit_bytes) = (false, None), "limit", "safe capacity"),
        (|seen| seen.memory.limit_kind = "none".into(), "limit", "give the service a memory limit"),
        (|seen| seen.pools.pools.get_mut("a").unwrap().lease_level = "off".into(), "leases", "1/128"),
        (|seen| seen.pools.pools.get_mut("a").unwrap().gets_total = Gets::default(), "reuse", "some work"),
        (|seen| seen.pools.pools.get_mut("a").unwrap().gets_total.hit = 0, "reuse", "none in a"),
        (|seen| seen.metrics.status = 404, "metrics", "404"),
        (|seen| seen.metrics.body.push_str("<html>\n"), "metrics", "cannot be scraped"),
        (
            |seen| seen.metrics.body = seen.metrics.body.replace("ebbpool_gets_total", "gets"),
            "metrics",
            "ebbpool_gets_total",
        ),
    ];
    for (change, what, advice) in cases {
        let broken = broken(change);
        assert_eq!(broken.len(), 1, "{broken:?}");
        assert!(broken[0].0 == what && broken[0].1.contains(advice), "{broken:?}");
    }
}

#[test]
fn without_pools_there_is_nothing_to_reuse_and_no_metric_of_pools_is_missed() {
    let broken = broken(|seen| {
        seen.pools.pools.clear();
        seen.metrics.body = exposition(false);
    });
    assert_eq!(broken.iter().map(|(what, _)| *what).collect::<Vec<_>>(), ["pools", "leases", "reuse"]);
}

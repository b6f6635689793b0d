//! The runner against processes that are played: what is done to them, in which order, on every path.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, put};
use axum::{Json, Router};
use pool_chaos::runner::{
    Launcher, LoadReading, Options, Progress, Report, Role, Target, TargetSpec, Verdict, run,
};
use pool_chaos::scenario::Scenario;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// For what must come to pass, however slow the machine: a good run has recovered long before that.
const PATIENCE: Duration = Duration::from_secs(60);

const SCENARIO: &str = r#"
version: 1.0.0
title: short
description: short
configuration: {admin: {type: env, key: EBBPOOL_ADMIN, default: "http://127.0.0.1:9901"}}
steady-state-hypothesis:
  title: the ledger balances
  probes:
    - type: probe
      name: imbalance
      tolerance: {type: jsonpath, path: '$.pools["http.body"].imbalance', expect: [0]}
      provider: {type: http, url: "${admin}/v1/pools?snapshot=stopped", timeout: 60}
method:
  - type: action
    name: arm
    provider:
      type: http
      method: PUT
      url: "${admin}/v1/faults/missing-put"
      headers: {X-Ebbpool: "1"}
      arguments: {pool: http.body, when: "3%return(kept)", ttl: 90s}
      timeout: 60
    pauses: {after: 1.2}
rollbacks:
  - type: action
    name: disarm
    provider: {type: http, method: DELETE, url: "${admin}/v1/faults", headers: {X-Ebbpool: "1"}, timeout: 60}
extensions:
  - name: ebbpool
    seed: 77
    load: {rps: 400, open_loop: true}
    requires: {memory_limit_max: 512MiB}
    arm: {min_hits: 10, else: inconclusive}
    always: ["imbalance == 0", "usage < 0.97 * limit"]
    recovery: {within: 60s, hold: 1s, expect: ["hits >= 10", "hit_ratio >= 0.95 * control", "shed == 0"]}
    must_fail_with: [leases-off]
"#;

/// How a played process behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Play {
    #[default]
    Well,
    RefusesTheFault,
    DiesOfTheFault,
    LosesCountUnderTheFault,
    HasNoFaultRoutes,
}

#[derive(Default)]
struct Played {
    play: Play,
    armed: AtomicBool,
    hits: Mutex<u64>,
    calls: Mutex<Vec<String>>,
}

impl Played {
    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }
}

type Shared = State<Arc<Played>>;

async fn serve(play: Play) -> (String, Arc<Played>) {
    let played = Arc::new(Played { play, ..Played::default() });
    let memory = || async {
        Json(json!({
            "valid": true, "limit_bytes": 200 << 20, "usage_bytes": 100 << 20, "peak_bytes": 110 << 20,
            "oom_kills": 0, "pools_lent_bytes": 1 << 20, "knob_reversals": 0,
        }))
    };
    let pools = |State(played): Shared| async move {
        let lost = played.play == Play::LosesCountUnderTheFault && played.armed.load(Relaxed);
        let gets = u64::try_from(played.calls.lock().unwrap().len()).unwrap() * 1000;
        played.note("look");
        Json(json!({"snapshot": "stopped", "consistent": true, "pools": {"http.body": {
            "imbalance": i64::from(lost), "double_handout": 0, "idle_bytes": 1, "lent_bytes": 1,
            "capacity_bytes": 2, "lost_estimate": 0, "gets_total": {"hit": gets, "refill": 0, "created": gets / 50},
        }}}))
    };
    let faults = |State(played): Shared| async move {
        let mut hits = played.hits.lock().unwrap();
        *hits += if played.armed.load(Relaxed) { 20 } else { 0 };
        Json(json!({"armed": [], "hits_total": {"missing-put": *hits}, "sites_injected": {}}))
    };
    let arm = |State(played): Shared, Json(body): Json<Value>| async move {
        played.note(format!("arm seed {}", body["seed"]));
        if played.play == Play::RefusesTheFault {
            return (StatusCode::CONFLICT, Json(json!({"error": {"problem": "not now"}})));
        }
        played.armed.store(true, Relaxed);
        (StatusCode::OK, Json(json!({})))
    };
    let disarm = |State(played): Shared| async move {
        played.note("disarm");
        played.armed.store(false, Relaxed);
        Json(json!({}))
    };
    let mut router = Router::new().route("/v1/memory", get(memory)).route("/v1/pools", get(pools));
    if play != Play::HasNoFaultRoutes {
        router = router
            .route("/v1/faults", get(faults))
            .route("/v1/faults", delete(disarm))
            .route("/v1/faults/missing-put", put(arm));
    }
    let router = router.with_state(Arc::clone(&played));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (admin, played)
}

struct Process {
    admin: String,
    played: Arc<Played>,
    start: Instant,
}

impl Target for Process {
    fn admin(&self) -> &str {
        &self.admin
    }
    fn limit_label(&self) -> String {
        "played".to_owned()
    }
    fn load(&self) -> Option<LoadReading> {
        let offered = u64::try_from(self.start.elapsed().as_millis()).unwrap();
        Some(LoadReading { offered, completed: offered, ..LoadReading::default() })
    }
    fn death(&mut self) -> Option<String> {
        let dies = self.played.play == Play::DiesOfTheFault && self.played.armed.load(Relaxed);
        dies.then(|| "killed".to_owned())
    }
    fn end(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.played.note("end");
        Box::pin(async {})
    }
}

#[derive(Default)]
struct Stage {
    play: Play,
    launched: Vec<(TargetSpec, Arc<Played>)>,
}

impl Launcher for Stage {
    async fn launch(&mut self, spec: &TargetSpec) -> Result<Box<dyn Target>, String> {
        let play = if spec.role == Role::Subject { self.play } else { Play::Well };
        let (admin, played) = serve(play).await;
        self.launched.push((*spec, Arc::clone(&played)));
        Ok(Box::new(Process { admin, played, start: Instant::now() }))
    }
}

impl Stage {
    /// What was done to a process, looks left out.
    fn done_to(&self, role: Role) -> Vec<String> {
        let (_, played) = self.launched.iter().find(|(spec, _)| spec.role == role).expect("launched");
        played.calls.lock().unwrap().iter().filter(|call| *call != "look").cloned().collect()
    }
}

fn scenario(text: &str, live_admin: Option<&str>) -> Scenario {
    let live_admin = live_admin.map(str::to_owned);
    Scenario::from_text("short.yaml", text, &|_| live_admin.clone()).expect("a scenario")
}

async fn play(stage: &mut Stage, scenario: &Scenario, interrupt_in: Option<&str>) -> Result<Report, String> {
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupt);
    let mut progress = |progress: &Progress<'_>| {
        if let Progress::Phase(phase) = progress {
            flag.fetch_or(interrupt_in == Some(*phase), Relaxed);
        }
    };
    let options = Options {
        limit_bytes: 200 << 20,
        warm_up: Duration::from_millis(100),
        route_timeout: PATIENCE,
        broken: None,
        interrupt,
        progress: &mut progress,
    };
    run(scenario, stage, options).await
}

#[tokio::test]
async fn a_good_run_arms_and_disarms_the_subject_alone() {
    let mut stage = Stage::default();
    let report = play(&mut stage, &scenario(SCENARIO, None), None).await.expect("a report");
    assert_eq!(report.judgement.verdict, Verdict::Pass, "{report}");
    assert_eq!(report.exit_status(), 0);
    assert!(report.judgement.hits >= 10 && report.judgement.recovered_after_s.is_some_and(|s| s <= 60.0));
    assert_eq!(stage.done_to(Role::Subject), ["arm seed 77", "disarm", "end"]);
    assert_eq!(stage.done_to(Role::Control), ["end"]);
    let (subject, control) = (&stage.launched[0].0, &stage.launched[1].0);
    assert_eq!((subject.seed, subject.rps, subject.limit_bytes), (77, 400, 200 << 20));
    assert_eq!(TargetSpec { role: Role::Subject, ..*control }, *subject);
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!((&json["verdict"], &json["subject"]["limit"]), (&json!("pass"), &json!("played")));
    assert!(report.to_string().contains("verdict: pass"), "{report}");
}

#[tokio::test]
async fn a_fault_that_is_refused_is_rolled_back_all_the_same() {
    let mut stage = Stage { play: Play::RefusesTheFault, ..Stage::default() };
    let report = play(&mut stage, &scenario(SCENARIO, None), None).await.expect("a report");
    assert_eq!((report.judgement.verdict, report.exit_status()), (Verdict::Inconclusive, 3));
    assert!(report.judgement.reasons[0].contains("status 409"), "{report}");
    assert_eq!(stage.done_to(Role::Subject), ["arm seed 77", "disarm", "end"]);
}

#[tokio::test]
async fn an_interrupted_run_is_rolled_back() {
    let mut stage = Stage::default();
    let report = play(&mut stage, &scenario(SCENARIO, None), Some("fault on")).await.expect("a report");
    assert_eq!(report.judgement.verdict, Verdict::Inconclusive);
    assert_eq!(report.judgement.reasons[0], "the run was interrupted");
    assert_eq!(stage.done_to(Role::Subject).last().map(String::as_str), Some("end"));
    assert!(stage.done_to(Role::Subject).contains(&"disarm".to_owned()));
}

#[tokio::test]
async fn what_must_never_happen_ends_the_run_with_its_rollbacks() {
    for (play_as, reason) in [
        (Play::DiesOfTheFault, "the process died"),
        (Play::LosesCountUnderTheFault, "always imbalance == 0: http.body: imbalance 1"),
    ] {
        let mut stage = Stage { play: play_as, ..Stage::default() };
        let report = play(&mut stage, &scenario(SCENARIO, None), None).await.expect("a report");
        assert_eq!((report.judgement.verdict, report.exit_status()), (Verdict::FailSafety, 1), "{report}");
        assert!(report.judgement.reasons[0].contains(reason), "{report}");
        assert_eq!(stage.done_to(Role::Subject), ["arm seed 77", "disarm", "end"]);
    }
}

#[tokio::test]
async fn a_live_target_has_no_control_and_says_so() {
    let (admin, played) = serve(Play::Well).await;
    let mut stage = Stage::default();
    // What cannot be told is looked for to the end. Long enough for a full window after a stall.
    let text = SCENARIO.replace("within: 60s", "within: 5s");
    let report = play(&mut stage, &scenario(&text, Some(&admin)), None).await.expect("a report");
    assert!(stage.launched.is_empty() && report.control.is_none());
    assert_eq!(report.judgement.verdict, Verdict::Inconclusive);
    let reasons = report.judgement.reasons.join("\n");
    assert!(reasons.contains("hit_ratio >= 0.95 * control: there is no control run"), "{reasons}");
    assert!(reasons.contains("shed == 0: nobody measures the load"), "{reasons}");
    assert!(played.calls.lock().unwrap().contains(&"disarm".to_owned()));
}

#[tokio::test]
async fn a_target_that_cannot_do_it_is_an_error_before_anything_is_armed() {
    let mut stage = Stage { play: Play::HasNoFaultRoutes, ..Stage::default() };
    let e = play(&mut stage, &scenario(SCENARIO, None), None).await.expect_err("no fault routes");
    assert!(e.contains("has no fault routes"), "{e}");
    assert_eq!(stage.done_to(Role::Subject), ["end"]);

    let small = SCENARIO.replace("512MiB", "100MiB");
    let e = play(&mut Stage::default(), &scenario(&small, None), None).await.expect_err("too large a limit");
    assert!(e.contains("above what the scenario requires, at most 104857600"), "{e}");

    let (admin, _) = serve(Play::Well).await;
    let live = scenario(&small, Some(&admin));
    let e = play(&mut Stage::default(), &live, None).await.expect_err("too large a limit");
    assert!(e.contains("has a limit of 209715200 bytes"), "{e}");

    // A port that is taken, and at which nobody listens.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = format!("http://{}", taken.local_addr().unwrap());
    for (admin, problem) in [("nonsense", "allowed: http://host:port"), (&nobody, "does not answer")] {
        let e = play(&mut Stage::default(), &scenario(SCENARIO, Some(admin)), None).await.expect_err(admin);
        assert!(e.contains(problem), "{e}");
    }
}

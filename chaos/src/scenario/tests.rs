use super::*;
use serde_json::json;

const GOOD: &str = include_str!("../../scenarios/missing-put.yaml");
const BALLOON: &str = include_str!("../../scenarios/memory-balloon.yaml");

fn read(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::from_text("s.yaml", text, &|_| None)
}

/// What is said of the good scenario when one part of it is replaced.
#[track_caller]
fn spoilt(part: &str, replacement: &str) -> String {
    assert_eq!(GOOD.matches(part).count(), 1, "{part:?} must be there once");
    read(&GOOD.replacen(part, replacement, 1)).expect_err(replacement).to_string()
}

#[test]
fn the_examples_are_understood_in_full() {
    let s = read(GOOD).unwrap();
    assert_eq!((s.seed, s.rps, s.limit_max_bytes), (24_301, 400, Some(512 << 20)));
    assert_eq!(s.faults(), [FaultName::MissingPut]);
    assert_eq!(s.hypothesis[0].call.path, "/v1/pools?snapshot=stopped");
    assert_eq!(s.hypothesis[0].call.timeout, Duration::from_secs(2));
    assert_eq!(s.hypothesis[0].expect, json!(0));
    assert_eq!(s.method[0].pause_after, Duration::from_secs(60));
    assert_eq!(s.arm, Arm { hits_min: Some(500), ratio_min: None, time_at_ratio_min: Duration::ZERO });
    assert_eq!(s.always.iter().map(Check::text).collect::<Vec<_>>()[3], "usage < 0.97 * limit");
    assert_eq!(s.stop_if.unwrap().lasting, Duration::from_secs(5));
    assert_eq!((s.recovery.within, s.recovery.hold), (Duration::from_secs(30), Duration::from_secs(10)));
    assert_eq!(s.recovery.expect.len(), 6);
    assert_eq!(s.must_fail_with, [Broken::LeasesOff, Broken::LeakedCountedAsBudget]);
    assert_eq!(s.rollbacks[0].call.method, Method::Delete);

    let b = read(BALLOON).unwrap();
    assert_eq!((b.arm.ratio_min, b.arm.time_at_ratio_min), (Some(0.9), Duration::from_secs(30)));
    assert_eq!((b.faults(), b.stop_if), (vec![FaultName::MemoryBalloon], None));
    assert_eq!(b.must_fail_with, [Broken::ControllerOff]);
}

#[test]
fn the_seed_goes_to_the_fault_unless_it_has_its_own() {
    let call = &read(GOOD).unwrap().method[0].call;
    assert_eq!(call.seeded(7).arguments.unwrap()["seed"], 7);
    let own = GOOD.replace("ttl: 90s}", "ttl: 90s, seed: 3}");
    assert_eq!(read(&own).unwrap().method[0].call.seeded(7).arguments.unwrap()["seed"], 3);
    let balloon = &read(BALLOON).unwrap().method[0].call;
    assert_eq!(balloon.seeded(7), *balloon);
}

#[test]
fn the_environment_names_a_live_target() {
    let live = |name: &str| (name == ADMIN_VARIABLE).then(|| "http://127.0.0.1:1".to_owned());
    let scenario = Scenario::from_text("s.yaml", GOOD, &live).unwrap();
    assert_eq!(scenario.live_admin.as_deref(), Some("http://127.0.0.1:1"));
    assert_eq!(read(GOOD).unwrap().live_admin, None);
}

#[test]
fn other_variables_are_put_into_paths() {
    let text = GOOD
        .replace(
            "configuration:\n",
            "configuration:\n  which: missing\n  what: {type: env, key: WHAT, default: put}\n",
        )
        .replace("faults/missing-put\"", "faults/${which}-${what}\"");
    assert_eq!(read(&text).unwrap().method[0].call.path, "/v1/faults/missing-put");
    let no_default = text.replace(", default: put", "");
    assert_eq!(
        read(&no_default).unwrap_err().to_string(),
        "s.yaml:8:9: configuration.what: the variable WHAT is not set; allowed: set it, or give a default"
    );
}

#[test]
fn keys_are_known_there_and_there_once() {
    let top = "version, title, description, tags, configuration, steady-state-hypothesis, method, rollbacks, extensions";
    assert_eq!(
        spoilt("method:\n", "methd:\n"),
        format!("s.yaml:15:1: methd: unknown key, did you mean \"method\"?; allowed: {top}")
    );
    assert_eq!(
        spoilt("method: PUT", "verb: PUT"),
        "s.yaml:20:7: method[0].provider.verb: unknown key; allowed: type, method, url, headers, arguments, timeout"
    );
    assert_eq!(
        spoilt("    arm: {min_hits: 500,", "    arm: {min_hit: 500,"),
        "s.yaml:34:11: extensions[0].arm.min_hit: unknown key, did you mean \"min_hits\"?; \
         allowed: min_hits, min_ratio, min_time_at, else"
    );
    assert_eq!(
        spoilt("    seed: 24301\n", "    seed: 24301\n    seed: 24302\n"),
        "s.yaml:32:5: extensions[0].seed: this key is here twice; allowed: once"
    );
    assert_eq!(
        spoilt("title: 3 %", "titel: 3 %"),
        format!("s.yaml:4:1: titel: unknown key, did you mean \"title\"?; allowed: {top}")
    );
    assert_eq!(
        spoilt("    seed: 24301\n", ""),
        "s.yaml:30:5: extensions[0]: the key seed is missing; \
         allowed: name, seed, load, requires, arm, always, stop_if, recovery, must_fail_with"
    );
    assert_eq!(
        spoilt("admin: {type", "adm: {type"),
        "s.yaml:7:3: configuration: the key admin is missing; \
         allowed: admin: {type: env, key: EBBPOOL_ADMIN, default: \"http://127.0.0.1:9901\"}"
    );
    assert_eq!(
        spoilt("name: ebbpool", "name: other"),
        "s.yaml:30:3: extensions: no extension is ours; allowed: one with name: ebbpool"
    );
}

#[test]
fn types_are_what_they_must_be() {
    assert_eq!(
        spoilt("min_hits: 500", "min_hits: many"),
        "s.yaml:34:21: extensions[0].arm.min_hits: expected hits, a whole number, found the text \"many\""
    );
    assert_eq!(
        spoilt("X-Ebbpool: \"1\"}\n      arguments", "X-Ebbpool: 1}\n      arguments"),
        "s.yaml:22:60: method[0].provider.headers.X-Ebbpool: \
         expected a header's value as text, found the number 1 (quotes make it text)"
    );
    assert_eq!(
        spoilt("version: 1.0.0", "version: 1.0"),
        "s.yaml:3:10: version: expected one of 1.0.0 as text, found the number 1 (quotes make it text)"
    );
    assert_eq!(
        spoilt("pauses: {after: 60}", "pauses: {after: 60s}"),
        "s.yaml:24:21: method[0].pauses.after: expected seconds, 0 to 3600, found the text \"60s\""
    );
    assert_eq!(
        spoilt("rps: 400", "rps: 0"),
        "s.yaml:32:17: extensions[0].load.rps: 0 is out of range; \
         allowed: requests a second, a whole number from 1 to 100000"
    );
    assert_eq!(
        spoilt("open_loop: true", "open_loop: false"),
        "s.yaml:32:33: extensions[0].load.open_loop: only an open loop is offered, in which late is late; allowed: true"
    );
    assert_eq!(
        spoilt("must_fail_with: [leases-off,", "must_fail_with: [lease-off,"),
        "s.yaml:41:22: extensions[0].must_fail_with[0]: \"lease-off\" is not supported, \
         did you mean \"leases-off\"?; allowed: leases-off, leaked-counted-as-budget, controller-off"
    );
    assert_eq!(
        spoilt("provider:\n      type: http", "provider:\n      type: python"),
        "s.yaml:19:13: method[0].provider.type: \"python\" is not supported; allowed: http"
    );
    assert_eq!(
        spoilt("rollbacks:\n  - type", "rollbacks:\n    type"),
        "s.yaml:26:5: rollbacks: expected a list of actions, found a map"
    );
}

#[test]
fn durations_sizes_and_arguments_are_checked_where_they_stand() {
    assert_eq!(
        spoilt("within: 30s", "within: 30"),
        "s.yaml:38:15: extensions[0].recovery.within: \
         expected a duration as text, found the number 30 (quotes make it text)"
    );
    assert_eq!(
        spoilt("hold: 10s", "hold: 10 s"),
        "s.yaml:39:13: extensions[0].recovery.hold: \"10 s\": not a duration; \
         allowed: a number with a unit ms, s, m or h, from 1ms to 24h, such as 90s"
    );
    assert_eq!(
        spoilt("512MiB", "512M"),
        "s.yaml:33:34: extensions[0].requires.memory_limit_max: \"512M\": not a size; \
         allowed: a number with a unit B, KiB, MiB, GiB, kB, MB or GB, such as 512MiB"
    );
    assert_eq!(
        spoilt("ttl: 90s}", "ttl: 90}"),
        "s.yaml:23:65: method[0].provider.arguments.ttl: \"90\": not text; \
         allowed: a number with a unit ms, s, m or h, from 1ms to 24h, such as 90s"
    );
    assert_eq!(
        spoilt(", ttl: 90s}", "}"),
        "s.yaml:23:18: method[0].provider.arguments: ttl: missing: a fault does not stay for ever; \
         allowed: a number with a unit ms, s, m or h, from 1ms to 24h, such as 90s"
    );
    let when = crate::faults::When::ALLOWED;
    assert_eq!(
        spoilt("3%return(kept)\"", "3%retrun(kept)\""),
        format!(
            "s.yaml:23:42: method[0].provider.arguments.when: \"3%retrun(kept)\": \
             \"retrun\" is no task, did you mean \"return\"?; allowed: {when}"
        )
    );
    assert_eq!(
        spoilt("/v1/faults/missing-put\"", "/v1/faults/mising-put\""),
        "s.yaml:21:12: method[0].provider.url: \"mising-put\": there is no such fault, \
         did you mean \"missing-put\"?; allowed: missing-put, memory-balloon"
    );
}

#[test]
fn expressions_paths_and_urls_are_checked_where_they_stand() {
    let names = crate::expr::Measure::ALL.map(crate::expr::Measure::as_str).join(", ");
    assert_eq!(
        spoilt("\"usage < 0.97 * limit\"]", "\"usge < 0.97 * limit\"]"),
        format!(
            "s.yaml:35:87: extensions[0].always[3]: in \"usge < 0.97 * limit\": \"usge\": \
             there is no such measure, did you mean \"usage\"?; allowed: {names}"
        )
    );
    assert_eq!(
        spoilt("\"shed == 0\"", "\"shed = 0\""),
        "s.yaml:40:193: extensions[0].recovery.expect[5]: in \"shed = 0\": '=' has no meaning here; \
         allowed: such as usage < 0.97 * limit, hit_ratio >= 0.95 * control, capacity_bytes within 10% of control"
    );
    assert_eq!(
        spoilt("error_ratio > 0.05", "knob_reversals > 5"),
        "s.yaml:36:21: extensions[0].stop_if.expr: in \"knob_reversals > 5\": \
         knob_reversals is known only after the fault; allowed: in recovery.expect"
    );
    assert_eq!(
        spoilt("'$.pools[\"http.body\"].imbalance'", "'$.pools.*.imbalance'"),
        "s.yaml:13:41: steady-state-hypothesis.probes[0].tolerance.path: wildcards (*) are not supported; \
         allowed: a path to one place: $ and then .name, [\"name\"] or [0]"
    );
    assert_eq!(
        spoilt("\"${admin}/v1/pools?", "\"http://127.0.0.1:9901/v1/pools?"),
        "s.yaml:14:35: steady-state-hypothesis.probes[0].provider.url: \
         \"http://127.0.0.1:9901/v1/pools?snapshot=stopped\" is not an address of the target; \
         allowed: a URL that begins with ${admin}/"
    );
    assert_eq!(
        spoilt("faults/missing-put\"", "faults/${fault}\""),
        "s.yaml:21:12: method[0].provider.url: ${fault} is not in the configuration; allowed: admin"
    );
}

#[test]
fn what_would_prove_nothing_is_refused() {
    assert_eq!(
        spoilt("arm: {min_hits: 500, else", "arm: {else"),
        "s.yaml:34:10: extensions[0].arm: a fault that never fired would pass; \
         allowed: min_hits, or min_ratio and min_time_at"
    );
    assert_eq!(
        spoilt("arm: {min_hits: 500, else", "arm: {min_ratio: 0.9, else"),
        "s.yaml:34:10: extensions[0].arm: min_ratio and min_time_at belong together; allowed: both or neither"
    );
    let always = "always: [\"imbalance == 0\", \"double_handout == 0\", \"idle_bytes <= capacity_bytes\", \
                  \"usage < 0.97 * limit\"]";
    assert_eq!(
        spoilt(always, "always: []"),
        "s.yaml:35:13: extensions[0].always: nothing is checked; allowed: at least one check"
    );
}

#[test]
fn what_is_no_scenario_at_all_is_refused() {
    let top = "version, title, description, tags, configuration, steady-state-hypothesis, method, rollbacks, extensions";
    let keys = format!("expected a map with the keys {top}");
    assert_eq!(read("").unwrap_err().to_string(), format!("s.yaml:1:1: {keys}, found nothing"));
    assert_eq!(
        read("just text\n").unwrap_err().to_string(),
        format!("s.yaml:1:1: {keys}, found the text \"just text\"")
    );
    let broken = read("title: [x\nmethod: y\n").unwrap_err();
    assert_eq!(broken.position.map(|(line, _)| line), Some(2), "{broken}");
    let missing = Scenario::from_file(Path::new("no/such.yaml")).unwrap_err().to_string();
    assert!(missing.starts_with("no/such.yaml: cannot be read: "), "{missing}");
}

use super::*;
use std::collections::BTreeMap;

#[derive(Default)]
struct Values {
    subject: BTreeMap<Measure, Value>,
    control: BTreeMap<Measure, Value>,
}

impl Source for Values {
    fn subject(&self, measure: Measure) -> Result<Value, String> {
        self.subject.get(&measure).cloned().ok_or_else(|| "not read".to_owned())
    }
    fn control(&self, measure: Measure) -> Result<Value, String> {
        self.control.get(&measure).cloned().ok_or_else(|| "no control".to_owned())
    }
}

fn values(subject: &[(Measure, f64)], control: &[(Measure, f64)]) -> Values {
    let map = |pairs: &[(Measure, f64)]| pairs.iter().map(|(m, v)| (*m, Value::Number(*v))).collect();
    Values { subject: map(subject), control: map(control) }
}

fn holds(check: &str, subject: &[(Measure, f64)], control: &[(Measure, f64)]) -> bool {
    match Check::parse(check).unwrap().evaluate(&values(subject, control)) {
        Outcome::Holds(_) => true,
        Outcome::Fails(_) => false,
        Outcome::Unknown(why) => panic!("{check}: {why}"),
    }
}

#[test]
fn every_check_of_the_examples_is_evaluated() {
    use Measure::*;
    assert!(holds("usage < 0.97 * limit", &[(Usage, 96.9), (Limit, 100.0)], &[]));
    assert!(!holds("usage < 0.97 * limit", &[(Usage, 97.0), (Limit, 100.0)], &[]));
    assert!(!holds("imbalance == 0", &[(Imbalance, -1.0)], &[]));
    assert!(holds("idle_bytes <= capacity_bytes", &[(IdleBytes, 7.0), (CapacityBytes, 7.0)], &[]));
    let lost = "abs(lost_estimate - hits) <= 0.1 * hits";
    assert!(holds(lost, &[(LostEstimate, 660.0), (Hits, 600.0)], &[]));
    assert!(!holds(lost, &[(LostEstimate, 539.0), (Hits, 600.0)], &[]));
    assert!(holds("hit_ratio >= 0.95 * control", &[(HitRatio, 0.94)], &[(HitRatio, 0.98)]));
    assert!(!holds("hit_ratio >= 0.95 * control", &[(HitRatio, 0.93)], &[(HitRatio, 0.98)]));
    assert!(holds("growth_after_disarm_bytes <= 1MiB", &[(GrowthAfterDisarmBytes, 1_048_576.0)], &[]));
    let within = "capacity_bytes within 10% of control";
    assert!(holds(within, &[(CapacityBytes, 110.0)], &[(CapacityBytes, 100.0)]));
    assert!(!holds(within, &[(CapacityBytes, 89.9)], &[(CapacityBytes, 100.0)]));
    assert!(holds("request_p99 <= 1.25 * control", &[(RequestP99, 0.0125)], &[(RequestP99, 0.01)]));
    assert!(holds("error_ratio > 0.05", &[(ErrorRatio, 0.06)], &[]));
}

#[test]
fn precedence_signs_and_units() {
    use Measure::*;
    assert!(holds("hits == 2 + 3 * 4", &[(Hits, 14.0)], &[]));
    assert!(holds("hits == (2 + 3) * 4", &[(Hits, 20.0)], &[]));
    assert!(holds("hits - 1 - 1 == 12 / 3 / 2", &[(Hits, 4.0)], &[]));
    assert!(holds("-hits == -abs(-3)", &[(Hits, 3.0)], &[]));
    assert!(holds("usage == 1.5KiB", &[(Usage, 1536.0)], &[]));
    assert!(holds("request_p99 < 250ms", &[(RequestP99, 0.249)], &[]));
    assert!(holds("hits != 3", &[(Hits, 4.0)], &[]));
    assert!(holds("hits + 1 within 50% of control", &[(Hits, 14.0)], &[(Hits, 10.0)]));
}

#[test]
fn sets_of_sites_are_compared_as_sets() {
    let check = Check::parse("sites_named == sites_injected").unwrap();
    let sites = |list: &[&str]| Value::Sites(list.iter().map(ToString::to_string).collect());
    let mut values = Values::default();
    values.subject.insert(Measure::SitesNamed, sites(&["b.rs:2:2", "a.rs:1:1"]));
    values.subject.insert(Measure::SitesInjected, sites(&["a.rs:1:1", "b.rs:2:2"]));
    assert!(matches!(check.evaluate(&values), Outcome::Holds(_)));
    values.subject.insert(Measure::SitesNamed, sites(&["a.rs:1:1"]));
    assert_eq!(
        check.evaluate(&values),
        Outcome::Fails("sites_named a.rs:1:1, sites_injected a.rs:1:1 b.rs:2:2".into())
    );
}

#[test]
fn a_missing_value_is_unknown_and_not_a_failure() {
    let check = Check::parse("hit_ratio >= 0.95 * control").unwrap();
    assert_eq!(
        check.evaluate(&values(&[(Measure::HitRatio, 1.0)], &[])),
        Outcome::Unknown("no control".into())
    );
    assert_eq!(check.evaluate(&values(&[], &[])), Outcome::Unknown("not read".into()));
    let check = Check::parse("usage / limit < 1").unwrap();
    let outcome = check.evaluate(&values(&[(Measure::Usage, 1.0), (Measure::Limit, 0.0)], &[]));
    assert_eq!(outcome, Outcome::Unknown("a division by zero".into()));
}

#[test]
fn values_stand_beside_the_outcome() {
    let check = Check::parse("hit_ratio >= 0.95 * control").unwrap();
    let outcome = check.evaluate(&values(&[(Measure::HitRatio, 0.5)], &[(Measure::HitRatio, 0.99)]));
    assert_eq!(outcome, Outcome::Fails("hit_ratio 0.5000, control 0.9900".into()));
}

#[test]
fn a_check_is_for_each_pool_or_for_the_process() {
    for (text, each) in [
        ("imbalance == 0", true),
        ("idle_bytes <= capacity_bytes", true),
        ("capacity_bytes within 10% of control", false),
        ("abs(lost_estimate - hits) <= 1", false),
        ("usage < limit", false),
    ] {
        assert_eq!(Check::parse(text).unwrap().for_each_pool(), each, "{text}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_reason() {
    let names = Measure::ALL.map(Measure::as_str).join(", ");
    let no_measure = format!("there is no such measure, did you mean \"usage\"?; allowed: {names}");
    let sites = "sets of sites can only be compared with == and != to each other";
    for (bad, problem) in [
        ("usge < limit", no_measure.as_str()),
        ("latency < 3", "there is no such measure; allowed: usage, limit"),
        ("usage", "it ends where a comparison should be"),
        ("usage <", "it ends where a value should be"),
        ("usage < limit limit", "\"limit\" after the end of the check"),
        ("usage = limit", "'=' has no meaning here"),
        ("usage < 1.2.3", "\"1.2.3\" is no number"),
        ("usage < 3 MB)", "\")\" after the end of the check"),
        ("usage < (3", "it ends where \")\" should be"),
        (
            "usage < 3 apples",
            "\"apples\": there is no such unit; allowed: KiB, MiB, GiB, kB, MB, GB, B, ms, s, m, h",
        ),
        ("abs usage < 3", "\"usage\" where \"(\" should be"),
        ("1 < 2", "it names no measure, so it would never change"),
        (
            "usage < limit * control",
            "control stands for the same measure in the control run, but which of usage, limit?",
        ),
        ("usage within 10 of control", "\"of\" where \"%\" should be"),
        ("usage within x% of control", "\"x\" where a percentage should be"),
        ("usage within 10% of limit", "\"limit\" where \"control\" should be"),
        ("sites_named == 0", sites),
        ("sites_named < sites_injected", sites),
        ("sites_named == usage", sites),
        ("hits == * 3", "\"*\" where a value should be"),
        ("", "it ends where a value should be"),
    ] {
        let e = Check::parse(bad).unwrap_err().what();
        assert!(e.contains(problem), "{bad}: {e}");
    }
    assert!(Check::parse(&"(".repeat(1000)).unwrap_err().what().contains("nested deeper than 32"));
}

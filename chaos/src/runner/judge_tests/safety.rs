//! What must never happen.

use super::*;

#[test]
fn a_leak_that_is_found_and_accounted_passes() {
    let judgement = judge(&scenario(MISSING_PUT), &recording(faulty, healthy));
    assert_eq!((judgement.verdict, &judgement.reasons[..]), (Verdict::Pass, &[][..]));
    assert_eq!(judgement.hits, 600);
    // The first window in which growth can be told ends two windows after the fault.
    assert_eq!(judgement.recovered_after_s, Some(10.0));
    assert!(judgement.checks.iter().all(|check| check.state == CheckState::Held), "{:?}", judgement.checks);
    assert!(judgement.checks.iter().any(|c| c.values == "request_p99 20.00 ms, control 20.00 ms"));
}

#[test]
fn a_ledger_that_does_not_balance_once_is_unsafe() {
    let mut run = recording(faulty, healthy);
    pool(&mut run.subject.samples[60]).imbalance = -1;
    assert_eq!(
        verdict(&run),
        (Verdict::FailSafety, "always imbalance == 0: http.body: imbalance -1 at 30.0 s".into())
    );
    // Before it is warm nobody looks.
    let mut run = recording(faulty, healthy);
    pool(&mut run.subject.samples[5]).imbalance = -1;
    assert_eq!(verdict(&run).0, Verdict::Pass);
}

#[test]
fn usage_at_the_limit_is_unsafe_after_the_fault_too() {
    let (verdict, why) = spoilt(80, |s| s.memory.as_mut().unwrap().usage_bytes = Some(187 * MIB));
    assert_eq!(verdict, Verdict::FailSafety);
    assert_eq!(why, "always usage < 0.97 * limit: usage 187.0 MiB, limit 192.0 MiB at 80.0 s");
}

#[test]
fn a_cut_capacity_may_take_one_look_to_be_collected() {
    let mut run = recording(faulty, healthy);
    // Cut below what is idle, and collected by the next look.
    pool(&mut run.subject.samples[60]).capacity_bytes = 4 * MIB;
    assert_eq!(verdict(&run).0, Verdict::Pass);
    pool(&mut run.subject.samples[61]).capacity_bytes = 4 * MIB;
    let (verdict, why) = verdict(&run);
    assert_eq!(verdict, Verdict::FailSafety);
    assert!(why.contains("idle_bytes 8.0 MiB, capacity_bytes 4.0 MiB at 30.5 s"), "{why}");
}

#[test]
fn a_dead_process_is_unsafe_whether_the_fault_was_armed_or_not() {
    let mut run = recording(faulty, healthy);
    run.subject.death = Some((Duration::from_secs(31), "killed by the kernel".into()));
    run.disarmed_at = Some(Duration::from_secs(31));
    run.subject.samples.truncate(62);
    run.unsteady_after = vec!["imbalance: cannot connect".into()];
    assert_eq!(
        verdict(&run),
        (Verdict::FailSafety, "the process died 20.0 s after the fault began: killed by the kernel".into())
    );
    run.armed_at = None;
    assert!(verdict(&run).1.contains("died before the fault began"));
}

#[test]
fn errors_for_as_long_as_stop_if_says_are_unsafe() {
    let failing = |from: u64, to: u64| {
        let mut run = recording(faulty, healthy);
        for sample in &mut run.subject.samples {
            let t = u64::try_from(sample.at.as_millis()).unwrap() / 500;
            sample.load.as_mut().unwrap().errors = (t.clamp(2 * from, 2 * to) - 2 * from) * 40;
        }
        verdict(&run)
    };
    let (verdict, why) = failing(30, 50);
    assert_eq!(verdict, Verdict::FailSafety);
    assert!(why.starts_with("stop_if error_ratio > 0.05: error_ratio"), "{why}");
    assert_eq!(failing(30, 31).0, Verdict::Pass, "one bad second is no reason to stop");
}

#[test]
fn a_hypothesis_that_does_not_hold_any_more_is_unsafe() {
    let mut run = recording(faulty, healthy);
    run.unsteady_after = vec!["imbalance: $.x is 3, not 0".into()];
    assert_eq!(
        verdict(&run),
        (Verdict::FailSafety, "not steady after the fault: imbalance: $.x is 3, not 0".into())
    );
}

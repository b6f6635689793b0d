//! What proves nothing.

use super::*;

#[test]
fn a_fault_that_was_not_there_proves_nothing() {
    let (verdict, why) = {
        let never = |t| {
            let mut sample = healthy(t);
            sample.faults.as_mut().unwrap().hits_total.insert(FaultName::MissingPut, 0);
            sample
        };
        verdict(&recording(never, healthy))
    };
    assert_eq!(
        (verdict, why.as_str()),
        (Verdict::Inconclusive, "the fault struck 0 times only, of at least 500")
    );
}

#[test]
fn what_the_control_cannot_do_is_not_held_against_the_subject() {
    let mut run = recording(faulty, healthy);
    run.control.as_mut().unwrap().death = Some((Duration::from_secs(20), "killed".into()));
    pool(&mut run.subject.samples[60]).imbalance = -1;
    assert_eq!(verdict(&run), (Verdict::Inconclusive, "the control run died after 20.0 s: killed".into()));

    let shedding = |t| {
        let mut sample = healthy(t);
        sample.load.as_mut().unwrap().shed = t;
        sample
    };
    let (verdict, why) = verdict(&recording(faulty, shedding));
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(why.contains("the control run failed recovery shed == 0"), "{why}");
}

#[test]
fn a_machine_that_is_too_busy_for_the_control_proves_nothing() {
    let busy = |sample: fn(u64) -> Sample| {
        move |t: u64| {
            let mut sample = sample(t);
            sample.load.as_mut().unwrap().timeouts = t * 20;
            sample
        }
    };
    let mut run = recording(busy(faulty), busy(healthy));
    run.subject.death = Some((Duration::from_secs(31), "killed by the kernel".into()));
    let (verdict, why) = verdict(&run);
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(why.contains("lost 4200 of 42000 requests, with no fault: the machine is too busy"), "{why}");
    assert!(why.contains("the control run failed error_ratio > 0.05"), "{why}");
}

#[test]
fn without_a_control_what_needs_one_is_inconclusive() {
    let mut run = recording(faulty, healthy);
    run.control = None;
    let (verdict, why) = verdict(&run);
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(why.contains("recovery hit_ratio >= 0.95 * control: there is no control run"), "{why}");
    assert!(!why.contains("shed"), "{why}");
}

#[test]
fn looks_without_a_consistent_snapshot_do_not_count_until_they_are_most() {
    let with_gaps = |one_in: u64| {
        let gaps = |t: u64| {
            let mut sample = faulty(t);
            if !t.is_multiple_of(one_in) {
                sample.pools = None;
            }
            sample
        };
        verdict(&recording(gaps, healthy))
    };
    assert_eq!(with_gaps(2).0, Verdict::Pass);
    let (verdict, why) = with_gaps(5);
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(
        why.contains("looks only: there was no consistent snapshot") || why.contains("always imbalance == 0"),
        "{why}"
    );
}

#[test]
fn problems_of_the_run_itself_are_inconclusive() {
    for (problem, expected) in [
        (0, "not steady before the fault: x"),
        (1, "the fault could not be armed: x"),
        (2, "the fault could not be disarmed: x"),
        (3, "the run was interrupted"),
    ] {
        let mut run = recording(faulty, healthy);
        match problem {
            0 => run.unsteady_before = vec!["x".into()],
            1 => run.method_problem = Some("x".into()),
            2 => run.rollback_problem = Some("x".into()),
            _ => run.interrupted = true,
        }
        assert_eq!(verdict(&run), (Verdict::Inconclusive, expected.into()));
    }
}

#[test]
fn a_balloon_counts_by_what_it_filled_not_by_what_is_left_of_the_pools() {
    let judged =
        |full_bytes: u64| judge(&scenario(BALLOON), &recording(|t| ballooned(t, full_bytes), healthy));
    let judgement = judged(40 * MIB);
    assert_eq!(judgement.verdict, Verdict::Pass, "{:?}", judgement.reasons);
    let arm = judgement.checks.iter().find(|check| check.section == "arm").unwrap();
    assert_eq!(arm.values, "41.0 s, at most 0.917 of the limit");
    let small = judged(20 * MIB);
    assert_eq!(small.verdict, Verdict::Inconclusive);
    assert!(small.reasons[0].contains("0.0 s, at most 0.812 of the limit"), "{:?}", small.reasons);
}

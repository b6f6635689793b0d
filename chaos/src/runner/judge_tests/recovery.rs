//! What must come back.

use super::*;

#[test]
fn what_does_not_come_back_is_named_with_its_values() {
    let (verdict, why) = spoilt(DISARMED, |s| pool(s).suspects.clear());
    assert_eq!(verdict, Verdict::FailRecovery);
    assert!(
        why.contains(
            "recovery sites_named == sites_injected: sites_named none, sites_injected src/ingest.rs:10:20"
        ),
        "{why}"
    );

    let (verdict, why) = spoilt(DISARMED, |s| pool(s).lost_estimate = 539);
    assert_eq!(verdict, Verdict::FailRecovery);
    assert!(why.contains("lost_estimate 539, hits 600"), "{why}");

    let (verdict, why) = spoilt(DISARMED, |s| {
        let t = u64::try_from(s.at.as_millis()).unwrap() / 500 - 2 * DISARMED;
        pool(s).gets_total.created += t * 40;
    });
    assert_eq!(verdict, Verdict::FailRecovery);
    assert!(why.contains("hit_ratio 0.8250, control 0.9900"), "{why}");

    let (verdict, why) = spoilt(DISARMED, |s| {
        let t = u64::try_from(s.at.as_millis()).unwrap() / 500 - 2 * DISARMED;
        *s.load.as_mut().unwrap().delays_us.entry(40_000).or_default() += t * 4;
    });
    assert_eq!(verdict, Verdict::FailRecovery);
    assert!(why.contains("request_p99 40.00 ms, control 20.00 ms"), "{why}");

    let (verdict, why) = spoilt(DISARMED, |s| {
        let seconds = s.at.as_secs() - DISARMED;
        s.memory.as_mut().unwrap().pools_lent_bytes += seconds * MIB;
    });
    assert_eq!(verdict, Verdict::FailRecovery);
    assert!(why.contains("recovery growth_after_disarm_bytes <= 1MiB"), "{why}");

    let (verdict, why) = spoilt(DISARMED, |s| s.load.as_mut().unwrap().shed = s.at.as_secs());
    assert_eq!(verdict, Verdict::FailRecovery);
    assert!(why.contains("recovery shed == 0: shed 10"), "{why}");
}

#[test]
fn recovery_may_come_late_but_not_too_late() {
    let late = |until: u64| {
        let spoil = |t| {
            let mut sample = faulty(t);
            if (2 * DISARMED..2 * until).contains(&t) {
                pool(&mut sample).suspects.clear();
            }
            sample
        };
        let judgement = judge(&scenario(MISSING_PUT), &recording(spoil, healthy));
        (judgement.verdict, judgement.recovered_after_s)
    };
    assert_eq!(late(DISARMED + 29), (Verdict::Pass, Some(29.0)));
    assert_eq!(late(DISARMED + 31), (Verdict::FailRecovery, None));
}

#[test]
fn capacity_that_does_not_grow_back_fails_the_recovery() {
    let starved = |t| {
        let mut sample = ballooned(t, 40 * MIB);
        if t >= 2 * ARMED {
            pool(&mut sample).capacity_bytes = 8 * MIB;
        }
        sample
    };
    let judgement = judge(&scenario(BALLOON), &recording(starved, healthy));
    assert_eq!(judgement.verdict, Verdict::FailRecovery);
    assert!(
        judgement.reasons[0].contains("capacity_bytes 8.0 MiB, control 10.0 MiB"),
        "{:?}",
        judgement.reasons
    );
}

//! What each part of the pressure turns in tide, and what it leaves alone.

use super::*;

const MIB: u64 = 1 << 20;
const LIMIT: u64 = 200 * MIB;
const LATE: Option<u64> = Some(60_000_000);

/// A calm service: 70 of 200 MiB used, and what is idle in its pool: as much as it may hold, up to 60.
fn calm(idle: u64, capacity_bytes: u64) -> Inputs {
    let pool = PoolInputs {
        name: "a".into(),
        idle_bytes: idle,
        idle_objects: idle / 4096,
        expected_weight_bytes: 4096,
        capacity_bytes,
        capacity_objects: 1 << 20,
        evict_ratio: 0.5,
        ..PoolInputs::default()
    };
    Inputs {
        limit_bytes: Some(LIMIT),
        usage_bytes: Some(70 * MIB + idle),
        rss_bytes: Some(70 * MIB + idle),
        pools: vec![pool],
        ..Inputs::default()
    }
}

/// Tide after 100 calm ticks, and then `ticks` more; the plans of those.
fn after_calm(ticks: u64, disturbed: impl Fn(u64, Inputs) -> Inputs) -> Vec<Plan> {
    let mut tide = Tide::default();
    let mut capacity = 30 * MIB;
    let mut plans = Vec::new();
    for n in 0..100 + ticks {
        let inputs = calm(capacity.min(60 * MIB), capacity);
        let inputs = if n < 100 { inputs } else { disturbed(n - 100, inputs) };
        let plan = tide.decide(Duration::from_millis(n * 250), &inputs);
        capacity = plan.pools[0].capacity_bytes.expect("tide sets it");
        plans.push(plan);
    }
    plans
}

fn capacity(plan: &Plan) -> u64 {
    plan.pools[0].capacity_bytes.expect("tide sets it")
}

/// What is turned beside capacity.
fn turned(plan: &Plan) -> (Option<u32>, Option<u64>, Option<u64>, Option<f64>) {
    let pool = &plan.pools[0];
    (pool.sampling_thinner, pool.slice_us, pool.cycle_ms, pool.evict_ratio)
}

const AS_BUILT: (Option<u32>, Option<u64>, Option<u64>, Option<f64>) =
    (Some(1), Some(1000), Some(10_000), Some(0.5));

#[test]
fn lateness_alone_turns_sampling_and_slices_within_three_ticks_and_never_capacity() {
    for late in [
        PauseInputs { lag_p99_ns: LATE, ..PauseInputs::default() },
        PauseInputs { create_p99_ns: LATE, ..PauseInputs::default() },
    ] {
        let plans = after_calm(40, |_, inputs| Inputs { pause: late.clone(), ..inputs });
        let (before, after) = (&plans[99], &plans[100..]);
        assert_eq!(turned(before), AS_BUILT);
        assert_eq!(turned(&after[2]), (Some(16), Some(62), Some(10_000), Some(0.5)));
        assert!(after.iter().all(|plan| capacity(plan) >= capacity(before)), "capacity shrank");
        assert!(after[0].reasons.iter().any(|r| r.label() == "turned"), "{:?}", after[0].reasons);
    }
}

#[test]
fn lateness_holds_growth() {
    let late = PauseInputs { lag_p99_ns: LATE, ..PauseInputs::default() };
    let plans = after_calm(60, |_, inputs| Inputs { pause: late.clone(), ..inputs });
    assert!(plans[100..].iter().all(|plan| plan.budget_bytes <= plans[99].budget_bytes));
    let calm = after_calm(60, |_, inputs| inputs);
    assert!(calm[159].budget_bytes > calm[99].budget_bytes, "it would have grown");
}

#[test]
fn what_a_neighbour_takes_changes_nothing() {
    let stolen = PauseInputs { lag_p99_ns: LATE, cpu_is_taken: true, ..PauseInputs::default() };
    let with = after_calm(60, |_, inputs| Inputs { pause: stolen.clone(), ..inputs });
    assert_eq!(with, after_calm(60, |_, inputs| inputs));
}

#[test]
fn waiting_for_memory_ages_idle_objects_faster_and_keeps_more_free() {
    let plans = after_calm(80, |_, inputs| Inputs { psi_some_ratio: Some(0.2), ..inputs });
    assert_eq!(turned(&plans[102]), (Some(1), Some(1000), Some(2500), Some(1.0)));
    let (before, after) = (plans[99].budget_bytes, plans[179].budget_bytes);
    assert!(after <= before, "no growth: {before:?} {after:?}");
    // 20 s at a pressure of 1: a twentieth of the limit less than the room beside what others use.
    assert_eq!(plans[179].pressure.psi.to_bits(), 1.0_f64.to_bits());
    let full = after_calm(400, |n, inputs| {
        let psi_some_ratio = if n < 300 { None } else { Some(0.2) };
        Inputs { psi_some_ratio, ..inputs }
    });
    assert_eq!(full[399].budget_bytes, Some(94 * MIB));
    assert_eq!(full[499].budget_bytes, Some(84 * MIB));
}

#[test]
fn a_missing_pressure_reading_is_no_pressure_and_no_reason() {
    let without = after_calm(20, |_, inputs| Inputs { psi_some_ratio: None, ..inputs });
    let zero = after_calm(20, |_, inputs| Inputs { psi_some_ratio: Some(0.0), ..inputs });
    assert_eq!(without, zero);
}

/// Pools gave up 40 MiB, and the allocator keeps them; then others need more.
#[test]
fn pools_are_not_starved_for_memory_that_does_not_leave() {
    let mut tide = Tide::default();
    let mut plans = Vec::new();
    for n in 0..160_u64 {
        let freed = if n < 20 { 0 } else { 40 * MIB };
        let inputs = Inputs {
            usage_bytes: Some(150 * MIB + (n.saturating_sub(100) * MIB).min(25 * MIB)),
            purges_total: n / 40,
            ..calm(60 * MIB - freed, 60 * MIB)
        };
        plans.push(tide.decide(Duration::from_millis(n * 250), &inputs));
    }
    assert!(plans[..70].iter().all(|plan| plan.is_reclaimable));
    let (then, last) = (&plans[99], &plans[159]);
    assert!(!last.is_reclaimable && last.reasons.iter().any(|r| r.label() == "not_reclaimable"));
    assert_eq!(last.budget_bytes, then.budget_bytes, "others grew by 25 MiB, and the pools cannot help");
}

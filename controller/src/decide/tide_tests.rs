//! Tide on numbers alone: exact figures, missing readings, and rules that hold for any input.

use super::tests_support::Random;
use super::*;

const MIB: u64 = 1 << 20;
const LIMIT: u64 = 200 * MIB;

fn pool(name: &str, idle: u64, lent: u64, capacity: u64) -> PoolInputs {
    PoolInputs {
        name: name.into(),
        idle_bytes: idle,
        idle_objects: idle / 4096,
        lent_bytes: lent,
        lent_objects: lent / 4096,
        expected_weight_bytes: 4096,
        capacity_bytes: capacity,
        capacity_objects: 1 << 20,
        ..PoolInputs::default()
    }
}

fn inputs(usage: Option<u64>, pools: Vec<PoolInputs>) -> Inputs {
    Inputs { limit_bytes: Some(LIMIT), usage_bytes: usage, rss_bytes: usage, pools, ..Inputs::default() }
}

fn tick(n: u64) -> Duration {
    Duration::from_millis(250 * n)
}

/// Ticks whose plans are carried out: the next inputs show the capacities of the last plan.
struct Loop {
    tide: Tide,
    n: u64,
    capacities: Vec<u64>,
}

impl Loop {
    fn new() -> Self {
        Self { tide: Tide::default(), n: 0, capacities: vec![64 * MIB; 8] }
    }

    fn tick(&mut self, usage: Option<u64>, idle_and_lent: &[(u64, u64)]) -> Plan {
        let pools = idle_and_lent
            .iter()
            .zip(["a", "b", "c", "d"])
            .zip(&self.capacities)
            .map(|(((idle, lent), name), capacity)| pool(name, *idle, *lent, *capacity))
            .collect();
        let plan = self.tide.decide(tick(self.n), &inputs(usage, pools));
        self.n += 1;
        for (capacity, planned) in self.capacities.iter_mut().zip(&plan.pools) {
            *capacity = planned.capacity_bytes.unwrap_or(*capacity);
        }
        plan
    }
}

fn capacity_sum(plan: &Plan) -> u64 {
    plan.pools.iter().filter_map(|p| p.capacity_bytes).sum()
}

#[test]
fn the_first_budget_is_a_tenth_of_the_limit() {
    let plan = Loop::new().tick(Some(30 * MIB), &[(0, 10 * MIB), (0, 0)]);
    assert_eq!(plan.budget_bytes, Some(20 * MIB));
    assert_eq!(plan.reasons[0], Reason::Started { budget_bytes: 20 * MIB });
    assert_eq!(plan.grant_bytes, Some(176 * MIB - 30 * MIB), ".88 of the limit minus usage");
}

#[test]
fn a_controller_that_comes_late_keeps_what_fits() {
    let plan = Loop::new().tick(Some(90 * MIB), &[(60 * MIB, 0)]);
    assert_eq!(plan.budget_bytes, Some(60 * MIB));
    let plan = Loop::new().tick(Some(190 * MIB), &[(60 * MIB, 0)]);
    assert_eq!(plan.budget_bytes, Some((164 - 130) * MIB), ".82 of the limit minus what others use");
}

#[test]
fn the_budget_is_82_percent_of_the_limit_minus_the_peak_of_others() {
    let mut control = Loop::new();
    let mut last = None;
    // Others use 60 MiB. Idle fills what it may.
    for _ in 0..400 {
        let idle = control.capacities[0];
        last = control.tick(Some(60 * MIB + idle.min(64 * MIB)), &[(idle.min(64 * MIB), 0)]).budget_bytes;
    }
    assert_eq!(last, Some(104 * MIB));
    // Others jump: the median passes it after two ticks, the cut is at once.
    let idle = 64 * MIB;
    let budgets: Vec<_> =
        (0..3).map(|_| control.tick(Some(80 * MIB + idle), &[(idle, 0)]).budget_bytes).collect();
    assert_eq!(budgets, [Some(104 * MIB), Some(84 * MIB), Some(84 * MIB)]);
}

#[test]
fn what_is_idle_cancels_out_and_what_is_lent_does_not() {
    let budget = |idle, lent| {
        let mut control = Loop::new();
        (0..8).map(|_| control.tick(Some(120 * MIB), &[(idle, lent)])).last().and_then(|p| p.budget_bytes)
    };
    assert_eq!(budget(30 * MIB, 80 * MIB), budget(30 * MIB, 10 * MIB), "lent is part of the others");
    assert_eq!(budget(10 * MIB, 0), Some(20 * MIB));
    let cut = |idle| {
        let mut control = Loop::new();
        (0..8).map(|_| control.tick(Some(150 * MIB), &[(idle, 0)])).last().and_then(|p| p.budget_bytes)
    };
    assert_eq!((cut(15 * MIB), cut(5 * MIB)), (Some(20 * MIB), Some(19 * MIB)));
}

#[test]
fn trims_that_the_allocator_has_not_returned_do_not_starve_the_pools() {
    let mut control = Loop::new();
    let _ = control.tick(Some(158 * MIB), &[(100 * MIB, 0)]);
    let mut budgets = Vec::new();
    // The pool is trimmed to 60 MiB, and usage stays where it was.
    for _ in 0..60 {
        budgets.push(control.tick(Some(158 * MIB), &[(60 * MIB, 0)]).budget_bytes);
    }
    // Others use 58 MiB all the time: there is room for 106 MiB, too little more to grow for.
    assert!(budgets.iter().all(|budget| *budget == Some(100 * MIB)), "{budgets:?}");
}

/// A second, 48 s in, in which 20 MiB more are used.
fn spike(n: u64) -> u64 {
    if (192..196).contains(&n) { 20 * MIB } else { 0 }
}

#[test]
fn a_peak_of_what_is_lent_counts_by_its_mean_and_one_of_others_in_full() {
    let budget = |lent: fn(u64) -> u64| {
        let mut control = Loop::new();
        let plans = (0..200).map(|n| control.tick(Some(120 * MIB + spike(n)), &[(60 * MIB, lent(n))]));
        plans.last().and_then(|plan| plan.budget_bytes)
    };
    let (lent, others) = (budget(|n| 10 * MIB + spike(n)), budget(|_| 10 * MIB));
    assert_eq!(others, Some((164 - 60 - 20) * MIB));
    assert!(lent > Some((164 - 60 - 1) * MIB), "20 MiB for a second of a minute: {lent:?}");
}

#[test]
fn processes_that_share_a_group_share_what_is_left() {
    let grant = |rss_bytes| {
        let inputs = Inputs { rss_bytes, ..inputs(Some(100 * MIB), vec![]) };
        Tide::default().decide(tick(0), &inputs).grant_bytes
    };
    assert_eq!(grant(Some(100 * MIB)), Some(76 * MIB));
    assert_eq!(grant(Some(80 * MIB)), Some(76 * MIB), "the rest is the kernel's");
    assert_eq!(grant(Some(50 * MIB)), Some(38 * MIB));
    assert_eq!(grant(None), Some(76 * MIB));
}

#[test]
fn entering_critical_halves_the_budget_once() {
    let mut control = Loop::new();
    let _ = control.tick(Some(100 * MIB), &[(80 * MIB, 0)]);
    let before = control.tick(Some(100 * MIB), &[(80 * MIB, 0)]).budget_bytes;
    assert_eq!(before, Some(80 * MIB));
    let mut killed = inputs(Some(100 * MIB), vec![pool("a", 80 * MIB, 0, 80 * MIB)]);
    killed.oom_total = 1;
    let plan = control.tide.decide(tick(2), &killed);
    assert_eq!((plan.state, plan.budget_bytes), (State::Critical, Some(40 * MIB)));
    assert!(plan.reasons.iter().any(|r| r.label() == "halved"), "{:?}", plan.reasons);
    killed.pools[0].capacity_bytes = 40 * MIB;
    let plan = control.tide.decide(tick(3), &killed);
    assert_eq!((plan.state, plan.budget_bytes), (State::Critical, Some(40 * MIB)));
}

#[test]
fn a_missing_reading_freezes_and_after_three_seconds_decays_to_safe() {
    let mut control = Loop::new();
    for _ in 0..10 {
        let _ = control.tick(Some(100 * MIB), &[(80 * MIB, 0)]);
    }
    let mut budgets = Vec::new();
    for _ in 0..80 {
        let mut blind = inputs(None, vec![pool("a", 80 * MIB, 0, control.capacities[0])]);
        blind.limit_bytes = None;
        let plan = control.tide.decide(tick(control.n), &blind);
        control.n += 1;
        control.capacities[0] = plan.pools[0].capacity_bytes.expect("a capacity");
        assert!(plan.reasons.iter().any(|r| r.label() == "signal_invalid"));
        budgets.push(plan.budget_bytes.expect("a budget"));
    }
    assert!(budgets[..12].iter().all(|b| *b == 80 * MIB), "{budgets:?}");
    assert!(budgets.windows(2).all(|w| w[1] <= w[0]));
    assert!(budgets[12] < 80 * MIB && budgets[16] > 10 * MIB, "{budgets:?}");
    assert!(budgets[17..].iter().all(|b| *b == 10 * MIB), "4.5 s after the last reading: {budgets:?}");
    // It recovers, slowly, when readings come back.
    let grown: Vec<_> = (0..60).map(|_| control.tick(Some(30 * MIB), &[(9 * MIB, 0)]).budget_bytes).collect();
    assert!(grown[..8].iter().all(|b| *b == Some(10 * MIB)), "{grown:?}");
    assert!(grown.last() > Some(&Some(15 * MIB)), "{grown:?}");
}

#[test]
fn without_a_reading_the_grant_is_only_used_up() {
    let mut control = Loop::new();
    let _ = control.tick(Some(100 * MIB), &[(0, 0)]);
    let mut blind = inputs(None, vec![pool("a", 0, 0, MIB)]);
    for (left, granted) in [(5000, 5000), (-7, 0), (i64::MAX / 2, 76 * MIB)] {
        blind.grant_left_bytes = Some(left);
        assert_eq!(control.tide.decide(tick(1), &blind).grant_bytes, Some(granted));
    }
}

#[test]
fn without_any_limit_pools_get_their_safe_capacity_and_no_grant() {
    let mut tide = Tide::default();
    let blind = Inputs { pools: vec![pool("a", 0, 0, MIB), pool("b", 0, 0, MIB)], ..Inputs::default() };
    let plan = tide.decide(tick(0), &blind);
    assert_eq!((plan.budget_bytes, plan.grant_bytes, capacity_sum(&plan)), (Some(8 * MIB), None, 8 * MIB));
    assert_eq!(plan.reasons, [Reason::NoLimit]);
}

#[test]
fn what_the_watchdog_took_is_not_given_back_at_once() {
    let mut control = Loop::new();
    for _ in 0..10 {
        let _ = control.tick(Some(100 * MIB), &[(80 * MIB, 0)]);
    }
    control.capacities[0] = 10 * MIB;
    let plan = control.tick(Some(30 * MIB), &[(10 * MIB, 0)]);
    assert_eq!(plan.budget_bytes, Some(10 * MIB));
    assert!(plan.reasons.contains(&Reason::Lowered { to_bytes: 10 * MIB }), "{:?}", plan.reasons);
}

#[test]
fn a_pinned_pool_is_planned_around() {
    let mut tide = Tide::default();
    let mut pinned = pool("a", 0, 0, 15 * MIB);
    pinned.pinned = true;
    let plan = tide.decide(tick(0), &inputs(Some(50 * MIB), vec![pinned, pool("b", 0, 0, 64 * MIB)]));
    assert_eq!(plan.budget_bytes, Some(20 * MIB));
    assert_eq!(plan.pools.iter().map(|p| p.capacity_bytes).collect::<Vec<_>>(), [None, Some(5 * MIB)]);
}

#[test]
fn a_purge_is_asked_for_when_free_memory_piles_up_or_usage_is_high() {
    let mut control = Loop::new();
    assert!(!control.tick(Some(150 * MIB), &[(100 * MIB, 0)]).purge);
    assert!(!control.tick(Some(150 * MIB), &[(91 * MIB, 0)]).purge);
    assert!(control.tick(Some(150 * MIB), &[(90 * MIB, 0)]).purge, "10 MiB are 5 % of the limit");
    assert!(Loop::new().tick(Some(184 * MIB), &[(0, 0)]).purge, "high");
}

#[test]
fn another_group_that_binds_starts_the_peaks_anew() {
    let mut tide = Tide::default();
    for n in 0..40 {
        let _ = tide.decide(tick(n), &inputs(Some(100 * MIB), vec![pool("a", 0, 0, 0)]));
    }
    let mut other = inputs(Some(900 * MIB), vec![pool("a", 0, 0, 0)]);
    other.limit_bytes = Some(2000 * MIB);
    other.level = "/parent".into();
    let plan = tide.decide(tick(40), &other);
    assert!(plan.reasons.iter().any(|r| r.label() == "limit_changed"), "{:?}", plan.reasons);
    assert!(!plan.reasons.iter().any(|r| r.label() == "grew"));
}

#[test]
fn levels_of_another_group_say_nothing_about_this_one() {
    let mut tide = Tide::default();
    let mut large = inputs(Some(900 * MIB), vec![pool("a", 0, 0, 200 * MIB)]);
    (large.limit_bytes, large.level) = (Some(2000 * MIB), "/parent".into());
    for n in 0..40 {
        let _ = tide.decide(tick(n), &large);
    }
    let own = inputs(Some(50 * MIB), vec![pool("a", 0, 0, 200 * MIB)]);
    assert_eq!(tide.decide(tick(40), &own).budget_bytes, Some(114 * MIB), "and not 164 less 900");
}

#[test]
fn only_what_could_not_be_used_grows_without_use() {
    let after = |others: u64| {
        let mut control = Loop::new();
        for _ in 0..3 {
            let _ = control.tick(Some(others), &[(0, 0)]);
        }
        (0..300).map(|_| control.tick(Some(60 * MIB), &[(0, 0)])).last().and_then(|plan| plan.budget_bytes)
    };
    assert_eq!(after(158 * MIB), Some(6 * MIB), "3 % of the limit, and nobody uses it");
    let grown = after(163 * MIB).expect("a budget");
    assert!((4 * MIB..=6 * MIB).contains(&grown), "from 1 MiB to 2 % of the limit, and a step: {grown}");
}

#[test]
fn growth_begins_after_a_whole_window_and_two_seconds() {
    let mut control = Loop::new();
    let reasons: Vec<String> = (0..33)
        .map(|_| control.tick(Some(60 * MIB), &[(15 * MIB, 0)]))
        .map(|plan| plan.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        .collect();
    let held = |by: &str| reasons.iter().filter(|reason| reason.contains(by)).count();
    assert_eq!((held("window is not full"), held("must last")), (24, 8), "6 s and 2 s: {reasons:?}");
    assert!(reasons[32].contains("there is room for"), "{}", reasons[32]);
}

#[test]
fn a_gap_in_the_readings_starts_the_patience_anew_and_is_not_compared_across() {
    let mut control = Loop::new();
    let blind = |control: &mut Loop, idle| {
        let _ = control.tick(None, &[(idle, 0)]);
    };
    for _ in 0..40 {
        let _ = control.tick(Some(60 * MIB), &[(20 * MIB, 0)]);
    }
    let grew = |plan: &Plan| plan.reasons.iter().any(|r| r.label() == "grew");
    assert!(grew(&control.tick(Some(60 * MIB), &[(20 * MIB, 0)])));
    blind(&mut control, 20 * MIB);
    assert!(!(0..7).any(|_| grew(&control.tick(Some(60 * MIB), &[(20 * MIB, 0)]))));

    let mut control = Loop::new();
    let _ = control.tick(Some(158 * MIB), &[(100 * MIB, 0)]);
    blind(&mut control, 100 * MIB);
    let plans: Vec<_> = (0..3).map(|_| control.tick(Some(158 * MIB), &[(60 * MIB, 0)])).collect();
    assert_eq!(plans[2].budget_bytes, Some(66 * MIB), "who took the 40 MiB meanwhile is not known");
}

#[test]
fn resident_memory_that_rises_tightens_while_usage_cannot_be_read() {
    let mut control = Loop::new();
    for _ in 0..10 {
        let _ = control.tick(Some(100 * MIB), &[(80 * MIB, 0)]);
    }
    let mut blind = inputs(None, vec![pool("a", 80 * MIB, 0, control.capacities[0])]);
    blind.rss_bytes = Some(180 * MIB);
    let budgets: Vec<_> = (10..14).map(|n| control.tide.decide(tick(n), &blind).budget_bytes).collect();
    assert_eq!(budgets, [80, 80, 80, 64].map(|mib| Some(mib * MIB)), "three ticks the last reading stands");
}

/// Anything may be read, at irregular times, and may be missing.
#[test]
fn rules_that_hold_for_any_input() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let (mut tide, mut again) = (Tide::default(), Tide::default());
        let mut now = Duration::ZERO;
        let mut capacities = [64 * MIB; 4];
        let mut last_sum = None;
        let mut limit = LIMIT;
        for _ in 0..200 {
            now += Duration::from_millis(10 + random.up_to(500));
            if random.chance(0.02) {
                limit = 1 + random.up_to(1 << 34);
            }
            let usage = random.up_to(limit + limit / 8);
            let pools: Vec<_> = ["a", "b", "c", "d"]
                .into_iter()
                .zip(&capacities)
                .map(|(name, capacity)| PoolInputs {
                    gets_total: u64::try_from(now.as_millis()).unwrap_or(0) * 10,
                    expected_weight_bytes: 1 + random.up_to(MIB),
                    ..pool(name, random.up_to(usage / 4), random.up_to(usage / 4), *capacity)
                })
                .collect();
            let valid = random.chance(0.8);
            let inputs = Inputs {
                limit_bytes: Some(limit).filter(|_| valid || random.chance(0.5)),
                usage_bytes: Some(usage).filter(|_| valid),
                rss_bytes: Some(usage / 2).filter(|_| random.chance(0.7)),
                grant_left_bytes: Some(1000),
                ..Inputs { pools, ..Inputs::default() }
            };
            let plan = tide.decide(now, &inputs);
            assert_eq!(plan, again.decide(now, &inputs), "the same inputs give the same plan");
            assert!(!plan.reasons.is_empty());
            assert_eq!(plan.pools.len(), 4);
            let (sum, budget) = (capacity_sum(&plan), plan.budget_bytes.expect("a budget"));
            assert!(sum <= budget, "Σ {sum} of {budget}");
            let grew = last_sum.is_some_and(|last| sum > last);
            assert!(valid || !grew, "grew from {last_sum:?} to {sum} on an invalid reading");
            for (capacity, planned) in capacities.iter_mut().zip(&plan.pools) {
                let planned = planned.capacity_bytes.expect("a capacity");
                assert!(
                    valid || last_sum.is_none() || planned <= *capacity,
                    "one pool grew on an invalid reading"
                );
                *capacity = planned;
            }
            if valid {
                assert!(plan.grant_bytes <= Some(share_of(limit, 880).saturating_sub(usage)));
            }
            last_sum = Some(sum);
        }
    }
}

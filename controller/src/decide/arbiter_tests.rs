use super::*;
use crate::decide::tests_support::Random;

const MIB: u64 = 1 << 20;

fn pool(name: &str, gets: u64, ghosts: u64, capacity: u64) -> PoolInputs {
    PoolInputs {
        name: name.into(),
        gets_total: gets,
        created_total: ghosts,
        ghost_hits_total: ghosts,
        saved_ns: Some(500.0),
        expected_weight_bytes: 4096,
        capacity_bytes: capacity,
        capacity_objects: 1 << 30,
        ..PoolInputs::default()
    }
}

const CALM: Terms = Terms { budget_bytes: 100 * MIB, state: State::Normal, frozen: false };

/// Ticks once a second; `pools` gives them by second and by the capacities that they were given.
fn run(
    seconds: u64,
    terms: impl Fn(u64) -> Terms,
    pools: impl Fn(u64, &[u64]) -> Vec<PoolInputs>,
) -> Vec<u64> {
    let mut arbiter = Arbiter::default();
    let mut given = vec![MIB; 8];
    for second in 0..seconds {
        let inputs = Inputs { pools: pools(second, &given), ..Inputs::default() };
        arbiter.follow(Duration::from_secs(second), &inputs.pools);
        let (capacities, _) = arbiter.divide(&inputs, terms(second));
        given =
            capacities.into_iter().zip(&inputs.pools).map(|(c, p)| c.unwrap_or(p.capacity_bytes)).collect();
        assert!(given.iter().sum::<u64>() <= terms(second).budget_bytes, "{given:?}");
    }
    given
}

#[test]
fn bytes_move_to_where_they_are_worth_more_and_slowly() {
    // Both are asked for alike; only a would have more hits with more.
    let alike = |s: u64, c: &[u64]| vec![pool("a", s * 1000, s * 100, c[0]), pool("b", s * 1000, 0, c[1])];
    let share_of_a = |seconds| run(seconds, |_| CALM, alike)[0] * 100 / CALM.budget_bytes;
    assert_eq!([17, 21, 31, 51].map(share_of_a), [52, 54, 56, 60]);
}

#[test]
fn a_pool_gets_six_tenths_of_the_budget_from_others_at_most_and_nothing_from_a_floor() {
    let pools = |floor_bytes| {
        move |s: u64, c: &[u64]| {
            let with_floor = PoolInputs { floor_bytes, ..pool("b", s * 1000, 0, c[1]) };
            vec![pool("a", s * 1000, s * 100, c[0]), with_floor, pool("c", s * 1000, 0, c[2])]
        }
    };
    let mib = |seconds, floor| {
        run(seconds, |_| CALM, pools(floor)).into_iter().map(|b| b / MIB).collect::<Vec<_>>()
    };
    assert_eq!(mib(900, 0), [91, 4, 4], "of 99");
    assert_eq!(mib(201, 33 * MIB), [59, 36, 3]);
}

#[test]
fn a_small_pool_gives_a_quarter_of_what_it_has_at_a_time_and_not_all() {
    let beside = |s: u64, c: &[u64]| vec![pool("a", s * 1000, s * 100, c[0]), pool("b", s, 0, c[1])];
    let kib = |seconds| run(seconds, |_| CALM, beside)[1] >> 10;
    assert_eq!([16, 21, 31, 41].map(kib), [1105, 833, 629, 475]);
    assert_eq!(kib(300), 125, "crumbs stay");
}

#[test]
fn a_budget_that_jitters_moves_nothing() {
    let alike = |s: u64, c: &[u64]| vec![pool("a", s * 1000, 0, c[0]), pool("b", s * 1000, 0, c[1])];
    let jitter = |s| Terms { budget_bytes: (100 + 2 * (s % 2)) * MIB, ..CALM };
    assert_eq!(run(60, jitter, alike), [50 * MIB; 2]);
    let more = |s| Terms { budget_bytes: if s == 59 { 104 * MIB } else { 100 * MIB }, ..CALM };
    assert_eq!(run(60, more, alike), [52 * MIB; 2]);
}

#[test]
fn what_is_worth_nearly_the_same_stays() {
    let near =
        |s: u64, c: &[u64]| vec![pool("a", s * 1000, s * 124, c[0]), pool("b", s * 1000, s * 100, c[1])];
    assert_eq!(run(60, |_| CALM, near), [50 * MIB; 2]);
}

#[test]
fn weights_count_and_floors_come_first() {
    let heavy = |s: u64, c: &[u64]| {
        vec![PoolInputs { weight: 400, ..pool("a", s * 1000, 0, c[0]) }, pool("b", s * 1000, 0, c[1])]
    };
    let given = run(60, |_| CALM, heavy);
    assert!(given[0].abs_diff(2 * given[1]) < MIB, "four times the weight is twice the share: {given:?}");
    let with_floor = |s: u64, c: &[u64]| {
        vec![
            PoolInputs { floor_bytes: 80 * MIB, ..pool("a", s, 0, c[0]) },
            pool("b", s * 1000, s * 100, c[1]),
        ]
    };
    assert!(run(300, |_| CALM, with_floor)[0] >= 80 * MIB);
}

#[test]
fn what_is_pinned_is_planned_around() {
    let pinned = |s: u64, c: &[u64]| {
        vec![PoolInputs { pinned: true, ..pool("a", s, 0, 70 * MIB) }, pool("b", s * 1000, s * 100, c[1])]
    };
    assert_eq!(run(60, |_| CALM, pinned), [70 * MIB, 30 * MIB]);
}

#[test]
fn in_high_what_is_worth_least_goes_first() {
    let used = |s: u64, c: &[u64]| {
        vec![
            pool("a", s * 1000, 0, c[0]),
            PoolInputs { saved_ns: Some(5000.0), ..pool("b", s * 1000, 0, c[1]) },
        ]
    };
    let terms = |second| match second {
        0..40 => CALM,
        _ => Terms { budget_bytes: 85 * MIB, state: State::High, frozen: false },
    };
    let (before, after) = (run(40, terms, used), run(41, terms, used));
    assert_eq!(after[1], before[1], "what saves much keeps what it has: {before:?} {after:?}");
    assert_eq!(after[0], 85 * MIB - before[1]);
    let with_floor = |s: u64, c: &[u64]| {
        let mut pools = used(s, c);
        pools[0].floor_bytes = 20 * MIB;
        pools
    };
    let tight = |second| match second {
        0..40 => CALM,
        _ => Terms { budget_bytes: 60 * MIB, state: State::High, frozen: false },
    };
    assert_eq!(run(41, tight, with_floor), [20 * MIB, 40 * MIB], "floors go last");
    let mild = |second| Terms { state: State::Normal, ..terms(second) };
    assert!(run(41, mild, used)[1] < before[1], "below high all give");
}

#[test]
fn the_sum_never_exceeds_the_budget_whatever_the_counters_do() {
    let mut random = Random::new(5);
    for _ in 0..200 {
        let seed = random.up_to(1 << 40);
        let pools = move |s: u64, c: &[u64]| {
            let mut random = Random::new(seed + s);
            let names = ["a", "b", "c", "d", "e"];
            let some: Vec<_> =
                names.iter().take(usize::try_from(1 + random.up_to(4)).unwrap()).enumerate().collect();
            some.into_iter()
                .map(|(i, name)| PoolInputs {
                    floor_bytes: random.up_to(60 * MIB),
                    pinned: random.up_to(10) == 0,
                    weight: u32::try_from(1 + random.up_to(300)).unwrap(),
                    ..pool(
                        name,
                        s * random.up_to(2000),
                        s * random.up_to(100),
                        c.get(i).map_or(0, |c| (*c).min(10 * MIB)),
                    )
                })
                .collect()
        };
        let terms = move |s: u64| {
            let mut random = Random::new(seed ^ s);
            let state = State::ALL[usize::try_from(random.up_to(3)).unwrap()];
            // What is pinned, at most 5 × 10 MiB, is not the arbiter's.
            Terms { budget_bytes: 50 * MIB + random.up_to(100 * MIB), state, frozen: random.up_to(3) == 0 }
        };
        run(40, terms, pools);
    }
}

//! What a record becomes: the demand that was counted, the usage that was read, and a replay near what happened.

use super::super::plant::Plant;
use super::super::random::Random;
use super::super::replay::{ReplayError, replay};
use super::super::world::World as _;
use super::*;
use pool_controller::Moment;
use pool_controller::decide::PoolInputs;

const MIB: u64 = 1 << 20;

/// `ebbpool demo --for 74s` against its simulated limit, recorded by `ebbpool record` for 72 s of them.
const DEMO: &[u8] = include_bytes!("../../../tests/records/demo.record");
/// The highest usage that the demo itself has said at its end (`peak_bytes` of its summary).
const DEMO_PEAK_BYTES: u64 = 135_286_784;

/// A service with one pool of objects of 1 MiB, of which 4 are lent, and as many idle, at each quarter of a second.
pub(in crate::simulate) fn service(moments: u64) -> Record {
    let moment = |tick: u64| {
        let pool = PoolInputs {
            name: "a".into(),
            gets_total: tick * 50,
            created_total: 8,
            lent_objects: 4,
            lent_bytes: 4 * MIB,
            idle_objects: 4,
            idle_bytes: 4 * MIB,
            expected_weight_bytes: MIB,
            capacity_bytes: 8 * MIB,
            capacity_objects: 100,
            saved_ns: Some(500.0),
            ..PoolInputs::default()
        };
        let mut moment =
            Moment { at_ms: 1000 + tick * 250, tick, policy: "fixed".into(), ..Moment::default() };
        moment.limit_kind = "real".into();
        moment.inputs.limit_bytes = Some(100 * MIB);
        moment.inputs.usage_bytes = Some(60 * MIB);
        moment.inputs.heap_free_bytes = Some(0);
        moment.inputs.pools = vec![pool];
        moment
    };
    let moments = (0..moments).map(moment).collect();
    Record { moments, ..Record::default() }
}

fn peak_of(record: &Record, policy: &str, limit: Option<u64>) -> (u64, u8) {
    let replay = replay(record, &[policy.to_owned()], limit, 1).unwrap();
    (replay.rows[0].peak_bytes, replay.rows[0].oom)
}

#[test]
fn a_recorded_demo_replayed_has_the_live_peak_within_a_tenth() {
    let record = Record::parse(DEMO).unwrap();
    assert!(record.peak_bytes().unwrap() <= DEMO_PEAK_BYTES && record.lasts_ms() > 70_000);
    let (peak, _) = peak_of(&record, "tide", None);
    let off = peak as f64 / DEMO_PEAK_BYTES as f64 - 1.0;
    assert!(off.abs() <= 0.10, "{peak} bytes, {:.1} % off", 100.0 * off);
}

/// `ebbpool demo --limit 192MiB --pools fixed`, recorded until the kernel killed it at 192 MiB. Idle objects lay with other
/// threads than those that created; without that the replay lives.
#[test]
fn fixed_pools_that_were_killed_are_killed_in_the_replay_and_tide_lives() {
    let record = Record::parse(include_bytes!("../../../tests/records/killed.record")).unwrap();
    let (peak, killed) = peak_of(&record, "fixed", None);
    assert!(killed == 1 && record.peak_bytes().unwrap().abs_diff(peak) <= peak / 10, "{peak} bytes");
    assert_eq!(peak_of(&record, "tide", None).1, 0);
}

#[test]
fn no_policy_saves_more_of_a_record_than_the_optimum() {
    let policies: Vec<String> = super::super::policy_names().map(str::to_owned).collect();
    for text in [DEMO, include_bytes!("../../../tests/records/killed.record")] {
        let record = Record::parse(text).unwrap();
        for limit in [None, Some(150 * MIB), Some(170 * MIB)] {
            for row in replay(&record, &policies, limit, 1).unwrap().rows {
                let share = row.hits_vs_oracle.unwrap();
                assert!((0.0..=1.0).contains(&share), "{}: {share}", row.policy);
            }
        }
    }
}

#[test]
fn demand_is_what_was_counted_and_leaves_what_was_lent() {
    let record = Record::parse(DEMO).unwrap();
    let world = Recorded::of(&record).unwrap();
    for (n, trace) in world.demand.pools.iter().enumerate() {
        let (mut lent, mut slot) = (trace.at_start.1, 0);
        for point in world.points() {
            while slot < point.step * super::super::demand::SLOTS {
                lent = lent + u64::from(trace.gets[slot]) - u64::from(trace.returns[slot]);
                slot += 1;
            }
            assert_eq!(lent, point.pools[n].lent, "pool {n} at step {}", point.step);
        }
        let gets: u64 = trace.gets.iter().map(|gets| u64::from(*gets)).sum();
        let (first, last) = (&world.points()[0].pools[n], &world.points().last().unwrap().pools[n]);
        assert!(gets >= last.gets - first.gets, "pool {n}");
    }
}

#[test]
fn a_plant_begins_at_the_recorded_usage_whatever_the_pools_count() {
    let mut record = service(40);
    let usage = |record: &Record| {
        let world = Recorded::of(record).unwrap();
        let plant = Plant::new(&world, &world.demand, 1);
        plant.level().usage
    };
    assert_eq!(usage(&record), 60 * MIB);
    // More than is resident: pages that were never touched.
    for moment in &mut record.moments {
        moment.inputs.usage_bytes = Some(5 * MIB);
    }
    assert_eq!(usage(&record), 5 * MIB);
}

#[test]
fn where_nothing_changes_a_replay_changes_nothing() {
    let record = service(40);
    let replay = replay(&record, &["fixed".to_owned()], None, 1).unwrap();
    let row = &replay.rows[0];
    assert_eq!((row.peak_bytes, row.hit_ratio, row.oom), (60 * MIB, Some(1.0), 0));
    assert_eq!((replay.recorded.hit_ratio, replay.recorded.peak_bytes), (Some(1.0), 60 * MIB));
    assert_eq!(peak_of(&record, "fixed", Some(55 * MIB)).1, 1, "another limit kills");
}

#[test]
fn under_a_smaller_limit_nothing_begins_with_what_only_the_larger_one_had_room_for() {
    let record = service(40);
    // 52 MiB of others and 4 that are lent; of 4 that are idle, one leaves usage at .80.
    let world = Recorded::of(&record).unwrap().under(72 * MIB);
    let plant = Plant::new(&world, &world.demand, 1);
    assert_eq!((world.starts()[0].idle, plant.level().usage), (1, 57 * MIB));
    assert_eq!(Recorded::of(&record).unwrap().under(80 * MIB).starts()[0].idle, 4);
}

#[test]
fn a_limit_that_was_simulated_kills_nobody_and_a_real_one_does() {
    let mut record = service(40);
    record.moments[20].inputs.usage_bytes = Some(105 * MIB);
    assert_eq!(peak_of(&record, "fixed", None).1, 1);
    for moment in &mut record.moments {
        moment.limit_kind = "simulated".into();
    }
    assert_eq!(peak_of(&record, "fixed", None), (105 * MIB, 0));
    // While it was recorded the limit became a real one.
    for moment in &mut record.moments[25..] {
        moment.limit_kind = "real".into();
    }
    assert_eq!(peak_of(&record, "fixed", None).1, 0, "it was above before that");
    record.moments[30].inputs.usage_bytes = Some(105 * MIB);
    assert_eq!(peak_of(&record, "fixed", None).1, 1);
}

#[test]
fn what_could_not_be_read_is_not_read_in_a_replay() {
    let mut record = service(40);
    for moment in &mut record.moments[10..20] {
        moment.inputs.usage_bytes = None;
    }
    let world = Recorded::of(&record).unwrap();
    let read = |second: usize| {
        let mut inputs = Inputs { usage_bytes: Some(1), limit_bytes: Some(1), ..Inputs::default() };
        world.hide(second * 200, &mut inputs);
        (inputs.limit_bytes, inputs.usage_bytes)
    };
    assert_eq!([read(1), read(3), read(6)], [(Some(1), Some(1)), (Some(1), None), (Some(1), Some(1))]);
    let replay = replay(&record, &["tide".to_owned()], None, 1).unwrap();
    assert!(replay.notes[0].contains("25.0 % of the moments"), "{:?}", replay.notes);
    for moment in &mut record.moments {
        moment.inputs.usage_bytes = None;
    }
    assert_eq!(Recorded::of(&record).map(drop), Err(Unfit::TooLittle));
}

/// A pool of objects of 3 MiB that is empty for six of ten seconds, or not there yet.
pub(in crate::simulate) fn with_a_late_pool(mut record: Record, is_absent: bool) -> Record {
    for (tick, moment) in (0_u64..).zip(&mut record.moments) {
        let empty = PoolInputs {
            name: "late".into(),
            capacity_bytes: 30 * MIB,
            capacity_objects: 100,
            ..PoolInputs::default()
        };
        let late = match tick {
            0..24 if is_absent => continue,
            0..24 => empty,
            _ => PoolInputs {
                gets_total: (tick - 24) * 50,
                created_total: 4,
                lent_objects: 2,
                lent_bytes: 6 * MIB,
                idle_objects: 2,
                idle_bytes: 6 * MIB,
                expected_weight_bytes: 3 * MIB,
                ..empty
            },
        };
        moment.inputs.pools.push(late);
    }
    record
}

#[test]
fn a_pool_that_begins_empty_weighs_what_its_objects_will() {
    for is_absent in [false, true] {
        let world = Recorded::of(&with_a_late_pool(service(40), is_absent)).unwrap();
        let late = &world.starts()[1];
        assert_eq!((late.weight, late.least_weight), (3 * MIB, 3 * MIB), "absent: {is_absent}");
        let weights = world.points().iter().map(|point| (point.pools[1].weight, point.pools[1].lent_weight));
        assert!(weights.into_iter().all(|both| both == (3 * MIB, 3 * MIB)));
    }
}

#[test]
fn a_disturbance_is_what_others_take_beyond_the_usual() {
    let mut record = service(80);
    assert_eq!(Recorded::of(&record).unwrap().disturbance(), None);
    for moment in &mut record.moments[40..60] {
        moment.inputs.usage_bytes = Some(75 * MIB);
    }
    let world = Recorded::of(&record).unwrap();
    assert_eq!(world.disturbance(), Some((10.0, Some(15.0))));
    assert_eq!(world.under(1 << 40).disturbance(), None, "a share of the limit");
}

#[test]
fn fast_gets_hold_no_more_than_were_seen_lent() {
    let mut record = service(40);
    for (tick, moment) in (0..).zip(&mut record.moments) {
        let pool = &mut moment.inputs.pools[0];
        (pool.gets_total, pool.lent_objects, pool.lent_bytes) = (tick * 250_000_000, 1, MIB);
    }
    // A million gets in each slot, one after the other; neither time nor memory grow with them.
    assert_eq!(peak_of(&record, "fixed", None), (60 * MIB, 0));
}

#[test]
fn too_little_is_said() {
    let names = ["tide".to_owned()];
    assert_eq!(replay(&service(1), &names, None, 1).unwrap_err(), ReplayError::TooLittle);
    let unknown = replay(&service(9), &["tides".to_owned()], None, 1).unwrap_err();
    assert!(unknown.to_string().contains("allowed: tide, bands"), "{unknown}");
}

/// Sets a figure of a moment.
type Sets = fn(&mut Moment, u64);

const SETS: [(&str, Sets); 17] = [
    ("at_ms", |m, n| m.at_ms = n),
    ("usage", |m, n| m.inputs.usage_bytes = Some(n)),
    ("limit", |m, n| m.inputs.limit_bytes = Some(n)),
    ("heap_free", |m, n| m.inputs.heap_free_bytes = Some(n)),
    ("purges", |m, n| m.inputs.purges_total = n),
    ("gets", |m, n| m.inputs.pools[0].gets_total = n),
    ("created", |m, n| m.inputs.pools[0].created_total = n),
    ("lent", |m, n| m.inputs.pools[0].lent_objects = n),
    ("lent_bytes", |m, n| m.inputs.pools[0].lent_bytes = n),
    ("idle", |m, n| m.inputs.pools[0].idle_objects = n),
    ("idle_bytes", |m, n| m.inputs.pools[0].idle_bytes = n),
    ("expected", |m, n| m.inputs.pools[0].expected_weight_bytes = n),
    ("capacity", |m, n| m.inputs.pools[0].capacity_bytes = n),
    ("objects", |m, n| m.inputs.pools[0].capacity_objects = n),
    ("floor", |m, n| m.inputs.pools[0].floor_bytes = n),
    ("saved", |m, n| m.inputs.pools[0].saved_ns = Some(n as f64)),
    ("pinned", |m, n| m.inputs.pools[0].pinned = n % 2 == 1),
];

#[test]
fn whatever_a_figure_is_the_record_is_refused_or_replayed() {
    let mut refused = 0;
    for (name, set) in SETS {
        for number in [0, 1, 1 << 50, 1 << 62, u64::MAX] {
            for moments in [3..4, 3..12] {
                let mut record = service(12);
                record.moments[moments].iter_mut().for_each(|moment| set(moment, number));
                match replay(&record, &["tide".to_owned()], None, 1) {
                    Ok(replay) => assert!(replay.rows[0].peak.is_finite(), "{name} {number}"),
                    Err(error) => {
                        assert!(matches!(error, ReplayError::Beyond(_)), "{name} {number}: {error}");
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(refused > 0);
}

/// Figures that may be alone, and would not fit into their numbers together.
#[test]
fn whatever_figures_are_together_the_record_is_refused_or_replayed() {
    let mut random = Random::new(11, 11);
    let (mut refused, mut replayed) = (0, 0);
    for n in 0..2000 {
        let mut record = service(12);
        for moment in &mut record.moments {
            // One that kills ends most of these at once.
            moment.limit_kind = "simulated".into();
            let twin = PoolInputs { name: "b".into(), ..moment.inputs.pools[0].clone() };
            moment.inputs.pools.push(twin);
        }
        let mut changed = Vec::new();
        for _ in 0..2 + random.up_to(4) {
            let (name, set) = SETS[1..][usize::try_from(random.up_to(SETS.len() as u64 - 2)).unwrap()];
            let most = if random.up_to(9) == 0 { 63 } else { 50 };
            let number = 1 << random.up_to(most).max(random.up_to(40));
            let from = usize::try_from(random.up_to(11)).unwrap();
            let to = from + 1 + usize::try_from(random.up_to(11 - from as u64)).unwrap();
            record.moments[from..to].iter_mut().for_each(|moment| set(moment, number));
            changed.push((name, number, from..to));
        }
        let policies = ["tide", "bands", "fixed", "fixed-best"].map(str::to_owned);
        match replay(&record, &policies[n % 4..][..1], None, 1) {
            Ok(replay) => {
                let row = &replay.rows[0];
                let share = row.hits_vs_oracle.unwrap();
                assert!(row.peak.is_finite() && (0.0..=1.0).contains(&share), "{share}: {changed:?}");
                replayed += 1;
            }
            Err(error) => {
                assert!(matches!(error, ReplayError::Beyond(_)), "{changed:?}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50 && replayed > 50, "{refused} and {replayed}");
}

#[test]
fn any_limit_that_is_asked_for_is_replayed() {
    for limit in [0, 1, 1 << 60, u64::MAX] {
        let replay = replay(&service(12), &["tide".to_owned()], Some(limit), 1).unwrap();
        assert!(replay.rows[0].peak.is_finite(), "{limit}");
        assert_eq!(replay.rows[0].oom, u8::from(limit < 2), "{limit}");
    }
}

#[test]
fn pools_that_come_and_go_all_the_time_are_refused_before_they_take_all_memory() {
    let mut record = service(20_000);
    for (n, moment) in record.moments.iter_mut().enumerate() {
        moment.inputs.pools[0].name = format!("connection-{n}").as_str().into();
    }
    let error = replay(&record, &["tide".to_owned()], None, 1).unwrap_err().to_string();
    assert!(error.contains("with 20000 pools that came and went"), "{error}");
}

/// As of connections: little memory, and long to make.
#[test]
fn light_objects_that_take_long_to_create_have_an_optimum() {
    let mut record = service(400);
    for (tick, moment) in (0..).zip(&mut record.moments) {
        moment.inputs.usage_bytes = Some(60 * MIB + (tick * 7919 % 23) * MIB);
        moment.inputs.limit_bytes = Some(85 * MIB);
        moment.limit_kind = "simulated".into();
        let pool = &mut moment.inputs.pools[0];
        (pool.lent_objects, pool.idle_objects) = (4 + tick % 5, 8 - tick % 5);
        (pool.lent_bytes, pool.idle_bytes) = (pool.lent_objects * 64, pool.idle_objects * 64);
        (pool.expected_weight_bytes, pool.saved_ns) = (64, Some(80e6));
    }
    let replay = replay(&record, &["tide".to_owned()], None, 1).unwrap();
    let share = replay.rows[0].hits_vs_oracle.unwrap();
    assert!(share > 0.0 && share <= 1.0 + 1e-6, "{share}");
}

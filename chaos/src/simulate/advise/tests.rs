//! Advice is what the replay bears out, is told apart from a guess, and can be set as it is given.

use super::super::recorded::tests::{service, with_a_late_pool};
use super::*;
use pool_controller::config::Config;

const DEMO: &[u8] = include_bytes!("../../../tests/records/demo.record");

/// A pool whose 20 objects of 1 MiB are lent for five seconds and idle for five, for so long.
fn busy(seconds: u64) -> Record {
    let mut record = service(seconds * 4);
    let mut gets = 0;
    for (tick, moment) in (0_u64..).zip(&mut record.moments) {
        let pool = &mut moment.inputs.pools[0];
        let lent = if tick % 40 < 20 { 20 } else { 2 };
        gets += 60;
        (pool.gets_total, pool.created_total) = (gets, 22);
        (pool.lent_objects, pool.idle_objects) = (lent, 22 - lent);
        (pool.lent_bytes, pool.idle_bytes) = (lent << 20, (22 - lent) << 20);
        moment.inputs.usage_bytes = Some(72 << 20);
        pool.capacity_bytes = 40 << 20;
    }
    record
}

#[test]
fn the_limit_is_the_least_that_goes_well_and_a_margin() {
    let advice = advise(&busy(90), 1).unwrap();
    // 50 MiB of others and 20 lent are needed in any case; 22 idle objects more can be had at .82 of the limit.
    assert!((71..=100).contains(&(advice.least_bytes / MIB)), "{}", advice.text());
    let expected = advice.least_bytes as f64 * (1.0 + advice.support.margin);
    assert!((advice.limit_bytes as f64 - expected).abs() <= MIB as f64, "{}", advice.text());
    assert!(advice.expected.oom == 0 && advice.expected.saved >= SAVED_MIN && advice.expected.peak <= 0.95);
    assert_eq!(advice.support.confidence, Confidence::Medium, "{:?}", advice.support);
    // 18 objects come and go in every window, and floors get a tenth of the limit.
    assert_eq!(advice.pools[0].floor_bytes >> 10, (advice.limit_bytes / 10).min(18 << 20) >> 10);
}

#[test]
fn a_window_that_has_only_begun_does_not_count() {
    let mut record = busy(71);
    record.moments.truncate(70 * 4 + 1);
    let advice = advise(&record, 1).unwrap();
    assert!(advice.pools[0].floor_bytes > 0, "{}", advice.text());
}

#[test]
fn a_floor_that_is_set_is_not_lowered() {
    let mut record = busy(90);
    for moment in &mut record.moments {
        moment.inputs.pools[0].floor_bytes = (15 << 20) + 1;
    }
    let advice = advise(&record, 1).unwrap();
    assert_eq!(advice.pools[0].floor_bytes, (15 << 20) + 1024, "{}", advice.text());
    assert!(advice.config.contains("floor: 15361KiB"), "{}", advice.config);
}

#[test]
fn an_advice_that_would_not_go_well_is_not_given() {
    let tried = std::cell::Cell::new(0);
    let set = |limit| {
        tried.set(tried.get() + 1);
        limit
    };
    let settled = |good_from| settle(100 * MIB, set, |limit| *limit >= good_from);
    assert_eq!(settled(1), Ok((100 * MIB, 100 * MIB)));
    assert_eq!(tried.take(), 1);
    assert_eq!(settled(104 * MIB), Ok((107 * MIB, 107 * MIB)));
    tried.take();
    let NotEnough(why) = settled(u64::MAX).unwrap_err();
    assert!(why[0].contains("no limit from 100 MiB up") && tried.take() == SETTLED_WITHIN, "{why:?}");
}

/// Of a need of 50 MiB and a peak of 500 there are some hundred limits to try.
#[test]
fn the_least_is_found_without_a_replay_of_each_limit() {
    let record = busy(90);
    let world = enough(&record).unwrap();
    let replays = std::cell::Cell::new(0);
    let tide = |world: &Recorded| {
        replays.set(replays.get() + 1);
        run(world, &world.demand, 1, || Box::<Tide>::default())
    };
    let mut free = tide(&world.under(NO_LIMIT_BYTES));
    free.measure.peak_bytes = 500 * MIB;
    replays.take();
    let least = least_limit(&world, &free, tide).unwrap();
    assert!(replays.get() <= 8, "{} replays", replays.get());
    let goes_well = |limit| expected(&world, &tide(&world.under(limit)), &free).is_good();
    let lower = least / GRID_PERCENT * 100 / MIB * MIB;
    assert!(goes_well(least) && !goes_well(lower), "{least} and {lower}");
}

#[test]
fn a_longer_record_needs_less_margin() {
    let margin = |seconds| advise(&busy(seconds), 1).unwrap().support.margin;
    assert!(margin(700) < margin(90));
}

#[test]
fn the_configuration_is_accepted_whatever_pools_are_called() {
    let advice = advise(&Record::parse(DEMO).unwrap(), 1).unwrap();
    let config = Config::from_text("advice", &advice.config).unwrap();
    let floors: Vec<_> =
        advice.pools.iter().filter(|pool| pool.floor_bytes > 0).map(|pool| &pool.name).collect();
    assert!(!floors.is_empty(), "{}", advice.config);
    assert!(floors.iter().all(|name| config.pools().any(|pool| pool == name.as_str())), "{}", advice.config);
    let mut odd = busy(90);
    for moment in &mut odd.moments {
        moment.inputs.pools[0].name = "a: \"b\" #\\ é".into();
    }
    let advice = advise(&odd, 1).unwrap();
    let config = Config::from_text("advice", &advice.config).unwrap();
    assert_eq!(config.pools().collect::<Vec<_>>(), ["a: \"b\" #\\ é"]);
}

#[test]
fn what_is_missing_is_said_all_at_once() {
    let mut record = service(20);
    for moment in &mut record.moments[5..15] {
        moment.inputs.usage_bytes = None;
    }
    let NotEnough(missing) = advise(&record, 1).unwrap_err();
    assert_eq!(missing.len(), 3, "{missing:?}");
    assert!(
        missing[0].contains("lasts 4.8 s") && missing[1].contains("950 gets") && missing[2].contains("50 %")
    );
    assert_eq!(advise(&service(1), 1).unwrap_err().0.len(), 1);
}

#[test]
fn the_least_worth_per_byte_shrinks_first_and_unreadable_moments_cost_confidence() {
    let mut record = busy(90);
    for (n, moment) in record.moments.iter_mut().enumerate() {
        let mut cheap = moment.inputs.pools[0].clone();
        (cheap.name, cheap.saved_ns) = ("cheap".into(), Some(5.0));
        moment.inputs.pools.push(cheap);
        moment.inputs.usage_bytes = Some(90 << 20).filter(|_| n % 10 > 0);
    }
    let advice = advise(&record, 1).unwrap();
    assert_eq!(advice.pools[0].name, "cheap");
    assert_eq!(advice.pools[0].weight, 100, "the controller counts the worth itself");
    assert_eq!(advice.support.confidence, Confidence::Low);
    assert!(advice.text().contains("could not be read at 10.0 %"), "{}", advice.text());
}

#[test]
fn while_no_saving_is_known_the_heaviest_shrink_first_though_they_came_late() {
    let mut record = busy(90);
    for moment in &mut record.moments {
        moment.inputs.pools[0].saved_ns = None;
    }
    for is_absent in [false, true] {
        let advice = advise(&with_a_late_pool(record.clone(), is_absent), 1).unwrap();
        assert_eq!(advice.pools[0].name, "late", "{}", advice.text());
    }
}

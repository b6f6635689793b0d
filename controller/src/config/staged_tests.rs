//! Which part of a stage counts for whom.

use super::*;
use crate::fake::FakePool;
use pool_core::{Managed, Pool, Registry};

const FILE: &str = "version: 1
pools:
  a:
    weight: 7
    floor: 1MiB
    staged:
      percent: 30
      salt: spring
      generation: 3
      stable: {reuse: 0.5}
      canary:
        weight: 9
        capacity: {objects: 4}
";

fn config(text: &str) -> Config {
    Config::from_text("e.yaml", text).unwrap_or_else(|error| panic!("{error}"))
}

/// What a pool is told, knob by knob.
fn told(config: &Config, pool: &str, here: Here<'_>) -> Vec<String> {
    let knobs = FakePool::new(pool).knobs();
    let wishes = config.wishes(pool, &knobs, here);
    wishes.into_iter().map(|wish| format!("{:?} {}", wish.kind, wish.reason)).collect()
}

/// A name that the share of `FILE` takes, and one that it does not.
fn names() -> (String, String) {
    let share = Share::percent(30.0).expect("a share").salted("spring");
    let name =
        |wanted| (0..1000).map(|n| format!("pod-{n}")).find(|name| share.takes(name) == wanted).expect("one");
    (name(true), name(false))
}

#[test]
fn across_processes_the_name_decides_which_part_counts() {
    let config = config(FILE);
    let (of_canary, of_stable) = names();
    let here = |instance| Here { instance, splits: &[] };
    let canary = ["Capacity e.yaml:13 (canary, generation 3)", "Priority e.yaml:12 (canary, generation 3)"];
    assert_eq!(told(&config, "a", here(&of_canary)), canary);
    let stable = ["Reuse e.yaml:10 (stable, generation 3)", "Priority e.yaml:4 (stable, generation 3)"];
    assert_eq!(told(&config, "a", here(&of_stable)), stable);
    for (name, side) in [(&of_canary, "canary"), (&of_stable, "stable")] {
        let staged = config.staged(["a", "b"].into_iter(), here(name));
        assert_eq!(staged, [StagedStatus { pool: "a".into(), side, percent: 30.0, generation: 3 }]);
        assert_eq!(config.floor_bytes("a", here(name)), Some(1 << 20));
    }
}

#[test]
fn no_share_and_the_whole_share_leave_no_doubt() {
    let (of_canary, of_stable) = names();
    for (percent, of_all) in [("percent: 0", "stable"), ("percent: 100", "canary")] {
        let config = config(&FILE.replace("percent: 30", percent));
        for instance in [&of_canary, &of_stable] {
            let staged = config.staged(["a"].into_iter(), Here { instance, splits: &[] });
            assert_eq!(staged[0].side, of_all, "{percent} {instance}");
        }
    }
}

#[test]
fn beside_a_canary_each_part_counts_for_its_pool_whatever_the_name() {
    let registry = Registry::new();
    let builder = Pool::builder("a").registry(&registry);
    let _pool = builder.build_canary_with(Vec::<u8>::new, |canary| canary).expect("new names");
    let splits = registry.splits();
    let (of_canary, _) = names();
    let here = Here { instance: &of_canary, splits: &splits };
    let first = config(FILE);
    let stable = ["Reuse e.yaml:10 (stable, generation 3)", "Priority e.yaml:4 (stable, generation 3)"];
    assert_eq!(told(&first, "a", here), stable);
    let canary = ["Capacity e.yaml:13 (canary, generation 3)", "Priority e.yaml:12 (canary, generation 3)"];
    assert_eq!(told(&first, "a@canary", here), canary);
    assert_eq!((first.floor_bytes("a", here), first.floor_bytes("a@canary", here)), (Some(1 << 20), None));
    let (share, reason) = first.share("a").expect("a share");
    assert_eq!(
        (share, reason.as_str()),
        (Share::percent(30.0).expect("a share").salted("spring"), "e.yaml:7 (generation 3)")
    );
    let staged = first.staged(["a", "a@canary"].into_iter(), here);
    assert_eq!(staged.iter().map(|staged| staged.side).collect::<Vec<_>>(), ["both"]);
    // What is said of the canary by its full name stands on top, and by itself it is told of no pool of that name.
    let named = config(&format!("{FILE}  a@canary: {{weight: 11}}\n"));
    let last = told(&named, "a@canary", here).pop().expect("a knob");
    assert_eq!(last, "Priority e.yaml:14 (canary, generation 3)");
    assert_eq!(told(&first, "b@canary", here), [""; 0]);
}

#[test]
fn a_stage_of_a_canary_itself_is_told_where_the_canary_stands_beside_its_pool() {
    let registry = Registry::new();
    let builder = Pool::builder("a").registry(&registry);
    let _pool = builder.build_canary_with(Vec::<u8>::new, |canary| canary).expect("new names");
    let splits = registry.splits();
    let told = config(&format!("{FILE}  a@canary: {{staged: {{canary: {{weight: 11}}}}}}\n"));
    let misfits = |splits| {
        let here = Here { instance: "pod-1", splits };
        told.staged_misfits(["a", "a@canary", "b"].into_iter(), here).collect::<Vec<_>>()
    };
    let expected = "a@canary: a canary has no stage of its own; allowed: staged of a (e.yaml:14)";
    assert_eq!(misfits(&splits), [expected]);
    assert_eq!(misfits(&[]), [""; 0], "a pool of that name may be any");
}

#[test]
fn a_share_of_processes_without_names_is_told() {
    let here = |instance| Here { instance, splits: &[] };
    let misfits = |config: &Config, here| config.staged_misfits(["a"].into_iter(), here).collect::<Vec<_>>();
    let expected = "a: 30 % of processes are the canary's, and this one has no name; allowed: controller.instance, or \
                    EBBPOOL_INSTANCE (e.yaml:7)";
    assert_eq!(misfits(&config(FILE), here("")), [expected]);
    assert_eq!(misfits(&config(FILE), here("pod-1")), [""; 0]);
    for all_or_none in ["percent: 0", "percent: 100"] {
        assert_eq!(misfits(&config(&FILE.replace("percent: 30", all_or_none)), here("")), [""; 0]);
    }
}

#[test]
fn a_stage_without_a_salt_has_the_pools_name() {
    let told = config("version: 1\npools: {\"*\": {staged: {percent: 5}}}\n");
    let share = Share::percent(5.0).expect("a share");
    assert_eq!(told.share("a").expect("a share").0, share.salted("a"));
    assert_eq!(told.share("b").expect("a share").0, share.salted("b"));
    let nothing = config("version: 1\npools: {a: {weight: 7}}\n");
    assert_eq!(nothing.share("a"), None);
    assert!(nothing.staged(["a"].into_iter(), Here { instance: "x", splits: &[] }).is_empty());
}

#[test]
fn errors_in_a_stage_are_told_as_everywhere() {
    for (text, expected) in [
        (
            "{staged: {precent: 5}}",
            "e.yaml:2:22: pools.a.staged.precent: unknown key, did you mean \"percent\"?; allowed: percent, salt, generation, stable, canary",
        ),
        (
            "{staged: {canary: {floor: 1MiB}}}",
            "e.yaml:2:31: pools.a.staged.canary.floor: unknown key; allowed: capacity, sampling, eviction, reuse, weight, pinned",
        ),
        (
            "{staged: {canary: {staged: {}}}}",
            "e.yaml:2:31: pools.a.staged.canary.staged: unknown key; allowed: capacity",
        ),
        (
            "{staged: {stable: {weight: 0}}}",
            "e.yaml:2:39: pools.a.staged.stable.weight: the number 0 is out of range; allowed: a whole number from 1 to 10000",
        ),
        (
            "{staged: 5}",
            "e.yaml:2:21: pools.a.staged: expected a map with the keys percent, salt, generation, stable, canary, found the number 5",
        ),
        (
            "{capacity: {objects: 9}, staged: {canary: {capacity: {objects: 4, floor: 5}}}}",
            "e.yaml:2:85: pools.a.staged.canary.capacity.floor: the number 5 is above objects; allowed: 0 to 4",
        ),
    ] {
        let error =
            Config::from_text("e.yaml", &format!("version: 1\npools: {{a: {text}}}\n")).expect_err(text);
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn a_program_stages_as_a_file_does() {
    let config = Config::default().pool("a", "staged.percent", "30").expect("allowed");
    let config = config.pool("a", "staged.canary.capacity.objects", "4").expect("allowed");
    assert_eq!(config.summary()[1], "a: staged.percent 30; canary: capacity.objects 4");
    let refused = config.clone().pool("a", "staged.canary.floor", "1MiB").unwrap_err();
    assert!(refused.problem.starts_with("there is no such field"), "{refused}");
    let refused = config.pool("a", "staged.canary.capacity.floor", "5").unwrap_err();
    assert_eq!(refused.allowed, "0 to 4");
}

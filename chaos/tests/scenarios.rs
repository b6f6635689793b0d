//! Every scenario that ships is read, and can be failed.

use pool_chaos::faults::FaultName;
use pool_chaos::scenario::Scenario;
use std::path::{Path, PathBuf};

fn scenarios(folder: &str) -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files.iter().map(|file| Scenario::from_file(file).unwrap_or_else(|e| panic!("{e}"))).collect()
}

#[test]
fn every_scenario_that_ships_is_read_and_names_a_broken_build() {
    let scenarios = scenarios("scenarios");
    let faults: Vec<FaultName> = scenarios.iter().flat_map(Scenario::faults).collect();
    assert_eq!(faults, [FaultName::MemoryBalloon, FaultName::MissingPut]);
    for scenario in scenarios {
        assert!(!scenario.must_fail_with.is_empty(), "{}", scenario.file);
        assert!(!scenario.rollbacks.is_empty(), "{}", scenario.file);
    }
}

#[test]
fn the_scenario_whose_fault_never_fires_is_read() {
    assert_eq!(scenarios("tests/inconclusive")[0].faults(), [FaultName::MissingPut]);
}

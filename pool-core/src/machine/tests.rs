//! Random runs, and the runs that once found something.

use super::op::Op;
use super::{decode, run};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};
use std::fmt;

/// The same runs each time, so that a commit fails by what it changed; `EBBPOOL_MACHINE_RUNS` asks for so many new ones.
fn config() -> ProptestConfig {
    let asked = std::env::var("EBBPOOL_MACHINE_RUNS").ok();
    let asked = asked.map(|runs| runs.parse().expect("EBBPOOL_MACHINE_RUNS is a number of runs"));
    ProptestConfig {
        cases: asked.unwrap_or(1500),
        rng_seed: if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(3) },
        failure_persistence: Some(Box::new(FileFailurePersistence::SourceParallel("proptest-regressions"))),
        ..ProptestConfig::default()
    }
}

/// Four bytes an operation; they shrink towards the first operations of the decoder.
#[derive(Clone)]
struct Program(Vec<[u8; 4]>);

impl Program {
    fn strategy(most: usize) -> impl Strategy<Value = Self> {
        prop::collection::vec(any::<[u8; 4]>(), 1..most).prop_map(Self)
    }

    fn ops(&self) -> Vec<Op> {
        self.0.iter().map(|op| Op::decode(*op)).collect()
    }
}

/// A line an operation, and all of it as a line of bytes for the corpus.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ops().iter().try_for_each(|op| writeln!(f, "{op:?}"))?;
        self.0.iter().flatten().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_virtual_threads_do_the_model_agrees(program in Program::strategy(120)) {
        if let Err(wrong) = run(&program.ops()) {
            return Err(TestCaseError::fail(wrong));
        }
    }
}

/// The inputs that a fuzzer found worth keeping, and those that once failed.
#[test]
fn the_corpus_of_the_fuzzer_passes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus is part of the package") {
        let path = entry.unwrap().path();
        files += 1;
        run(&decode(&std::fs::read(&path).unwrap())).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    assert!(files > 0, "an empty corpus proves nothing");
}

/// A machine that does nothing finds nothing.
#[test]
fn random_runs_reach_what_they_are_for() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut byte = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random.to_be_bytes()[0]
    };
    let mut all = super::Reached::default();
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..600).map(|_| byte()).collect();
        let reached = run(&decode(&bytes)).unwrap();
        all.gets += reached.gets;
        all.interruptions += reached.interruptions;
        all.busy_slots += reached.busy_slots;
        all.cycles += reached.cycles;
    }
    let reached = [all.gets, all.interruptions, all.busy_slots, all.cycles];
    assert!(reached.iter().all(|times| *times >= 50), "{all:?}");
}

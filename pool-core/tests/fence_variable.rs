//! `EBBPOOL_FENCE` as its user meets it. The fence is chosen once for a process, so each value has one of its own.
#![cfg(all(target_os = "linux", not(ebbpool_loom)))]

use pool_core::{Job, Pool, Registry};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::thread;

/// What the child does with whatever value it was given; by itself, a test without the variable.
#[test]
fn pools_serve_and_are_drained() {
    let registry = Registry::new();
    thread::scope(|scope| {
        for n in 0..4 {
            let registry = &registry;
            scope.spawn(move || {
                let name = format!("pool {n}");
                let pool = Pool::builder(&name).registry(registry).build_with(Vec::<u8>::new).unwrap();
                drop([pool.get(), pool.get()]);
                assert_eq!(pool.stats().idle_objects, 2);
            });
        }
    });
    let pool = Pool::builder("drained").registry(&registry).build_with(Vec::<u8>::new).unwrap();
    drop(pool.get());
    registry.pass(Job::Reclaim { extra_bytes: u64::MAX });
    assert_eq!(pool.stats().idle_objects, 0);
}

/// Lines of the child's stderr that name the variable.
fn said_about(value: Option<&OsStr>) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "pools_serve_and_are_drained", "--nocapture"]).env_remove("EBBPOOL_FENCE");
    child.envs(value.map(|value| ("EBBPOOL_FENCE", value)));
    let output = child.output().unwrap();
    let (said, stdout) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success() && stdout.contains("1 passed"), "{value:?}: {stdout}{said}");
    said.lines().filter(|line| line.contains("EBBPOOL_FENCE")).map(str::to_owned).collect()
}

#[test]
fn what_is_allowed_is_taken_without_a_word() {
    for value in [None, Some("membarrier"), Some("seqcst")] {
        assert_eq!(said_about(value.map(OsStr::new)), Vec::<String>::new(), "{value:?}");
    }
}

#[test]
fn what_means_nothing_is_said_once_with_what_is_allowed() {
    for (value, shown) in [
        (OsStr::new("seq-cst"), "\"seq-cst\""),
        (OsStr::new("SEQCST"), "\"SEQCST\""),
        (OsStr::new(""), "\"\""),
        (OsStr::from_bytes(b"\xFFseqcst"), "\"\\xFFseqcst\""),
    ] {
        let said = said_about(Some(value));
        let [line] = said.as_slice() else { panic!("{value:?}: said once, not {said:?}") };
        for part in [shown, "membarrier", "seqcst", "ignored"] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
}

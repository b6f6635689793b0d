//! Bad input to `ebbpool chaos run`: a clear error and exit status 2, before anything is started.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn chaos(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ebbpool"))
        .args(["chaos", "run"])
        .args(arguments)
        .env_remove("EBBPOOL_ADMIN")
        .output()
        .expect("it runs")
}

/// A file of its own with the shipped scenario in which `part` is replaced.
struct Spoilt(PathBuf);

impl Spoilt {
    fn new(name: &str, part: &str, replacement: &str) -> Self {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../chaos/scenarios/missing-put.yaml");
        let text = std::fs::read_to_string(shipped).expect("the scenario");
        assert_eq!(text.matches(part).count(), 1, "{part:?} must be there once");
        let path = std::env::temp_dir().join(format!("ebbpool-{}-{name}.yaml", std::process::id()));
        std::fs::write(&path, text.replace(part, replacement)).expect("a file");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Spoilt {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[track_caller]
fn refused(output: &Output, expected: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(expected), "{stderr}");
    assert!(output.stdout.is_empty(), "nothing has run");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    refused(&chaos(&["no/such.yaml"]), "error: no/such.yaml: cannot be read");
}

#[test]
fn an_unknown_key_is_shown_with_its_place_and_what_was_meant() {
    let spoilt = Spoilt::new("key", "min_hits: 500", "min_hit: 500");
    let expected = format!(
        "error: {}:34:11: extensions[0].arm.min_hit: unknown key, did you mean \"min_hits\"?",
        spoilt.path()
    );
    refused(&chaos(&[spoilt.path()]), &expected);
}

#[test]
fn a_misspelt_fault_is_recognised() {
    let spoilt = Spoilt::new("fault", "/v1/faults/missing-put\"", "/v1/faults/mising-put\"");
    refused(&chaos(&[spoilt.path()]), "did you mean \"missing-put\"?; allowed: missing-put, memory-balloon");
}

#[test]
fn a_limit_above_the_scenarios_is_refused() {
    let good = Spoilt::new("limit", "seed: 24301", "seed: 24301");
    let expected = "--limit 1GiB: the scenario requires a limit of at most 512MiB";
    refused(&chaos(&[good.path(), "--limit", "1GiB"]), expected);
}

#[test]
fn a_report_that_cannot_be_written_is_said_before_the_run() {
    let good = Spoilt::new("json", "seed: 24301", "seed: 24301");
    refused(&chaos(&[good.path(), "--json", "no/such/folder/report.json"]), "no/such/folder/report.json");
}

#[test]
fn an_address_that_is_none_is_refused() {
    let good = Spoilt::new("admin", "seed: 24301", "seed: 24301");
    let output = Command::new(env!("CARGO_BIN_EXE_ebbpool"))
        .args(["chaos", "run", good.path()])
        .env("EBBPOOL_ADMIN", "localhost")
        .output()
        .expect("it runs");
    refused(&output, "EBBPOOL_ADMIN: \"localhost\" is no address");
}

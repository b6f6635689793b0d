//! `ebbpool check` as a pipeline meets it: output and exit status.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ebbpool")).arg("check").args(arguments).output().expect("it runs")
}

/// A file of its own, gone when dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ebbpool-check-{}-{name}.yaml", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_good_file_is_told_pool_by_pool() {
    let text = "version: 1\ncontroller: {mode: enforce}\npools: {http.body: {weight: 200, floor: 8MiB}}\n";
    let file = Temporary::new("good", text);
    let output = check(&[file.path()]);
    let expected =
        format!("{}: good\n  controller: mode enforce\n  http.body: weight 200, floor 8MiB\n", file.path());
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout)), (Some(0), expected.into()));
}

#[test]
fn a_bad_file_is_told_with_every_error_and_exit_status_2() {
    let text = "version: 1\ncontroller: {mod: enforce}\npools: {a: {weight: 0}}\n";
    let file = Temporary::new("bad", text);
    let output = check(&[file.path()]);
    let path = file.path();
    let expected = format!(
        "error: {path}:2:14: controller.mod: unknown key, did you mean \"mode\"?; allowed: mode, policy, limit, \
         suspect_after, instance\nerror: {path}:3:21: pools.a.weight: the number 0 is out of range; allowed: a whole number \
         from 1 to 10000\n"
    );
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr)), (Some(2), expected.into()));
    assert!(output.stdout.is_empty());
    assert_eq!(check(&["no/such.yaml"]).status.code(), Some(2));
}

#[test]
fn the_schema_is_the_one_that_ships() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../controller/config.schema.json");
    let shipped = std::fs::read_to_string(shipped).expect("the schema");
    let output = check(&["--schema"]);
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout)), (Some(0), shipped.into()));
}

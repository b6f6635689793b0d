//! Test trees: a copy of a fixture, or an empty directory, gone when dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ebbpool-sense-{}-{n}", std::process::id()));
        fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    pub(super) fn copy_of(fixture: &str) -> Self {
        let tree = Self::new();
        copy(&fixtures().join(fixture), &tree.0);
        tree
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let real = self.real(path);
        fs::create_dir_all(real.parent().expect("a parent")).expect("directories");
        fs::write(real, text).expect("a file");
    }

    pub(super) fn dir(&self, path: &str) {
        fs::create_dir_all(self.real(path)).expect("directories");
    }

    pub(super) fn remove(&self, path: &str) {
        let real = self.real(path);
        if real.is_dir() { fs::remove_dir_all(real) } else { fs::remove_file(real) }.expect("removed");
    }

    fn real(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a fixture") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).expect("a directory");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

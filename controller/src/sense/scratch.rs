//! Test trees: a copy of a fixture, or an empty directory, gone when dropped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Self {
        Self(new_dir("sense"))
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

/// A new, empty directory. A killed run with our process id may have left one of that name.
pub(crate) fn new_dir(of: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ebbpool-{of}-{}-{n}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => return path,
            Err(e) => assert_eq!(e.kind(), io::ErrorKind::AlreadyExists, "{}: {e}", path.display()),
        }
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

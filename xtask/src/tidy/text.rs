//! Rules about text: length, paths of a machine, unfinished work, tests that are switched off.

use super::{Finding, Repo};
use crate::source::has_word;

/// Lines of a Rust file from which on it is worth a thought, and from which on it must be divided.
const LINES_LONG: usize = 300;
const LINES_MAX: usize = 450;

/// Folders that exist on somebody's machine only. In pieces: this file is searched as well.
const MACHINE_FOLDERS: [&str; 3] = [concat!("/", "home/"), concat!("/", "root/"), concat!("/", "work/")];
const SCRATCH: &str = concat!("/tmp", "/ebb/");

/// Marks of unfinished work, in code and in any text.
const UNFINISHED_CODE: [&str; 2] = ["todo!", "unimplemented!"];
const UNFINISHED_TEXT: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];
const TEXTS: [&str; 10] = ["rs", "md", "yaml", "yml", "toml", "js", "css", "html", "sh", "run"];

/// No Rust file is too long.
pub(super) fn length(repo: &Repo) -> Vec<Finding> {
    let long = repo
        .tree
        .rust()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_LONG);
    let finding = |path: &str, lines: usize| Finding {
        is_warning: lines <= LINES_MAX,
        ..Finding::new(
            path,
            lines,
            format!("{lines} lines; usual: up to {LINES_LONG}, allowed: up to {LINES_MAX}"),
        )
    };
    long.map(|(file, lines)| finding(&file.path, lines)).collect()
}

/// No path of the machine on which something was written.
pub(super) fn machine_paths(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &repo.tree.files {
        for (at, line) in file.text.lines().enumerate() {
            if let Some(path) = machine_path(line) {
                let message =
                    format!("`{path}…` is a path of one machine; allowed: relative paths, temporary folders");
                findings.push(Finding::new(&file.path, at + 1, message));
            }
        }
    }
    findings
}

fn machine_path(line: &str) -> Option<&'static str> {
    let in_folder = |folder: &&str| {
        line.match_indices(*folder).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + folder.len()..].chars().next();
            !before.is_some_and(|c| c.is_ascii_lowercase())
                && after.is_some_and(|c| c.is_ascii_lowercase() || c == '.')
        })
    };
    MACHINE_FOLDERS.into_iter().find(in_folder).or_else(|| line.contains(SCRATCH).then_some(SCRATCH))
}

/// Nothing says of itself that it is unfinished.
pub(super) fn unfinished(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |path: &str, line: usize, mark: &str| {
        findings.push(Finding::new(path, line, format!("`{mark}` marks unfinished work; allowed: none")));
    };
    for file in repo.tree.files.iter().filter(|file| file.has_extension(&TEXTS)) {
        for (at, line) in file.text.lines().enumerate() {
            UNFINISHED_TEXT
                .iter()
                .filter(|mark| has_word(line, mark))
                .for_each(|mark| found(&file.path, at + 1, mark));
        }
    }
    for file in repo.tree.rust() {
        for (at, line) in file.lines().iter().enumerate() {
            let marks = UNFINISHED_CODE.iter().filter(|mark| has_word(&line.code, mark));
            marks.for_each(|mark| found(&file.path, at + 1, mark));
        }
    }
    findings
}

/// A test that is switched off says why.
pub(super) fn ignored(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.tree.rust() {
        for (at, _) in file.lines().iter().enumerate().filter(|(_, line)| line.code.contains("#[ignore]")) {
            let message = "a test is ignored without a reason; allowed: #[ignore = \"why\"]";
            findings.push(Finding::new(&file.path, at + 1, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn long_files_are_warned_of_and_then_refused() {
        let lines = |n: usize| "\n".repeat(n);
        let texts = [lines(300), lines(301), lines(451)];
        let repo =
            Repo::of(&[("a.rs", &texts[0]), ("b.rs", &texts[1]), ("c.rs", &texts[2]), ("d.md", &texts[2])]);
        let found: Vec<_> = length(&repo).into_iter().map(|f| (f.path, f.is_warning)).collect();
        assert_eq!(found, [("b.rs".to_owned(), true), ("c.rs".to_owned(), false)]);
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        for folder in MACHINE_FOLDERS {
            let text = format!("ok\nsee {folder}me/x\n");
            assert!(
                shown(&machine_paths(&Repo::of(&[("a.md", &text)])))[0].starts_with("a.md:2: "),
                "{folder}"
            );
        }
        assert_eq!(machine_path(&format!("{SCRATCH}x")), Some(SCRATCH));
        for fine in ["https://x.org/framework/x", "a/homes/b", "/proc/self/root/x", "/tmp/ebbpool.sock"] {
            assert_eq!(machine_path(fine), None, "{fine}");
        }
    }

    #[test]
    fn unfinished_work_is_found() {
        for mark in UNFINISHED_CODE {
            let text = format!("// {mark}() in a comment\nfn f() {{ {mark}() }}\n");
            assert_eq!(shown(&unfinished(&Repo::of(&[("a.rs", &text)]))).len(), 1, "{mark}");
        }
        for mark in UNFINISHED_TEXT {
            assert_eq!(unfinished(&Repo::of(&[("a.yaml", &format!("# {mark}: later"))])).len(), 1, "{mark}");
            assert_eq!(unfinished(&Repo::of(&[("a.sh", &format!("mktemp x.{mark}{mark}"))])), []);
        }
    }

    #[test]
    fn an_ignored_test_needs_a_reason() {
        let text = "#[ignore]\nfn a() {}\n#[ignore = \"needs a kernel\"]\nfn b() {}\n// #[ignore]\n";
        let found = shown(&ignored(&Repo::of(&[("a.rs", text)])));
        assert_eq!(found, ["a.rs:1: a test is ignored without a reason; allowed: #[ignore = \"why\"]"]);
    }
}

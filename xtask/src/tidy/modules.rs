//! Which module of the controller may know what.

use super::{Finding, Repo, either};
use crate::source::{Line, has_word};

/// The sources that these rules are about.
const FOLDER: &str = "controller/src/";

/// Words, and the modules that may say them.
struct Fence {
    /// What the words stand for.
    what: &'static str,
    words: &'static [&'static str],
    /// Parts of strings.
    in_strings: &'static [&'static str],
    /// The modules that it is about; none means all.
    within: &'static [&'static str],
    allowed: &'static [&'static str],
}

const FENCES: [Fence; 7] = [
    Fence { what: "axum", words: &["axum"], in_strings: &[], within: &[], allowed: &["admin", "lib"] },
    Fence { what: "prometheus", words: &["prometheus"], in_strings: &[], within: &[], allowed: &["metrics"] },
    Fence {
        what: "the operating system",
        words: &["libc", "rustix"],
        in_strings: &["/proc/", "/sys/"],
        within: &[],
        allowed: &["sense", "sys", "config/notify"],
    },
    Fence { what: "YAML", words: &["serde_yaml"], in_strings: &[], within: &[], allowed: &["config"] },
    Fence {
        what: "knobs",
        words: &[".set_capacity(", ".set_lease_level(", "::set_capacity", "::set_lease_level"],
        in_strings: &[],
        within: &[],
        allowed: &["act"],
    },
    Fence {
        what: "the admin module",
        words: &["admin"],
        in_strings: &[],
        within: &[],
        allowed: &["admin", "lib"],
    },
    Fence {
        what: "clocks, files, threads, the environment and chance in a pure module",
        words: &["Instant::now", "SystemTime", "fs", "thread", "env", "rand"],
        in_strings: &[],
        within: &["decide"],
        allowed: &[],
    },
];

/// Each word stands only where it may. Tests are free.
pub(super) fn modules(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.tree.rust() {
        let Some(module) = file.path.strip_prefix(FOLDER) else { continue };
        let lines = file.lines();
        for (at, line) in lines.iter().take(file.lines_before_tests()).enumerate() {
            for fence in FENCES.iter().filter(|fence| fence.applies_to(module)) {
                if let Some(word) = fence.word_in(line) {
                    findings.push(Finding::new(&file.path, at + 1, fence.message(word)));
                }
            }
        }
    }
    findings
}

impl Fence {
    fn applies_to(&self, module: &str) -> bool {
        let is = |name: &&str| {
            module.strip_prefix(*name).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        (self.within.is_empty() || self.within.iter().any(is)) && !self.allowed.iter().any(is)
    }

    fn word_in(&self, line: &Line) -> Option<&'static str> {
        let word = self.words.iter().find(|word| has_word(&line.code, word));
        word.or_else(|| self.in_strings.iter().find(|part| line.with_strings.contains(**part))).copied()
    }

    fn message(&self, word: &str) -> String {
        let allowed = match self.allowed {
            [] => "nowhere here".to_owned(),
            modules => format!("in {}", either(modules)),
        };
        format!("`{word}` ({}); allowed: {allowed}", self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        shown(&modules(&Repo::of(&[(&format!("controller/src/{path}"), text)])))
    }

    #[test]
    fn each_fence_holds() {
        for (path, text) in [
            ("control_loop.rs", "use axum::Router;"),
            ("admin/metrics.rs", "fn f(r: &prometheus::Registry) {}"),
            ("decide/tide.rs", "fn f() { unix::libc::getpid(); }"),
            ("control_loop.rs", "let text = read(\"/proc/self/statm\");"),
            ("watchdog.rs", "pool.set_capacity(capacity, author, why);"),
            ("admin/pools.rs", "pool.set_lease_level(level);"),
            ("control_loop.rs", "use crate::{act, admin};"),
            ("builder.rs", "serde_yaml::from_str(text)"),
            ("config/watch.rs", "use rustix::fs::inotify;"),
            ("decide/mod.rs", "let now = Instant::now();"),
            ("decide.rs", "use std::{fs, fmt};"),
            ("decide/tide.rs", "thread::sleep(tick);"),
        ] {
            assert_eq!(found(path, text).len(), 1, "{path}: {text}");
        }
        let expected = "controller/src/act.rs:2: `admin` (the admin module); allowed: in admin, lib";
        assert_eq!(found("act.rs", "\nuse crate::admin::Page;"), [expected]);
    }

    #[test]
    fn what_is_allowed_passes() {
        for (path, text) in [
            ("lib.rs", "mod admin; pub use axum;"),
            ("admin/mod.rs", "use axum::Router; use super::admin::x;"),
            ("metrics.rs", "use prometheus::Registry;"),
            ("sense/chain.rs", "open(\"/sys/fs/cgroup\")"),
            ("sys.rs", "use libc::getpid;"),
            ("config/node.rs", "serde_yaml::from_str(text)"),
            ("config/notify.rs", "use rustix::fs::inotify;"),
            ("act/mod.rs", "pool.set_capacity(c, a, w)"),
            ("decide/mod.rs", "// Instant::now is not for us\nfn f(now: Duration) { say(\"thread\") }"),
            ("control_loop.rs", "fn set_capacity(&self) {}"),
            ("control_loop.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::admin;\n}"),
        ] {
            assert_eq!(found(path, text), Vec::<String>::new(), "{path}");
        }
        assert_eq!(modules(&Repo::of(&[("cli/src/main.rs", "use axum::Router;")])), []);
    }
}

//! Where unchecked code may stand, and that it says why it is sound.

use super::{Finding, Repo, either};
use crate::source::has_word;

/// Files and folders that may hold it. Each one more is a decision: say in the file by which rules it is sound.
const ALLOWED: [&str; 15] = [
    // One object, the slot of one thread, who may visit it, and the table of slots: raw memory.
    "pool-core/src/node.rs",
    "pool-core/src/slot/cell.rs",
    "pool-core/src/drainer.rs",
    "pool-core/src/table.rs",
    // Lifetime by counts of our own instead of Arc.
    "pool-core/src/inside.rs",
    // A value and a pointer into it.
    "pool-core/src/guard/part.rs",
    // Cells that neither wait nor hide from loom and ThreadSanitizer.
    "pool-core/src/lease/lasting.rs",
    // System calls.
    "pool-core/src/fence/membarrier.rs",
    "controller/src/sys.rs",
    "controller/src/sys/",
    // What tests ask of the system: forks, signals, filters.
    "pool-core/tests/hostile/sys.rs",
    // An allocator that counts, for a test.
    "controller/tests/steady/counting.rs",
    // Values that only a model may share; allocators of peers that have no safe face; errors on purpose.
    "pool-core/src/loom_tests",
    "pool-core/benches/",
    "xtask/probes/",
];

/// Lines of code that the files with it may have together, by folder: what must be checked by hand stays small.
const LINES_MAX: (&str, usize) = ("pool-core/src/", 700);

/// Crates whose roots need not forbid it, with the line that they need instead.
const EXCEPTIONS: [(&str, &str); 2] = [("pool-core", DENY), ("pool-controller", DENY)];
const DENY: &str = "#![deny(unsafe_code)]";
const FORBID: &str = "#![forbid(unsafe_code)]";

/// The keyword, in pieces: this file is searched as well.
const KEYWORD: &str = concat!("un", "safe");

/// A reason may stand this many lines of code above its block: the block can be inside a statement.
const STATEMENT_LINES_MAX: usize = 5;

/// The keyword stands in [`ALLOWED`] files only. Told once a file.
pub(super) fn files(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.tree.rust().filter(|file| !is_allowed(&file.path)) {
        let lines = file.lines();
        let mut found = lines.iter().enumerate().filter(|(_, line)| has_word(&line.code, KEYWORD));
        if let Some((at, _)) = found.next() {
            let times = found.count() + 1;
            let message =
                format!("`{KEYWORD}` on {times} lines, this is the first; allowed: {}", either(&ALLOWED));
            findings.push(Finding::new(&file.path, at + 1, message));
        }
    }
    findings
}

/// Where it may stand, every block, impl and function says why it is sound.
pub(super) fn reasons(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.tree.rust().filter(|file| is_allowed(&file.path)) {
        let text: Vec<_> = file.text.lines().collect();
        for (at, line) in file.lines().iter().enumerate() {
            let Some((reason, far)) = reason_needed(&line.code) else { continue };
            if !has_reason(&text, at, reason, far) {
                let message =
                    format!("`{}` without a reason; needed above it: {}", text[at].trim(), either(reason));
                findings.push(Finding::new(&file.path, at + 1, message));
            }
        }
    }
    findings
}

/// The files with it are [`LINES_MAX`] at most. Lines that are blank or only comment do not count, nor tests, which are
/// what stands below `#[cfg(test)]` and in files of their own.
pub(super) fn lines(repo: &Repo) -> Vec<Finding> {
    let (folder, most) = LINES_MAX;
    let files = repo.tree.rust().filter(|file| file.path.starts_with(folder) && !is_test(&file.path));
    let counts: Vec<_> = files
        .filter_map(|file| {
            let lines = file.lines();
            let tests = |line: &str| line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
            let code: Vec<_> = file
                .text
                .lines()
                .zip(&lines)
                .map(|(text, line)| (text.trim(), line))
                .take_while(|(text, _)| !tests(text))
                .filter(|(_, line)| !line.code.trim().is_empty())
                .collect();
            let has_it = code.iter().any(|(_, line)| has_word(&line.code, KEYWORD));
            has_it.then_some((file.path.as_str(), code.len()))
        })
        .collect();
    let sum: usize = counts.iter().map(|(_, n)| n).sum();
    if sum <= most {
        return Vec::new();
    }
    let each: Vec<_> = counts.iter().map(|(path, n)| format!("{path} {n}")).collect();
    let message =
        format!("{sum} lines of code in files with `{KEYWORD}`, allowed: {most}. {}", each.join(", "));
    vec![Finding::new(counts[0].0, 1, message)]
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.contains("/loom_tests/") || path.ends_with("tests.rs")
}

/// Every crate's root forbids it, but for [`EXCEPTIONS`].
pub(super) fn forbidden(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &repo.packages {
        let exception = EXCEPTIONS.iter().find(|(name, _)| *name == package.name);
        let needed = exception.map_or(FORBID, |(_, instead)| *instead);
        for target in
            package.targets.iter().filter(|t| ["lib", "bin", "proc-macro"].contains(&t.kind.as_str()))
        {
            let has_it =
                repo.tree.file(&target.source).is_some_and(|f| f.text.lines().any(|line| line == needed));
            if !has_it {
                findings.push(Finding::new(
                    &target.source,
                    1,
                    format!("the root of {} lacks {needed}", package.name),
                ));
            }
        }
    }
    findings
}

fn is_allowed(path: &str) -> bool {
    ALLOWED.iter().any(|allowed| {
        path.strip_prefix(allowed).is_some_and(|rest| match rest {
            "" | ".rs" => true,
            _ => allowed.ends_with('/') || rest.starts_with('/'),
        })
    })
}

/// The marks of a reason, of which one is needed, and whether it may stand some lines of code above.
fn reason_needed(code: &str) -> Option<(&'static [&'static str], bool)> {
    let (at, _) = code.match_indices(KEYWORD).find(|(at, _)| has_word(&code[*at..], KEYWORD))?;
    let next = code[at + KEYWORD.len()..].trim_start();
    match next {
        _ if next.starts_with('(')
            || next.starts_with("fn(")
            || next.starts_with("extern \"") && next.contains("fn(") =>
        {
            None
        }
        _ if next.starts_with("fn") || next.starts_with("trait") => Some((&["# Safety", "SAFETY:"], false)),
        _ if next.starts_with("impl") || next.starts_with("extern") => Some((&["SAFETY:"], false)),
        _ if next.starts_with('{') || next.is_empty() => Some((&["SAFETY:"], true)),
        _ => None,
    }
}

fn has_reason(text: &[&str], at: usize, reason: &[&str], far: bool) -> bool {
    let has = |line: &str| line.contains("//") && reason.iter().any(|mark| line.contains(mark));
    if has(text[at]) {
        return true;
    }
    let mut code_lines = 0;
    for line in text[..at].iter().rev().map(|line| line.trim()) {
        let beside = line.starts_with("//") || line.starts_with("#[");
        code_lines += usize::from(!beside);
        if line.is_empty() || code_lines > if far { STATEMENT_LINES_MAX } else { 0 } {
            return false;
        }
        if has(line) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;
    use crate::workspace::{Package, Target};

    /// `U` stands for the keyword.
    fn sample(text: &str) -> String {
        text.replace('U', KEYWORD)
    }

    fn unreasoned(text: &str) -> usize {
        reasons(&Repo::of(&[("pool-core/src/slot/cell.rs", &sample(text))])).len()
    }

    #[test]
    fn elsewhere_it_is_found() {
        let text = sample("// U in a comment\nfn f() { say(\"U\"); U { g() } }\n#![forbid(U_code)]");
        let found =
            shown(&files(&Repo::of(&[("chaos/src/lib.rs", &text), ("controller/src/sys.rs", &text)])));
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("chaos/src/lib.rs:2: ") && found[0].contains("pool-core/src/slot/cell.rs"),
            "{found:?}"
        );
    }

    #[test]
    fn blocks_impls_and_functions_without_a_reason_are_found() {
        for bad in ["let x = U { g() };", "U impl Send for X {}", "U fn f() {}", "pub(crate) U fn f() {}"] {
            assert_eq!(unreasoned(bad), 1, "{bad}");
            assert_eq!(unreasoned(&format!("// a comment\n{bad}")), 1, "{bad}");
            assert_eq!(unreasoned(&format!("// SAFETY: rule 5.\n\nfn other() {{}}\n{bad}")), 1, "{bad}");
        }
    }

    #[test]
    fn with_a_reason_they_pass() {
        for good in [
            "// SAFETY: rule 5.\nlet x = U { g() };",
            "// SAFETY: rule 5.\nlet x = f(\n    1,\n    U { g() },\n);",
            "// SAFETY: rule 5,\n// as before.\n#[allow(x)]\nU impl Send for X {}",
            "/// Does.\n///\n/// # Safety\n/// Once only.\n#[inline]\npub U fn f() {}",
            "drop: U fn(*mut u8),",
            "#[U(no_mangle)]",
        ] {
            assert_eq!(unreasoned(good), 0, "{good}");
        }
    }

    #[test]
    fn files_with_it_that_are_too_long_together_are_found() {
        let code = |lines: usize| sample(&format!("// U\n\n{}    U {{ g() }}\n", "f();\n".repeat(lines - 1)));
        let tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", code(400), "f();\n".repeat(99));
        let (most, more, safe) = (code(300), code(301), "f();\n".repeat(999));
        let found = |second: &str| {
            shown(&lines(&Repo::of(&[
                ("pool-core/src/node.rs", &tests),
                ("pool-core/src/table.rs", second),
                ("pool-core/src/depot.rs", &safe),
                ("pool-core/src/loom_tests.rs", &code(50)),
                ("pool-core/src/tests/mod.rs", &code(50)),
                ("controller/src/sys.rs", &code(50)),
            ])))
        };
        assert_eq!(found(&most), [""; 0]);
        let found = found(&more);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].contains("701 lines") && found[0].contains("node.rs 400, pool-core/src/table.rs 301"),
            "{found:?}"
        );
    }

    #[test]
    fn a_root_that_does_not_forbid_it_is_found() {
        let target = |source: &str| Target { kind: "lib".into(), source: source.into(), ..Target::default() };
        let package = |name: &str, source| Package {
            name: name.into(),
            targets: vec![target(source)],
            ..Package::default()
        };
        let mut repo = Repo::of(&[
            ("a.rs", "//! A.\n"),
            ("b.rs", "#![forbid(unsafe_code)]\n"),
            ("c.rs", "#![deny(unsafe_code)]\n"),
        ]);
        repo.packages = vec![package("a", "a.rs"), package("b", "b.rs"), package("pool-core", "c.rs")];
        assert_eq!(shown(&forbidden(&repo)), ["a.rs:1: the root of a lacks #![forbid(unsafe_code)]"]);
        repo.packages = vec![package("pool-core", "b.rs")];
        assert_eq!(forbidden(&repo).len(), 1);
    }
}

//! Documents say what is there: README's commands, ARCHITECTURE's folders, the list of metrics.

use super::{Finding, Repo};
use crate::source::{File, has_word, scan};
use std::collections::BTreeSet;

/// What README tells a newcomer to type, and whether CI must give it no arguments more.
const COMMANDS: [(&str, bool); 2] =
    [("cargo run --release -- demo", false), ("cargo xtask test --install", true)];
const README: &str = "README.md";
const CI: &str = ".ci/run";
const ARCHITECTURE: &str = "ARCHITECTURE.md";
const METRICS: &str = "docs/metrics.md";

/// Files whose names in ARCHITECTURE.md must be real.
const SOURCES: [&str; 8] = ["rs", "toml", "md", "js", "css", "html", "yaml", "yml"];

/// README's two commands stand there as they are typed, and CI runs them.
pub(super) fn readme_commands(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = |path| repo.tree.file(path).map(|file| file.text.lines().map(str::trim).collect::<Vec<_>>());
    for (command, exactly) in COMMANDS {
        if !lines(README).unwrap_or_default().contains(&command) {
            findings.push(Finding::new(
                README,
                1,
                format!("the command `{command}` does not stand on a line of its own"),
            ));
        }
        let runs = |line: &&str| {
            *line == command || !exactly && line.strip_prefix(command).is_some_and(|r| r.starts_with(' '))
        };
        if !lines(CI).unwrap_or_default().iter().any(runs) {
            findings.push(Finding::new(CI, 1, format!("does not run README's `{command}`")));
        }
    }
    findings
}

/// ARCHITECTURE.md names every folder and crate, and no file or folder that is not there.
pub(super) fn architecture(repo: &Repo) -> Vec<Finding> {
    let Some(file) = repo.tree.file(ARCHITECTURE) else {
        return vec![Finding::new(ARCHITECTURE, 1, "is not there")];
    };
    let top = |path: &str| {
        path.split_once('/').map(|(folder, _)| folder.to_owned()).filter(|f| !f.starts_with('.'))
    };
    let folders: BTreeSet<_> = repo.tree.files.iter().filter_map(|f| top(&f.path)).collect();
    let mut findings = Vec::new();
    for folder in folders.iter().filter(|folder| !has_word(&file.text, &format!("{folder}/"))) {
        findings.push(Finding::new(ARCHITECTURE, 1, format!("does not name the folder {folder}/")));
    }
    for package in repo.packages.iter().filter(|package| !has_word(&file.text, &package.name)) {
        findings.push(Finding::new(ARCHITECTURE, 1, format!("does not name the crate {}", package.name)));
    }
    for (line, path) in paths_in(&file.text).into_iter().filter(|(_, path)| !is_there(repo, path)) {
        findings.push(Finding::new(
            ARCHITECTURE,
            line,
            format!("`{path}` is not there; allowed: what exists"),
        ));
    }
    findings
}

/// Paths in code spans, and first on a line of a code block, with their lines.
fn paths_in(text: &str) -> Vec<(usize, &str)> {
    let mut paths = Vec::new();
    let mut in_block = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            paths.extend(line.split_whitespace().next().map(|word| (at + 1, word)));
        } else {
            paths.extend(line.split('`').skip(1).step_by(2).map(|span| (at + 1, span)));
        }
    }
    paths.retain(|(_, path)| is_path(path));
    paths
}

fn is_path(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let ends = word.ends_with('/')
        || word.rsplit_once('.').is_some_and(|(_, extension)| SOURCES.contains(&extension));
    plain && ends && !word.starts_with('/') && !word.starts_with("target/") && word.len() > 1
}

/// At the root, or anywhere below: `sense/` is enough for `controller/src/sense/`.
fn is_there(repo: &Repo, path: &str) -> bool {
    let below = format!("/{path}");
    repo.tree.exists(path)
        || repo
            .tree
            .files
            .iter()
            .any(|f| if path.ends_with('/') { f.path.contains(&below) } else { f.path.ends_with(&below) })
}

/// Where there is a list of metrics, it names those of the code and no others.
pub(super) fn metrics(repo: &Repo) -> Vec<Finding> {
    let Some(list) = repo.tree.file(METRICS) else { return Vec::new() };
    let is_code =
        |f: &&File| f.path == "controller/src/metrics.rs" || f.path.starts_with("controller/src/metrics/");
    let code: BTreeSet<_> = repo.tree.rust().filter(is_code).flat_map(metrics_in_code).collect();
    let listed: BTreeSet<_> = metric_names(&list.text).collect();
    if code.is_empty() {
        return vec![Finding::new(
            METRICS,
            1,
            "lists metrics, and controller/src/metrics.rs names none: ebbpool_…",
        )];
    }
    let unlisted = code.difference(&listed).map(|name| format!("does not list {name}"));
    let unknown = listed.difference(&code).map(|name| format!("lists {name}, which the code does not have"));
    unlisted.chain(unknown).map(|message| Finding::new(METRICS, 1, message)).collect()
}

fn metrics_in_code(file: &File) -> Vec<String> {
    let lines = scan(&file.text).into_iter().take(file.lines_before_tests());
    lines.flat_map(|line| metric_names(&line.with_strings).collect::<Vec<_>>()).collect()
}

fn metric_names(text: &str) -> impl Iterator<Item = String> {
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(move |c| !part_of_name(c)).filter(|word| word.starts_with("ebbpool_")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;
    use crate::workspace::Package;

    const GOOD_README: &str = "# x\n```sh\ncargo run --release -- demo\ncargo xtask test --install\n```\n";
    const GOOD_CI: &str = "cargo run --release -- demo --for 15s\ncargo xtask test --install\n";

    fn commands(readme: &str, ci: &str) -> Vec<String> {
        shown(&readme_commands(&Repo::of(&[(README, readme), (CI, ci)])))
    }

    #[test]
    fn readme_and_ci_say_the_same() {
        assert_eq!(commands(GOOD_README, GOOD_CI), Vec::<String>::new());
        let readme = GOOD_README.replace("test --install", "test");
        assert_eq!(commands(&readme, GOOD_CI).len(), 1);
        let longer = GOOD_CI.replace("--install", "--install --without browser");
        assert_eq!(
            commands(GOOD_README, &longer),
            [".ci/run:1: does not run README's `cargo xtask test --install`"]
        );
        assert_eq!(
            commands(GOOD_README, "# cargo run --release -- demo\ncargo xtask test --install").len(),
            1
        );
        assert_eq!(shown(&readme_commands(&Repo::of(&[]))).len(), 4);
    }

    fn repo_with(architecture: &str) -> Repo {
        let mut repo = Repo::of(&[(ARCHITECTURE, architecture), ("core/src/slot.rs", ""), (CI, "")]);
        repo.packages = vec![Package { name: "pool-core".into(), ..Package::default() }];
        repo
    }

    #[test]
    fn what_architecture_leaves_out_is_found() {
        assert_eq!(
            architecture(&repo_with("`core/` is pool-core; its `slot.rs`, `core/src/`, `/v1/x.html`")),
            []
        );
        let found = shown(&architecture(&repo_with("nothing")));
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(architecture(&Repo::of(&[])).len(), 1);
    }

    #[test]
    fn what_architecture_makes_up_is_found() {
        let text = "pool-core\n```\ncore/       pools\n  src/slot.rs\nadapters/   not yet\n```\n`depot.rs`, `target/x.html`\n";
        let found = shown(&architecture(&repo_with(text)));
        let expected = ["ARCHITECTURE.md:5: `adapters/` is not there; allowed: what exists"];
        assert_eq!(found[..1], expected);
        assert!(found[1].contains("7: `depot.rs`") && found.len() == 2, "{found:?}");
    }

    #[test]
    fn the_list_of_metrics_is_compared_both_ways() {
        let code = "// ebbpool_comment\nlet a = \"ebbpool_gets_total\"; let b = \"ebbpool_bytes\";";
        let with =
            |list: &str| shown(&metrics(&Repo::of(&[(METRICS, list), ("controller/src/metrics.rs", code)])));
        assert_eq!(with("`ebbpool_gets_total`, ebbpool_bytes"), Vec::<String>::new());
        let expected = [
            "docs/metrics.md:1: does not list ebbpool_bytes",
            "docs/metrics.md:1: lists ebbpool_x, which the code does not have",
        ];
        assert_eq!(with("ebbpool_gets_total ebbpool_x"), expected);
        assert_eq!(metrics(&Repo::of(&[(METRICS, "")])).len(), 1);
        assert_eq!(metrics(&Repo::of(&[])), []);
    }
}

//! The rules that the compiler does not check. Each is a function of the sources and of what cargo says, so
//! that its test can hand it a bad sample: a rule that cannot fail is none.

mod docs;
mod layers;
mod measured;
mod modules;
mod text;
mod unsafety;

use crate::counts::Counts;
use crate::source::Tree;
use crate::workspace::{Package, Workspace};
use anyhow::Result;
use std::fmt;

/// What the rules look at.
struct Repo {
    tree: Tree,
    packages: Vec<Package>,
    /// What the crates with a budget pull in.
    pulled_in: Vec<layers::PulledIn>,
}

/// Something that a rule does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// From 1.
    line: usize,
    /// What is there, and what is allowed.
    message: String,
    /// Told, and not counted as a failure.
    is_warning: bool,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), is_warning: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

type Rule = (&'static str, fn(&Repo) -> Vec<Finding>);

const RULES: [Rule; 15] = [
    ("directions", layers::directions),
    ("dependency budget", layers::budget),
    ("modules", modules::modules),
    ("unsafe files", unsafety::files),
    ("unsafe reasons", unsafety::reasons),
    ("unsafe lines", unsafety::lines),
    ("unsafe forbidden", unsafety::forbidden),
    ("file length", text::length),
    ("machine paths", text::machine_paths),
    ("unfinished", text::unfinished),
    ("ignored tests", text::ignored),
    ("readme commands", docs::readme_commands),
    ("architecture", docs::architecture),
    ("metrics", docs::metrics),
    ("measured", measured::measured),
];

/// Applies every rule, prints what they find, and counts a rule as a check.
pub(crate) fn run(workspace: &Workspace) -> Result<Counts> {
    let repo = Repo {
        tree: Tree::load(&workspace.root)?,
        packages: workspace.packages.clone(),
        pulled_in: layers::pulled_in(workspace),
    };
    let mut counts = Counts::default();
    for (name, rule) in RULES {
        let findings = rule(&repo);
        for finding in &findings {
            let severity = if finding.is_warning { "warning: " } else { "" };
            println!("   {severity}{}:{}: {name}: {}", finding.path, finding.line, finding.message);
        }
        counts += if findings.iter().all(|f| f.is_warning) { Counts::PASS } else { Counts::FAIL };
    }
    println!("   {} rules over {} files", RULES.len(), repo.tree.files.len());
    Ok(counts)
}

/// Joins alternatives for a message.
fn either(words: &[&str]) -> String {
    words.join(", ")
}

#[cfg(test)]
impl Repo {
    fn of(files: &[(&str, &str)]) -> Self {
        Self { tree: Tree::of(files), packages: Vec::new(), pulled_in: Vec::new() }
    }
}

#[cfg(test)]
fn shown(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

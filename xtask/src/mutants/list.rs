//! The list: mutations as text files, so that a line of source stands there as it stands in the source.

use anyhow::{Context, Result, bail};
use std::fmt;
use std::path::Path;

/// One way to break a crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutation {
    pub(super) name: String,
    /// The numbered rules that it breaks, or `-`.
    pub(super) rule: String,
    /// Relative to the root.
    pub(super) file: String,
    pub(super) noticed: Noticed,
    before: String,
    after: String,
}

/// What is expected to notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Noticed {
    By(Test),
    /// No test on this machine can see it, and why.
    ByNobody(String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Test {
    /// The package whose test it is: that of the file.
    pub(super) package: &'static str,
    pub(super) kind: Kind,
    /// The file in `tests/`, of the kinds that have one.
    pub(super) target: Option<String>,
    /// Parts of test names; one that matches is enough. Of a file, none means all.
    pub(super) names: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Tests inside the crate.
    Unit,
    /// The same in release: what needs the compiler's and the processor's full freedom.
    Release,
    /// Tests in `tests/`, in release.
    Integration,
    /// Examples in the documentation, those that must not compile among them.
    Doc,
    /// Models, every interleaving within two preemptions.
    Loom,
    Tsan,
}

/// The folders of what may be broken, and the packages in them.
const PACKAGES: [(&str, &str); 2] = [("pool-core", "pool-core"), ("controller", "pool-controller")];

impl Kind {
    /// Whether what notices ends the process: the sanitizer does, and loom in the drop of a panicking model.
    pub(super) fn is_deadly(self) -> bool {
        matches!(self, Self::Loom | Self::Tsan)
    }
}

impl Test {
    pub(super) fn is_quick(&self) -> bool {
        self.kind == Kind::Unit
    }
}

impl fmt::Display for Noticed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(test) => test.fmt(f),
            Self::ByNobody(why) => write!(f, "nobody: {why}"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Unit => "unit",
            Kind::Release => "release",
            Kind::Integration => "integration",
            Kind::Doc => "doc",
            Kind::Loom => "loom",
            Kind::Tsan => "tsan",
        };
        let words = self.target.iter().chain(&self.names);
        words.fold(write!(f, "{kind}"), |so_far, word| so_far.and_then(|()| write!(f, " {word}")))
    }
}

impl Mutation {
    /// What is to notice, unless nothing can.
    pub(super) fn test(&self) -> Option<&Test> {
        match &self.noticed {
            Noticed::By(test) => Some(test),
            Noticed::ByNobody(_) => None,
        }
    }

    /// The file's text with the mutation in it.
    ///
    /// Fails if the text before does not stand in the file exactly once; says where it stands instead.
    pub(super) fn apply_to(&self, root: &Path) -> Result<String> {
        let text = std::fs::read_to_string(root.join(&self.file)).unwrap_or_default();
        match text.matches(&self.before).count() {
            1 => Ok(text.replacen(&self.before, &self.after, 1)),
            0 => match self.elsewhere(root)?.as_slice() {
                [] => bail!("stale: its text is not in {}", self.file),
                files => bail!("stale: its text is not in {}, but in {}", self.file, files.join(" and ")),
            },
            n => bail!("ambiguous: its text stands {n} times in {}", self.file),
        }
    }

    /// The files of the same crate that have the text before, relative to the root.
    fn elsewhere(&self, root: &Path) -> Result<Vec<String>> {
        let folder = self.file.split('/').next().unwrap_or_default();
        let mut found = Vec::new();
        let mut folders = vec![root.join(folder).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if std::fs::read_to_string(&path).is_ok_and(|text| text.contains(&self.before)) {
                    found.push(path.strip_prefix(root)?.to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// All lists, in the order of their files' names.
pub(super) fn load(root: &Path) -> Result<Vec<Mutation>> {
    let folder = root.join("xtask/mutants");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path)?;
        all.extend(parse(&text).with_context(|| format!("{}", path.display()))?);
    }
    for (at, mutation) in all.iter().enumerate() {
        if all[..at].iter().any(|other| other.name == mutation.name) {
            bail!("two mutations are named {}", mutation.name);
        }
    }
    Ok(all)
}

/// A file: what stands before the first `== name` is for the reader.
pub(super) fn parse(text: &str) -> Result<Vec<Mutation>> {
    let parts = text.split("\n== ").enumerate();
    let sections = parts.filter_map(|(at, part)| if at == 0 { part.strip_prefix("== ") } else { Some(part) });
    sections.map(parse_one).collect()
}

fn parse_one(section: &str) -> Result<Mutation> {
    let (head, rest) = section.split_once("\n--- before\n").context("no `--- before`")?;
    let (before, after) = rest.split_once("\n--- after\n").context("no `--- after`")?;
    let mut lines = head.lines();
    let name = lines.next().unwrap_or_default().trim().to_owned();
    let mut field = |key: &str| {
        let line = lines.next().unwrap_or_default();
        let value = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(": "));
        value.map(str::to_owned).with_context(|| format!("{name}: `{key}: …` is missing, there is `{line}`"))
    };
    let (rule, file, test) = (field("rule")?, field("file")?, field("test")?);
    let folder = file.split('/').next().unwrap_or_default();
    let Some((_, package)) = PACKAGES.into_iter().find(|(of, _)| *of == folder) else {
        bail!("{name}: `{file}` is in none of {}", PACKAGES.map(|(of, _)| of).join(", "));
    };
    let noticed = parse_noticed(&test, package).with_context(|| name.clone())?;
    // A mutation's text may begin and end within a line; the line ends around it are the format's.
    let (before, after) = (before.trim_end_matches('\n').to_owned(), after.trim_end_matches('\n').to_owned());
    if before == after || before.is_empty() {
        bail!("{name}: it changes nothing");
    }
    Ok(Mutation { name, rule, file, noticed, before, after })
}

fn parse_noticed(text: &str, package: &'static str) -> Result<Noticed> {
    match text.strip_prefix("nobody: ") {
        Some(why) if !why.trim().is_empty() => Ok(Noticed::ByNobody(why.to_owned())),
        _ => parse_test(text, package).map(Noticed::By),
    }
}

fn parse_test(text: &str, package: &'static str) -> Result<Test> {
    let mut words = text.split_whitespace();
    let kind = match words.next() {
        Some("unit") => Kind::Unit,
        Some("release") => Kind::Release,
        Some("integration") => Kind::Integration,
        Some("doc") => Kind::Doc,
        Some("loom") => Kind::Loom,
        Some("tsan") => Kind::Tsan,
        other => bail!("`{}` is no kind of test", other.unwrap_or_default()),
    };
    let mut words = words.map(str::to_owned);
    let target = if matches!(kind, Kind::Integration | Kind::Tsan) { words.next() } else { None };
    let names: Vec<_> = words.collect();
    if target.is_none() && names.is_empty() {
        bail!("a kind of test without a test");
    }
    Ok(Test { package, kind, target, names })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "For the reader.\n\n== a\nrule: S1,S2\nfile: controller/src/x.rs\ntest: unit b c\n--- before\nx\n  y\n--- after\n\n\n== d\nrule: -\nfile: controller/src/x.rs\ntest: loom e\n--- before\nz\n--- after\nw\n";

    #[test]
    fn a_list_is_read_as_it_is_written() {
        let all = parse(GOOD).unwrap();
        assert_eq!((all[0].name.as_str(), all[0].rule.as_str(), all.len()), ("a", "S1,S2", 2));
        assert_eq!((all[0].before.as_str(), all[0].after.as_str()), ("x\n  y", ""));
        assert_eq!((all[0].noticed.to_string(), all[1].after.as_str()), ("unit b c".to_owned(), "w"));
        assert!(all[0].test().is_some_and(Test::is_quick));
    }

    #[test]
    fn what_nobody_can_notice_says_why() {
        let all = parse(&GOOD.replace("loom e", "nobody: the processor hides it")).unwrap();
        assert_eq!(
            (all[1].test(), all[1].noticed.to_string().as_str()),
            (None, "nobody: the processor hides it")
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        for (from, to, said) in [
            ("rule: S1,S2\n", "", "`rule: …` is missing"),
            ("unit b c", "guess b", "`guess` is no kind"),
            ("unit b c", "unit", "without a test"),
            ("unit b c", "nobody: ", "`nobody:` is no kind"),
            ("--- after\nw", "", "no `--- after`"),
            ("file: controller/", "file: cli/", "none of pool-core, controller"),
            ("\nw\n", "\nz\n", "changes nothing"),
        ] {
            let error = format!("{:#}", parse(&GOOD.replace(from, to)).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_mutation_that_does_not_fit_is_stale() {
        let folder = std::env::temp_dir().join(format!("xtask-mutants-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("controller/src")).unwrap();
        let apply = |text: &str| {
            std::fs::write(folder.join("controller/src/x.rs"), text).unwrap();
            parse(GOOD).unwrap()[1].apply_to(&folder).map_err(|error| error.to_string())
        };
        assert_eq!(apply("a z b").unwrap(), "a w b");
        assert!(apply("a b").unwrap_err().starts_with("stale"));
        assert!(apply("z z").unwrap_err().starts_with("ambiguous"));
        std::fs::create_dir_all(folder.join("controller/src/y")).unwrap();
        std::fs::write(folder.join("controller/src/y/mod.rs"), "z").unwrap();
        assert_eq!(
            apply("a b").unwrap_err(),
            "stale: its text is not in controller/src/x.rs, but in controller/src/y/mod.rs"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}

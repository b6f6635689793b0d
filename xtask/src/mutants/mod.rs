//! `cargo xtask mutants`: breaks pool-core and the laws of the controller on purpose, one line at a time, and names the test that notices.
//!
//! ```text
//!  mutants/*.txt ──► list ──► scratch (a copy under target/) ──► tests ──► a table
//! ```
//!
//! A mutation whose text is no longer in the source is stale, one that no test notices survives; both fail. What no
//! test can notice because it changes nothing is not in the list; what none on this machine can is, with the reason.

mod list;
mod scratch;
mod verdict;

use crate::counts::Counts;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use clap::Args;
use list::{Mutation, Noticed, Test};
use scratch::Scratch;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use verdict::Verdict;

/// Which mutations.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these: whole names, or parts of names or of files' paths; without any, all
    names: Vec<String>,
    /// Only so many of each crate, spread over the list, of those that an ordinary test notices
    #[arg(long, value_name = "N", conflicts_with = "names")]
    sample: Option<usize>,
    /// Say what is in the list, and check that none of it is stale
    #[arg(long)]
    list: bool,
}

/// Runs the chosen mutations; whether none of them is stale and each was noticed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let all = list::load(&workspace.root)?;
    let chosen = choose(&all, options)?;
    if options.list {
        for m in &chosen {
            println!("{:<56} {:<6} {:<40} {}", m.name, m.rule, m.file, m.noticed);
        }
        println!("{} mutations", chosen.len());
    }
    let stale = stale(workspace, &chosen);
    if options.list || !stale.ok() {
        return Ok(stale.ok());
    }
    let counts = break_each(workspace, &chosen)?;
    println!("{counts}");
    Ok(counts.ok())
}

/// The suite: no stale mutation, and a few that run.
pub(crate) fn sample(workspace: &Workspace) -> Result<Counts> {
    let all = list::load(&workspace.root)?;
    let mut counts = stale(workspace, &all.iter().collect::<Vec<_>>());
    if counts.ok() {
        let few = Options { names: Vec::new(), sample: Some(SAMPLE), list: false };
        counts += break_each(workspace, &choose(&all, &few)?)?;
    }
    Ok(counts)
}

/// Mutations of each crate that CI runs.
const SAMPLE: usize = 3;

/// Says all that are, so that one look at the source mends them.
fn stale(workspace: &Workspace, chosen: &[&Mutation]) -> Counts {
    let mut counts = Counts::default();
    for mutation in chosen {
        match mutation.apply_to(&workspace.root) {
            Ok(_) => counts += Counts::PASS,
            Err(error) => {
                println!("   {}: {error:#}", mutation.name);
                counts += Counts::FAIL;
            }
        }
    }
    counts
}

fn choose<'a>(all: &'a [Mutation], options: &Options) -> Result<Vec<&'a Mutation>> {
    if let Some(wanted) = options.sample {
        let mut by_package: BTreeMap<&str, Vec<&Mutation>> = BTreeMap::new();
        for mutation in all {
            if let Some(test) = mutation.test().filter(|test| test.is_quick()) {
                by_package.entry(test.package).or_default().push(mutation);
            }
        }
        let spread = |of: Vec<&'a Mutation>| {
            let step = (of.len() / wanted.max(1)).max(1);
            of.into_iter().step_by(step).take(wanted)
        };
        return Ok(by_package.into_values().flat_map(spread).collect());
    }
    let has_name = |name: &String| all.iter().any(|m| m.name == *name);
    let is_meant = |m: &Mutation, name: &String| {
        if has_name(name) { m.name == *name } else { m.name.contains(name) || m.file.contains(name) }
    };
    if let Some(name) = options.names.iter().find(|name| !all.iter().any(|m| is_meant(m, name))) {
        bail!("no mutation has `{name}` in its name or path; `cargo xtask mutants --list` says all");
    }
    let is_wanted =
        |m: &&Mutation| options.names.is_empty() || options.names.iter().any(|name| is_meant(m, name));
    Ok(all.iter().filter(is_wanted).collect())
}

/// The named tests pass as things are; each mutation makes one fail.
fn break_each(workspace: &Workspace, chosen: &[&Mutation]) -> Result<Counts> {
    let scratch = Scratch::new(workspace)?;
    let tests: BTreeSet<_> = chosen.iter().filter_map(|m| m.test()).collect();
    let mut counts = unbroken(&scratch, &tests)?;
    if !counts.ok() {
        return Ok(counts); // what fails anyway notices nothing
    }
    let (mut survivors, mut unseen) = (Vec::new(), Vec::new());
    for mutation in chosen {
        let test = match &mutation.noticed {
            Noticed::By(test) => test,
            Noticed::ByNobody(why) => {
                unseen.push(format!("   {:<56} {why}", mutation.name));
                continue;
            }
        };
        let start = Instant::now();
        let verdict = scratch.with(mutation, |scratch| scratch.run(test))?;
        println!("   {}", row(mutation, &verdict, start.elapsed()));
        if verdict.is_caught() {
            counts += Counts::PASS;
        } else {
            survivors.push(format!("   {:<56} {verdict}: {}", mutation.name, scratch.command(test)?));
            counts += Counts::FAIL;
        }
    }
    say("not noticed", &survivors);
    say("no test on this machine can see it", &unseen);
    Ok(counts)
}

fn unbroken(scratch: &Scratch<'_>, tests: &BTreeSet<&Test>) -> Result<Counts> {
    let mut counts = Counts::default();
    for test in tests {
        let verdict = scratch.run(test)?;
        if verdict == Verdict::Passed {
            counts += Counts::PASS;
        } else {
            println!("   unbroken, and yet: {verdict}: {}", scratch.command(test)?);
            counts += Counts::FAIL;
        }
    }
    Ok(counts)
}

fn say(heading: &str, lines: &[String]) {
    if !lines.is_empty() {
        println!("\n   {heading}:\n{}", lines.join("\n"));
    }
}

fn row(mutation: &Mutation, verdict: &Verdict, took: Duration) -> String {
    format!("{:<56} {:<6} {:>6.1} s  {verdict}", mutation.name, mutation.rule, took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Tree;

    fn mutation(name: &str, folder: &str, test: &str) -> Mutation {
        let section = format!(
            "== {name}\nrule: S1\nfile: {folder}/src/a.rs\ntest: {test}\n--- before\na\n--- after\nb\n"
        );
        list::parse(&section).unwrap().remove(0)
    }

    #[test]
    fn a_sample_is_spread_over_what_is_quick_and_names_are_whole_where_they_can_be() {
        let tests = ["unit a", "loom a", "nobody: a"];
        let folder = |i| if i < 9 { "pool-core" } else { "controller" };
        let all: Vec<_> = (0..11).map(|i| mutation(&format!("m{i}"), folder(i), tests[i % 3])).collect();
        let names = |names: &[&str], sample| {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            choose(&all, &Options { names, sample, list: false })
                .map(|chosen| chosen.iter().map(|m| m.name.as_str()).collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        assert_eq!(names(&[], Some(2)).unwrap(), ["m9", "m0", "m3"], "two of three, and the only one");
        assert_eq!(names(&[], None).unwrap().len(), 11);
        assert_eq!(names(&["m10", "m1"], None).unwrap(), ["m1", "m10"]);
        assert_eq!(names(&["10"], None).unwrap(), ["m10"]);
        assert_eq!(names(&["controller/"], None).unwrap(), ["m9", "m10"]);
        assert!(names(&["m1", "x"], None).unwrap_err().contains("`x`"));
    }

    #[test]
    fn no_mutation_of_the_list_is_stale() {
        let workspace = Workspace::load().unwrap();
        let all = list::load(&workspace.root).unwrap();
        let stale = stale(&workspace, &all.iter().collect::<Vec<_>>());
        assert!(stale.ok() && all.len() > 50, "{stale}");
    }

    #[test]
    fn each_numbered_rule_of_pool_core_is_broken_by_a_mutation() {
        let workspace = Workspace::load().unwrap();
        let all = list::load(&workspace.root).unwrap();
        let tree = Tree::load(&workspace.root).unwrap();
        let core = tree.rust().filter(|file| file.path.starts_with("pool-core/src/"));
        let mut rules: Vec<_> = core.flat_map(|file| numbered_rules(&file.text)).collect();
        rules.sort_unstable();
        assert!(rules.iter().any(|rule| rule == "S1") && rules.len() > 10, "{rules:?}");
        rules.retain(|rule| !all.iter().any(|m| m.rule.split(',').any(|broken| broken == rule)));
        assert_eq!(rules, Vec::<String>::new(), "no mutation breaks these");
    }

    /// As a module's head gives them: `**S1**`.
    fn numbered_rules(text: &str) -> Vec<String> {
        let is_rule = |word: &&str| {
            let digits = word.strip_prefix(|c: char| c.is_ascii_uppercase()).unwrap_or_default();
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
        };
        text.split("**").filter(is_rule).map(str::to_owned).collect()
    }
}

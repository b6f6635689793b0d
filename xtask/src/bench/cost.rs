//! Instructions per pair against what is recorded: a machine that is busy changes nothing about them, so CI can refuse
//! a change that makes the path longer.

use super::{job, read_json, seam};
use crate::counts::Counts;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What was counted when somebody last looked at it and agreed.
const RECORDED: &str = "pool-core/benches/cost/recorded.json";
/// In the target folder.
const COUNTED: &str = "bench/cost.json";
const RECORD: &str = "cargo xtask bench cost --record";

/// A case may take this much more than recorded, per cent; one that takes this much less is worth recording.
const TOLERANCE: f64 = 10.0;

/// Counts, compares, and prints a line a case. Each case is a check.
pub(crate) fn check(workspace: &Workspace) -> Result<Counts> {
    let counted = count(workspace)?;
    let recorded =
        read_json(&workspace.root.join(RECORDED)).with_context(|| format!("record it by `{RECORD}`"))?;
    if let Some(remark) = compilers(&recorded, &counted)? {
        println!("   {remark}");
    }
    let mut counts = Counts::default();
    for line in compare(&cases(&recorded)?, &cases(&counted)?) {
        println!("   {}", line.text);
        counts += if line.is_fine { Counts::PASS } else { Counts::FAIL };
    }
    if counts.failed > 0 {
        println!(
            "   a path that is longer for a reason is recorded by `{RECORD}`, with the reason in the commit"
        );
    }
    counts += seam::check(workspace)?;
    Ok(counts)
}

/// Counts and records.
pub(crate) fn record(workspace: &Workspace) -> Result<bool> {
    let counted = count(workspace)?;
    let text = serde_json::to_string_pretty(&counted)? + "\n";
    std::fs::write(workspace.root.join(RECORDED), text)
        .with_context(|| format!("{RECORDED} cannot be written"))?;
    println!("recorded: {RECORDED}");
    Ok(true)
}

fn count(workspace: &Workspace) -> Result<Value> {
    let path = workspace.target.join(COUNTED);
    std::fs::remove_file(&path).ok(); // what an earlier run wrote proves nothing
    if !job("pool-core", "cost", false).passes(workspace)? {
        bail!("nothing was counted");
    }
    read_json(&path)
}

/// A case with its instructions per pair.
type Case = (String, f64);

fn cases(report: &Value) -> Result<Vec<Case>> {
    let list = report["cases"].as_array().context("no list of cases")?;
    let case = |case: &Value| {
        let name = case["name"].as_str().context("a case without a name")?;
        let figure = case["instructions"].as_f64().filter(|figure| *figure > 0.0);
        Ok((name.to_owned(), figure.with_context(|| format!("{name}: no instructions"))?))
    };
    list.iter().map(case).collect()
}

/// What to say when the two were not built alike.
///
/// # Errors
/// If they are from different processors: their instructions do not compare.
fn compilers(recorded: &Value, counted: &Value) -> Result<Option<String>> {
    let of = |report: &Value, key: &str| report[key].as_str().unwrap_or("unknown").to_owned();
    if of(recorded, "arch") != of(counted, "arch") {
        bail!(
            "{RECORDED} was recorded on {}, this is {}: instructions of the two do not compare",
            of(recorded, "arch"),
            of(counted, "arch")
        );
    }
    let (then, now) = (of(recorded, "rustc"), of(counted, "rustc"));
    Ok((then != now).then(|| {
        format!("recorded with {then}, counted with {now}: a part of what differs may be the compiler's")
    }))
}

/// One case compared.
struct Line {
    is_fine: bool,
    text: String,
}

impl Line {
    fn fine(text: String) -> Self {
        Self { is_fine: true, text }
    }

    fn wrong(text: String) -> Self {
        Self { is_fine: false, text }
    }
}

/// Every case that is recorded or counted.
fn compare(recorded: &[Case], counted: &[Case]) -> Vec<Line> {
    let find = |cases: &[Case], name: &str| cases.iter().find(|case| case.0 == name).map(|case| case.1);
    let mut lines: Vec<_> = counted
        .iter()
        .map(|(name, now)| match find(recorded, name) {
            Some(then) => line(name, then, *now),
            None => Line::wrong(format!(
                "{name}: {now:.1} instructions a pair, and nothing is recorded: `{RECORD}`"
            )),
        })
        .collect();
    let gone = recorded.iter().filter(|(name, _)| find(counted, name).is_none());
    lines.extend(
        gone.map(|(name, _)| Line::wrong(format!("{name}: recorded, and not counted any more: `{RECORD}`"))),
    );
    lines
}

fn line(name: &str, then: f64, now: f64) -> Line {
    let percent = 100.0 * (now - then) / then;
    let text = format!("{name}: {now:.1} instructions a pair, recorded {then:.1} ({percent:+.1} %)");
    if percent > TOLERANCE {
        Line::wrong(format!("{text}; allowed: +{TOLERANCE} %"))
    } else if percent < -TOLERANCE {
        Line::fine(format!("{text}; an improvement: hold on to it by `{RECORD}`"))
    } else {
        Line::fine(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compared(then: f64, now: f64) -> Line {
        compare(&[("pair".into(), then)], &[("pair".into(), now)]).remove(0)
    }

    #[test]
    fn more_than_a_tenth_above_the_record_fails_and_says_by_how_much() {
        let line = compared(120.0, 132.5);
        let expected = "pair: 132.5 instructions a pair, recorded 120.0 (+10.4 %); allowed: +10 %";
        assert_eq!((line.is_fine, line.text.as_str()), (false, expected));
        assert!(compared(120.0, 131.9).is_fine);
        assert!(compared(120.0, 120.0).is_fine);
    }

    #[test]
    fn more_than_a_tenth_below_is_told() {
        let line = compared(120.0, 107.0);
        assert!(line.is_fine && line.text.contains("an improvement"), "{}", line.text);
        assert!(!compared(120.0, 109.0).text.contains("an improvement"));
    }

    #[test]
    fn a_case_on_one_side_only_fails() {
        let (a, b) = (("a".to_owned(), 1.0), ("b".to_owned(), 1.0));
        let lines = compare(&[a], &[b]);
        assert_eq!(lines.iter().map(|line| line.is_fine).collect::<Vec<_>>(), [false, false]);
        assert!(lines[0].text.starts_with("b: 1.0") && lines[1].text.starts_with("a: recorded"));
    }

    #[test]
    fn another_compiler_is_told_and_another_processor_refused() {
        let report = |arch, rustc| json!({"arch": arch, "rustc": rustc});
        let old = report("x86_64", "rustc 1.95.0");
        assert_eq!(compilers(&old, &old).unwrap(), None);
        let remark = compilers(&old, &report("x86_64", "rustc 1.96.0")).unwrap().unwrap();
        assert!(remark.contains("1.95.0") && remark.contains("1.96.0"), "{remark}");
        assert!(compilers(&old, &report("aarch64", "rustc 1.95.0")).is_err());
    }

    #[test]
    fn a_report_without_figures_is_refused() {
        assert!(cases(&json!({})).is_err());
        for bad in [json!({"name": "a"}), json!({"name": "a", "instructions": 0}), json!({"instructions": 1})]
        {
            assert!(cases(&json!({"cases": [bad]})).is_err());
        }
        let good = json!({"cases": [{"name": "a", "instructions": 3.5}]});
        assert_eq!(cases(&good).unwrap(), [("a".to_owned(), 3.5)]);
    }
}

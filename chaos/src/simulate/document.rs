//! The part of docs/control.md that is made of a report: nobody writes a figure there by hand.

use super::compare::{Report, Row, policy_names};
use super::report::cells;
use super::scenarios::scenario_by_name;
use std::fmt::Write as _;

/// Between these lines stands what is made.
const BEGIN: &str = "<!-- begin: made by `ebbpool simulate --write-docs` -->";
const END: &str = "<!-- end -->";

/// A document that has no place for what is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPlace;

impl std::fmt::Display for NoPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the lines `{BEGIN}` and `{END}` do not stand in it, in this order")
    }
}

impl std::error::Error for NoPlace {}

impl Report {
    /// The document with its made part made anew.
    ///
    /// # Errors
    /// [`NoPlace`] if it has none.
    ///
    /// ```
    /// use pool_chaos::simulate::{NoPlace, scenario_by_name, simulate};
    /// let report = simulate(&[scenario_by_name("steady").unwrap()], &["fixed".to_owned()], 1)?;
    /// assert_eq!(report.document("# Control"), Err(NoPlace));
    /// # Ok::<(), pool_chaos::simulate::UnknownPolicy>(())
    /// ```
    pub fn document(&self, text: &str) -> Result<String, NoPlace> {
        let (before, rest) = text.split_once(BEGIN).ok_or(NoPlace)?;
        let (_, after) = rest.split_once(END).ok_or(NoPlace)?;
        Ok(format!("{before}{BEGIN}\n{}{END}{after}", self.made()))
    }

    fn made(&self) -> String {
        let mut text = String::new();
        self.write_targets(&mut text);
        self.write_policies(&mut text);
        self.write_comparison(&mut text);
        self.write_rows(&mut text, "tide");
        text
    }

    fn write_targets(&self, text: &mut String) {
        text.push_str(
            "\n### Targets of tide\n\n| property | target | found | |\n| --- | --- | --- | --- |\n",
        );
        for target in self.targets() {
            let is_met = if target.is_met { "met" } else { "**missed**" };
            let _ =
                writeln!(text, "| {} | {} | {} | {is_met} |", target.property, target.target, target.found);
        }
    }

    fn write_policies(&self, text: &mut String) {
        text.push_str(
            "\n### All scenarios together\n\n| policy | of the optimum, mean | lowest | killed in | seconds above .90, of \
             those that lived | most turns a minute |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for policy in policy_names() {
            let rows: Vec<&Row> = self.of(policy).collect();
            let count = rows.len().max(1) as f64;
            let mean = rows.iter().map(|row| row.hits_vs_oracle).sum::<f64>() / count;
            let lowest = rows.iter().map(|row| row.hits_vs_oracle).fold(f64::INFINITY, f64::min);
            let over: f64 = rows.iter().filter(|row| row.oom == 0).map(|row| row.seconds_over_090).sum();
            let killed = rows.iter().filter(|row| row.oom == 1).count();
            let turns = rows.iter().map(|row| row.reversals_per_min).fold(0.0, f64::max);
            let _ = writeln!(
                text,
                "| {policy} | {mean:.3} | {lowest:.3} | {killed} of {} | {over:.0} | {turns:.2} |",
                rows.len()
            );
        }
    }

    fn write_comparison(&self, text: &mut String) {
        let names: Vec<&str> = policy_names().collect();
        let _ = writeln!(
            text,
            "\n### Share of the optimum\n\n| scenario | what happens | {} |",
            names.join(" | ")
        );
        let _ = writeln!(text, "| --- | --- |{}", " --- |".repeat(names.len()));
        for scenario in self.scenarios() {
            let about = scenario_by_name(scenario).map_or("", |scenario| scenario.about);
            let cell = |name: &&str| {
                self.row(scenario, name).map_or("—".to_owned(), |row| {
                    format!("{:.3}{}", row.hits_vs_oracle, if row.oom == 1 { " †" } else { "" })
                })
            };
            let cells: Vec<String> = names.iter().map(cell).collect();
            let _ = writeln!(text, "| {scenario} | {about} | {} |", cells.join(" | "));
        }
        text.push_str("\n† killed: the share is what was saved until then.\n");
    }

    fn write_rows(&self, text: &mut String, policy: &str) {
        let _ = writeln!(
            text,
            "\n### {policy}, all figures\n\n| scenario | of the optimum | seconds above .90 | peak | turns a minute | first \
             action, ms | recovery, s | killed |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
        );
        for row in self.of(policy) {
            let [scenario, _, rest @ ..] = cells(row);
            let _ = writeln!(text, "| {scenario} | {} |", rest.join(" | "));
        }
        text.push('\n');
    }

    fn scenarios(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.rows.iter().map(|row| row.scenario).collect();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::row;
    use super::*;

    #[test]
    fn only_what_stands_between_the_lines_changes() {
        let rows = vec![row("step", "tide", 0.91), Row { oom: 1, ..row("step", "fixed", 0.2) }];
        let report = Report { rows, plots: Vec::new() };
        let old = format!("# Control\n{BEGIN}\nold\n{END}\nrest\n");
        let new = report.document(&old).unwrap();
        assert!(new.starts_with("# Control\n") && new.ends_with("-->\nrest\n") && !new.contains("old"));
        assert!(new.contains("| 0.910 |") && new.contains("0.200 †") && new.contains("**missed**"), "{new}");
        assert_eq!(report.document(&new).unwrap(), new, "made twice is made once");
    }

    #[test]
    fn a_document_without_a_place_is_refused() {
        let report = Report { rows: Vec::new(), plots: Vec::new() };
        assert_eq!(report.document(&format!("{END}\n{BEGIN}")), Err(NoPlace));
    }
}

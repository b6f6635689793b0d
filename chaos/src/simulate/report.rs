//! Rows as JSON and as a table for a terminal.

use super::compare::{Report, Row};
use std::fmt::Write as _;

/// The columns of a table, with what stands at the head of each.
const COLUMNS: [&str; 9] =
    ["scenario", "policy", "of optimum", "s > .90", "peak", "turns/min", "action ms", "recovery s", "killed"];

impl Report {
    /// One JSON object: `{"rows": [{"scenario": …, "policy": …, "hits_vs_oracle": …, …}, …]}`.
    ///
    /// ```
    /// use pool_chaos::simulate::{scenario_by_name, simulate};
    /// let report = simulate(&[scenario_by_name("steady").unwrap()], &["fixed".to_owned()], 1)?;
    /// assert!(report.json().starts_with(r#"{"rows":[{"scenario":"steady","policy":"fixed","hits_vs_oracle":"#));
    /// # Ok::<(), pool_chaos::simulate::UnknownPolicy>(())
    /// ```
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("names and numbers")
    }

    /// A table for a terminal, one line a row.
    ///
    /// ```
    /// use pool_chaos::simulate::{scenario_by_name, simulate};
    /// let report = simulate(&[scenario_by_name("steady").unwrap()], &["fixed".to_owned()], 1)?;
    /// assert_eq!(report.table().lines().count(), 2);
    /// # Ok::<(), pool_chaos::simulate::UnknownPolicy>(())
    /// ```
    #[must_use]
    pub fn table(&self) -> String {
        let lines: Vec<[String; 9]> =
            std::iter::once(COLUMNS.map(str::to_owned)).chain(self.rows.iter().map(cells)).collect();
        table(&lines, 2)
    }

    /// The rows of one policy.
    pub(super) fn of<'a>(&'a self, policy: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.policy == policy)
    }

    /// The row of a policy in a scenario.
    pub(super) fn row(&self, scenario: &str, policy: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.scenario == scenario && row.policy == policy)
    }
}

/// Lines with their cells in columns: the first `names` to the left, figures to the right.
pub(super) fn table<const COLUMNS: usize>(lines: &[[String; COLUMNS]], names: usize) -> String {
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut padded = String::new();
        for (n, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let _ = if n < names {
                write!(padded, "{cell:width$}  ")
            } else {
                write!(padded, "{cell:>width$}  ")
            };
        }
        text.push_str(padded.trim_end());
        text.push('\n');
    }
    text
}

/// The cells of a row, as people read them.
pub(super) fn cells(row: &Row) -> [String; 9] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "—".to_owned());
    [
        row.scenario.to_owned(),
        row.policy.clone(),
        format!("{:.3}", row.hits_vs_oracle),
        format!("{:.1}", row.seconds_over_090),
        format!("{:.3}", row.peak),
        format!("{:.2}", row.reversals_per_min),
        or_dash(row.first_action_ms.map(|ms| ms.to_string())),
        or_dash(row.recovery_s.map(|s| format!("{s:.1}"))),
        if row.oom == 0 { "no".to_owned() } else { "yes".to_owned() },
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::simulate) fn row(scenario: &'static str, policy: &str, hits_vs_oracle: f64) -> Row {
        Row {
            scenario,
            policy: policy.to_owned(),
            hits_vs_oracle,
            seconds_over_090: 0.0,
            peak: 0.5,
            reversals_per_min: 0.0,
            first_action_ms: None,
            recovery_s: None,
            oom: 0,
        }
    }

    #[test]
    fn json_has_a_null_where_a_column_does_not_apply() {
        let killed = Row { oom: 1, first_action_ms: Some(250), ..row("step", "tide", 0.9) };
        let report = Report { rows: vec![killed], plots: Vec::new() };
        let expected = r#"{"rows":[{"scenario":"step","policy":"tide","hits_vs_oracle":0.9,"seconds_over_090":0.0,"peak":0.5,"reversals_per_min":0.0,"first_action_ms":250,"recovery_s":null,"oom":1}]}"#;
        assert_eq!(report.json(), expected);
    }

    #[test]
    fn a_table_has_its_figures_in_columns() {
        let rows = vec![row("steady", "tide", 1.0), row("a-longer-name", "fixed-best", 0.25)];
        let table = Report { rows, plots: Vec::new() }.table();
        let ends: Vec<_> = table.lines().map(|line| line.find("peak").or(line.find("0.500"))).collect();
        assert_eq!(ends[1], ends[2]);
        assert!(table.lines().nth(2).unwrap().starts_with("a-longer-name  fixed-best"), "{table}");
    }
}

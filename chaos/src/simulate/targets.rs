//! The targets of the default policy, and whether a report meets them. A missed one is shown as plainly as a met one.

use super::compare::{FIXED_BEST, Plot, Report, Row};
use super::scenario::{LIMIT_BYTES, Lie, Signal, SignalFault};
use super::scenarios::scenario_by_name;
use pool_controller::decide::safe_bytes;

/// Whose targets they are.
const POLICY: &str = "tide";

/// A target, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is about, with the scenarios.
    pub property: &'static str,
    /// What is to hold.
    pub target: &'static str,
    /// What was found: figures, and where it does not hold the scenarios with theirs.
    pub found: String,
    /// Whether it holds.
    pub is_met: bool,
}

impl Report {
    /// Compares the default policy's rows with its targets. Targets whose scenarios are not in the report are left out.
    ///
    /// ```
    /// use pool_chaos::simulate::{scenario_by_name, simulate};
    /// let report = simulate(&[scenario_by_name("ramp").unwrap()], &["tide".to_owned()], 1)?;
    /// assert!(report.targets().iter().any(|target| target.property.starts_with("ramp") && target.is_met));
    /// # Ok::<(), pool_chaos::simulate::UnknownPolicy>(())
    /// ```
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        let any = |_: &Row| true;
        let named = |names: &'static [&'static str]| move |row: &Row| names.contains(&row.scenario);
        let starts = |starts: &'static [&'static str]| {
            move |row: &Row| starts.iter().any(|start| row.scenario.starts_with(start))
        };
        let over = |row: &Row| format!("{:.1} s", row.seconds_over_090);
        let share = |row: &Row| format!("{:.3}", row.hits_vs_oracle);
        let peak = |row: &Row| format!("{:.3}{}", row.peak, if row.oom == 1 { ", killed" } else { "" });
        let turns = |row: &Row| format!("{:.2}", row.reversals_per_min);
        let action = |row: &Row| row.first_action_ms.map_or("none".to_owned(), |ms| format!("{ms} ms"));
        let recovery = |row: &Row| format!("{:.1} s", row.recovery_s.unwrap_or(0.0));
        let soon = |row: &Row| row.first_action_ms.is_some_and(|ms| ms <= 500);
        let tide =
            |property,
             target,
             of: &dyn Fn(&Row) -> bool,
             holds: &dyn Fn(&Row) -> bool,
             text: &dyn Fn(&Row) -> String| { self.every(property, target, of, holds, text) };
        let list = [
            tide("step: first action", "≤ 500 ms", &named(&["step"]), &soon, &action),
            tide(
                "step: above .90 of the limit",
                "≤ 3 s",
                &named(&["step"]),
                &|r| r.seconds_over_090 <= 3.0,
                &over,
            ),
            tide("ramp: peak", "≤ .92", &named(&["ramp"]), &|r| r.peak <= 0.92, &peak),
            tide(
                "limit-down: above .90 of the new limit",
                "≤ 5 s",
                &named(&["limit-down"]),
                &|r| r.seconds_over_090 <= 5.0,
                &over,
            ),
            tide(
                "swap, burst-3s, burst-50ms: peak",
                "≤ .96, no kill",
                &named(&["swap", "burst-3s", "burst-50ms"]),
                &|r| r.oom == 0 && r.peak <= 0.96,
                &peak,
            ),
            tide(
                "steady, saw, noise: turns of a capacity",
                "≤ 1 a minute",
                &starts(&["steady", "saw", "noise"]),
                &|r| r.reversals_per_min <= 1.0,
                &turns,
            ),
            tide("every scenario: kills", "none", &any, &|r| r.oom == 0, &peak),
            self.safe_without_signal(),
            tide(
                "recovery of nine tenths of the capacity",
                "≤ 60 s",
                &|r| r.recovery_s.is_some(),
                &|r| r.recovery_s.is_none_or(|s| s <= 60.0),
                &recovery,
            ),
            tide(
                "usefulness, each scenario",
                "≥ .90 of the optimum",
                &any,
                &|r| r.hits_vs_oracle >= 0.90,
                &share,
            ),
            self.mean(),
            self.dominated(),
            self.static_split(),
        ];
        list.into_iter().flatten().collect()
    }

    /// A target that each of some rows has to hold.
    fn every(
        &self,
        property: &'static str,
        target: &'static str,
        of: &dyn Fn(&Row) -> bool,
        holds: &dyn Fn(&Row) -> bool,
        text: &dyn Fn(&Row) -> String,
    ) -> Option<Target> {
        let rows: Vec<&Row> = self.of(POLICY).filter(|row| of(row)).collect();
        if rows.is_empty() {
            return None;
        }
        let missed: Vec<&&Row> = rows.iter().filter(|row| !holds(row)).collect();
        let shown = if missed.is_empty() && rows.len() <= 5 { rows.iter().collect() } else { missed.clone() };
        let of_each: Vec<_> = shown.iter().map(|row| format!("{} {}", row.scenario, text(row))).collect();
        let held = rows.len() - missed.len();
        let found = match (rows.len(), shown.is_empty()) {
            (1, _) => text(rows[0]),
            (_, true) => format!("{held} of {}", rows.len()),
            _ => format!("{held} of {}: {}", rows.len(), of_each.join(", ")),
        };
        Some(Target { property, target, found, is_met: missed.is_empty() })
    }

    /// How long it takes from the loss of limit or usage until the pools may hold no more than what is safe.
    fn safe_without_signal(&self) -> Option<Target> {
        let lost = |plot: &Plot| match scenario_by_name(plot.scenario)?.readings.fault? {
            SignalFault {
                signal: Signal::Limit | Signal::Usage,
                lie: Lie::Zero | Lie::Missing,
                from_s,
                ..
            } => Some(from_s),
            _ => None,
        };
        let safe = safe_bytes(Some(LIMIT_BYTES));
        let after = |plot: &Plot, from_s: f64| {
            let mut looks = plot.outcome.looks.iter().filter(|look| look.ms as f64 >= from_s * 1000.0);
            looks.find(|look| look.capacity <= safe).map(|look| look.ms as f64 / 1000.0 - from_s)
        };
        let of_tide = self.plots.iter().filter(|plot| plot.policy == POLICY);
        let seconds: Vec<_> =
            of_tide.filter_map(|plot| Some((plot.scenario, after(plot, lost(plot)?)))).collect();
        let text = |(scenario, s): &(&str, Option<f64>)| match s {
            Some(s) => format!("{scenario} {s:.2} s"),
            None => format!("{scenario} never"),
        };
        (!seconds.is_empty()).then(|| Target {
            property: "limit or usage lost: pools at their safe capacity",
            target: "≤ 5 s",
            found: seconds.iter().map(text).collect::<Vec<_>>().join(", "),
            is_met: seconds.iter().all(|(_, s)| s.is_some_and(|s| s <= 5.0)),
        })
    }

    fn mean(&self) -> Option<Target> {
        let shares: Vec<f64> = self.of(POLICY).map(|row| row.hits_vs_oracle).collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        (!shares.is_empty()).then(|| Target {
            property: "usefulness, mean of the scenarios",
            target: "≥ .95 of the optimum",
            found: format!("{mean:.3}"),
            is_met: mean >= 0.95,
        })
    }

    /// Scenarios in which another policy both saves more and spends less time above .90.
    fn dominated(&self) -> Option<Target> {
        self.rows.iter().find(|row| row.policy != POLICY)?;
        self.of(POLICY).next()?;
        let better = |row: &Row| {
            let mut others =
                self.rows.iter().filter(|other| other.scenario == row.scenario && other.oom == 0);
            let beats = |other: &Row| {
                other.hits_vs_oracle > row.hits_vs_oracle && other.seconds_over_090 < row.seconds_over_090
            };
            let other = others.find(|other| beats(other))?;
            Some(format!("{} by {} ({:.3})", row.scenario, other.policy, other.hits_vs_oracle))
        };
        let found: Vec<String> = self.of(POLICY).filter_map(better).collect();
        Some(Target {
            property: "another policy saves more and is above .90 for less time",
            target: "in no scenario",
            is_met: found.is_empty(),
            found: if found.is_empty() { "none".to_owned() } else { found.join(", ") },
        })
    }

    fn static_split(&self) -> Option<Target> {
        let (tide, best) = (self.row("ten-zipf", POLICY)?, self.row("ten-zipf", FIXED_BEST)?);
        let part = tide.hits_vs_oracle / best.hits_vs_oracle;
        Some(Target {
            property: "ten-zipf: against the best static split in hindsight",
            target: "≥ .95 of it",
            found: format!("{part:.3} ({:.3} and {:.3})", tide.hits_vs_oracle, best.hits_vs_oracle),
            is_met: part >= 0.95,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::row;
    use super::*;

    fn found(rows: Vec<Row>, property: &str) -> Target {
        let targets = Report { rows, plots: Vec::new() }.targets();
        targets.into_iter().find(|target| target.property.starts_with(property)).expect("it applies")
    }

    #[test]
    fn a_missed_target_names_the_scenarios_with_their_figures() {
        let late = Row { seconds_over_090: 1.0, ..row("swap", "tide", 0.5) };
        let rows = vec![row("steady", "tide", 0.99), late, row("swap", "fixed", 0.99)];
        let each = found(rows.clone(), "usefulness, each");
        assert_eq!((each.is_met, each.found.as_str()), (false, "1 of 2: swap 0.500"));
        let mean = found(rows.clone(), "usefulness, mean");
        assert_eq!((mean.is_met, mean.found.as_str()), (false, "0.745"));
        let dominated = found(rows, "another");
        assert_eq!((dominated.is_met, dominated.found.as_str()), (false, "swap by fixed (0.990)"));
    }

    #[test]
    fn marks_belong_to_the_side_that_the_target_says() {
        let step = |first_action_ms| vec![Row { first_action_ms, ..row("step", "tide", 1.0) }];
        assert!(found(step(Some(500)), "step: first").is_met);
        assert!(!found(step(Some(501)), "step: first").is_met);
        assert!(!found(step(None), "step: first").is_met, "nothing done is not soon");
        let swap = |peak, oom| vec![Row { peak, oom, ..row("swap", "tide", 1.0) }];
        assert!(found(swap(0.96, 0), "swap").is_met);
        assert!(!found(swap(0.961, 0), "swap").is_met && !found(swap(0.5, 1), "swap").is_met);
    }

    #[test]
    fn the_time_to_the_safe_capacity_is_taken_from_the_loss_on() {
        let lost = scenario_by_name("usage-missing").unwrap();
        let of = |policy: &str| {
            super::super::compare::simulate(&[lost], &[policy.to_owned()], 1).unwrap().targets()
        };
        let target = of(POLICY).into_iter().find(|target| target.property.starts_with("limit or usage lost"));
        let found = target.unwrap().found;
        let seconds: f64 =
            found.strip_prefix("usage-missing ").unwrap().strip_suffix(" s").unwrap().parse().unwrap();
        // It holds still for 3 s, and then halves its budget each second.
        assert!((3.0..=7.0).contains(&seconds), "{found}");
        assert!(of("fixed").is_empty(), "only the default policy has targets");
    }

    #[test]
    fn who_is_above_the_mark_for_longer_does_not_dominate() {
        let longer = Row { seconds_over_090: 3.0, ..row("swap", "fixed", 0.99) };
        assert!(found(vec![row("swap", "tide", 0.5), longer], "another").is_met);
        let alike = vec![row("swap", "tide", 0.5), row("swap", "fixed", 0.99)];
        assert!(found(alike, "another").is_met);
        let zipf = vec![row("ten-zipf", "tide", 0.94), row("ten-zipf", FIXED_BEST, 0.98)];
        assert!(found(zipf, "ten-zipf").is_met);
    }
}

//! Plots: one file a scenario, a panel for each policy, with usage, limit and what the pools may hold over time.

use super::compare::{Plot, Report};
use super::run::Look;
use super::scenario::LIMIT_BYTES;
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const PANEL: f64 = 130.0;
const LEFT: f64 = 46.0;
const TOP: f64 = 22.0;
/// Points of a line, at most: what is drawn is the highest of each run of looks.
const POINTS: usize = 240;
/// What the axis shows, shares of the usual limit.
const MARKS: [f64; 4] = [0.0, 0.5, 0.9, 1.0];
/// The highest that fits into a panel, a share of the usual limit.
const HIGHEST: f64 = 1.35;

/// A line: what it shows, and its colour.
type Line = (&'static str, &'static str, fn(&Look) -> u64);

const LINES: [Line; 4] = [
    ("limit", "#888888", |look| look.level.limit),
    ("capacity", "#c07000", |look| look.capacity),
    ("idle", "#2a8a4a", |look| look.idle),
    ("usage", "#1a4fa0", |look| look.level.usage),
];

impl Report {
    /// SVG files by name, one a scenario.
    ///
    /// ```
    /// use pool_chaos::simulate::{scenario_by_name, simulate};
    /// let report = simulate(&[scenario_by_name("steady").unwrap()], &["fixed".to_owned()], 1)?;
    /// let plots = report.svgs();
    /// assert!(plots[0].0 == "steady.svg" && plots[0].1.starts_with("<svg "));
    /// # Ok::<(), pool_chaos::simulate::UnknownPolicy>(())
    /// ```
    #[must_use]
    pub fn svgs(&self) -> Vec<(String, String)> {
        let mut names: Vec<&str> = self.plots.iter().map(|plot| plot.scenario).collect();
        names.dedup();
        let of = |name: &str| self.plots.iter().filter(|p| p.scenario == name).collect::<Vec<_>>();
        names.into_iter().map(|name| (format!("{name}.svg"), svg(&of(name)))).collect()
    }
}

fn svg(plots: &[&Plot]) -> String {
    let height = TOP + PANEL * plots.len() as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"10\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for (n, (name, colour, _)) in LINES.iter().enumerate() {
        let x = LEFT + 90.0 * n as f64;
        let _ = writeln!(text, "<text x=\"{x}\" y=\"13\" fill=\"{colour}\">— {name}</text>");
    }
    let until_ms = plots.iter().filter_map(|p| p.outcome.looks.last()).map(|l| l.ms).max().unwrap_or(1);
    for (n, plot) in plots.iter().enumerate() {
        panel(&mut text, plot, TOP + PANEL * n as f64, until_ms);
    }
    text.push_str("</svg>\n");
    text
}

fn panel(text: &mut String, plot: &Plot, top: f64, until_ms: u64) {
    let height = PANEL - 16.0;
    let y = |share: f64| top + height * (1.0 - share.min(HIGHEST) / HIGHEST);
    let x = |ms: u64| LEFT + (WIDTH - LEFT - 8.0) * ms as f64 / until_ms as f64;
    for mark in MARKS {
        let at = y(mark);
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {at:.1}H{:.0}\" stroke=\"#dddddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{mark:.1}</text>",
            WIDTH - 8.0,
            LEFT - 4.0,
            at + 3.0
        );
    }
    let ended =
        if plot.outcome.is_killed { format!(", killed after {} s", until_s(plot)) } else { String::new() };
    let _ =
        writeln!(text, "<text x=\"{}\" y=\"{:.1}\">{}{ended}</text>", LEFT + 4.0, top + 10.0, plot.policy);
    for (_, colour, of) in LINES {
        let looks = &plot.outcome.looks;
        let run = looks.len().div_ceil(POINTS).max(1);
        let points = looks.chunks(run).filter_map(|chunk| {
            let highest = chunk.iter().max_by_key(|look| of(look))?;
            let share = of(highest) as f64 / LIMIT_BYTES as f64;
            Some(format!("{:.1},{:.1}", x(highest.ms), y(share)))
        });
        let points: Vec<String> = points.collect();
        let points = points.join(" ");
        let _ = writeln!(text, "<polyline fill=\"none\" stroke=\"{colour}\" points=\"{points}\"/>");
    }
}

/// Seconds that a run lasted.
fn until_s(plot: &Plot) -> u64 {
    plot.outcome.looks.last().map_or(0, |look| look.ms / 1000)
}

#[cfg(test)]
mod tests {
    use crate::simulate::{scenario_by_name, simulate};

    #[test]
    fn a_plot_has_a_panel_for_each_policy_and_says_who_was_killed() {
        let policies = ["tide", "fixed"].map(str::to_owned);
        let report = simulate(&[scenario_by_name("swap").unwrap()], &policies, 1).unwrap();
        let plots = report.svgs();
        let (name, svg) = &plots[0];
        assert_eq!((name.as_str(), plots.len()), ("swap.svg", 1));
        assert_eq!((svg.matches("<polyline").count(), svg.matches(", killed after").count()), (8, 1));
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN") && svg.len() < 60_000, "{}", svg.len());
    }
}

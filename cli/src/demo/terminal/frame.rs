//! What the status shows: pure text from numbers.

use crate::demo::load::ledger::{Delays, Totals};
use crate::demo::watching::Seen;
use crate::service::wire::{Memory, Pool};
use crate::units::{exact_size, mib};
use std::time::Duration;

/// Everything that the status shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status<'a> {
    /// One line that says what runs: pools and limit.
    pub(crate) title: &'a str,
    /// The address of the page.
    pub(crate) page: &'a str,
    /// Time since the load began.
    pub(crate) elapsed: Duration,
    /// How long it is to last.
    pub(crate) run: Option<Duration>,
    /// Requests of the last second.
    pub(crate) rates: Totals,
    /// Delays of the last second.
    pub(crate) delays: Delays,
    /// The latest view of the child.
    pub(crate) seen: Option<&'a Seen>,
    /// A fault that is armed now.
    pub(crate) fault: Option<&'a str>,
}

/// The status in lines of at most `columns` characters.
pub(crate) fn block(status: &Status<'_>, columns: usize) -> Vec<String> {
    let Status { title, page, rates, delays, .. } = status;
    let Totals { offered, completed, shed, errors, timeouts } = rates;
    let failed = errors + timeouts;
    let mut lines = vec![
        format!("{title} · {} · Ctrl-C ends", time(status)),
        format!("page      {page}"),
        format!(
            "load      offered {offered:>4}/s  completed {completed:>4}/s  shed {shed}/s  failed {failed}/s   \
             p50 {:.1} ms  p99 {:.1} ms",
            delays.p50_ms, delays.p99_ms
        ),
    ];
    match status.seen {
        None => lines.push("memory    no reading yet".to_owned()),
        Some(seen) => {
            lines.push(memory(&seen.memory));
            lines.extend(bar(&seen.memory, columns));
            lines.extend(pools(seen));
            if let Some(decision) = &seen.memory.last_decision {
                let at_s = decision.at_ms as f64 / 1000.0;
                lines.push(format!("decision  at {at_s:.1} s: {}", decision.reason));
            }
        }
    }
    lines.extend(status.fault.map(|fault| format!("fault     {fault} is armed")));
    lines.iter().map(|line| line.chars().take(columns).collect()).collect()
}

/// The status in one line, for what is no terminal.
pub(crate) fn line(status: &Status<'_>) -> String {
    let Totals { offered, completed, shed, errors, timeouts } = status.rates;
    let mut line = format!(
        "{:>5.1} s  offered {offered}/s completed {completed}/s shed {shed}/s failed {}/s p50 {:.1} ms p99 {:.1} ms",
        status.elapsed.as_secs_f64(),
        errors + timeouts,
        status.delays.p50_ms,
        status.delays.p99_ms,
    );
    if let Some(seen) = status.seen {
        let Memory { usage_bytes, limit_bytes, state, .. } = &seen.memory;
        line += &format!(" · {state} {}", usage_bytes.map_or("-".to_owned(), mib));
        line += &limit_bytes.map_or(String::new(), |limit| format!(" of {}", mib(limit)));
        for (name, pool) in &seen.pools.pools {
            line += &format!(" · {name} idle {} lent {}", mib(pool.idle_bytes), mib(pool.lent_bytes));
        }
        if let Some(decision) = &seen.memory.last_decision {
            line += &format!(" · {}", decision.reason);
        }
    }
    if let Some(fault) = status.fault {
        line += &format!(" · {fault} is armed");
    }
    line
}

fn time(status: &Status<'_>) -> String {
    let elapsed_s = status.elapsed.as_secs();
    status.run.map_or_else(|| format!("{elapsed_s} s"), |run| format!("{elapsed_s} s of {} s", run.as_secs()))
}

fn memory(memory: &Memory) -> String {
    let Memory { usage_bytes, limit_bytes, state, peak_bytes, budget_bytes, .. } = memory;
    let usage = usage_bytes.map_or("unknown".to_owned(), mib);
    let mut line = format!("memory    {usage}");
    if let (Some(usage), Some(limit)) = (usage_bytes, limit_bytes) {
        line += &format!(" of {} ({:.0} %)", exact_size(*limit), 100.0 * *usage as f64 / *limit as f64);
    }
    line += &format!(", peak {}   state {state}", mib(*peak_bytes));
    line + &budget_bytes.map_or(String::new(), |budget| format!("   idle budget {}", mib(budget)))
}

/// What stands beside the bar: indent, brackets, legend and marks.
const BAR_WORDS_COLUMNS: usize = 68;

/// Usage against limit and watermarks: lent and other memory `#`, idle `+`, the marks `e h c`.
fn bar(memory: &Memory, columns: usize) -> Option<String> {
    let (usage, limit) = (memory.usage_bytes?, memory.limit_bytes.filter(|limit| *limit > 0)?);
    let width = columns.saturating_sub(BAR_WORDS_COLUMNS).clamp(20, 80);
    let place = |bytes: u64| {
        let share = u128::from(bytes.min(limit)) * width as u128 / u128::from(limit);
        usize::try_from(share).unwrap_or(width)
    };
    let idle_from = place(usage.saturating_sub(memory.pools_idle_bytes));
    let mut cells = vec![' '; width];
    cells[..idle_from].fill('#');
    cells[idle_from..place(usage)].fill('+');
    let mut line = String::new();
    if let Some(marks) = memory.watermarks {
        for (mark, letter) in [(marks.elevated, 'e'), (marks.high, 'h'), (marks.critical, 'c')] {
            cells[place(mark).min(width - 1)] = letter;
        }
        let mib = |bytes| bytes >> 20;
        line = format!(
            "  elevated {}, high {}, critical {}",
            mib(marks.elevated),
            mib(marks.high),
            mib(marks.critical)
        );
    }
    Some(format!("          [{}]  # used  + idle{line}", cells.into_iter().collect::<String>()))
}

fn pools(seen: &Seen) -> Vec<String> {
    if seen.pools.pools.is_empty() {
        return vec!["pools     none".to_owned()];
    }
    let mut lines =
        vec![format!("{:<12}{:>12}{:>12}{:>14}{:>10}", "pools", "idle", "lent", "may hold", "reused")];
    for (name, pool) in &seen.pools.pools {
        let Pool { idle_bytes, lent_bytes, capacity_bytes, gets_total, .. } = pool;
        // What an operator bounds by objects alone has no number of bytes worth reading.
        let capacity =
            if *capacity_bytes >= 1 << 40 { "by objects".to_owned() } else { mib(*capacity_bytes) };
        let reused = match gets_total.total() {
            0 => "-".to_owned(),
            total => format!("{:.1} %", 100.0 * gets_total.reused() as f64 / total as f64),
        };
        lines.push(format!(
            "  {name:<12}{:>10}{:>12}{capacity:>14}{reused:>10}",
            mib(*idle_bytes),
            mib(*lent_bytes)
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::wire::{Decision, Gets, Pools, Watermarks};

    fn seen() -> Seen {
        let pool = Pool {
            idle_bytes: 10 << 20,
            lent_bytes: 70 << 20,
            capacity_bytes: 30 << 20,
            gets_total: Gets { hit: 90, refill: 5, created: 5, ..Gets::default() },
            ..Pool::default()
        };
        let fixed = Pool { capacity_bytes: 1 << 46, ..Pool::default() };
        Seen {
            memory: Memory {
                limit_bytes: Some(192 << 20),
                usage_bytes: Some(96 << 20),
                peak_bytes: 120 << 20,
                state: "normal".into(),
                watermarks: Some(Watermarks { elevated: 163 << 20, high: 176 << 20, critical: 184 << 20 }),
                budget_bytes: Some(44 << 20),
                pools_idle_bytes: 10 << 20,
                last_decision: Some(Decision { at_ms: 2500, reason: "others rose".into() }),
                ..Memory::default()
            },
            pools: Pools { pools: [("zstd.ctx".to_owned(), pool), ("export.body".to_owned(), fixed)].into() },
        }
    }

    fn status(seen: Option<&Seen>) -> Status<'_> {
        Status {
            title: "Ebbpool demo · adaptive pools",
            page: "http://127.0.0.1:9901/",
            elapsed: Duration::from_millis(12_300),
            run: Some(Duration::from_secs(60)),
            rates: Totals { offered: 400, completed: 398, shed: 1, errors: 1, timeouts: 0 },
            delays: Delays { count: 398, p50_ms: 1.25, p99_ms: 8.5 },
            seen,
            fault: Some("missing-put=3%"),
        }
    }

    #[test]
    fn the_block_says_everything_that_is_watched() {
        let seen = seen();
        let text = block(&status(Some(&seen)), 120).join("\n");
        for expected in [
            "12 s of 60 s",
            "http://127.0.0.1:9901/",
            "offered  400/s  completed  398/s  shed 1/s  failed 1/s",
            "p99 8.5 ms",
            "96.0 MiB of 192MiB (50 %), peak 120.0 MiB   state normal   idle budget 44.0 MiB",
            "# used  + idle  elevated 163, high 176, critical 184",
            "  zstd.ctx      10.0 MiB    70.0 MiB      30.0 MiB    95.0 %",
            "by objects",
            "decision  at 2.5 s: others rose",
            "missing-put=3% is armed",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
    }

    #[test]
    fn the_bar_is_to_scale() {
        let bar = bar(&seen().memory, 160).unwrap();
        let cells: Vec<char> = bar.chars().skip(11).take(80).collect();
        assert_eq!(cells.iter().filter(|c| **c == '#').count(), 35, "{bar}");
        assert_eq!(cells.iter().filter(|c| **c == '+').count(), 5, "{bar}");
        assert_eq!(cells[163 * 80 / 192], 'e', "{bar}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let seen = seen();
        for columns in [1, 30, 80] {
            assert!(block(&status(Some(&seen)), columns).iter().all(|l| l.chars().count() <= columns));
        }
        assert!(block(&status(None), 80).concat().contains("no reading yet"));
    }

    #[test]
    fn the_plain_line_has_the_same_numbers() {
        let seen = seen();
        let text = line(&status(Some(&seen)));
        assert!(text.starts_with(" 12.3 s  offered 400/s completed 398/s shed 1/s failed 1/s"), "{text}");
        assert!(text.contains("normal 96.0 MiB of 192.0 MiB") && text.contains("others rose"), "{text}");
        assert!(!text.contains('\n'));
    }
}

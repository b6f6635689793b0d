//! Advice as people read it, and as a file of configuration.

use super::{Advice, MIB, PoolAdvice, Support};
use std::fmt::Write as _;

/// A file with the floors and weights. The limit is the platform's to set; it stands there as a comment.
pub(super) fn config(limit_bytes: u64, support: &Support, pools: &[PoolAdvice]) -> String {
    let (limit, confidence) = (limit_bytes / MIB, support.confidence.as_str());
    let mut text =
        format!("# Memory limit of the service: {limit}MiB (confidence: {confidence}).\nversion: 1\n");
    let set: Vec<_> = pools.iter().filter(|pool| pool.floor_bytes > 0 || pool.weight != 100).collect();
    if !set.is_empty() {
        text.push_str("pools:\n");
    }
    for pool in set {
        // A JSON string is a YAML string, whatever is in it.
        let _ = writeln!(text, "  {}:", serde_json::Value::from(pool.name.as_str()));
        if pool.floor_bytes > 0 {
            let _ = writeln!(text, "    floor: {}KiB", pool.floor_bytes >> 10);
        }
        if pool.weight != 100 {
            let _ = writeln!(text, "    weight: {}", pool.weight);
        }
    }
    text
}

impl Advice {
    /// One JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("names and numbers")
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let (support, expected) = (&self.support, &self.expected);
        let percent = |share: f64| 100.0 * share;
        let mut text = format!(
            "limit: {} MiB (confidence: {})\n  {} MiB is the least under which the replay went well; the margin is {:.1} %:\n",
            self.limit_bytes / MIB,
            support.confidence.as_str(),
            self.least_bytes / MIB,
            percent(support.margin)
        );
        for part in &support.parts {
            let _ = writeln!(text, "  {:>5.1} %  {}", percent(part.share), part.why);
        }
        let _ = writeln!(
            text,
            "  with all of this set, the replay has its peak at {:.3} of the limit, is above .90 for {:.1} % of the time,\n  \
             and saves {:.1} % of what it saves without a limit",
            expected.peak,
            percent(expected.over_090),
            percent(expected.saved)
        );
        text.push_str("\nwhat shrinks first, when memory is scarce:\n");
        for (n, pool) in self.pools.iter().enumerate() {
            let worth = pool.worth_ns_per_byte.map_or_else(
                || "what a reuse saves is not known yet (sampling.timing)".to_owned(),
                |worth| format!("a reuse saves {worth} ns a byte"),
            );
            let _ = writeln!(
                text,
                "  {}. {}: {worth}; {:.1} MiB idle on the average; floor {:.1} MiB, weight {}",
                n + 1,
                pool.name,
                pool.idle_mean_bytes as f64 / MIB as f64,
                pool.floor_bytes as f64 / MIB as f64,
                pool.weight
            );
        }
        let _ = writeln!(text, "\nconfiguration:\n{}", self.config.trim_end());
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }
}

//! Whether a service meets the contract that dashboards, alerts and tools rely on. A pure judgement of what was seen.

use super::client::Answer;
use super::exposition;
use super::wire::{Health, Memory, Pools};
use crate::units::mib;
use pool_controller::metrics::MetricInfo;
use std::fmt;
use std::time::Duration;

/// What was seen of a service.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) health: Health,
    pub(crate) memory: Memory,
    pub(crate) pools: Pools,
    pub(crate) metrics: Answer,
    /// How long the next tick took; `None`: it did not come.
    pub(crate) ticked_within: Option<Duration>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) what: &'static str,
    pub(crate) is_ok: bool,
    /// What was seen and, if it is not ok, what to do.
    pub(crate) seen: String,
}

impl Line {
    fn new(what: &'static str, is_ok: bool, seen: impl Into<String>) -> Self {
        Self { what, is_ok, seen: seen.into() }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_ok { "ok" } else { "not ok" };
        write!(f, "{word:6}  {:7}  {}", self.what, self.seen)
    }
}

/// Judges, one line a promise.
pub(crate) fn judge(seen: &Seen) -> Vec<Line> {
    vec![
        health(&seen.health),
        mode(&seen.memory),
        alive(seen),
        limit(&seen.memory),
        pools(&seen.pools),
        leases(&seen.pools),
        reuse(&seen.pools),
        metrics(seen),
    ]
}

fn health(health: &Health) -> Line {
    let detail =
        if health.detail.is_empty() { String::new() } else { format!(": {}", health.detail.join("; ")) };
    Line::new("health", health.status == "ok", format!("{}{detail}", health.status))
}

fn mode(memory: &Memory) -> Line {
    let (is_ok, advice) = match memory.mode.as_str() {
        "enforce" => (true, String::new()),
        "observe" => (true, ": plans are published and not carried out".to_owned()),
        "frozen" => (false, ": no knob moves until the freeze ends; PUT /v1/mode ends it before".to_owned()),
        _ => {
            (false, ": nothing is steered; EBBPOOL_CONTROLLER or the builder has switched it off".to_owned())
        }
    };
    Line::new("mode", is_ok, format!("{}, policy {}{advice}", memory.mode, memory.policy))
}

fn alive(seen: &Seen) -> Line {
    match seen.ticked_within {
        Some(time) => {
            Line::new("loop", true, format!("tick {} and the next within {time:.0?}", seen.memory.tick))
        }
        None if seen.memory.mode == "off" => Line::new("loop", false, "switched off, so nothing ticks"),
        None => {
            let advice = "no tick for 5 s: look for a panic or a hang on the thread ebbpool-control, \
                          or whoever ticks by hand has stopped";
            Line::new("loop", false, format!("stays at tick {}; {advice}", seen.memory.tick))
        }
    }
}

fn limit(memory: &Memory) -> Line {
    let figures = match (memory.limit_bytes, memory.usage_bytes) {
        (Some(limit), Some(usage)) => format!("{} of {}", mib(usage), mib(limit)),
        _ => "not known".to_owned(),
    };
    let seen = format!("{figures}, {} ({})", memory.limit_kind, memory.source);
    if !memory.valid {
        let why = memory.invalid_reason.as_deref().unwrap_or("no reason given");
        return Line::new(
            "limit",
            false,
            format!("{seen}: {why}; pools fall to a safe capacity until it can be read"),
        );
    }
    match memory.limit_kind.as_str() {
        "none" => Line::new(
            "limit",
            false,
            format!("{seen}: the machine is the limit; give the service a memory limit"),
        ),
        "simulated" => Line::new("limit", true, format!("{seen}: nothing is killed at it")),
        _ => Line::new("limit", true, seen),
    }
}

fn pools(pools: &Pools) -> Line {
    let names: Vec<&str> = pools.pools.keys().map(String::as_str).collect();
    match names.len() {
        0 => Line::new("pools", false, "none: build pools with the registry that the controller has"),
        n => Line::new("pools", true, format!("{n}: {}", names.join(", "))),
    }
}

fn leases(pools: &Pools) -> Line {
    let off: Vec<&str> =
        pools.pools.iter().filter(|(_, pool)| pool.lease_level == "off").map(|(n, _)| n.as_str()).collect();
    if off.is_empty() {
        let mut levels: Vec<&str> = pools.pools.values().map(|pool| pool.lease_level.as_str()).collect();
        levels.sort_unstable();
        levels.dedup();
        return Line::new("leases", !levels.is_empty(), format!("recorded: {}", or_none(&levels)));
    }
    let advice = "a leak there would have no site; set sampling.leases, such as 1/128";
    Line::new("leases", false, format!("not recorded in {}: {advice}", off.join(", ")))
}

fn reuse(pools: &Pools) -> Line {
    let (all, hits) = (pools.gets().total(), pools.gets().reused());
    let never: Vec<&str> = pools
        .pools
        .iter()
        .filter(|(_, pool)| pool.gets_total.total() > 0 && pool.gets_total.reused() == 0)
        .map(|(name, _)| name.as_str())
        .collect();
    if all == 0 {
        return Line::new("reuse", false, "no gets yet: send the service some work, and look again");
    }
    let seen = format!("{hits} of {all} gets reused an object");
    if never.is_empty() {
        return Line::new("reuse", true, seen);
    }
    let advice = "look at its capacity and at whether what is got comes back";
    Line::new("reuse", false, format!("{seen}, and none in {}: {advice}", never.join(", ")))
}

fn metrics(seen: &Seen) -> Line {
    let answer = &seen.metrics;
    if answer.status != 200 {
        return Line::new("metrics", false, format!("GET /metrics: status {}", answer.status));
    }
    let names = match exposition::names(&answer.body) {
        Ok(names) => names,
        Err(problem) => {
            return Line::new("metrics", false, format!("GET /metrics cannot be scraped: {problem}"));
        }
    };
    let promised: Vec<&str> =
        MetricInfo::always(!seen.pools.pools.is_empty()).map(|metric| metric.name).collect();
    let missing: Vec<&str> = promised.iter().filter(|name| !names.contains(**name)).copied().collect();
    if missing.is_empty() {
        return Line::new(
            "metrics",
            true,
            format!("all {} that are always there, of {} names", promised.len(), names.len()),
        );
    }
    let advice = "register them with Handle::metrics, or bring the service to this command's version";
    Line::new("metrics", false, format!("GET /metrics lacks {}: {advice}", missing.join(", ")))
}

fn or_none(words: &[&str]) -> String {
    if words.is_empty() { "nothing, without pools".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
#[path = "contract_tests.rs"]
mod tests;

//! What must be remembered from tick to tick to tell a status: peaks, counts, the last decision.

use crate::act::Done;
use crate::decide::{Plan, PoolPlan, Pressure, Reason, State, share_of};
use crate::mode::Mode;
use crate::overrides;
use crate::seen::{Seen, SeenPool};
use crate::sense::{Reading, Source};
use crate::status::{Decision, MemoryStatus, PauseStatus, PoolBrief, Status, Watermarks};
use pool_core::Registry;
use std::collections::BTreeMap;
use std::time::Duration;

/// Remembers.
#[derive(Debug)]
pub(crate) struct History {
    policy: &'static str,
    tick: u64,
    peak_bytes: u64,
    lent_peak_bytes: u64,
    state: State,
    by_reason: BTreeMap<&'static str, u64>,
    last_decision: Option<Decision>,
}

impl History {
    pub(crate) fn new(policy: &'static str) -> Self {
        Self {
            policy,
            tick: 0,
            peak_bytes: 0,
            lent_peak_bytes: 0,
            state: State::Normal,
            by_reason: BTreeMap::new(),
            last_decision: None,
        }
    }

    /// Another policy decides from now on.
    pub(crate) fn set_policy(&mut self, policy: &'static str) {
        self.policy = policy;
    }

    /// The status of a tick. `plan` is `None` while nothing decides.
    pub(crate) fn record(
        &mut self,
        (at, mode): (Duration, Mode),
        seen: &Seen,
        plan: Option<Plan>,
        done: &Done,
        registry: &Registry,
    ) -> Status {
        self.tick += 1;
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        if let Some(plan) = &plan {
            self.remember_decision(at_ms, plan, done.changed);
        }
        let memory = &seen.memory;
        let (limit_bytes, usage_bytes) = (memory.limit.value(), memory.usage.value());
        let sum = |of: fn(&SeenPool) -> u64| seen.pools.iter().map(of).sum::<u64>();
        let (idle, lent) = (sum(|p| p.figures.idle_bytes), sum(|p| p.figures.lent_bytes));
        self.lent_peak_bytes = self.lent_peak_bytes.max(lent);
        let peaks = [usage_bytes, memory.usage_raw.value(), memory.kernel_peak];
        self.peak_bytes = peaks.into_iter().flatten().fold(self.peak_bytes, u64::max);
        let grant = registry.grant();
        let pressure_parts = plan.as_ref().map_or_else(Pressure::default, |plan| plan.pressure);
        let memory = MemoryStatus {
            at_ms,
            tick: self.tick,
            mode: mode.as_str(),
            policy: self.policy,
            source: memory.source.as_str(),
            allocator: seen.allocator,
            limit_bytes,
            limit_kind: limit_kind(memory.source),
            usage_bytes,
            rss_bytes: memory.rss.value(),
            peak_bytes: self.peak_bytes,
            oom_kills: memory.oom_kills,
            valid: limit_bytes.is_some() && usage_bytes.is_some(),
            invalid_reason: invalid_reason(&memory.limit, &memory.usage),
            state: self.state,
            pressure: pressure_parts.highest(),
            pressure_parts,
            pause: pause(seen),
            is_reclaimable: plan.as_ref().is_none_or(|plan| plan.is_reclaimable),
            watermarks: limit_bytes.map(watermarks),
            budget_bytes: plan.as_ref().and_then(|plan| plan.budget_bytes),
            grant_bytes: grant.left(),
            grant_exceeded_total: grant.exceeded_total(),
            reclaimed_bytes_total: grant.reclaimed_bytes_total().saturating_add(done.trimmed_bytes_total),
            pools_idle_bytes: idle,
            pools_lent_bytes: lent,
            lent_peak_bytes: self.lent_peak_bytes,
            other_bytes: usage_bytes.unwrap_or(0).saturating_sub(idle).saturating_sub(lent),
            decisions_total: self.by_reason.values().sum(),
            last_decision: self.last_decision.clone(),
            knob_reversals: done.knob_reversals,
        };
        let pools = seen.pools.iter().enumerate().map(|(at, pool)| brief(at, pool, plan.as_ref())).collect();
        let decisions_by_reason = self.by_reason.clone();
        // With the time that is left, and so read anew.
        let by_person =
            seen.pools.iter().zip(seen.pools.managed.iter()).filter(|(pool, _)| pool.held.is_persons);
        let overrides =
            by_person.flat_map(|(pool, managed)| overrides::of_pool(&pool.name, &managed.knobs())).collect();
        Status {
            memory,
            pools,
            overrides,
            canaries: Vec::new(),
            inputs: None,
            plan,
            decisions_by_reason,
            config: None,
            tick_time: Duration::ZERO,
        }
    }

    fn remember_decision(&mut self, at_ms: u64, plan: &Plan, changed: bool) {
        let moved = plan.state != self.state;
        self.state = plan.state;
        if !changed && !moved {
            return;
        }
        // What held growth back did not bring this decision about, unless nothing else is said.
        let telling: Vec<&Reason> =
            plan.reasons.iter().filter(|r| !matches!(r, Reason::GrowthHeld(_))).collect();
        let reasons = if telling.is_empty() { plan.reasons.iter().collect() } else { telling };
        let label = reasons.first().map_or("other", |reason| reason.label());
        *self.by_reason.entry(label).or_default() += 1;
        let reason = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        self.last_decision = Some(Decision { at_ms, state: plan.state, reason });
    }
}

fn brief(at: usize, pool: &SeenPool, plan: Option<&Plan>) -> PoolBrief {
    let is_it = |planned: &&PoolPlan| planned.name == pool.name;
    // Plans come in the order of the pools; a policy may leave some out.
    let planned =
        plan.and_then(|plan| plan.pools.get(at).filter(is_it).or_else(|| plan.pools.iter().find(is_it)));
    PoolBrief {
        name: pool.name.clone(),
        idle_bytes: pool.figures.idle_bytes,
        lent_bytes: pool.figures.lent_bytes,
        capacity_bytes: pool.figures.capacity_bytes,
        hit_ratio: pool.figures.gets.hit_ratio(),
        lost_estimate: planned.map_or(0, |planned| planned.lost_estimate),
    }
}

fn pause(seen: &Seen) -> PauseStatus {
    let pause = &seen.pause;
    PauseStatus {
        create_p99_ms: seen.create_p99_ns.map(|ns| ns as f64 / 1e6),
        lag_p99_ms: pause.lag.as_ref().map(|lag| lag.p99_ns as f64 / 1e6),
        psi_some_ratio: pause.psi_some_ratio.value(),
        psi_is_own: pause.psi_is_own,
        major_faults_per_s: pause.major_faults_per_s,
        cpu_is_taken: pause.cpu_is_taken,
    }
}

fn limit_kind(source: Source) -> &'static str {
    match source {
        Source::CgroupV1 | Source::CgroupV2 | Source::Hybrid => "real",
        Source::Simulated => "simulated",
        Source::Process => "none",
    }
}

fn watermarks(limit_bytes: u64) -> Watermarks {
    let mark = |state: State| share_of(limit_bytes, state.enter_permille());
    Watermarks { elevated: mark(State::Elevated), high: mark(State::High), critical: mark(State::Critical) }
}

fn invalid_reason(limit: &Reading<u64>, usage: &Reading<u64>) -> Option<String> {
    match (limit.why(), usage.why()) {
        (Some(why), _) => Some(format!("limit: {why}")),
        (None, Some(why)) => Some(format!("usage: {why}")),
        (None, None) => None,
    }
}

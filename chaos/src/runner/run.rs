//! One run, step by step: what is done to the processes, and when they are looked at.

use super::judge::judge;
use super::look::{Watched, look};
use super::report::Report;
use super::sample::{Recording, Trace};
use super::target::{Launcher, LiveTarget, Role, Target, TargetSpec};
use super::{Options, Progress, checks, http, recovery};
use crate::scenario::{ADMIN_VARIABLE, Action, HttpCall, Scenario};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How often both processes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How soon an interruption is noticed.
const POLL: Duration = Duration::from_millis(100);
/// Tries of a rollback; a target under pressure may miss one.
const ROLLBACK_TRIES: u32 = 3;

/// Why a run ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Go,
    Stop,
}

/// A run under way.
pub(super) struct Run<'a> {
    scenario: &'a Scenario,
    options: Options<'a>,
    start: Instant,
    subject: Watched,
    control: Option<Watched>,
    recording: Recording,
}

impl<'a> Run<'a> {
    pub(super) async fn begin(
        scenario: &'a Scenario,
        launcher: &mut impl Launcher,
        options: Options<'a>,
    ) -> Result<Self, String> {
        let spec = |role| TargetSpec {
            role,
            seed: scenario.seed,
            rps: scenario.rps,
            limit_bytes: options.limit_bytes,
            broken: options.broken.filter(|_| role == Role::Subject),
        };
        (options.progress)(&Progress::Phase("start"));
        let (subject, control): (Box<dyn Target>, _) = if let Some(admin) = &scenario.live_admin {
            http::authority(admin).map_err(|e| format!("{ADMIN_VARIABLE}: {e}"))?;
            (Box::new(LiveTarget::new(admin)), None)
        } else {
            if let Some(max) = scenario.limit_max_bytes.filter(|max| *max < options.limit_bytes) {
                let limit = options.limit_bytes;
                return Err(format!(
                    "the limit of {limit} bytes is above what the scenario requires, at most {max}"
                ));
            }
            let subject = launcher.launch(&spec(Role::Subject)).await?;
            (subject, Some(launcher.launch(&spec(Role::Control)).await?))
        };
        let recording =
            Recording { control: control.as_ref().map(|_| Trace::default()), ..Recording::default() };
        Ok(Self {
            scenario,
            options,
            start: Instant::now(),
            subject: Watched::new(subject),
            control: control.map(Watched::new),
            recording,
        })
    }

    pub(super) async fn warm_up(&mut self) -> Result<(), String> {
        self.phase("warm up");
        self.recording.steady_at = Duration::MAX;
        self.look().await;
        self.check_requirements()?;
        self.wait(self.options.warm_up).await;
        self.recording.steady_at = self.start.elapsed();
        Ok(())
    }

    /// A target that cannot do what the scenario needs is an error now, not a verdict later.
    fn check_requirements(&self) -> Result<(), String> {
        let admin = self.subject.target.admin();
        let first = self.recording.subject.samples.first();
        let memory = first.and_then(|s| s.memory.as_ref());
        let memory =
            memory.ok_or_else(|| format!("{admin} does not answer GET /v1/memory as the controller does"))?;
        if first.is_none_or(|s| s.faults.is_none()) {
            return Err(format!("{admin} has no fault routes; start the service with faults enabled"));
        }
        match (self.scenario.limit_max_bytes, memory.limit_bytes) {
            (Some(max), None) => {
                Err(format!("{admin} has no memory limit; the scenario requires at most {max} bytes"))
            }
            (Some(max), Some(limit)) if limit > max => {
                Err(format!("{admin} has a limit of {limit} bytes; the scenario requires at most {max}"))
            }
            _ => Ok(()),
        }
    }

    /// Hypothesis, method, rollbacks, hypothesis.
    pub(super) async fn carry_out(&mut self) -> Flow {
        if self.is_over() {
            return Flow::Stop;
        }
        self.phase("steady state");
        self.recording.unsteady_before = self.probe().await;
        if !self.recording.unsteady_before.is_empty() {
            return Flow::Stop;
        }
        self.phase("fault on");
        self.recording.armed_at = Some(self.start.elapsed());
        let flow = self.method().await;
        self.phase("rollbacks");
        self.roll_back().await;
        self.recording.disarmed_at = Some(self.start.elapsed());
        self.look().await;
        if self.recording.subject.death.is_none() {
            self.recording.unsteady_after = self.probe().await;
        }
        flow
    }

    async fn method(&mut self) -> Flow {
        for action in &self.scenario.method {
            if self.wait(action.pause_before).await == Flow::Stop {
                return Flow::Stop;
            }
            if let Err(problem) = self.act(action).await {
                self.recording.method_problem = Some(problem);
                return Flow::Stop;
            }
            if self.wait(action.pause_after).await == Flow::Stop {
                return Flow::Stop;
            }
        }
        Flow::Go
    }

    async fn roll_back(&mut self) {
        for action in &self.scenario.rollbacks {
            let mut tried = Ok(());
            for _ in 0..ROLLBACK_TRIES {
                tried = self.act(action).await;
                if tried.is_ok() || self.subject.target.death().is_some() {
                    break;
                }
            }
            if let Err(problem) = tried {
                self.recording.rollback_problem.get_or_insert(problem);
            }
        }
    }

    async fn act(&self, action: &Action) -> Result<(), String> {
        let call = action.call.seeded(self.scenario.seed);
        let answer = http::send(self.subject.target.admin(), &as_request(&call)).await?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(format!("{} {}: status {}{}", call.method, call.path, answer.status, answer.excerpt()))
    }

    /// What the hypothesis's probes found wrong.
    async fn probe(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for probe in &self.scenario.hypothesis {
            let found =
                http::send(self.subject.target.admin(), &as_request(&probe.call)).await.and_then(|answer| {
                    let body: serde_json::Value = serde_json::from_slice(&answer.body)
                        .map_err(|e| format!("the answer is not JSON: {e}"))?;
                    Ok(probe.path.find(&body).cloned())
                });
            let problem = match found {
                Ok(Some(value)) if equal(&value, &probe.expect) => continue,
                Ok(Some(value)) => format!("{} is {value}, not {}", probe.path, probe.expect),
                Ok(None) => format!("{} is not in the answer", probe.path),
                Err(problem) => problem,
            };
            wrong.push(format!("{}: {problem}", probe.name));
        }
        wrong
    }

    pub(super) async fn watch_recovery(&mut self) {
        self.phase("recovery");
        while !self.is_over() && !recovery::is_decided(self.scenario, &self.recording) {
            if self.wait(LOOK_EVERY).await == Flow::Stop {
                return;
            }
        }
    }

    /// Waits, and looks meanwhile.
    async fn wait(&mut self, duration: Duration) -> Flow {
        let end = self.start.elapsed() + duration;
        loop {
            let last = self.recording.subject.samples.last().map_or(Duration::ZERO, |sample| sample.at);
            let now = self.start.elapsed();
            if now >= last + LOOK_EVERY {
                self.look().await;
                if self.is_over() {
                    return Flow::Stop;
                }
            }
            let now = self.start.elapsed();
            if now >= end {
                return Flow::Go;
            }
            if self.options.interrupt.load(Relaxed) {
                self.recording.interrupted = true;
                return Flow::Stop;
            }
            let next = (last + LOOK_EVERY).max(now + Duration::from_millis(1)).min(end);
            tokio::time::sleep(next.saturating_sub(now).min(POLL)).await;
        }
    }

    async fn look(&mut self) {
        let timeout = self.options.route_timeout;
        look(self.start, timeout, &mut self.subject, self.control.as_mut(), &mut self.recording).await;
        (self.options.progress)(&Progress::Look(&self.recording));
    }

    /// Whether there is nothing left to find out.
    fn is_over(&self) -> bool {
        let dead = |trace: &Trace| trace.death.is_some();
        let newest = self.recording.newest();
        self.recording.interrupted
            || dead(&self.recording.subject)
            || self.recording.control.as_ref().is_some_and(dead)
            || checks::violated_now(self.scenario, &self.recording)
            || newest.is_some_and(|i| self.stop_is_due(i))
    }

    fn stop_is_due(&self, index: usize) -> bool {
        let due = |role| checks::stop_is_due(self.scenario, &self.recording, role, index).is_some();
        due(Role::Subject) || (self.control.is_some() && due(Role::Control))
    }

    fn phase(&mut self, name: &str) {
        (self.options.progress)(&Progress::Phase(name));
    }

    pub(super) async fn end(self) {
        self.subject.target.end().await;
        if let Some(control) = self.control {
            control.target.end().await;
        }
    }

    pub(super) fn report(&self) -> Report {
        let judgement = judge(self.scenario, &self.recording);
        let targets = (self.subject.target.as_ref(), self.control.as_ref().map(|c| c.target.as_ref()));
        Report::new(
            self.scenario,
            &self.recording,
            judgement,
            self.options.broken,
            targets,
            self.start.elapsed(),
        )
    }
}

fn as_request(call: &HttpCall) -> http::Call<'_> {
    http::Call {
        method: call.method.as_str(),
        path: &call.path,
        headers: &call.headers,
        body: call.arguments.as_ref(),
        timeout: call.timeout,
    }
}

/// Numbers by value, so that 0 and 0.0 are the same; all else as it stands.
fn equal(found: &serde_json::Value, expected: &serde_json::Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() < f64::EPSILON,
        _ => found == expected,
    }
}

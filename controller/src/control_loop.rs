//! The loop: sense → decide → act, and publish. One tick fits on one screen.

use crate::act::Act;
use crate::builder::{Builder, JournalSink};
use crate::canary::Canaries;
use crate::config::live::Live;
use crate::decide::{Decider, journal_line};
use crate::history::History;
use crate::mode::Mode;
use crate::postmortem::{Record, Ring};
use crate::runner::{Handle, Runner};
use crate::seen::{Seen, SeenPools, Senses};
use crate::sense::lag::{self, Lags};
use crate::shared::Shared;
use crate::status::Status;
use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Time between two ticks.
pub const TICK: Duration = Duration::from_millis(250);

/// Steers the pools of one registry. Build it with [`Controller::builder`], then [`spawn`](Self::spawn) it, or
/// [`tick`](Self::tick) it by hand.
///
/// ```
/// use pool_controller::{Controller, LimitSource, Mode};
/// use pool_core::{Pool, Registry};
///
/// let registry = Registry::new();
/// let pool = Pool::builder("http.body").registry(&registry).build_with(Vec::<u8>::new)?;
/// let mut controller = Controller::builder()
///     .registry(&registry)
///     .mode(Mode::Enforce)
///     .limit(LimitSource::Simulated(512 << 20))
///     .build()?;
/// let status = controller.tick(std::time::Instant::now());
/// assert_eq!(status.memory.limit_bytes, Some(512 << 20));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Controller {
    pub(crate) senses: Senses,
    decider: Decider,
    act: Act,
    history: History,
    canaries: Canaries,
    /// As the last tick saw them: the next one writes over it.
    pools: SeenPools,
    shared: Arc<Shared>,
    pub(crate) live: Live,
    /// The service's, to be watched once the controller runs.
    runtime: Option<tokio::runtime::Handle>,
    notes: Notes,
}

/// What is written down for later, by whoever asked for it.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) ring: Option<Ring>,
    pub(crate) journal: Option<JournalSink>,
}

impl Controller {
    /// A builder with everything at its default.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(
        senses: Senses,
        mut decider: Decider,
        shared: Arc<Shared>,
        mut live: Live,
        runtime: Option<tokio::runtime::Handle>,
        notes: Notes,
    ) -> Self {
        live.choose_policy(&mut decider);
        let history = History::new(decider.policy_name());
        let act = Act::new(shared.registry.clone(), shared.mode(), senses.allocator());
        let (canaries, pools) = (Canaries::default(), SeenPools::default());
        Self { senses, decider, act, history, canaries, pools, shared, live, runtime, notes }
    }

    /// One turn by hand: looks, decides, acts according to the mode, publishes. `now` should not fall; a time
    /// before the start counts as the start. Who ticks by hand has no watchdog: if the ticks stop, the pools
    /// stay as the last one left them.
    pub fn tick(&mut self, now: Instant) -> Arc<Status> {
        let began = Instant::now();
        let at = now.saturating_duration_since(self.shared.started);
        self.follow_config(at);
        let pools = std::mem::take(&mut self.pools);
        let mut seen = self.senses.look(pools, (at, now), &self.shared.registry);
        let status = self.turn(began, (at, now), &seen);
        seen.tell_suspects(); // last: whoever listens keeps nothing waiting but the next turn
        seen.pools.part();
        self.pools = seen.pools;
        status
    }

    /// Takes over what has changed in the configuration.
    fn follow_config(&mut self, at: Duration) {
        let mode = self.shared.steering.mode(at);
        if mode == Mode::Off {
            return;
        }
        let before = self.live.mode();
        if self.live.look(at) {
            if self.live.mode() != before {
                // Refused if the environment has the last word.
                let _ = self.shared.steering.set_beneath(self.live.mode());
            }
            self.live.choose_policy(&mut self.decider);
            self.history.set_policy(self.decider.policy_name());
            self.senses.set_suspect_after(self.live.suspect_after());
            self.shared.set_suspect_after(self.live.suspect_after());
        }
        self.live.follow(at, &self.shared.registry, mode != Mode::Frozen);
    }

    /// Decides, acts and publishes.
    fn turn(&mut self, began: Instant, (at, now): (Duration, Instant), seen: &Seen) -> Arc<Status> {
        let mode = self.shared.steering.mode(at);
        if mode == Mode::Off {
            let done = self.act.done();
            let mut status = self.history.record((at, mode), seen, None, &done, &self.shared.registry);
            status.inputs = Some(seen.inputs(self.act.knobs(), &done));
            status.config = self.live.status();
            status.canaries = self.canaries.look(at, &self.shared.registry.splits(), &seen.pools);
            return self.shared.publish(status);
        }
        self.act.be(mode, &seen.pools.managed);
        let done_before = self.act.done();
        let mut inputs = seen.inputs(self.act.knobs(), &done_before);
        self.live.add_floors(&mut inputs);
        let plan = self.decider.decide(at, &inputs);
        if let Some(journal) = &mut self.notes.journal {
            journal(&journal_line(self.decider.who(), at, &inputs, &plan));
        }
        self.shared.valve.set(&inputs, seen.lent_bytes(), plan.is_reclaimable);
        let done = self.act.carry_out(at, now, &seen.pools, &plan, inputs.limit_bytes);
        let mut status = self.history.record((at, mode), seen, Some(plan), &done, &self.shared.registry);
        status.config = self.live.status();
        status.canaries = self.canaries.look(at, &self.shared.registry.splits(), &seen.pools);
        status.tick_time = began.elapsed();
        self.shared.lease.renew(at, inputs.limit_bytes);
        if let Some(ring) = &mut self.notes.ring {
            ring.write(at, &Record::of(&status, &inputs.level));
        }
        status.inputs = Some(inputs);
        self.shared.publish(status)
    }

    /// Lets it run on a thread of its own, four times a second and whenever creates have used up the grant, with
    /// a watchdog beside it. In mode [`Off`](Mode::Off) no thread is started. The first tick is done here.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn spawn(mut self) -> io::Result<Handle> {
        self.tick(Instant::now());
        Runner::start(self)
    }

    /// The mode in force, the environment's word included.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shared.mode()
    }

    /// Starts to watch the runtime, if there is one, and returns what the probe of the operating system's timers is to
    /// write to.
    pub(crate) fn watch_lag(&mut self) -> Weak<Lags> {
        let probes = &mut self.senses.probes;
        if let Some(runtime) = &self.runtime {
            let lags = probes.runtime.insert(Arc::default());
            runtime.spawn(lag::probe_task(Arc::downgrade(lags)));
        }
        Arc::downgrade(probes.thread.insert(Arc::default()))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller").field("mode", &self.mode()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "control_loop_tests.rs"]
mod tests;

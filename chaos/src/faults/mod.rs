//! What can go wrong on purpose, inside the process that has the pools.
//!
//! [`FaultBox`] is the typed layer on top of the `fail` crate: `fail` is the switch, and here is decided what
//! happens at a hit (rate, count, seed, pool, time-to-live), because fail's own randomness is unseeded and it
//! counts nothing. Whatever is armed ends by itself when its time-to-live is over.
//!
//! This module does not know HTTP, scenarios or the controller.

mod balloon;
mod catalogue;
mod env;
mod missing_put;
mod random;
mod request;
mod status;
#[cfg(test)]
mod tests;
mod timer;
mod when;

pub use catalogue::FaultName;
pub use request::{FaultRequest, RAMP_DEFAULT, SEED_DEFAULT, TARGET_RATIO_MAX};
pub use status::{ArmedFault, BalloonStatus, FaultsStatus};
pub use when::When;

use crate::{Refused, RefusedKind, suggest};
use balloon::Balloon;
use missing_put::{Armed, Gate};
use pool_core::{Registry, fault};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use timer::Timer;

/// What the process uses and may use, as a balloon needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// In use, bytes.
    pub usage_bytes: u64,
    /// The limit, bytes.
    pub limit_bytes: u64,
}

/// The faults of one process. Cheap to clone; when the last clone goes, everything is disarmed.
///
/// A process has one: what pools ask at a hit is process-wide, and so are the failpoints.
#[derive(Clone)]
pub struct FaultBox(Arc<Inner>);

struct Inner {
    registry: Registry,
    memory: Box<dyn Fn() -> Option<Memory> + Send + Sync>,
    gate: Arc<Gate>,
    /// One change at a time; held while a balloon is waited for, so expiry never takes it.
    changing: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    generation: u64,
    missing_put: Option<ArmedMissingPut>,
    /// The latest arming, kept after its end for its sites.
    latest_missing_put: Option<Arc<Armed>>,
    balloon: Option<ArmedBalloon>,
    balloon_hits_before: u64,
}

struct ArmedMissingPut {
    generation: u64,
    armed: Arc<Armed>,
    _timer: Option<Timer>,
}

struct ArmedBalloon {
    generation: u64,
    balloon: Balloon,
    target_ratio: f64,
    at_arming: Memory,
    target_bytes: u64,
    deadline: Instant,
}

impl FaultBox {
    /// A box for the pools of `registry`. `memory` tells usage and limit when a balloon is armed; `None` means
    /// that there is no limit, and a balloon is refused.
    pub fn new(registry: &Registry, memory: impl Fn() -> Option<Memory> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            registry: registry.clone(),
            memory: Box::new(memory),
            gate: Arc::default(),
            changing: Mutex::default(),
            state: Mutex::default(),
        }))
    }

    /// Arms a fault, in place of what was armed under its name.
    ///
    /// # Errors
    /// [`Refused`]: the pool does not exist, there is no memory to take, or the system refuses a thread or a
    /// mapping. Then the fault is not armed.
    pub fn arm(&self, request: &FaultRequest) -> Result<(), Refused> {
        let _changing = lock(&self.0.changing);
        self.0.disarm(request.name());
        match request {
            FaultRequest::MissingPut { pool, when, seed, ttl } => {
                self.arm_missing_put(pool.as_deref(), when, *seed, *ttl)
            }
            FaultRequest::MemoryBalloon { target_ratio, ramp, ttl } => {
                self.arm_balloon(*target_ratio, *ramp, *ttl)
            }
        }
    }

    /// Disarms a fault; returns whether it was armed. A balloon's memory is back with the system then.
    #[must_use = "false means that nothing was armed"]
    pub fn disarm(&self, name: FaultName) -> bool {
        let _changing = lock(&self.0.changing);
        self.0.disarm(name)
    }

    /// Disarms everything; returns what was armed.
    #[allow(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn disarm_all(&self) -> Vec<FaultName> {
        let _changing = lock(&self.0.changing);
        FaultName::ALL.into_iter().filter(|name| self.0.disarm(*name)).collect()
    }

    fn arm_missing_put(
        &self,
        pool: Option<&str>,
        when: &When,
        seed: u64,
        ttl: Option<Duration>,
    ) -> Result<(), Refused> {
        if !fail::has_failpoints() {
            return Err(unable(
                "fault",
                "missing-put",
                "failpoints are compiled out",
                "a build with failpoints",
            ));
        }
        let pools = self.0.registry.pools();
        if let Some(pool) = pool {
            let names: Vec<&str> = pools.iter().map(|p| p.name()).collect();
            if !names.contains(&pool) {
                let problem = format!("there is no such pool{}", suggest::hint(pool, names.iter().copied()));
                let refused = Refused::invalid("pool", pool, problem, names.join(", "));
                return Err(refused.of_kind(RefusedKind::Unknown));
            }
        }
        let mut state = lock(&self.0.state);
        let generation = state.next_generation();
        let deadline = ttl.map(|ttl| Instant::now() + ttl);
        let timer = ttl
            .map(|ttl| {
                let inner = Arc::downgrade(&self.0);
                Timer::start(ttl, move || expire(&inner, FaultName::MissingPut, generation))
            })
            .transpose()
            .map_err(|e| unable("ttl", "", &format!("no thread to watch it: {e}"), "a thread"))?;
        let armed = Arc::new(Armed::new(pool.map(str::to_owned), when.clone(), seed, deadline));
        self.0.gate.set(Some(Arc::clone(&armed)));
        fault::set_decider(Some(Arc::clone(&self.0.gate) as Arc<dyn fault::Decider>));
        // Rate and way are ours, so the switch itself is plain.
        fail::cfg(fault::MISSING_PUT, "return")
            .map_err(|e| unable("when", &when.to_string(), &e, "a build with failpoints"))?;
        for managed in pools.iter().filter(|p| pool.is_none_or(|name| name == p.name())) {
            managed.set_faults_armed(true);
        }
        state.latest_missing_put = Some(Arc::clone(&armed));
        state.missing_put = Some(ArmedMissingPut { generation, armed, _timer: timer });
        Ok(())
    }

    fn arm_balloon(&self, target_ratio: f64, ramp: Duration, ttl: Duration) -> Result<(), Refused> {
        let Some(at_arming) = (self.0.memory)() else {
            let allowed = "a process that runs under a memory limit and can read its usage";
            return Err(unable("memory-balloon", "", "no limit to fill", allowed));
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let target_bytes = (at_arming.limit_bytes as f64 * target_ratio) as u64;
        let target_bytes = target_bytes.saturating_sub(at_arming.usage_bytes);
        if target_bytes == 0 {
            let share = at_arming.usage_bytes as f64 / at_arming.limit_bytes as f64;
            let problem = format!("nothing to take: usage is {share:.3} of the limit already");
            return Err(unable("target_ratio", &target_ratio.to_string(), &problem, "more than that"));
        }
        let mut state = lock(&self.0.state);
        let generation = state.next_generation();
        let inner = Arc::downgrade(&self.0);
        let bytes = usize::try_from(target_bytes).map_err(|_| {
            unable("target_ratio", &target_ratio.to_string(), "more than can be mapped", "less")
        })?;
        let balloon =
            Balloon::inflate(bytes, ramp, ttl, move || expire(&inner, FaultName::MemoryBalloon, generation))
                .map_err(|e| {
                    unable("memory-balloon", "", &format!("cannot map {bytes} bytes: {e}"), "less")
                })?;
        let deadline = Instant::now() + ttl;
        state.balloon =
            Some(ArmedBalloon { generation, balloon, target_ratio, at_arming, target_bytes, deadline });
        Ok(())
    }
}

impl Inner {
    fn disarm(&self, name: FaultName) -> bool {
        let mut state = lock(&self.state);
        match name {
            FaultName::MissingPut => self.end_missing_put(&mut state),
            FaultName::MemoryBalloon => {
                let Some(ended) = state.end_balloon() else { return false };
                // Its thread may be waiting for the state in its own expiry.
                drop(state);
                drop(ended.balloon);
                true
            }
        }
    }

    fn end_missing_put(&self, state: &mut State) -> bool {
        let Some(ended) = state.missing_put.take() else { return false };
        for pool in self.registry.pools() {
            pool.set_faults_armed(false);
        }
        fail::remove(fault::MISSING_PUT);
        fault::set_decider(None);
        self.gate.set(None);
        drop(ended);
        true
    }
}

impl State {
    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    fn end_balloon(&mut self) -> Option<ArmedBalloon> {
        let ended = self.balloon.take()?;
        self.balloon_hits_before += ended.balloon.steps();
        Some(ended)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for name in FaultName::ALL {
            self.disarm(name);
        }
    }
}

/// A time-to-live is over; a fault that was armed anew since is not concerned.
fn expire(inner: &Weak<Inner>, name: FaultName, generation: u64) {
    let Some(inner) = inner.upgrade() else { return };
    let mut state = lock(&inner.state);
    match name {
        FaultName::MissingPut => {
            if state.missing_put.as_ref().is_some_and(|m| m.generation == generation) {
                inner.end_missing_put(&mut state);
            }
        }
        FaultName::MemoryBalloon => {
            if state.balloon.as_ref().is_some_and(|b| b.generation == generation)
                && let Some(ended) = state.end_balloon()
            {
                ended.balloon.detach();
            }
        }
    }
    drop(state);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unable(path: &str, value: &str, problem: &str, allowed: &str) -> Refused {
    Refused::invalid(path, value, problem, allowed).of_kind(RefusedKind::Unable)
}

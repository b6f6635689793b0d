//! Overrides by hand: what a person sets on a pool for a time, what is in force, and taking it back.

use crate::act::Said;
use crate::config::by_hand::{self, KINDS, Told};
use crate::config::{Refused, RefusedKind, suggest};
use crate::runner::Handle;
use pool_core::{Author, Change, Knob, KnobKind, Knobs, Managed, Setting, Share, Split};
use serde::Serialize;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A knob that a person has set for a time. It is in force: nobody stands above a person.
///
/// See the example of [`Handle::override_knobs`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Override {
    /// The pool.
    pub pool: String,
    /// The knob: `capacity`, `sampling`, `eviction`, `reuse` or `priority`.
    pub knob: &'static str,
    /// Its fields with their values, as a file of configuration has them.
    pub fields: Told,
    /// Who and why, as it was told.
    pub reason: String,
    /// For how many more seconds, rounded up.
    pub left_s: Option<u64>,
    /// The pool's generation of knobs with which it came.
    pub generation: u64,
}

impl Override {
    /// How long an override lasts if nothing is said: 15 minutes.
    pub const TIME_DEFAULT: Duration = Duration::from_secs(15 * 60);
    /// How long it may last: a day. What is to stay belongs into the configuration.
    pub const TIME_MAX: Duration = Duration::from_secs(24 * 3600);
    /// The longest reason, bytes.
    pub const REASON_MAX: usize = 200;
}

impl Handle {
    /// What people have set by hand and is in force, by pool and knob.
    #[must_use]
    pub fn overrides(&self) -> Vec<Override> {
        let pools = self.shared().registry.pools();
        pools.iter().flat_map(|pool| of_pool(pool.name(), &pool.knobs())).collect()
    }

    /// Sets fields of a pool's knobs as a person, above operators and policies, for `time`: a millisecond to a day. What
    /// of a knob is left out stays as it is in force now. It is all set or, if anything is refused, nothing. It ends by
    /// itself, also if this controller hangs or has ended, and in any mode. A later override of a knob takes the place of
    /// an earlier one.
    ///
    /// After a lower capacity room is made at once, on the calling thread: a pass over this pool, which waits for the one
    /// that is under way, and drops for 100 ms at most; a thread drops the rest. While ticks are overdue
    /// ([`is_stalled`](Self::is_stalled)) there is no pass, since the loop may hang in one: what is in magazines then goes as
    /// threads use them.
    ///
    /// ```
    /// # use pool_controller::Controller;
    /// # use pool_core::Pool;
    /// # use std::time::Duration;
    /// # let registry = pool_core::Registry::new();
    /// # let pool = Pool::builder("http.body").registry(&registry).build_with(Vec::<u8>::new)?;
    /// let handle = Controller::builder().registry(&registry).build()?.spawn()?;
    /// let fields = [("capacity.bytes".to_owned(), "8MiB".to_owned())];
    /// handle.override_knobs("http.body", &fields, Duration::from_secs(600), "incident 12")?;
    /// assert_eq!(handle.overrides()[0].fields["capacity.bytes"], "8MiB");
    /// assert!(handle.withdraw_override("http.body", "capacity")?);
    /// assert!(handle.overrides().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Refused`]: no such pool ([`RefusedKind::Unknown`]), a field, value, time or reason that is not allowed, or a
    /// system that gives no thread for the end ([`RefusedKind::Unable`]).
    pub fn override_knobs(
        &self,
        pool: &str,
        fields: &[(String, String)],
        time: Duration,
        reason: &str,
    ) -> Result<(), Refused> {
        let pool = self.pool_named(pool)?;
        let said = said(time, reason)?;
        let shared = self.shared();
        let turn = shared.person.turn();
        let settings = by_hand::settings(&pool.knobs(), fields)?;
        let passes = Some(&shared.registry).filter(|_| !self.is_stalled());
        turn.set(&pool, settings, &said, passes).map_err(|error| no_end(&error))
    }

    /// Takes back what a person has set on a knob, which is named by itself or by one of its fields. Whether there was
    /// anything.
    ///
    /// See the example of [`override_knobs`](Self::override_knobs).
    ///
    /// # Errors
    /// [`Refused`]: no such pool ([`RefusedKind::Unknown`]), or no such knob.
    pub fn withdraw_override(&self, pool: &str, knob: &str) -> Result<bool, Refused> {
        let pool = self.pool_named(pool)?;
        let knob = by_hand::kind_of(knob)?;
        Ok(self.shared().person.turn().withdraw(pool.as_ref(), knob))
    }

    /// Sets the share of gets that use the canary of `pool`, 0 to 100 percent, as a person, for `time`; the salt stays. It
    /// ends as [`override_knobs`](Self::override_knobs) says. A share of 0 is a rollback: it counts with the next get.
    ///
    /// ```
    /// # use pool_controller::Controller;
    /// # use pool_core::Pool;
    /// # use std::time::Duration;
    /// # let registry = pool_core::Registry::new();
    /// let lines = Pool::builder("lines").registry(&registry).build_canary_with(String::new, |canary| canary)?;
    /// let handle = Controller::builder().registry(&registry).build()?.spawn()?;
    /// handle.override_share("lines", 30.0, Duration::from_secs(600), "a look at 30 %")?;
    /// assert_eq!(lines.split().share().value.ratio().get(), 0.3);
    /// assert!(handle.withdraw_share("lines")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Refused`]: no such pool with a canary ([`RefusedKind::Unknown`]), or as there.
    pub fn override_share(
        &self,
        pool: &str,
        percent: f64,
        time: Duration,
        reason: &str,
    ) -> Result<(), Refused> {
        let split = self.split_named(pool)?;
        let said = said(time, reason)?;
        let wanted = Share::percent(percent);
        let wanted = wanted.map_err(|_| {
            Refused::invalid("percent", percent.to_string(), "out of range", "a number from 0 to 100")
        })?;
        let share = split.share().value.with_ratio(wanted.ratio());
        self.shared().person.set_share(&split, share, said).map_err(|error| no_end(&error))
    }

    /// Takes back the share that a person has set; whether there was one.
    ///
    /// See the example of [`override_share`](Self::override_share).
    ///
    /// # Errors
    /// [`Refused`]: no such pool with a canary ([`RefusedKind::Unknown`]).
    pub fn withdraw_share(&self, pool: &str) -> Result<bool, Refused> {
        let split = self.split_named(pool)?;
        // One that is over is taken off by the reading, and is none.
        let _ = split.share();
        Ok(split.withdraw(Author::Person))
    }

    /// The canary of the pool of that name.
    pub(crate) fn split_named(&self, name: &str) -> Result<Arc<Split>, Refused> {
        let splits = self.shared().registry.splits();
        let found = splits.iter().find(|split| split.name() == name);
        found.cloned().ok_or_else(|| {
            let names = splits.iter().map(|split| split.name());
            let problem =
                format!("there is no pool of that name with a canary{}", suggest::hint(name, names.clone()));
            refused_name(name, problem, names)
        })
    }

    /// The pool of that name.
    pub(crate) fn pool_named(&self, name: &str) -> Result<Arc<dyn Managed>, Refused> {
        let pools = self.shared().registry.pools();
        let found = pools.iter().find(|pool| pool.name() == name);
        found.cloned().ok_or_else(|| {
            let names = pools.iter().map(|pool| pool.name());
            let problem = format!("there is no pool of that name{}", suggest::hint(name, names.clone()));
            refused_name(name, problem, names)
        })
    }
}

fn refused_name<'a>(name: &str, problem: String, names: impl Iterator<Item = &'a str>) -> Refused {
    let names: Vec<_> = names.collect();
    let allowed = if names.is_empty() { "none is registered".to_owned() } else { names.join(", ") };
    Refused::invalid("pool", name, problem, allowed).of_kind(RefusedKind::Unknown)
}

fn no_end(error: &io::Error) -> Refused {
    let problem = format!("the system gives no thread that would end it: {error}");
    Refused::invalid("for", "", problem, "another try").of_kind(RefusedKind::Unable)
}

/// Checks what each change by a person needs.
fn said(time: Duration, reason: &str) -> Result<Said, Refused> {
    let change = Change::person(reason, time).ok().filter(|_| time <= Override::TIME_MAX);
    let Some(change) = change else {
        return Err(Refused::invalid("for", format!("{time:?}"), "out of range", "1ms to 24h"));
    };
    let max = Override::REASON_MAX;
    if reason.trim().is_empty() || reason.len() > max || reason.chars().any(char::is_control) {
        let allowed = format!("one line of at most {max} bytes that says why");
        return Err(Refused::invalid("reason", reason, "no reason that can be shown", allowed));
    }
    Ok(Said { change, time })
}

/// What people have set on a pool with these knobs.
pub(crate) fn of_pool(pool: &str, knobs: &Knobs) -> Vec<Override> {
    let mut overrides = Vec::new();
    for kind in KINDS {
        let knob = InForce::of(knobs, kind);
        if knob.author == Author::Person {
            overrides.push(Override {
                pool: pool.to_owned(),
                knob: by_hand::name_of(kind),
                fields: by_hand::told(knob.setting),
                reason: knob.reason.to_owned(),
                left_s: knob.expires_in.map(seconds),
                generation: knob.generation,
            });
        }
    }
    overrides
}

/// A knob, whichever it is.
pub(crate) struct InForce<'a> {
    pub(crate) setting: Setting,
    pub(crate) built: Setting,
    pub(crate) author: Author,
    pub(crate) reason: &'a str,
    pub(crate) generation: u64,
    pub(crate) expires_in: Option<Duration>,
}

impl<'a> InForce<'a> {
    pub(crate) fn of(knobs: &'a Knobs, kind: KnobKind) -> Self {
        match kind {
            KnobKind::Capacity => Self::with(&knobs.capacity, Setting::Capacity),
            KnobKind::Sampling => Self::with(&knobs.sampling, Setting::Sampling),
            KnobKind::Eviction => Self::with(&knobs.eviction, Setting::Eviction),
            KnobKind::Reuse => Self::with(&knobs.reuse, Setting::Reuse),
            KnobKind::Priority => Self::with(&knobs.priority, Setting::Priority),
        }
    }

    fn with<T: Copy>(knob: &'a Knob<T>, setting: fn(T) -> Setting) -> Self {
        Self {
            setting: setting(knob.value),
            built: setting(knob.built),
            author: knob.author,
            reason: &knob.reason,
            generation: knob.generation,
            expires_in: knob.expires_in,
        }
    }
}

/// Seconds, rounded up: what is left is never shown as nothing.
pub(crate) fn seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

#[cfg(test)]
#[path = "overrides_tests.rs"]
mod tests;

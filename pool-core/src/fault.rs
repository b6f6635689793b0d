//! Fault sites: where a test or a chaos run makes the pool misbehave.
//!
//! `fail` is the switch: a site is live while a failpoint of its name is configured. What happens at a hit is
//! asked of the process's [`Decider`], because fail's own randomness is unseeded and it counts nothing.
//! A pool consults its sites only while it is armed
//! ([`Managed::set_faults_armed`](crate::Managed::set_faults_armed)), which costs unarmed pools nothing: the
//! flag shares the attention word that the fast path reads anyway.

use std::panic::Location;
use std::sync::{Arc, PoisonError, RwLock};

/// The failpoint at which a lease may be made never to return.
///
/// See the example of [`set_decider`].
pub const MISSING_PUT: &str = "missing-put";

/// A lease that never returns, in one of two ways.
///
/// See the example of [`set_decider`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingPut {
    /// The value is dropped behind the pool's back: what it held is freed, its place in the pool and its reuse are
    /// lost.
    Dropped,
    /// The value stays allocated for ever.
    Kept,
}

/// One arrival at a live site.
///
/// See the example of [`set_decider`].
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    /// The pool.
    pub pool: &'a str,
    /// Where the lease began.
    pub site: &'static Location<'static>,
    /// The failpoint's argument: `kept` in `return(kept)`.
    pub argument: Option<&'a str>,
}

/// Decides what happens at a hit: rate, seed, count and time-to-live are its business.
///
/// See the example of [`set_decider`].
pub trait Decider: Send + Sync {
    /// A lease begins; `Some` makes it one that never returns.
    fn missing_put(&self, hit: &Hit<'_>) -> Option<MissingPut>;
}

static DECIDER: RwLock<Option<Arc<dyn Decider>>> = RwLock::new(None);

/// Sets (or with `None` removes) the process's decider.
///
/// ```
/// use pool_core::Pool;
/// use pool_core::fault::{self, Decider, Hit, MissingPut};
/// use std::sync::Arc;
///
/// struct Loses;
/// impl Decider for Loses {
///     fn missing_put(&self, hit: &Hit<'_>) -> Option<MissingPut> {
///         (hit.argument == Some("dropped")).then_some(MissingPut::Dropped)
///     }
/// }
///
/// fault::set_decider(Some(Arc::new(Loses)));
/// fail::cfg(fault::MISSING_PUT, "return(dropped)").unwrap();
/// let (armed, other) = (Pool::new("armed", String::new), Pool::new("other", String::new));
/// armed.managed().set_faults_armed(true);
/// drop((armed.get(), other.get()));
/// assert_eq!((armed.stats().lent_objects, other.stats().lent_objects), (1, 0));
/// # fail::remove(fault::MISSING_PUT);
/// # fault::set_decider(None);
/// ```
pub fn set_decider(decider: Option<Arc<dyn Decider>>) {
    let before = std::mem::replace(&mut *DECIDER.write().unwrap_or_else(PoisonError::into_inner), decider);
    drop(before); // outside the lock: it is somebody's code
}

/// The site on the get path.
pub(crate) fn missing_put(pool: &str, site: &'static Location<'static>) -> Option<MissingPut> {
    fail::fail_point!("missing-put", |argument: Option<String>| {
        let decider = DECIDER.read().unwrap_or_else(PoisonError::into_inner).clone();
        decider.and_then(|d| d.missing_put(&Hit { pool, site, argument: argument.as_deref() }))
    });
    None
}

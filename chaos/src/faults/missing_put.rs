//! The fault `missing-put` while it is armed: asked by pools on their get path.
//!
//! Nothing here waits: an arrival takes read locks that are written only when the fault is armed or disarmed
//! or a new site shows up, draws without state, and counts.

use super::when::{Schedule, When};
use pool_core::fault::{Decider, Hit, MissingPut};
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

/// Sites that are remembered of one arming; a program has few places that get from a pool.
const SITES_MAX: usize = 256;

/// One arming.
#[derive(Debug)]
pub(crate) struct Armed {
    pub(crate) pool: Option<String>,
    pub(crate) when: When,
    pub(crate) deadline: Option<Instant>,
    schedule: Schedule,
    hits: AtomicU64,
    sites: RwLock<Vec<&'static Location<'static>>>,
}

impl Armed {
    pub(crate) fn new(pool: Option<String>, when: When, seed: u64, deadline: Option<Instant>) -> Self {
        let schedule = Schedule::new(&when, seed);
        Self { pool, when, deadline, schedule, hits: AtomicU64::new(0), sites: RwLock::default() }
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Relaxed)
    }

    /// The sites that were hit, as `file:line:column`, sorted.
    pub(crate) fn sites(&self) -> Vec<String> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        let mut sites: Vec<String> = sites.iter().map(ToString::to_string).collect();
        sites.sort();
        sites.dedup();
        sites
    }

    fn arrive(&self, hit: &Hit<'_>, now: Instant) -> Option<MissingPut> {
        // The deadline is looked at here too, so that a reaper that comes late changes nothing.
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return None;
        }
        if self.pool.as_deref().is_some_and(|pool| pool != hit.pool) {
            return None;
        }
        let way = self.schedule.arrive()?;
        self.hits.fetch_add(1, Relaxed);
        self.remember(hit.site);
        Some(way)
    }

    fn remember(&self, site: &'static Location<'static>) {
        if self.sites.read().unwrap_or_else(PoisonError::into_inner).contains(&site) {
            return;
        }
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        if sites.len() < SITES_MAX && !sites.contains(&site) {
            sites.push(site);
        }
    }
}

/// What the pools ask: the arming in force, and what all armings so far did.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    armed: RwLock<Option<Arc<Armed>>>,
    hits_total: AtomicU64,
}

impl Gate {
    pub(crate) fn set(&self, armed: Option<Arc<Armed>>) {
        *self.armed.write().unwrap_or_else(PoisonError::into_inner) = armed;
    }

    /// Hits of all armings.
    pub(crate) fn hits_total(&self) -> u64 {
        self.hits_total.load(Relaxed)
    }
}

impl Decider for Gate {
    fn missing_put(&self, hit: &Hit<'_>) -> Option<MissingPut> {
        let armed = self.armed.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let way = armed.arrive(hit, Instant::now())?;
        self.hits_total.fetch_add(1, Relaxed);
        Some(way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn armed(pool: Option<&str>, when: &str, deadline: Option<Instant>) -> Armed {
        Armed::new(pool.map(str::to_owned), When::parse("when", when).unwrap(), 1, deadline)
    }

    #[track_caller]
    fn hit(pool: &str) -> Hit<'_> {
        Hit { pool, site: Location::caller(), argument: None }
    }

    #[test]
    fn hits_and_sites_are_counted_for_the_pool_alone() {
        let armed = armed(Some("http.body"), "return(dropped)", None);
        let now = Instant::now();
        assert_eq!(armed.arrive(&hit("zstd.ctx"), now), None);
        for _ in 0..3 {
            assert_eq!(armed.arrive(&hit("http.body"), now), Some(MissingPut::Dropped));
        }
        let other_line = line!() + 1;
        armed.arrive(&hit("http.body"), now);
        assert_eq!(armed.hits(), 4);
        assert_eq!(armed.sites().len(), 2);
        assert!(armed.sites().iter().any(|s| s.contains(&format!("missing_put.rs:{other_line}:"))));
    }

    #[test]
    fn nothing_is_hit_at_and_after_the_deadline() {
        let now = Instant::now();
        let deadline = now + Duration::from_secs(90);
        let armed = armed(None, "return", Some(deadline));
        assert!(armed.arrive(&hit("a"), now + Duration::from_nanos(89_999_999_999)).is_some());
        assert!(armed.arrive(&hit("a"), deadline).is_none());
        assert_eq!(armed.hits(), 1);
    }
}

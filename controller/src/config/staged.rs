//! What a file says of one pool, and which part of it counts here: for the stable pool or for the canary.
//!
//! Where the service has built a canary beside the pool, both parts count, each for its pool, and `percent` is a share of
//! gets. Elsewhere `percent` is a share of processes: this one is the canary's if the share takes its name, and then the
//! canary's part counts for the pool.

use super::value::Value;
use super::values::{Set, Values};
use super::{Config, OTHERS};
use pool_core::{Share, Side, Split};
use serde::Serialize;
use std::sync::Arc;

pub(super) const STAGED: &str = "staged.";
const PERCENT: &str = "pools.*.staged.percent";
const SALT: &str = "pools.*.staged.salt";
const GENERATION: &str = "pools.*.staged.generation";

/// What a configuration says of one pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Says {
    pub(super) own: Values,
    /// On top of it, for the stable pool or process.
    pub(super) stable: Values,
    /// On top of it, for the canary.
    pub(super) canary: Values,
}

/// What of this process decides which part counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here<'a> {
    /// The name that tells this process from the others of its service.
    pub(crate) instance: &'a str,
    /// Pools that have a canary beside them.
    pub(crate) splits: &'a [Arc<Split>],
}

/// How a pool is staged here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StagedStatus {
    /// The pool.
    pub pool: String,
    /// `both` if a canary stands beside it in this process; otherwise which side this process is on: `stable` or `canary`.
    pub side: &'static str,
    /// The share, of gets or of processes.
    pub percent: f64,
    /// The number that the configuration gives to this stage.
    pub generation: u64,
}

/// What counts for one pool.
pub(super) struct Counts {
    pub(super) values: Values,
    /// What is told behind the place of each value.
    pub(super) note: String,
}

impl Says {
    pub(super) fn side(&self, side: Side) -> &Values {
        match side {
            Side::Stable => &self.stable,
            Side::Canary => &self.canary,
        }
    }

    pub(super) fn side_mut(&mut self, side: Side) -> &mut Values {
        match side {
            Side::Stable => &mut self.stable,
            Side::Canary => &mut self.canary,
        }
    }

    /// Its own values with those of a side on top.
    pub(super) fn on(&self, side: Side) -> Values {
        self.own.with(self.side(side))
    }

    fn is_staged(&self) -> bool {
        let mut told = self.own.lines(|path| [PERCENT, SALT, GENERATION].contains(&path));
        told.next().is_some() || self.stable != Values::default() || self.canary != Values::default()
    }

    fn percent(&self) -> f64 {
        match self.own.get(PERCENT) {
            Some(Value::Percent(percent)) => percent,
            _ => 0.0,
        }
    }

    fn generation(&self) -> u64 {
        match self.own.get(GENERATION) {
            Some(Value::Whole(generation)) => generation,
            _ => 0,
        }
    }

    /// The share, salted with what is told or else with the pool's name.
    fn share(&self, pool: &str) -> Share {
        // The field has the same range.
        let share = Share::percent(self.percent()).unwrap_or(Share::NONE);
        match self.own.get(SALT) {
            Some(Value::Text(salt)) => share.salted(&salt),
            _ => share.salted(pool),
        }
    }

    fn note(&self, side: Side) -> String {
        if !self.is_staged() {
            return String::new();
        }
        format!(" ({}, generation {})", side.as_str(), self.generation())
    }
}

impl Here<'_> {
    fn has_split(&self, pool: &str) -> bool {
        self.splits.iter().any(|split| split.name() == pool)
    }

    /// The side on which a pool without a canary beside it is.
    fn side(&self, says: &Says, pool: &str) -> Side {
        let is_canary = !self.has_split(pool) && says.is_staged() && says.share(pool).takes(self.instance);
        if is_canary { Side::Canary } else { Side::Stable }
    }
}

impl Config {
    /// What counts for a pool. A canary follows what is said of its pool; what is said of it by its full name comes on top.
    pub(super) fn counts(&self, pool: &str, here: Here<'_>) -> Option<Counts> {
        let of_pair = pool.strip_suffix(Split::SUFFIX).filter(|pool| here.has_split(pool));
        let Some(stable) = of_pair else {
            let says = self.says(pool)?;
            let side = here.side(says, pool);
            return Some(Counts { values: says.on(side), note: says.note(side) });
        };
        let own = self.pools.get(pool).map(|says| says.own.clone()).unwrap_or_default();
        let Some(says) = self.says(stable) else { return Some(Counts { values: own, note: String::new() }) };
        // The reserve is the stable pool's: twice of it was not asked for.
        let values = says.on(Side::Canary).without("pools.*.floor").with(&own);
        Some(Counts { values, note: says.note(Side::Canary) })
    }

    /// The share of gets that it wants for a pool with a canary beside it, and where it says so.
    pub(crate) fn share(&self, pool: &str) -> Option<(Share, String)> {
        let says = self.says(pool)?;
        let line = says.own.lines(|path| path == PERCENT).next()?;
        let generation = says.generation();
        Some((says.share(pool), format!("{} (generation {generation})", self.place(line))))
    }

    /// How the pools of these names are staged.
    pub(crate) fn staged<'a>(
        &self,
        pools: impl Iterator<Item = &'a str>,
        here: Here<'_>,
    ) -> Vec<StagedStatus> {
        let is_canary =
            |pool: &str| pool.strip_suffix(Split::SUFFIX).is_some_and(|pool| here.has_split(pool));
        let staged = pools.filter(|pool| !is_canary(pool)).filter_map(|pool| {
            let says = self.says(pool).filter(|says| says.is_staged())?;
            let side = if here.has_split(pool) { "both" } else { here.side(says, pool).as_str() };
            let (percent, generation) = (says.percent(), says.generation());
            Some(StagedStatus { pool: pool.to_owned(), side, percent, generation })
        });
        staged.collect()
    }

    pub(super) fn says(&self, pool: &str) -> Option<&Says> {
        self.pools.get(pool).or_else(|| self.pools.get(OTHERS))
    }
}

impl Values {
    /// The same with those of `other` in the place of its own.
    fn with(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.0.extend(other.0.iter().map(|(path, set): (&&'static str, &Set)| (*path, set.clone())));
        all
    }

    fn without(mut self, path: &str) -> Self {
        self.0.remove(path);
        self
    }
}

#[cfg(test)]
#[path = "staged_tests.rs"]
mod tests;

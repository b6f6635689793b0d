//! What a file says of one pool, and which part of it is in effect here: for the stable pool or for the canary.
//!
//! Where the service has built a canary beside the pool, both parts are, each for its pool, and `percent` is a share of
//! gets. Elsewhere `percent` is a share of processes: this one is the canary's if the share takes its name, and then the
//! canary's part is in effect for the pool.

use super::fields::POOL;
use super::value::Value;
use super::values::{self, Set, Values};
use super::{Config, OTHERS, Refused};
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

/// What of this process decides which part is in effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here<'a> {
    /// The name that tells this process from the others of its service; empty if nobody knows one.
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

/// What is in effect for one pool.
pub(super) struct InEffect {
    pub(super) values: Values,
    /// What is told behind the place of each value.
    pub(super) note: String,
}

impl Says {
    /// Takes over a field that a program or a person has told; `shown` is its path in errors.
    pub(super) fn tell(&mut self, field: &str, shown: &str, value: &str) -> Result<(), Refused> {
        let side = [Side::Stable, Side::Canary].into_iter().find_map(|side| {
            let rest = field.strip_prefix(STAGED)?.strip_prefix(side.as_str())?.strip_prefix('.')?;
            Some((side, rest))
        });
        let (values, (path, read)) = match side {
            Some((side, rest)) => (self.side_mut(side), values::read_knob_field(rest, shown, value)?),
            None => (&mut self.own, values::read_field(POOL, field, shown, value)?),
        };
        values.put(path, Set { value: read, line: None });
        let problem = [Side::Stable, Side::Canary].into_iter().find_map(|side| self.on(side).floor_problem());
        match problem {
            None => Ok(()),
            Some(problem) => {
                let (problem, allowed) = problem.split_once("; allowed: ").unwrap_or((&problem, ""));
                Err(Refused::invalid(shown, value, problem, allowed))
            }
        }
    }

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

    /// The lines of all that it says of a stage.
    fn staged_lines(&self) -> impl Iterator<Item = Option<usize>> {
        let own = self.own.lines(|path| [PERCENT, SALT, GENERATION].contains(&path));
        own.chain(self.stable.lines(|_| true)).chain(self.canary.lines(|_| true))
    }

    fn is_staged(&self) -> bool {
        self.staged_lines().next().is_some()
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

    /// The pool beside which this one is the canary.
    fn stable_of<'b>(&self, pool: &'b str) -> Option<&'b str> {
        pool.strip_suffix(Split::SUFFIX).filter(|pool| self.has_split(pool))
    }

    /// The side on which a pool without a canary beside it is.
    fn side(&self, says: &Says, pool: &str) -> Side {
        let is_canary = !self.has_split(pool) && says.is_staged() && says.share(pool).takes(self.instance);
        if is_canary { Side::Canary } else { Side::Stable }
    }
}

impl Config {
    /// What is in effect for a pool. A canary follows what is said of its pool; what is said of it by its full name comes
    /// on top.
    pub(super) fn in_effect(&self, pool: &str, here: Here<'_>) -> Option<InEffect> {
        let Some(stable) = here.stable_of(pool) else {
            let says = self.says(pool)?;
            let side = here.side(says, pool);
            return Some(InEffect { values: says.on(side), note: says.note(side) });
        };
        let own = self.pools.get(pool).map(|says| says.own.clone()).unwrap_or_default();
        let Some(says) = self.says(stable) else {
            return Some(InEffect { values: own, note: String::new() });
        };
        // The reserve is the stable pool's: twice of it was not asked for.
        let values = says.on(Side::Canary).without("pools.*.floor").with(&own);
        Some(InEffect { values, note: says.note(Side::Canary) })
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
        let staged = pools.filter(|pool| here.stable_of(pool).is_none()).filter_map(|pool| {
            let says = self.says(pool).filter(|says| says.is_staged())?;
            let side = if here.has_split(pool) { "both" } else { here.side(says, pool).as_str() };
            let (percent, generation) = (says.percent(), says.generation());
            Some(StagedStatus { pool: pool.to_owned(), side, percent, generation })
        });
        staged.collect()
    }

    /// What it says of stages of these pools and cannot be followed here.
    pub(crate) fn staged_misfits<'a>(
        &self,
        pools: impl Iterator<Item = &'a str>,
        here: Here<'_>,
    ) -> impl Iterator<Item = String> {
        pools.filter_map(move |pool| {
            let place = |says: &Says| Some(self.place(says.staged_lines().min()?));
            let Some(stable) = here.stable_of(pool) else {
                let says = self.says(pool).filter(|_| here.instance.is_empty() && !here.has_split(pool))?;
                let percent = says.percent();
                let (place, is_a_part) = (place(says)?, percent > 0.0 && percent < 100.0);
                return is_a_part.then(|| {
                    format!(
                        "{pool}: {percent} % of processes are the canary's, and this one has no name; allowed: \
                         controller.instance, or EBBPOOL_INSTANCE ({place})"
                    )
                });
            };
            let place = place(self.pools.get(pool)?)?;
            Some(format!("{pool}: a canary has no stage of its own; allowed: staged of {stable} ({place})"))
        })
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

//! Writes what a configuration says onto the operator's layer of the pools, and takes it off again when a later
//! configuration does not say it any more.
//!
//! A knob is written once, not at each tick: what a person sets stands above it, and what other code sets as an
//! operator stays until the configuration, or the pool, is another one. Knows no files.

use crate::config::{Config, Here, StagedStatus, Wish};
use pool_core::{Author, Change, KnobKind, Managed, Setting, Share, Split};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

/// What was written, and onto which pools.
#[derive(Default)]
pub(crate) struct Operator {
    /// The pools of the last call, in their order.
    seen: Vec<Weak<dyn Managed>>,
    written: BTreeMap<String, Written>,
    floors: BTreeMap<String, u64>,
    misfits: Vec<String>,
    unused: Vec<String>,
    /// The splits of the last call, in their order.
    shares: Vec<WrittenShare>,
    staged: Vec<StagedStatus>,
}

/// A split, and the share that was written onto it.
struct WrittenShare {
    split: Weak<Split>,
    written: Option<(Share, String)>,
}

impl WrittenShare {
    /// Has `split` follow: the share is written once, as knobs are.
    fn follow(split: &Arc<Split>, before: &[Self], config: &Config) -> Self {
        let before = before.iter().find(|seen| is(&seen.split, split)).and_then(|seen| seen.written.as_ref());
        let written = config.share(split.name());
        match &written {
            Some((share, reason)) if before != written.as_ref() => {
                split.set(*share, Change::operator(reason.as_str()));
            }
            None if before.is_some() => _ = split.withdraw(Author::Operator),
            _ => {}
        }
        Self { split: Arc::downgrade(split), written }
    }
}

struct Written {
    pool: Weak<dyn Managed>,
    knobs: Vec<(KnobKind, Setting, String)>,
}

impl Operator {
    /// Has `pools` follow `config`. Whether there was something to do: a pool came or went, or the configuration
    /// `is_new`.
    pub(crate) fn follow(
        &mut self,
        pools: &[Arc<dyn Managed>],
        config: &Config,
        here: Here<'_>,
        is_new: bool,
    ) -> bool {
        let are_same = self.seen.len() == pools.len() && self.seen.iter().zip(pools).all(|(a, b)| is(a, b));
        let splits = here.splits;
        let are_same = are_same
            && self.shares.len() == splits.len()
            && self.shares.iter().zip(splits).all(|(seen, split)| is(&seen.split, split));
        if are_same && !is_new {
            return false;
        }
        self.misfits.clear();
        self.floors.clear();
        for pool in pools {
            let before = self.written.get(pool.name()).filter(|written| is(&written.pool, pool));
            let before = before.map(|written| written.knobs.clone()).unwrap_or_default();
            let knobs = self.write(pool.as_ref(), config, here, before);
            self.written.insert(pool.name().to_owned(), Written { pool: Arc::downgrade(pool), knobs });
            if let Some(bytes) = config.floor_bytes(pool.name(), here) {
                self.floors.insert(pool.name().to_owned(), bytes);
            }
        }
        let names: BTreeSet<&str> = pools.iter().map(|pool| pool.name()).collect();
        self.written.retain(|name, _| names.contains(name.as_str()));
        let told = config.pools().filter(|name| *name != "*" && !names.contains(name));
        self.unused = told.map(str::to_owned).collect();
        self.staged = config.staged(pools.iter().map(|pool| pool.name()), here);
        self.misfits.extend(config.staged_misfits(pools.iter().map(|pool| pool.name()), here));
        let before = std::mem::take(&mut self.shares);
        self.shares = splits.iter().map(|split| WrittenShare::follow(split, &before, config)).collect();
        // Last: if a pool's code has panicked, all of it is tried again.
        self.seen = pools.iter().map(Arc::downgrade).collect();
        true
    }

    fn write(
        &mut self,
        pool: &dyn Managed,
        config: &Config,
        here: Here<'_>,
        mut before: Vec<(KnobKind, Setting, String)>,
    ) -> Vec<(KnobKind, Setting, String)> {
        let mut written = Vec::new();
        for Wish { kind, setting, reason } in config.wishes(pool.name(), &pool.knobs(), here) {
            let old = before.iter().position(|(k, ..)| *k == kind).map(|at| before.swap_remove(at));
            match setting {
                Ok(setting) => {
                    let new = (kind, setting, reason);
                    if old.as_ref() != Some(&new) {
                        pool.set(setting, Change::operator(new.2.as_str()));
                    }
                    written.push(new);
                }
                Err(error) => {
                    self.misfits.push(format!("{}: {error} ({reason})", pool.name()));
                    written.extend(old);
                }
            }
        }
        for (kind, ..) in before {
            pool.withdraw(kind, Author::Operator);
        }
        written
    }

    /// Settings that do not fit their pool, where what was there before is left; and stages that cannot be followed here.
    pub(crate) fn misfits(&self) -> &[String] {
        &self.misfits
    }

    /// Pools that are named and not there.
    pub(crate) fn unused(&self) -> &[String] {
        &self.unused
    }

    /// How pools are staged.
    pub(crate) fn staged(&self) -> &[StagedStatus] {
        &self.staged
    }

    pub(crate) fn has_floors(&self) -> bool {
        !self.floors.is_empty()
    }

    /// Bytes that policies leave to a pool.
    pub(crate) fn floor_bytes(&self, pool: &str) -> u64 {
        self.floors.get(pool).copied().unwrap_or(0)
    }
}

/// Whether both are one pool or split, and not just of one name.
fn is<T: ?Sized>(one: &Weak<T>, other: &Arc<T>) -> bool {
    std::ptr::addr_eq(one.as_ptr(), Arc::as_ptr(other))
}

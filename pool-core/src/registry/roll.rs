//! Who is registered: by the order of registration and by name, and as one list that is made when somebody asks.

use crate::managed::Managed;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// All pools, in the order of their registration.
pub(super) type List = Arc<[Arc<dyn Managed>]>;

/// Foreign code (a pool's own, or its drop) never runs in here: it stands under the registry's lock.
#[derive(Default)]
pub(super) struct Roll {
    all: BTreeMap<u64, Arc<dyn Managed>>,
    names: HashMap<Box<str>, u64>,
    registered: u64,
    /// So many were left by the last sweep.
    swept: usize,
    /// `None` since a pool came or went.
    list: Option<List>,
}

/// A list that is out of date, to be dropped outside the lock: it may hold the last count of a pool that was taken out.
#[must_use]
pub(super) struct Stale(#[expect(dead_code, reason = "it is there to be dropped")] Option<List>);

impl Roll {
    /// Gives the pool back if the name is taken.
    pub(super) fn add(&mut self, name: &str, pool: Arc<dyn Managed>) -> Result<(), Arc<dyn Managed>> {
        if self.names.contains_key(name) {
            return Err(pool);
        }
        self.registered += 1;
        self.names.insert(name.into(), self.registered);
        self.all.insert(self.registered, pool);
        self.list = None; // all that it holds is still registered
        Ok(())
    }

    pub(super) fn list(&mut self) -> List {
        let all = &self.all;
        Arc::clone(self.list.get_or_insert_with(|| all.values().cloned().collect()))
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<dyn Managed>> {
        self.all.get(self.names.get(name)?).cloned()
    }

    /// Takes `pool` out, if it is still the one of that name.
    pub(super) fn remove(&mut self, name: &str, pool: &Arc<dyn Managed>) -> Stale {
        let is_it = |number: &&u64| self.all.get(number).is_some_and(|found| Arc::ptr_eq(found, pool));
        let Some(number) = self.names.get(name).filter(is_it).copied() else { return Stale(None) };
        self.names.remove(name);
        self.all.remove(&number); // not its last count: the caller has one
        Stale(self.list.take())
    }

    /// Whether there are twice as many as the last sweep left: however many come, a sweep costs each of them two looks,
    /// and those that have finished are never many more than the others were.
    pub(super) fn is_sweep_due(&self) -> bool {
        self.all.len() >= 2 * self.swept.max(SWEPT_MIN)
    }

    /// Takes those out that are still there.
    pub(super) fn sweep(&mut self, gone: &[Arc<dyn Managed>]) -> Stale {
        let before = self.all.len();
        let gone: HashSet<_> = gone.iter().map(address).collect();
        self.all.retain(|_, pool| !gone.contains(&address(pool)));
        let all = &self.all;
        self.names.retain(|_, number| all.contains_key(number));
        self.swept = all.len();
        Stale(if self.swept < before { self.list.take() } else { None })
    }
}

/// For fewer pools no sweep is worth it.
const SWEPT_MIN: usize = 16;

fn address(pool: &Arc<dyn Managed>) -> *const () {
    Arc::as_ptr(pool).cast()
}

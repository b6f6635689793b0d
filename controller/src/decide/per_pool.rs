//! What is remembered of each pool, side by side with the list of pools.
//!
//! Pools come and go seldom, and ticks come all the time: so the usual tick walks two lists in step, compares names as
//! it goes, and looks nothing up.

use super::PoolName;
use std::collections::HashMap;

/// A value for each pool, in the order of the pools that it was last [aligned](Self::align) with.
#[derive(Clone, Debug)]
pub(crate) struct PerPool<T> {
    names: Vec<PoolName>,
    values: Vec<T>,
}

impl<T> Default for PerPool<T> {
    fn default() -> Self {
        Self { names: Vec::new(), values: Vec::new() }
    }
}

impl<T> PerPool<T> {
    /// Puts the values into the order of `names`. A pool that is new gets what `fresh` makes of its place; the values of
    /// those that have gone are returned.
    pub(crate) fn align<'a>(
        &mut self,
        names: impl ExactSizeIterator<Item = &'a PoolName> + Clone,
        mut fresh: impl FnMut(usize) -> T,
    ) -> Vec<T> {
        if self.names.len() == names.len() && self.names.iter().eq(names.clone()) {
            return Vec::new();
        }
        let mut known: HashMap<PoolName, T> = self.names.drain(..).zip(self.values.drain(..)).collect();
        self.values.extend(
            names.clone().enumerate().map(|(at, name)| known.remove(name).unwrap_or_else(|| fresh(at))),
        );
        self.names.extend(names.cloned());
        known.into_values().collect()
    }

    /// The value of the pool that stands there.
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.values.get(at)
    }

    /// The value of the pool of that name, which probably stands there.
    pub(crate) fn find(&self, at: usize, name: &PoolName) -> Option<&T> {
        if self.names.get(at).is_some_and(|found| found == name) {
            return self.values.get(at);
        }
        self.values.get(self.names.iter().position(|found| found == name)?)
    }

    pub(crate) fn values(&self) -> &[T] {
        &self.values
    }

    pub(crate) fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_with_their_pools_whatever_comes_and_goes() {
        let mut values = PerPool::default();
        let mut align = |names: &[&str], first: i32| {
            let names: Vec<PoolName> = names.iter().map(|name| PoolName::from(*name)).collect();
            let mut next = first;
            let fresh = |_| {
                next += 1;
                next
            };
            let gone = values.align(names.iter(), fresh);
            (values.values().to_vec(), gone)
        };
        assert_eq!(align(&["a", "b"], 0), (vec![1, 2], vec![]));
        assert_eq!(align(&["a", "b"], 90), (vec![1, 2], vec![]));
        assert_eq!(align(&["b", "c"], 10), (vec![2, 11], vec![1]));
        assert_eq!(align(&["c", "x", "b"], 20), (vec![11, 21, 2], vec![]));
        assert!(align(&[], 30).0.is_empty());
    }

    #[test]
    fn a_value_is_found_by_name_wherever_it_stands() {
        let mut values = PerPool::default();
        let [a, b, c] = ["a", "b", "c"].map(PoolName::from);
        values.align([&a, &b].into_iter(), |at| at);
        assert_eq!(
            [values.find(1, &b), values.find(0, &b), values.find(9, &a)],
            [Some(&1), Some(&1), Some(&0)]
        );
        assert_eq!((values.find(0, &c), values.get(2)), (None, None));
    }
}

//! What a [`LeakCheck`](super::LeakCheck) found.

use super::Suspect;
use std::fmt;
use std::panic::Location;

/// What [`LeakCheck::finish`](crate::LeakCheck::finish) found; prints with a line for each pool and site.
///
/// ```
/// use pool_core::{LeakCheck, Pool};
/// let pool = Pool::new("body", Vec::<u8>::new);
/// let check = LeakCheck::of(&pool);
/// std::mem::forget(pool.get());
/// let text = check.finish().unwrap_err().to_string();
/// assert!(text.contains("body: 1 lease from "), "{text}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeakReport {
    /// Where the check began.
    pub begun: &'static Location<'static>,
    /// The pools whose objects did not come home.
    pub pools: Vec<LeakedPool>,
}

/// One pool in a [`LeakReport`].
///
/// ```
/// use pool_core::{LeakCheck, Pool};
/// let pool = Pool::new("body", Vec::<u8>::new);
/// let check = LeakCheck::of(&pool);
/// std::mem::forget(pool.get());
/// let leaked = &check.finish().unwrap_err().pools[0];
/// assert_eq!((leaked.leases(), leaked.unrecorded), (1, 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeakedPool {
    /// Its name.
    pub name: String,
    /// Its leases that did not end, by site.
    pub suspects: Vec<Suspect>,
    /// Leases that did not end and have no record: the table was full, or the pool was added to the registry after
    /// the check began.
    pub unrecorded: u64,
}

impl LeakedPool {
    /// All leases that did not end.
    ///
    /// ```
    /// let leaked = pool_core::LeakedPool { name: "body".into(), suspects: vec![], unrecorded: 2 };
    /// assert_eq!(leaked.leases(), 2);
    /// ```
    #[must_use]
    pub fn leases(&self) -> u64 {
        self.suspects.iter().map(|suspect| suspect.count).sum::<u64>() + self.unrecorded
    }
}

impl fmt::Display for LeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: u64 = self.pools.iter().map(LeakedPool::leases).sum();
        write!(f, "{total} lent since {} did not come home:", self.begun)?;
        for pool in &self.pools {
            for suspect in &pool.suspects {
                write!(f, "\n  {}: {suspect}", pool.name)?;
            }
            if pool.unrecorded > 0 {
                write!(f, "\n  {}: {} without a record", pool.name, pool.unrecorded)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for LeakReport {}

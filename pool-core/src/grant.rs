//! The grant: bytes that creates may take until the controller looks again.
//!
//! A loop that looks every 250 ms cannot stop a burst that allocates 100 MB in 50 ms. So the loop hands out
//! headroom in advance, creates are charged against it, and a create that finds it used up reclaims idle
//! bytes first (the registry does that: see [`Registry`](crate::Registry)). This module is only the account.
//! It knows neither pools nor the controller.

use crate::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// The account of bytes that creates may still take: see [`Registry::grant`](crate::Registry::grant).
///
/// All orderings are relaxed: each field is an account of its own, and no other memory is published by it.
///
/// ```
/// use pool_core::{Pool, Registry};
/// let registry = Registry::new();
/// let pool = Pool::builder("pages").registry(&registry).build_with(|| vec![0_u8; 4096])?;
/// assert_eq!(registry.grant().left(), None);
/// registry.grant().set(Some(10_000));
/// let page = pool.get();
/// let charged = pool.stats().lent_bytes; // 4096 and what the pool adds to each object
/// assert_eq!(registry.grant().left(), Some(10_000 - charged as i64));
/// assert_eq!(registry.grant().exceeded_total(), 0);
/// # drop(page);
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[derive(Debug)]
pub struct Grant {
    left: AtomicI64,
    exceeded: AtomicU64,
    reclaimed_bytes: AtomicU64,
}

/// Stands for no limit; no account is kept then.
const UNLIMITED: i64 = i64::MAX / 2;
/// One charge or credit, at most: far more than any object weighs, and far from overflow however many there are
/// between two settings.
const CHARGE_MAX: i64 = 1 << 47;

impl Grant {
    pub(crate) fn unlimited() -> Self {
        Self {
            left: AtomicI64::new(UNLIMITED),
            exceeded: AtomicU64::new(0),
            reclaimed_bytes: AtomicU64::new(0),
        }
    }

    /// Replaces what is left: `None` lifts the limit.
    ///
    /// See the example of [`Grant`].
    pub fn set(&self, bytes: Option<u64>) {
        let left = bytes.map_or(UNLIMITED, |b| i64::try_from(b).unwrap_or(UNLIMITED).min(UNLIMITED));
        self.left.store(left, Relaxed);
    }

    /// Bytes left; negative when creates went on after everything idle was gone. `None` without a limit.
    #[must_use]
    pub fn left(&self) -> Option<i64> {
        let left = self.left.load(Relaxed);
        (left < UNLIMITED / 2).then_some(left)
    }

    /// Creates that went on although the grant was used up and nothing idle was left to take.
    #[must_use]
    pub fn exceeded_total(&self) -> u64 {
        self.exceeded.load(Relaxed)
    }

    /// Idle bytes that creates have taken back before they allocated.
    #[must_use]
    pub fn reclaimed_bytes_total(&self) -> u64 {
        self.reclaimed_bytes.load(Relaxed)
    }

    /// Takes `bytes`; returns what is missing, at most `bytes`.
    pub(crate) fn charge(&self, bytes: u64) -> u64 {
        if self.left().is_none() {
            return 0;
        }
        let cost = i64::try_from(bytes).unwrap_or(CHARGE_MAX).min(CHARGE_MAX);
        let left = self.left.fetch_sub(cost, Relaxed) - cost;
        u64::try_from(-left.clamp(-cost, 0)).unwrap_or(0)
    }

    /// Gives back bytes that were freed.
    pub(crate) fn credit(&self, bytes: u64) {
        if self.left().is_some() {
            self.left.fetch_add(i64::try_from(bytes).unwrap_or(CHARGE_MAX).min(CHARGE_MAX), Relaxed);
        }
    }

    pub(crate) fn count_reclaimed(&self, bytes: u64) {
        self.reclaimed_bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn count_exceeded(&self) {
        self.exceeded.fetch_add(1, Relaxed);
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_charge_tells_what_is_missing() {
        let grant = Grant::unlimited();
        assert_eq!((grant.charge(1 << 40), grant.left()), (0, None));
        grant.set(Some(100));
        assert_eq!((grant.charge(60), grant.left()), (0, Some(40)));
        assert_eq!((grant.charge(60), grant.left()), (20, Some(-20)));
        assert_eq!((grant.charge(60), grant.left()), (60, Some(-80)), "never more than the charge itself");
        grant.credit(200);
        assert_eq!((grant.charge(60), grant.left()), (0, Some(60)));
    }
}

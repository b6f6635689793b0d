//! Retention by use: whether a growable value is worth keeping at the size it has now.
//!
//! A buffer that grew to 2 MiB for one request and held 4 KiB ever since must not pin 2 MiB. One return
//! cannot tell (the return after the growth looks well used, the next small one may be an exception), so the
//! verdict is over several returns: the rule of Go's jsontext. Values up to 4 KiB are always kept; a return
//! that used at least a quarter clears the object's strikes; the fourth strike in a row discards it. What is no
//! heavier than `create` makes it is kept: its replacement would be the same.
//! This module knows only two numbers and a count of strikes.

use crate::recycle::Keep;
use std::cell::Cell;

/// Strikes that an object has collected, and the rule by which they count. A value with several growable
/// parts asks once for each; one badly used part is enough for a strike, and a return costs one strike at most.
///
/// ```
/// use pool_core::{DropReason, Pool};
/// let pool = Pool::new("http.body", Vec::<u8>::new);
/// pool.get().resize(2 << 20, 1); // well used
/// for _ in 0..4 {
///     pool.get().push(1);        // a strike each
/// }
/// assert_eq!(pool.stats().returns_dropped[DropReason::Oversize as usize], 1);
/// ```
#[derive(Debug)]
pub struct Retention {
    before: u8,
    struck: Cell<bool>,
    born_bytes: u64,
}

/// As for a new object's first return: no strikes, and nothing that `create` made. For tests of a
/// [`Recycle`](trait@crate::Recycle) implementation; a pool passes what its object has collected.
///
/// ```
/// use pool_core::{Keep, Recycle, Retention};
/// let mut line = String::from("GET /");
/// assert_eq!(line.recycle(&Retention::default()), Keep::Yes);
/// assert_eq!(line, "");
/// ```
impl Default for Retention {
    fn default() -> Self {
        Self::new(0, 0)
    }
}

impl Retention {
    /// Bytes up to which a value is always kept.
    pub const ALWAYS_KEPT: usize = 4096;
    /// A return that used less than one in this of the bytes held is a strike.
    pub const USED_ONE_IN: usize = 4;
    /// The strike that discards.
    pub const STRIKES_MAX: u8 = 4;

    #[inline]
    pub(crate) fn new(strikes: u8, born_bytes: u64) -> Self {
        Self { before: strikes, struck: Cell::new(false), born_bytes }
    }

    /// The object's strikes after this return.
    #[inline]
    pub(crate) fn strikes(&self) -> u8 {
        if self.struck.get() { self.before.saturating_add(1) } else { 0 }
    }

    /// Judges a value that holds `held` bytes, of which its last user used `used`.
    ///
    /// ```
    /// # use pool_core::{Keep, Recycle, Retention};
    /// struct Page { bytes: Box<[u8]>, used: usize }
    /// impl Recycle for Page {
    ///     fn recycle(&mut self, retention: &Retention) -> Keep {
    ///         retention.judge(std::mem::take(&mut self.used), self.bytes.len())
    ///     }
    ///     fn weight(&self) -> usize { self.bytes.len() }
    /// }
    /// let mut page = Page { bytes: vec![0; 1 << 20].into(), used: 100 };
    /// assert_eq!(page.recycle(&Retention::default()), Keep::Yes); // one strike is not enough
    /// assert_eq!(page.used, 0);
    /// ```
    #[inline]
    pub fn judge(&self, used: usize, held: usize) -> Keep {
        if held <= Self::ALWAYS_KEPT || used >= held / Self::USED_ONE_IN || held as u64 <= self.born_bytes {
            return Keep::Yes;
        }
        self.struck.set(true);
        if self.before.saturating_add(1) < Self::STRIKES_MAX { Keep::Yes } else { Keep::Oversize }
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_strike_in_a_row_discards() {
        let mut strikes = 0;
        let mut verdicts = Vec::new();
        for _ in 0..4 {
            let r = Retention::new(strikes, 0);
            verdicts.push(r.judge(4096, 2 << 20));
            strikes = r.strikes();
        }
        assert_eq!(verdicts, [Keep::Yes, Keep::Yes, Keep::Yes, Keep::Oversize]);
    }

    #[test]
    fn a_quarter_used_clears_the_strikes() {
        let r = Retention::new(3, 0);
        assert_eq!(r.judge(512 << 10, 2 << 20), Keep::Yes);
        assert_eq!(r.strikes(), 0);
    }

    #[test]
    fn a_well_used_part_does_not_hide_a_badly_used_one() {
        let r = Retention::new(2, 0);
        assert_eq!(r.judge(0, 2 << 20), Keep::Yes);
        assert_eq!(r.judge(1 << 20, 1 << 20), Keep::Yes);
        assert_eq!(r.strikes(), 3);
    }

    #[test]
    fn what_create_would_make_again_is_kept() {
        assert_eq!(Retention::new(3, 65536).judge(1, 65536), Keep::Yes);
        assert_eq!(Retention::new(3, 65536).judge(1, 65537), Keep::Oversize);
    }

    #[test]
    fn small_values_are_always_kept() {
        assert_eq!(Retention::new(3, 0).judge(0, Retention::ALWAYS_KEPT), Keep::Yes);
        assert_eq!(Retention::new(3, 0).judge(0, Retention::ALWAYS_KEPT + 1), Keep::Oversize);
    }
}

//! A look into a slot that nobody stopped, for the model that plays all threads on one.

use super::{Held, Slot};
use crate::notes::Seen;
use crate::sync::atomic::Ordering::Relaxed;

impl Slot {
    /// What is in the magazine, although its owner may stand inside: this thread plays it.
    pub(crate) fn peek_still(&self, into: &mut Vec<Seen>) {
        Held::new(self).peek_all(into);
    }

    /// Whether its owner is inside.
    pub(crate) fn is_busy(&self) -> bool {
        self.gate.is_busy(Relaxed)
    }
}

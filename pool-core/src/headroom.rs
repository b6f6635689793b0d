//! A pool's dealings with its registry's grant. A pool without a registry has none: everything is free.

use crate::shared::Shared;

impl Shared {
    /// Before a create: charges what the object is expected to weigh; without headroom, idle objects go first.
    pub(crate) fn charge_create(&self, bytes: u64) {
        #[cfg(not(ebbpool_loom))]
        if let Some(registry) = self.registry() {
            registry.charge_create(bytes);
        }
        let _ = bytes;
    }

    /// Whether the grant has room for one more object, as heavy as they are expected to be.
    pub(crate) fn has_headroom(&self) -> bool {
        #[cfg(not(ebbpool_loom))]
        if let Some(left) = self.registry().and_then(|registry| registry.grant().left()) {
            return left > crate::shared::signed(self.expected_weight());
        }
        true
    }

    /// Before a create that nobody waits for: charges `bytes`, if that much is left.
    pub(crate) fn charge_if_left(&self, bytes: u64) -> bool {
        #[cfg(not(ebbpool_loom))]
        if let Some(registry) = self.registry() {
            if registry.grant().charge(bytes) > 0 {
                registry.grant().credit(bytes);
                return false;
            }
        }
        let _ = bytes;
        true
    }

    /// Whether more was created than was granted.
    pub(crate) fn is_overdrawn(&self) -> bool {
        #[cfg(not(ebbpool_loom))]
        if let Some(registry) = self.registry() {
            return registry.grant().left().is_some_and(|left| left < 0);
        }
        false
    }

    /// What a lent object grew by is gone already: it is charged, and the next create or tick feels it.
    pub(crate) fn charge_growth(&self, before: u64, after: u64) {
        #[cfg(not(ebbpool_loom))]
        if after != before {
            if let Some(registry) = self.registry() {
                registry.grant().charge(after.saturating_sub(before));
                registry.grant().credit(before.saturating_sub(after));
            }
        }
        let _ = (before, after);
    }

    /// A dropped object's bytes may be allocated again.
    pub(crate) fn credit_grant(&self, bytes: u64) {
        #[cfg(not(ebbpool_loom))]
        if let Some(registry) = self.registry() {
            registry.grant().credit(bytes);
        }
        let _ = bytes;
    }

    #[cfg(not(ebbpool_loom))]
    pub(crate) fn registry(&self) -> Option<crate::Registry> {
        self.registry.as_ref()?.upgrade()
    }
}

//! Builds with a defect on purpose. A scenario that passes with the defect that it names proves nothing.
//!
//! The defects are put on from outside, over the public API of pools and controller: there is nothing of them in
//! the code that ships. A service that is to run with one asks here what to change.

mod leaked_as_budget;

use crate::{Refused, suggest};
use leaked_as_budget::LeakedAsBudget;
use pool_controller::Mode;
use pool_controller::decide::Policy;
use pool_core::{Capacity, Change, LeaseLevel, Registry};
use serde::Serialize;

/// A defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Broken {
    /// No lease is ever recorded, so no site can be named.
    LeasesOff,
    /// What leaked is taken for memory that the pools could give back.
    LeakedCountedAsBudget,
    /// Nobody controls the pools, and nothing bounds them.
    ControllerOff,
}

impl Broken {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::LeasesOff, Self::LeakedCountedAsBudget, Self::ControllerOff];

    /// The name in scenarios and flags.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeasesOff => "leases-off",
            Self::LeakedCountedAsBudget => "leaked-counted-as-budget",
            Self::ControllerOff => "controller-off",
        }
    }

    /// The defect of that name.
    ///
    /// # Errors
    /// [`Refused`] with the nearest name if it looks like a typo.
    pub fn parse(path: &str, name: &str) -> Result<Self, Refused> {
        Self::ALL.into_iter().find(|b| b.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            let problem = format!("there is no such broken build{}", suggest::hint(name, names));
            Refused::invalid(path, name, problem, names.join(", "))
        })
    }

    /// The controller's mode with this defect, where `mode` is the right one.
    #[must_use]
    pub const fn mode(self, mode: Mode) -> Mode {
        match self {
            Self::ControllerOff => Mode::Off,
            Self::LeasesOff | Self::LeakedCountedAsBudget => mode,
        }
    }

    /// The controller's policy with this defect, where `policy` is the right one.
    #[must_use]
    pub fn policy(self, policy: Box<dyn Policy>) -> Box<dyn Policy> {
        match self {
            Self::LeakedCountedAsBudget => Box::new(LeakedAsBudget::new(policy)),
            Self::LeasesOff | Self::ControllerOff => policy,
        }
    }

    /// Puts the defect on the pools of `registry`, before they are used.
    pub fn break_pools(self, registry: &Registry) {
        for pool in registry.pools() {
            match self {
                // A controller raises the level of a leaking pool, but leaves alone what is off.
                Self::LeasesOff => {
                    pool.set_lease_level(LeaseLevel::Off, Change::operator("broken on purpose"));
                }
                Self::ControllerOff => {
                    pool.set_capacity(Capacity::UNBOUNDED, Change::operator("broken on purpose"));
                }
                Self::LeakedCountedAsBudget => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pool_controller::decide::Fixed;
    use pool_core::Pool;

    #[test]
    fn each_defect_changes_what_its_name_says_and_nothing_else() {
        let broken = |broken: Broken| {
            let registry = Registry::new();
            let pool = Pool::builder("a").registry(&registry).build_with(Vec::<u8>::new).unwrap();
            let before = registry.pools()[0].capacity().value;
            broken.break_pools(&registry);
            let managed = &registry.pools()[0];
            let level = managed.lease_level();
            let unbounded = managed.capacity().value != before || before == Capacity::UNBOUNDED;
            drop(pool);
            let policy = broken.policy(Box::<Fixed>::default()).name();
            (broken.mode(Mode::Enforce), policy, level == LeaseLevel::Off, unbounded)
        };
        let (mode, policy, off, _) = broken(Broken::LeasesOff);
        assert_eq!((mode, policy, off), (Mode::Enforce, "fixed", true));
        let (mode, policy, off, unbounded) = broken(Broken::ControllerOff);
        assert_eq!((mode, policy, off, unbounded), (Mode::Off, "fixed", false, true));
        let (mode, policy, off, _) = broken(Broken::LeakedCountedAsBudget);
        assert_eq!((mode, policy, off), (Mode::Enforce, "leaked-counted-as-budget", false));
    }

    #[test]
    fn names_are_parsed_and_typos_recognised() {
        for broken in Broken::ALL {
            assert_eq!(Broken::parse("--broken", broken.as_str()), Ok(broken));
        }
        let e = Broken::parse("--broken", "lease-off").unwrap_err().to_string();
        assert!(e.starts_with("--broken: \"lease-off\": there is no such broken build, did you mean"), "{e}");
    }
}

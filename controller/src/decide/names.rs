//! The policies by name: for a command line, for a file of settings, for comparisons.

use super::{AdaptiveReuse, Bands, Fixed, PauseRatio, Policy, Tide, TwoCycle};

/// The names of all policies, the default first.
pub const POLICIES: [&str; 6] = ["tide", "bands", "pause-ratio", "adaptive-reuse", "two-cycle", "fixed"];

/// A policy of that name as it begins, or `None` if there is none; [`POLICIES`] are all.
///
/// ```
/// use pool_controller::decide::{POLICIES, policy_by_name};
/// assert!(POLICIES.iter().all(|name| policy_by_name(name).is_some_and(|policy| policy.name() == *name)));
/// assert!(policy_by_name("tides").is_none());
/// ```
#[must_use]
pub fn policy_by_name(name: &str) -> Option<Box<dyn Policy>> {
    Some(match name {
        "tide" => Box::<Tide>::default(),
        "bands" => Box::<Bands>::default(),
        "pause-ratio" => Box::<PauseRatio>::default(),
        "adaptive-reuse" => Box::<AdaptiveReuse>::default(),
        "two-cycle" => Box::<TwoCycle>::default(),
        "fixed" => Box::<Fixed>::default(),
        _ => return None,
    })
}

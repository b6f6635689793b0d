//! The faults that exist.

use crate::{Refused, RefusedKind, suggest};
use serde::{Deserialize, Serialize};

/// A fault of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultName {
    /// Leases that never return: their object is dropped behind the pool's back, or kept for ever.
    MissingPut,
    /// Something else in the process takes memory, touches it and holds it.
    MemoryBalloon,
}

impl FaultName {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::MissingPut, Self::MemoryBalloon];

    /// The name in routes, variables and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingPut => "missing-put",
            Self::MemoryBalloon => "memory-balloon",
        }
    }

    /// The fault of that name.
    ///
    /// # Errors
    /// [`Refused`] with the nearest name if it looks like a typo.
    pub fn parse(path: &str, name: &str) -> Result<Self, Refused> {
        Self::ALL.into_iter().find(|f| f.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            let problem = format!("there is no such fault{}", suggest::hint(name, names));
            Refused::invalid(path, name, problem, names.join(", ")).of_kind(RefusedKind::Unknown)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_in_the_name_is_recognised() {
        let e = FaultName::parse("fault", "mising-put").unwrap_err();
        assert_eq!(e.kind, RefusedKind::Unknown);
        assert_eq!(
            e.to_string(),
            "fault: \"mising-put\": there is no such fault, did you mean \"missing-put\"?; \
             allowed: missing-put, memory-balloon"
        );
    }
}

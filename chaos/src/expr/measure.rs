//! What a check may name: the measures, and in which sense each is meant.

use crate::{Refused, suggest};
use serde::Serialize;

/// How a measure relates to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Read at one moment, of the whole process.
    Level,
    /// Read at one moment, of each pool.
    PoolLevel,
    /// A set of places in the code, read at one moment.
    Sites,
    /// Counted over a window.
    Rate,
    /// Counted from the end of the fault.
    SinceDisarm,
}

/// Makes everything that there is to say of a measure from its one line below.
macro_rules! measures {
    ($($measure:ident: $kind:ident, $name:literal, $meaning:literal;)*) => {
        /// A figure of a run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum Measure {
            $(
                #[doc = concat!($meaning, ".")]
                #[serde(rename = $name)]
                $measure,
            )*
        }

        impl Measure {
            /// All of them.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$measure),*];

            /// The name in expressions.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$measure => $name,)*
                }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self {
                    $(Self::$measure => $meaning,)*
                }
            }

            pub(crate) const fn kind(self) -> Kind {
                match self {
                    $(Self::$measure => Kind::$kind,)*
                }
            }
        }
    };
}

measures! {
    Usage: Level, "usage", "memory in use, bytes, as the limit counts it";
    Limit: Level, "limit", "the memory limit, bytes";
    Imbalance: PoolLevel, "imbalance", "created - dropped - idle - lent, objects, of a stopped snapshot";
    DoubleHandout: PoolLevel, "double_handout", "objects found in two places, of a stopped snapshot";
    IdleBytes: PoolLevel, "idle_bytes", "bytes that pools hold idle";
    CapacityBytes: PoolLevel, "capacity_bytes", "bytes that pools may hold idle";
    LostEstimate: PoolLevel, "lost_estimate", "leases that the controller counts as lost";
    Hits: Level, "hits", "hits of the scenario's faults in this run";
    SitesNamed: Sites, "sites_named", "places in the code that the controller suspects of losing leases";
    SitesInjected: Sites, "sites_injected", "places in the code where the fault made leases be lost";
    HitRatio: Rate, "hit_ratio", "share of gets that reused an object, over the window";
    ErrorRatio: Rate, "error_ratio", "failed and timed-out requests per offered request, over the window";
    Shed: Rate, "shed", "requests refused under pressure, over the window";
    RequestP99: Rate, "request_p99", "99th percentile of the request latency, seconds, over the window";
    GrowthAfterDisarmBytes: SinceDisarm, "growth_after_disarm_bytes", "growth of the least bytes lent since the fault ended";
    KnobReversals: SinceDisarm, "knob_reversals", "times that a knob went back on itself since the fault ended";
}

impl Measure {
    pub(crate) fn parse(name: &str) -> Result<Self, Refused> {
        Self::ALL.into_iter().find(|m| m.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            let problem = format!("there is no such measure{}", suggest::hint(name, names));
            Refused::invalid("", name, problem, names.join(", "))
        })
    }

    /// The value for people, in the unit that fits.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Usage
            | Self::Limit
            | Self::IdleBytes
            | Self::CapacityBytes
            | Self::GrowthAfterDisarmBytes => crate::units::show_bytes(value),
            Self::RequestP99 => format!("{:.2} ms", value * 1e3),
            Self::HitRatio | Self::ErrorRatio => format!("{value:.4}"),
            _ => format!("{value:.0}"),
        }
    }
}

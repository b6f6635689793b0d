//! What a check may name: the measures, and in which sense each is meant.

use crate::{Refused, suggest};
use serde::Serialize;

/// A figure of a run. Each is defined here once, in its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// See [`Measure::describe`], as for all others.
    Usage,
    /// The memory limit.
    Limit,
    /// The pools' ledger.
    Imbalance,
    /// Objects in two places.
    DoubleHandout,
    /// Idle bytes.
    IdleBytes,
    /// The knob.
    CapacityBytes,
    /// Leases that will not return, as the controller estimates.
    LostEstimate,
    /// What the fault did.
    Hits,
    /// Where the controller says that leases are lost.
    SitesNamed,
    /// Where the fault struck.
    SitesInjected,
    /// Reuse.
    HitRatio,
    /// Failed requests.
    ErrorRatio,
    /// Refused requests.
    Shed,
    /// Slow requests.
    RequestP99,
    /// What leaks after the end of the fault.
    GrowthAfterDisarmBytes,
    /// Knobs that go back and forth.
    KnobReversals,
}

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

use Measure::{
    CapacityBytes, DoubleHandout, ErrorRatio, GrowthAfterDisarmBytes, HitRatio, Hits, IdleBytes, Imbalance,
    KnobReversals, Limit, LostEstimate, RequestP99, Shed, SitesInjected, SitesNamed, Usage,
};

impl Measure {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Usage,
        Limit,
        Imbalance,
        DoubleHandout,
        IdleBytes,
        CapacityBytes,
        LostEstimate,
        Hits,
        SitesNamed,
        SitesInjected,
        HitRatio,
        ErrorRatio,
        Shed,
        RequestP99,
        GrowthAfterDisarmBytes,
        KnobReversals,
    ];

    /// The name in expressions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Usage => "usage",
            Limit => "limit",
            Imbalance => "imbalance",
            DoubleHandout => "double_handout",
            IdleBytes => "idle_bytes",
            CapacityBytes => "capacity_bytes",
            LostEstimate => "lost_estimate",
            Hits => "hits",
            SitesNamed => "sites_named",
            SitesInjected => "sites_injected",
            HitRatio => "hit_ratio",
            ErrorRatio => "error_ratio",
            Shed => "shed",
            RequestP99 => "request_p99",
            GrowthAfterDisarmBytes => "growth_after_disarm_bytes",
            KnobReversals => "knob_reversals",
        }
    }

    /// What it means, for people.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Usage => "memory in use, bytes, as the limit counts it",
            Limit => "the memory limit, bytes",
            Imbalance => "created - dropped - idle - lent, objects, of a stopped snapshot",
            DoubleHandout => "objects found in two places, of a stopped snapshot",
            IdleBytes => "bytes that pools hold idle",
            CapacityBytes => "bytes that pools may hold idle",
            LostEstimate => "leases that the controller counts as lost",
            Hits => "hits of the scenario's faults in this run",
            SitesNamed => "places in the code that the controller suspects of losing leases",
            SitesInjected => "places in the code where the fault made leases be lost",
            HitRatio => "share of gets that reused an object, over the window",
            ErrorRatio => "failed and timed-out requests per offered request, over the window",
            Shed => "requests refused under pressure, over the window",
            RequestP99 => "99th percentile of the request latency, seconds, over the window",
            GrowthAfterDisarmBytes => "growth of the least bytes lent since the fault ended",
            KnobReversals => "times that a knob went back on itself since the fault ended",
        }
    }

    pub(crate) const fn kind(self) -> Kind {
        match self {
            Usage | Limit | Hits => Kind::Level,
            Imbalance | DoubleHandout | IdleBytes | CapacityBytes | LostEstimate => Kind::PoolLevel,
            SitesNamed | SitesInjected => Kind::Sites,
            HitRatio | ErrorRatio | Shed | RequestP99 => Kind::Rate,
            GrowthAfterDisarmBytes | KnobReversals => Kind::SinceDisarm,
        }
    }

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
            Usage | Limit | IdleBytes | CapacityBytes | GrowthAfterDisarmBytes => {
                crate::units::show_bytes(value)
            }
            RequestP99 => format!("{:.2} ms", value * 1e3),
            HitRatio | ErrorRatio => format!("{value:.4}"),
            _ => format!("{value:.0}"),
        }
    }
}

//! What a request to arm a fault looks like, as JSON and as a command line's short form.
//!
//! Knows nothing of the process: whether a pool exists or memory is known is checked when the fault is armed.

use super::catalogue::FaultName;
use super::when::When;
use crate::{Refused, suggest, units};
use serde_json::Value;
use std::time::Duration;

/// What to arm.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultRequest {
    /// See [`FaultName::MissingPut`].
    MissingPut {
        /// The pool whose leases are concerned; all pools if `None`.
        pool: Option<String>,
        /// Rate, count and way.
        when: When,
        /// The seed of the rate's randomness. With the same seed, the same arrivals are hit.
        seed: u64,
        /// How long it stays armed if nobody disarms it; `None` only from the environment.
        ttl: Option<Duration>,
    },
    /// See [`FaultName::MemoryBalloon`].
    MemoryBalloon {
        /// The share of the limit up to which usage is filled: the balloon takes `target_ratio × limit − usage`
        /// as they are when it is armed. 0 to [`TARGET_RATIO_MAX`].
        target_ratio: f64,
        /// How long it takes to inflate.
        ramp: Duration,
        /// How long it stays armed if nobody disarms it.
        ttl: Duration,
    },
}

/// The seed of a fault that is armed without one.
pub const SEED_DEFAULT: u64 = 1;
/// The largest share of the limit that a balloon fills: beyond it the kernel kills before pools can answer.
pub const TARGET_RATIO_MAX: f64 = 0.95;
/// How long a balloon inflates if nobody says.
pub const RAMP_DEFAULT: Duration = Duration::from_secs(5);

impl FaultRequest {
    /// Which fault.
    #[must_use]
    pub const fn name(&self) -> FaultName {
        match self {
            Self::MissingPut { .. } => FaultName::MissingPut,
            Self::MemoryBalloon { .. } => FaultName::MemoryBalloon,
        }
    }

    /// Reads the body of `PUT /v1/faults/{name}`.
    ///
    /// # Errors
    /// [`Refused`]: an unknown field, a wrong type, a value out of range. Its path is the field.
    pub fn from_json(name: FaultName, body: &Value) -> Result<Self, Refused> {
        let allowed: &[&str] = match name {
            FaultName::MissingPut => &["pool", "when", "ttl", "seed"],
            FaultName::MemoryBalloon => &["target_ratio", "ramp", "ttl"],
        };
        let Some(fields) = body.as_object() else {
            return Err(Refused::invalid("body", body.to_string(), "not an object", allowed.join(", ")));
        };
        if let Some(unknown) = fields.keys().find(|k| !allowed.contains(&k.as_str())) {
            let problem =
                format!("{name:?} has no such field{}", suggest::hint(unknown, allowed.iter().copied()));
            let problem = problem.replacen(&format!("{name:?}"), name.as_str(), 1);
            return Err(Refused::invalid(unknown, "", problem, allowed.join(", ")));
        }
        let ttl = match fields.get("ttl") {
            Some(ttl) => units::duration("ttl", text("ttl", ttl, units::DURATIONS)?)?,
            None => {
                return Err(Refused::invalid(
                    "ttl",
                    "",
                    "missing: a fault does not stay for ever",
                    units::DURATIONS,
                ));
            }
        };
        Ok(match name {
            FaultName::MissingPut => Self::MissingPut {
                pool: fields
                    .get("pool")
                    .map(|p| text("pool", p, "a pool's name").map(str::to_owned))
                    .transpose()?,
                when: When::parse("when", required_text(fields.get("when"), "when", When::ALLOWED)?)?,
                seed: match fields.get("seed") {
                    None => SEED_DEFAULT,
                    Some(seed) => seed.as_u64().ok_or_else(|| {
                        Refused::invalid(
                            "seed",
                            seed.to_string(),
                            "not a seed",
                            "a whole number, 0 to 2^64 - 1",
                        )
                    })?,
                },
                ttl: Some(ttl),
            },
            FaultName::MemoryBalloon => Self::MemoryBalloon {
                target_ratio: target_ratio(fields.get("target_ratio"))?,
                ramp: fields.get("ramp").map_or(Ok(RAMP_DEFAULT), |r| {
                    units::duration("ramp", text("ramp", r, units::DURATIONS)?)
                })?,
                ttl,
            },
        })
    }

    /// Reads `missing-put=3%`, `missing-put=3%return(dropped)` or `memory-balloon=0.9`: a command line's short
    /// form, in which a bare rate means `return(kept)`.
    ///
    /// # Errors
    /// [`Refused`]: no `=`, an unknown fault, a value out of range.
    pub fn from_flag(flag: &str, ttl: Duration, seed: u64) -> Result<Self, Refused> {
        let Some((name, value)) = flag.split_once('=') else {
            return Err(Refused::invalid("fault", flag, "no `=`", "missing-put=3% or memory-balloon=0.9"));
        };
        match FaultName::parse("fault", name)? {
            name @ FaultName::MissingPut => {
                let actions =
                    if value.ends_with('%') { format!("{value}return(kept)") } else { value.to_owned() };
                let when = When::parse(name.as_str(), &actions).map_err(|e| e.inside("fault"))?;
                Ok(Self::MissingPut { pool: None, when, seed, ttl: Some(ttl) })
            }
            FaultName::MemoryBalloon => {
                let number = value.parse::<f64>().ok().map(Value::from);
                let ratio = number.unwrap_or_else(|| Value::from(value));
                let target_ratio =
                    target_ratio(Some(&ratio)).map_err(|e| e.inside("fault.memory-balloon"))?;
                Ok(Self::MemoryBalloon { target_ratio, ramp: RAMP_DEFAULT, ttl })
            }
        }
    }
}

fn target_ratio(value: Option<&Value>) -> Result<f64, Refused> {
    let allowed = format!("a number, 0 to {TARGET_RATIO_MAX}");
    match value {
        None => Err(Refused::invalid("target_ratio", "", "missing", allowed)),
        Some(value) => match value.as_f64() {
            Some(ratio) if (0.0..=TARGET_RATIO_MAX).contains(&ratio) => Ok(ratio),
            Some(_) => Err(Refused::invalid("target_ratio", value.to_string(), "out of range", allowed)),
            None => Err(Refused::invalid("target_ratio", show(value), "not a number", allowed)),
        },
    }
}

fn required_text<'a>(value: Option<&'a Value>, path: &str, allowed: &str) -> Result<&'a str, Refused> {
    text(path, value.ok_or_else(|| Refused::invalid(path, "", "missing", allowed))?, allowed)
}

fn text<'a>(path: &str, value: &'a Value, allowed: &str) -> Result<&'a str, Refused> {
    value.as_str().ok_or_else(|| Refused::invalid(path, show(value), "not text", allowed))
}

fn show(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn put(name: FaultName, body: &Value) -> Result<FaultRequest, String> {
        FaultRequest::from_json(name, body).map_err(|e| e.to_string())
    }

    #[test]
    fn the_examples_are_read() {
        let body = json!({"pool": "http.body", "when": "3%return(kept)", "ttl": "90s"});
        let expected = FaultRequest::MissingPut {
            pool: Some("http.body".into()),
            when: When::parse("when", "3%return(kept)").unwrap(),
            seed: SEED_DEFAULT,
            ttl: Some(Duration::from_secs(90)),
        };
        assert_eq!(put(FaultName::MissingPut, &body), Ok(expected));
        let body = json!({"target_ratio": 0.92, "ramp": "20s", "ttl": "120s"});
        let expected = FaultRequest::MemoryBalloon {
            target_ratio: 0.92,
            ramp: Duration::from_secs(20),
            ttl: Duration::from_secs(120),
        };
        assert_eq!(put(FaultName::MemoryBalloon, &body), Ok(expected));
    }

    #[test]
    fn bad_bodies_name_field_value_and_what_is_allowed() {
        let cases = [
            (
                FaultName::MissingPut,
                json!({"when": "3%return", "ttl": 90}),
                "ttl: \"90\": not text; allowed: a number with a unit ms, s, m or h, from 1ms to 24h, such as 90s",
            ),
            (
                FaultName::MissingPut,
                json!({"when": "3%return"}),
                "ttl: missing: a fault does not stay for ever; allowed: a number with a unit ms, s, m or h, from 1ms to 24h, such as 90s",
            ),
            (
                FaultName::MissingPut,
                json!({"wen": "3%return", "ttl": "1s"}),
                "wen: missing-put has no such field, did you mean \"when\"?; allowed: pool, when, ttl, seed",
            ),
            (
                FaultName::MissingPut,
                json!({"when": "off", "ttl": "1s", "seed": -1}),
                "seed: \"-1\": not a seed; allowed: a whole number, 0 to 2^64 - 1",
            ),
            (
                FaultName::MemoryBalloon,
                json!({"target_ratio": 0.97, "ttl": "1s"}),
                "target_ratio: \"0.97\": out of range; allowed: a number, 0 to 0.95",
            ),
            (
                FaultName::MemoryBalloon,
                json!({"target_ratio": "much", "ttl": "1s"}),
                "target_ratio: \"much\": not a number; allowed: a number, 0 to 0.95",
            ),
            (
                FaultName::MemoryBalloon,
                json!({"ttl": "1s"}),
                "target_ratio: missing; allowed: a number, 0 to 0.95",
            ),
            (
                FaultName::MemoryBalloon,
                json!([1]),
                "body: \"[1]\": not an object; allowed: target_ratio, ramp, ttl",
            ),
        ];
        for (name, body, expected) in cases {
            assert_eq!(put(name, &body).unwrap_err(), expected);
        }
    }

    #[test]
    fn flags_are_the_short_form() {
        let ttl = Duration::from_secs(9);
        let FaultRequest::MissingPut { when, .. } =
            FaultRequest::from_flag("missing-put=3%", ttl, 7).unwrap()
        else {
            panic!("not a missing put")
        };
        assert_eq!(when.to_string(), "3%return(kept)");
        let FaultRequest::MemoryBalloon { target_ratio, .. } =
            FaultRequest::from_flag("memory-balloon=0.9", ttl, 7).unwrap()
        else {
            panic!("not a balloon")
        };
        assert!((target_ratio - 0.9).abs() < 1e-12);
        for (bad, part) in [
            ("missing-put", "no `=`"),
            ("missing-putt=3%", "did you mean \"missing-put\"?"),
            ("missing-put=101%", "fault.missing-put"),
            ("memory-balloon=2", "fault.memory-balloon.target_ratio: \"2.0\": out of range"),
            ("memory-balloon=NaN", "not a number"),
        ] {
            let e = FaultRequest::from_flag(bad, ttl, 7).unwrap_err().to_string();
            assert!(e.contains(part), "{bad}: {e}");
        }
    }
}

//! `FAILPOINTS`, as users of the `fail` crate know it: `name=actions;name=actions`.
//!
//! `fail` reads it only in a test scenario's setup, and panics at what it cannot parse and accepts any name.
//! Here it is read when the service asks for it, and every mistake is an error that names what is allowed.

use super::{FaultBox, FaultName, FaultRequest, SEED_DEFAULT, When};
use crate::{Refused, units};

/// The variable.
const FAILPOINTS: &str = "FAILPOINTS";

impl FaultBox {
    /// Arms what the environment variable `FAILPOINTS` names; returns how many faults that was.
    ///
    /// # Errors
    /// [`Refused`] for the first part that is wrong; nothing is armed then.
    pub fn arm_from_env(&self) -> Result<usize, Refused> {
        match std::env::var(FAILPOINTS) {
            Ok(value) => self.arm_failpoints(&value),
            Err(std::env::VarError::NotPresent) => Ok(0),
            Err(std::env::VarError::NotUnicode(value)) => {
                Err(Refused::invalid(FAILPOINTS, value.to_string_lossy(), "not UTF-8", ALLOWED))
            }
        }
    }

    /// Arms what `value` names, in the syntax of `FAILPOINTS`. Without a time-to-live, as with `fail`.
    ///
    /// # Errors
    /// As [`arm_from_env`](Self::arm_from_env).
    pub fn arm_failpoints(&self, value: &str) -> Result<usize, Refused> {
        let requests = parse(value)?;
        for request in &requests {
            self.arm(request).inspect_err(|_| {
                self.disarm_all();
            })?;
        }
        Ok(requests.len())
    }
}

const ALLOWED: &str = "name=actions, joined by ;, such as missing-put=3%return(kept)";

fn parse(value: &str) -> Result<Vec<FaultRequest>, Refused> {
    let mut requests = Vec::new();
    for part in value.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let Some((name, actions)) = part.split_once('=') else {
            return Err(Refused::invalid(FAILPOINTS, part, "no `=`", ALLOWED));
        };
        match FaultName::parse(FAILPOINTS, name.trim())? {
            FaultName::MissingPut => {
                let path = format!("{FAILPOINTS}.{}", FaultName::MissingPut.as_str());
                let when = When::parse(&path, actions)?;
                requests.push(FaultRequest::MissingPut { pool: None, when, seed: SEED_DEFAULT, ttl: None });
            }
            FaultName::MemoryBalloon => {
                let problem = "a balloon is no failpoint: it needs a target and a time-to-live";
                let allowed = format!(
                    "PUT /v1/faults/memory-balloon with target_ratio, ramp and ttl ({})",
                    units::DURATIONS
                );
                return Err(Refused::invalid(FAILPOINTS, part, problem, allowed));
            }
        }
    }
    Ok(requests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_of_fail_is_read() {
        assert_eq!(parse(""), Ok(Vec::new()));
        let requests = parse(" missing-put = 3%return(kept)->off ; ").unwrap();
        let [FaultRequest::MissingPut { pool: None, when, ttl: None, .. }] = &requests[..] else {
            panic!("{requests:?}")
        };
        assert_eq!(when.to_string(), "3%return(kept)->off");
    }

    #[test]
    fn mistakes_are_errors_with_what_is_allowed() {
        for (bad, expected) in [
            (
                "mising-put=return",
                "FAILPOINTS: \"mising-put\": there is no such fault, did you mean \"missing-put\"?; \
              allowed: missing-put, memory-balloon",
            ),
            (
                "missing-put",
                "FAILPOINTS: \"missing-put\": no `=`; allowed: name=actions, joined by ;, such as missing-put=3%return(kept)",
            ),
            (
                "missing-put=retrun",
                "FAILPOINTS.missing-put: \"retrun\": \"retrun\" is no task, did you mean \"return\"?; allowed: [rate%][count*]return(kept), return(dropped), return (kept) or off, joined by ->, such as 3%return(kept)",
            ),
        ] {
            assert_eq!(parse(bad).unwrap_err().to_string(), expected);
        }
        assert!(
            parse("memory-balloon=return").unwrap_err().to_string().contains("a balloon is no failpoint")
        );
    }
}

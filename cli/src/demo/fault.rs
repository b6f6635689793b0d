//! A fault during the run: `--fault missing-put=3%`, armed and disarmed over the admin routes.

use super::admin::Admin;
use pool_chaos::Refused;
use pool_chaos::faults::{FaultName, FaultRequest, FaultsStatus};
use serde_json::{Value, json};
use std::time::Duration;

/// What missing puts are confined to: every request has exactly one lease of this pool, and what leaks of it in
/// a run fits beside the load.
pub(crate) const MISSING_PUT_POOL: &str = "http.body";

/// A fault and when it is on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    request: FaultRequest,
    flag: String,
    /// Armed at this time of the run.
    pub(crate) from: Duration,
    /// Disarmed at this time.
    pub(crate) until: Duration,
}

impl Fault {
    /// Reads the flag for a run of `run`: armed after a third of it, disarmed after two thirds.
    ///
    /// # Errors
    /// What is wrong with it and what is allowed; a near miss of a name is named.
    pub(crate) fn parse(flag: &str, run: Duration, seed: u64) -> Result<Self, Refused> {
        let (from, until) = (run / 3, run * 2 / 3);
        // The time-to-live is for a parent that dies: disarming is ours.
        let ttl = run / 3 + Duration::from_secs(10);
        let mut request = FaultRequest::from_flag(flag, ttl, seed)?;
        if let FaultRequest::MissingPut { pool, .. } = &mut request {
            *pool = Some(MISSING_PUT_POOL.to_owned());
        }
        Ok(Self { request, flag: flag.to_owned(), from, until })
    }

    /// The flag as it was given.
    pub(crate) fn flag(&self) -> &str {
        &self.flag
    }

    /// Which fault.
    pub(crate) const fn name(&self) -> FaultName {
        self.request.name()
    }

    /// Whether it strikes pools, and nothing without them.
    pub(crate) fn needs_pools(&self) -> bool {
        self.name() == FaultName::MissingPut
    }

    /// Arms it.
    ///
    /// # Errors
    /// What the child says against it.
    pub(crate) async fn arm(&self, admin: &mut Admin) -> anyhow::Result<()> {
        admin.put::<Value>(&self.path(), &self.body()).await.map(drop)
    }

    /// Disarms it; fine if it is not armed.
    ///
    /// # Errors
    /// If the child does not answer.
    pub(crate) async fn disarm(&self, admin: &mut Admin) -> anyhow::Result<()> {
        admin.delete::<Value>(&self.path()).await.map(drop)
    }

    fn path(&self) -> String {
        format!("/v1/faults/{}", self.name().as_str())
    }

    fn body(&self) -> Value {
        let ms = |duration: &Duration| format!("{}ms", duration.as_millis());
        match &self.request {
            FaultRequest::MissingPut { pool, when, seed, ttl } => {
                json!({"pool": pool, "when": when.to_string(), "seed": seed, "ttl": ttl.as_ref().map(ms)})
            }
            FaultRequest::MemoryBalloon { target_ratio, ramp, ttl } => {
                json!({"target_ratio": target_ratio, "ramp": ms(ramp), "ttl": ms(ttl)})
            }
        }
    }
}

/// What a fault has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Struck {
    /// Hits.
    pub(crate) hits: u64,
    /// Where, for faults that have places.
    pub(crate) sites: Vec<String>,
}

/// Asks the child what the fault has done.
///
/// # Errors
/// If the child does not answer.
pub(crate) async fn struck(name: FaultName, admin: &mut Admin) -> anyhow::Result<Struck> {
    let mut status: FaultsStatus = admin.get("/v1/faults").await?;
    Ok(Struck {
        hits: status.hits_total.get(&name).copied().unwrap_or(0),
        sites: status.sites_injected.remove(&name).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Duration = Duration::from_secs(60);

    #[test]
    fn a_fault_is_on_in_the_middle_third() {
        let fault = Fault::parse("missing-put=3%", RUN, 7).unwrap();
        assert_eq!((fault.from, fault.until), (Duration::from_secs(20), Duration::from_secs(40)));
        assert_eq!(fault.path(), "/v1/faults/missing-put");
    }

    #[test]
    fn what_is_sent_is_what_the_child_reads() {
        for flag in ["missing-put=3%", "missing-put=3%return(dropped)", "memory-balloon=0.9"] {
            let fault = Fault::parse(flag, RUN, 7).unwrap();
            assert_eq!(FaultRequest::from_json(fault.name(), &fault.body()), Ok(fault.request), "{flag}");
        }
    }

    #[test]
    fn a_typo_is_answered_with_the_name_that_was_meant() {
        let e = Fault::parse("mising-put=3%", RUN, 7).unwrap_err().to_string();
        assert!(e.contains("did you mean \"missing-put\"?") && e.contains("memory-balloon"), "{e}");
        let e = Fault::parse("memory-balloon=9", RUN, 7).unwrap_err().to_string();
        assert!(e.contains("memory-balloon") && e.contains("0.95"), "{e}");
    }
}

//! A fault during the run: `--fault missing-put=3%`, armed and disarmed over the admin routes.

use super::load::plan::PERIOD_S;
use crate::service::Client;
use pool_chaos::Refused;
use pool_chaos::faults::{FaultName, FaultRequest, FaultsStatus};
use pool_controller::decide::Tide;
use pool_controller::decide::leak::LeakWatch;
use serde_json::{Value, json};
use std::time::Duration;

/// What missing puts are confined to: every request has exactly one lease of this pool, and what leaks of it in
/// a run fits beside the load.
pub(crate) const MISSING_PUT_POOL: &str = "http.body";

/// What the pools have to grow back until they reuse as before, thousandths of the limit. Reuse comes back long before
/// all of the budget does.
const GROWN_BACK_PERMILLE: u64 = 200;
/// From the end of a fault to the first reading without it: disarming, unmapping, a median of three ticks.
const SEEN_AFTER: Duration = Duration::from_secs(4);

/// The shortest run in which a fault can be judged, and what takes so long: a third to settle, a third with the fault, a
/// third to recover, each as long as the longest of them has to be.
pub(crate) fn run_min(name: FaultName) -> (Duration, &'static str) {
    // What is compared or looked for has to be seen in ingest and in export.
    let turn = Duration::from_secs_f64(PERIOD_S);
    let growth = Duration::from_secs(GROWN_BACK_PERMILLE / Tide::GROWTH_PERMILLE_PER_S);
    match name {
        FaultName::MissingPut => (
            3 * (LeakWatch::SUSPECTS_AFTER + turn),
            "a leak is suspected from 20 s on, and its places are found then",
        ),
        FaultName::MemoryBalloon => (
            3 * (SEEN_AFTER + Tide::GROWS_AFTER + growth + turn),
            "pools grow from 14 s after it on, by 2 % of the limit a second",
        ),
    }
}

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
    pub(crate) async fn arm(&self, client: &mut Client) -> anyhow::Result<()> {
        client.put::<Value>(&self.path(), &self.body()).await.map(drop)
    }

    /// Disarms it; fine if it is not armed.
    ///
    /// # Errors
    /// If the child does not answer.
    pub(crate) async fn disarm(&self, client: &mut Client) -> anyhow::Result<()> {
        client.delete::<Value>(&self.path()).await.map(drop)
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
pub(crate) async fn struck(name: FaultName, client: &mut Client) -> anyhow::Result<Struck> {
    let mut status: FaultsStatus = client.json("/v1/faults").await?;
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
    fn the_shortest_run_has_time_for_what_the_controller_does() {
        let (leak, why_leak) = run_min(FaultName::MissingPut);
        let (balloon, why_balloon) = run_min(FaultName::MemoryBalloon);
        assert_eq!([leak, balloon].map(|run| run.as_secs()), [84, 108]);
        // The words are the controller's numbers.
        assert!(why_leak.contains(&format!("from {} s on", LeakWatch::SUSPECTS_AFTER.as_secs())));
        let percent = Tide::GROWTH_PERMILLE_PER_S / 10;
        assert!(why_balloon.contains(&format!("{} s after", Tide::GROWS_AFTER.as_secs())));
        assert!(why_balloon.contains(&format!("by {percent} % of")));
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

//! Looks at a service for `check --service`: everything that is judged, read once, and the loop watched until it ticks.

use super::Service;
use super::contract::Seen;
use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A loop that ticks four times a second and has not within this time does not.
const TICKS_WITHIN: Duration = Duration::from_secs(5);
/// It is asked so often meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(100);

impl Service {
    /// Reads what [`Seen`] has.
    ///
    /// # Errors
    /// If the service does not answer, or does not answer as a controller does.
    pub(crate) async fn look(&self) -> anyhow::Result<Seen> {
        let health = self.json("/healthz").await?;
        let memory: super::contract::Memory = self.json("/v1/memory").await?;
        let pools = self.json("/v1/pools").await?;
        let metrics = self.get("/metrics").await?;
        let ticked_within = self.next_tick(memory.tick, &memory.mode).await?;
        Ok(Seen { health, memory, pools, metrics, ticked_within })
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.get(path).await?;
        if answer.status == 421 {
            bail!("{self}{path}: it answers under names of loopback only: localhost, 127.0.0.1 or [::1]");
        }
        if answer.status != 200 {
            bail!("{self}{path}: status {}: not the admin routes of an Ebbpool controller", answer.status);
        }
        serde_json::from_str(&answer.body)
            .with_context(|| format!("{self}{path}: not what an Ebbpool controller answers"))
    }

    /// How long it took to the next tick; `None` if there was none. Switched off, a controller has no loop.
    async fn next_tick(&self, tick: u64, mode: &str) -> anyhow::Result<Option<Duration>> {
        let began = Instant::now();
        while mode != "off" && began.elapsed() < TICKS_WITHIN {
            let memory: super::contract::Memory = self.json("/v1/memory").await?;
            if memory.tick > tick {
                return Ok(Some(began.elapsed()));
            }
            sleep(ASK_EVERY).await;
        }
        Ok(None)
    }
}

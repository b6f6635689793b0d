//! Looks at a service for `check --service`: everything that is judged, read once, and the loop watched until it ticks.

use super::contract::Seen;
use super::wire::Memory;
use super::{Client, Service};
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
        let mut client = Client::new(self.clone());
        let health = client.json("/healthz").await?;
        let memory: Memory = client.json("/v1/memory").await?;
        let pools = client.json("/v1/pools").await?;
        let metrics = client.get("/metrics").await?;
        let ticked_within = next_tick(&mut client, memory.tick, &memory.mode).await?;
        Ok(Seen { health, memory, pools, metrics, ticked_within })
    }
}

/// How long it took to the next tick; `None` if there was none. Switched off, a controller has no loop.
async fn next_tick(client: &mut Client, tick: u64, mode: &str) -> anyhow::Result<Option<Duration>> {
    let began = Instant::now();
    while mode != "off" && began.elapsed() < TICKS_WITHIN {
        let memory: Memory = client.json("/v1/memory").await?;
        if memory.tick > tick {
            return Ok(Some(began.elapsed()));
        }
        sleep(ASK_EVERY).await;
    }
    Ok(None)
}

//! Polls the child's admin routes and keeps the latest view.

use crate::service::Client;
use crate::service::wire::{Memory, Pools};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// As often as the controller ticks.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// A poll that takes longer has failed: a later one says more.
const POLL_TIME_MAX: Duration = Duration::from_secs(2);

/// What the child said at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) memory: Memory,
    pub(crate) pools: Pools,
}

/// A poller; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Watching {
    latest: watch::Receiver<Option<Arc<Seen>>>,
    task: JoinHandle<()>,
}

impl Watching {
    /// Begins to poll.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let (publish, latest) = watch::channel(None);
        let task = tokio::spawn(async move {
            let mut client = Client::new(address).within(POLL_TIME_MAX);
            let mut ticks = tokio::time::interval(POLL_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // A poll that fails is one point less; a child that is gone is noticed by its end.
                if let Ok(seen) = look(&mut client).await {
                    publish.send_replace(Some(Arc::new(seen)));
                }
            }
        });
        Self { latest, task }
    }

    /// The latest view; `None` before the first answer.
    pub(crate) fn latest(&self) -> Option<Arc<Seen>> {
        self.latest.borrow().clone()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Asks once.
///
/// # Errors
/// If the child does not answer as expected.
pub(crate) async fn look(client: &mut Client) -> anyhow::Result<Seen> {
    let memory = client.json("/v1/memory").await?;
    let pools = client.json("/v1/pools").await?;
    Ok(Seen { memory, pools })
}

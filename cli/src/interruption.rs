//! The signals that ask a demo to end: Ctrl-C, SIGTERM, and the end of its terminal.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Catches them from its creation on, so that none ends the process before it has cleaned up.
#[derive(Debug)]
pub(crate) struct Interruption([Signal; 3]);

impl Interruption {
    /// Begins to catch them.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    /// Waits for the next of them.
    pub(crate) async fn comes(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

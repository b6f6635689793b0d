//! The stream of inputs: everything that each decision is made of, for who records it.
//!
//! Nothing is done for it while nobody listens. A listener that is slow misses moments, and no demand: what is counted
//! there is cumulative.

use super::Admin;
use super::events::{Permitted, refused};
use crate::mode::Mode;
use crate::moment::moment_json;
use crate::status::Status;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc::channel;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::interval;
use tokio_stream::wrappers::{IntervalStream, ReceiverStream};
use tokio_stream::{Stream, StreamExt as _};

/// Ticks that may wait for a listener; more of them are left out.
const WAITING_MAX: usize = 64;

pub(super) async fn inputs(State(admin): State<Admin>) -> Response {
    let Some(permit) = admin.events.permit() else { return refused() };
    let ticks: Pin<Box<dyn Stream<Item = Arc<Status>> + Send>> = match admin.handle.mode() {
        // Nothing ticks: it is read as long as somebody looks.
        Mode::Off => Box::pin(IntervalStream::new(interval(crate::TICK)).map(move |_| admin.handle.status())),
        Mode::Observe | Mode::Enforce | Mode::Frozen => {
            let (sender, ticks) = channel(WAITING_MAX);
            // The sender is with the listeners: when the controller ends, so does the stream.
            admin.handle.on_status(move |status| {
                !matches!(sender.try_send(Arc::clone(status)), Err(TrySendError::Closed(_)))
            });
            Box::pin(ReceiverStream::new(ticks))
        }
    };
    let events = ticks.filter_map(|status| moment_json(&status));
    let events = events.map(|json| Ok::<_, Infallible>(Event::default().event("inputs").data(json)));
    Sse::new(Permitted::new(events, permit)).into_response()
}

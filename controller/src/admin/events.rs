//! The event stream: each tick's status, serialised once, to at most 32 listeners.

use super::Admin;
use crate::mode::Mode;
use crate::runner::Handle;
use crate::status::Status;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::interval;
use tokio_stream::wrappers::{IntervalStream, WatchStream};
use tokio_stream::{Stream, StreamExt as _};

/// Streams that may be open at a time.
pub(super) const STREAMS_MAX: usize = 32;

/// The source of all streams.
#[derive(Clone)]
pub(super) struct Events {
    ticks: watch::Receiver<Arc<str>>,
    free: Arc<Semaphore>,
}

impl Events {
    /// Follows the controller. The sender is with its listeners: when the controller ends, so do the streams.
    pub(super) fn of(handle: &Handle) -> Self {
        let (sender, ticks) = watch::channel(serialised(&handle.status()));
        handle.on_status(move |status| sender.send(serialised(status)).is_ok());
        Self { ticks, free: Arc::new(Semaphore::new(STREAMS_MAX)) }
    }

    /// A place for one more stream, if there is one.
    pub(super) fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }
}

pub(super) async fn events(State(admin): State<Admin>) -> Response {
    let Some(permit) = admin.events.permit() else { return refused() };
    let data: Pin<Box<dyn Stream<Item = Arc<str>> + Send>> = match admin.handle.mode() {
        // Nothing ticks: it is read as long as somebody looks.
        Mode::Off => {
            let ticks = IntervalStream::new(interval(crate::TICK));
            Box::pin(ticks.map(move |_| serialised(&admin.handle.status())))
        }
        Mode::Observe | Mode::Enforce | Mode::Frozen => Box::pin(WatchStream::new(admin.events.ticks)),
    };
    let events = data.map(|json| Ok::<_, Infallible>(Event::default().event("tick").data(json)));
    Sse::new(Permitted::new(events, permit)).into_response()
}

/// There is no place for one more stream.
pub(super) fn refused() -> Response {
    let problem = format!("{STREAMS_MAX} event streams are open already");
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": problem}))).into_response()
}

fn serialised(status: &Status) -> Arc<str> {
    // Plain figures and strings always serialise.
    serde_json::to_string(status).unwrap_or_default().into()
}

/// A stream that gives its place back when it ends or its client goes.
pub(super) struct Permitted<S> {
    stream: S,
    _permit: OwnedSemaphorePermit,
}

impl<S> Permitted<S> {
    pub(super) fn new(stream: S, permit: OwnedSemaphorePermit) -> Self {
        Self { stream, _permit: permit }
    }
}

impl<S: Stream + Unpin> Stream for Permitted<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.stream).poll_next(context)
    }
}

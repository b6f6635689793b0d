//! The event stream: each tick's status, serialised once, to at most 32 listeners; and where all streams come from.

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
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::interval;
use tokio_stream::wrappers::{IntervalStream, WatchStream};
use tokio_stream::{Stream, StreamExt as _};

/// Streams that may be open at a time.
pub(super) const STREAMS_MAX: usize = 32;
/// Statuses that may wait for a stream that needs each of them; it misses the oldest of more.
const WAITING_MAX: usize = 64;

/// The source of all streams.
#[derive(Clone)]
pub(super) struct Events {
    ticks: watch::Receiver<Arc<str>>,
    /// Gone when no more statuses will come. A receiver that waits here for others would keep what nobody reads.
    each: Weak<broadcast::Sender<Arc<Status>>>,
    free: Arc<Semaphore>,
}

impl Events {
    /// Follows the controller, by one listener for all streams. The senders are with it: when the controller ends, so do
    /// the streams.
    pub(super) fn of(handle: &Handle) -> Self {
        let (sender, ticks) = watch::channel(serialised(&handle.status()));
        let all = Arc::new(broadcast::Sender::new(WAITING_MAX));
        let each = Arc::downgrade(&all);
        handle.on_status(move |status| {
            let _ = all.send(Arc::clone(status)); // nobody need be there
            sender.send(serialised(status)).is_ok()
        });
        Self { ticks, each, free: Arc::new(Semaphore::new(STREAMS_MAX)) }
    }

    /// Each status from now on; `None` if no more will come.
    pub(super) fn each(&self) -> Option<broadcast::Receiver<Arc<Status>>> {
        self.each.upgrade().map(|all| all.subscribe())
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
